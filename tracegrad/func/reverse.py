"""grad, value_and_grad and vjp: functions from functions, by one reverse sweep each."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from tracegrad import config, pytree
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, DataError, explain
from tracegrad.func.levels import Level, positions, running
from tracegrad.ir.types import Type

Function = Callable[..., Any]


def value_and_grad(function: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
    """The function that returns (value, gradient) of a scalar-valued function.

    The gradient has the form of the argument: nested tuples, lists and dicts of Tensors; with a tuple of argnums it is a tuple of these.  With has_aux the
    function returns (value, aux) and the result is ((value, aux), gradient).  Nests to any order, and may be compiled.

    Raises RuntimeError when the value is not a single floating-point number or an argument is an integer; ValueError for argnums that the call lacks.
    """

    @wraps(function)
    def with_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        chosen = positions("grad", argnums, len(args))
        level = Level("grad", [args[n] for n in chosen])
        value, aux = _run(function, level, chosen, args, kwargs, has_aux)
        one = T.ones(Type(value._data.shape, value._data.dtype))
        gradients = level.sweep([value], [one], keep=False)
        gradient = gradients[0] if isinstance(argnums, int) else tuple(gradients)
        shown = level.outside(value)
        return ((shown, pytree.map(level.outside, aux)) if has_aux else shown), gradient

    return with_gradient


def grad(function: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
    """The gradient of a scalar-valued function: value_and_grad without the value; with has_aux the result is (gradient, aux)."""
    both = value_and_grad(function, argnums, has_aux)

    @wraps(function)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, g = both(*args, **kwargs)
        return (g, value[1]) if has_aux else g

    return gradient


def grad_and_value(function: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
    """torch's order of value_and_grad: the result is (gradient, value), or (gradient, (value, aux))."""
    both = value_and_grad(function, argnums, has_aux)

    @wraps(function)
    def gradient_first(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        value, g = both(*args, **kwargs)
        return g, value

    return gradient_first


def vjp(function: Function, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """(output, vjp_function[, aux]) of a function at the primals.

    vjp_function(*cotangents) takes cotangents in the form of the output and returns a tuple with one cotangent per primal.
    """
    level = Level("vjp", primals)
    before = config.set_grad_enabled(True)
    try:
        with running("vjp"):
            result = function(*level.arguments())
    finally:
        config.set_grad_enabled(before)
    output, aux = (result[0], result[1]) if has_aux else (result, None)
    if any(not isinstance(leaf, Tensor) for leaf in pytree.leaves(aux)):
        raise DataError(explain("vjp", "Expected tensors as aux, got another type"))
    leaves, treedef = pytree.flatten(output)
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise DataError(explain("vjp", f"the function must return Tensors, got {type(leaf).__name__}"))

    def vjp_function(*cotangents: Any, **_options: Any) -> Any:
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        parts, form = pytree.flatten(given)
        if form != treedef or any(p._data.shape != o._data.shape for p, o in zip(parts, leaves, strict=True)):
            raise DataError(
                explain("vjp", f"cotangents must have the form and the shapes of the output, {treedef}; got {form}")
            )
        found = level.sweep(leaves, parts, keep=True)
        return tuple(found)

    shown = treedef.unflatten([level.outside(leaf) for leaf in leaves])
    return (shown, vjp_function, pytree.map(level.outside, aux)) if has_aux else (shown, vjp_function)


def _run(
    function: Function, level: Level, chosen: tuple[int, ...], args: Any, kwargs: Any, has_aux: bool
) -> tuple[Tensor, Any]:
    """The value (checked to be a floating scalar) and the aux of the function at this level's arguments."""
    inner = list(args)
    for n, argument in zip(chosen, level.arguments(), strict=True):
        inner[n] = argument
    before = config.set_grad_enabled(True)
    try:
        with running("grad"):
            result = function(*inner, **kwargs)
    finally:
        config.set_grad_enabled(before)
    if has_aux and not (isinstance(result, tuple) and len(result) == 2):
        raise ArgumentError(explain("grad", "with has_aux=True the function must return (value, aux)"))
    value, aux = result if has_aux else (result, None)
    if not isinstance(value, Tensor):
        raise DataError(explain("grad", f"the function must return a Tensor, got {type(value).__name__}"))
    if value._data.size != 1 or value._data.ndim > 0:
        raise DataError(
            explain(
                "grad",
                "expected the function to return a scalar tensor (0 axes)",
                "Reduce it, for instance with sum()",
                value=Type(value._data.shape, value._data.dtype),
            )
        )
    if value._data.dtype.kind not in "fV":
        raise DataError(explain("grad", f"expected the function to return a floating-point value, got {value.dtype}"))
    return value, aux
