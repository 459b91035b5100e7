"""torch.autograd.functional: Jacobians, Hessians and products with them, of a Python function at given inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracegrad.autograd.engine import grad
from tracegrad.autograd.modes import enable_grad
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import (
    ArgumentError,
    AxisError,
    DataError,
    DifferentiationError,
    DTypeError,
    NotSupportedError,
    OptionError,
    explain,
)
from tracegrad.ir.types import Type
from tracegrad.slots import slots

Tensors = tuple[Tensor, ...]


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), v^T J).  v has the form of the outputs; it may be None for one output of one element.

    Raises RuntimeError when v is missing or has another shape; with strict=True also when an output does not depend on an input.
    """
    with enable_grad():
        given, alone = _tensors("vjp", "inputs", inputs)
        prepared = _prepare(given, create_graph)
        outputs, single = _outputs("vjp", func, prepared)
        cotangents = _weights("vjp", v, outputs, "output")
        found = _gradients("vjp", outputs, prepared, cotangents, create_graph, strict)
    return _finish(outputs, single, create_graph), _finish(found, alone, create_graph)


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), J v), by differentiating v^T J twice.  v has the form of the inputs; it may be None for one input of one element."""
    with enable_grad():
        given, _ = _tensors("jvp", "inputs", inputs)
        prepared = _prepare(given, create_graph)
        tangents = _weights("jvp", v, prepared, "input")
        outputs, single = _outputs("jvp", func, prepared)
        probes = tuple(_zeros(o).requires_grad_() for o in outputs)
        transposed = _gradients("jvp", outputs, prepared, probes, True, strict)
        found = _gradients("jvp", transposed, probes, tangents, create_graph, False)
    return _finish(outputs, single, create_graph), _finish(found, single, create_graph)


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian: for one input and one output a Tensor of shape output.shape + input.shape, else (nested) tuples of them, outputs outermost.

    In reverse mode rows are computed one by one; with vectorize=True in one batched sweep.  strategy="forward-mode" computes columns in one batched program and needs
    vectorize=True.  Raises AssertionError for another strategy, NotImplementedError for forward mode without vectorize or with create_graph, RuntimeError for strict with
    vectorize, and with strict=True for an output that does not depend on an input.
    """
    _check_strategy("jacobian", strategy, vectorize)
    if strategy == "forward-mode":
        return _by_columns(func, inputs, create_graph, strict)
    if strict and vectorize:
        problem = "`strict=True` and `vectorized=True` are not supported together"
        raise DifferentiationError(explain("jacobian", problem, "Set strict=False or vectorize=False"))
    with enable_grad():
        given, alone = _tensors("jacobian", "inputs", inputs)
        prepared = _prepare(given, create_graph)
        outputs, single = _outputs("jacobian", func, prepared)
        rows = tuple(_jacobian_of(o, prepared, create_graph, strict, vectorize) for o in outputs)
    shown = tuple(_finish(row, alone, create_graph) for row in rows)
    return shown[0] if single else shown


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of a function with one result of one element: jacobian of the gradient.  Raises RuntimeError for any other result."""
    _check_strategy("hessian", outer_jacobian_strategy, vectorize)
    _, alone = _tensors("hessian", "inputs", inputs)

    def gradient(*values: Tensor) -> Any:
        if outer_jacobian_strategy == "forward-mode":  # then values are no leaves yet
            values = tuple(v.requires_grad_() for v in values)
        outputs, single = _outputs("hessian", func, values)
        _need_scalar("hessian", outputs, single)
        found = _gradients("hessian", outputs, values, _weights("hessian", None, outputs, "output"), True, strict)
        return found[0] if alone else found

    return jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), v^T H) for a function with one result of one element."""
    with enable_grad():
        given, alone = _tensors("vhp", "inputs", inputs)
        prepared = _prepare(given, create_graph)
        weights = _weights("vhp", v, prepared, "input")
        outputs, single = _outputs("vhp", func, prepared)
        _need_scalar("vhp", outputs, single)
        first = _gradients("vhp", outputs, prepared, _weights("vhp", None, outputs, "output"), True, strict)
        found = _gradients("vhp", first, prepared, weights, create_graph, strict)
    return _finish(outputs, single, create_graph), _finish(found, alone, create_graph)


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), H v): equal to vhp, because the Hessian is symmetric."""
    return vhp(func, inputs, v, create_graph, strict)


def _tensors(operation: str, what: str, value: Any) -> tuple[Tensors, bool]:
    """The Tensors, and whether one was given outside a tuple."""
    if isinstance(value, Tensor):
        return (value,), True
    if not isinstance(value, tuple):
        raise ArgumentError(
            explain(operation, f"the {what} must be either a Tensor or a tuple of Tensors, got {type(value).__name__}")
        )
    for i, item in enumerate(value):
        if not isinstance(item, Tensor):
            raise ArgumentError(
                explain(operation, f"the {what} must be Tensors, but element {i} has type {type(item).__name__}")
            )
    return value, False


def _outputs(operation: str, func: Callable[..., Any], values: Tensors) -> tuple[Tensors, bool]:
    return _tensors(operation, "outputs of the function", func(*values))


def _prepare(given: Tensors, create_graph: bool) -> Tensors:
    """The inputs as values to differentiate for: connected to the caller's graph if create_graph, else new leaves."""
    if create_graph:
        return tuple(T.alias(t) if t.requires_grad else T.detach(t).requires_grad_() for t in given)
    return tuple(T.detach(t).requires_grad_() for t in given)


def _zeros(like: Tensor) -> Tensor:
    made: Tensor = T.zeros(Type(like._data.shape, like._data.dtype))
    return made


def _weights(operation: str, v: Any, like: Tensors, what: str) -> Tensors:
    """The vectors of a product: v, checked against `like`; ones for a single value of one element when v is None."""
    if v is None:
        if len(like) != 1 or like[0]._data.size != 1:
            raise DataError(
                explain(operation, f"the vector v can only be None if there is a single {what} with a single element")
            )
        return (T.ones(Type(like[0]._data.shape, like[0]._data.dtype)),)
    given, _ = _tensors(operation, "vector v", v)
    if len(given) != len(like):
        raise DataError(explain(operation, f"v has {len(given)} Tensors but there are {len(like)} {what}s"))
    for i, (a, b) in enumerate(zip(given, like, strict=True)):
        if a._data.shape != b._data.shape:
            raise DataError(
                explain(operation, f"v[{i}] has shape {list(a._data.shape)} but {what} {i} has {list(b._data.shape)}")
            )
    return given


def _gradients(
    operation: str, outputs: Tensors, inputs: Tensors, weights: Tensors, create_graph: bool, strict: bool
) -> Tensors:
    """Gradients of the outputs that have a history; zeros (or, if strict, an error) for an input without influence."""
    live = [(o, w) for o, w in zip(outputs, weights, strict=True) if o.requires_grad]
    if strict and len(live) < len(outputs):
        raise DifferentiationError(
            explain(
                operation,
                "an output of the function does not require gradients; strict mode needs it to depend on the inputs",
            )
        )
    if not live:
        return tuple(_zeros(x) for x in inputs)
    found = grad(
        [o for o, _ in live],
        inputs,
        [w for _, w in live],
        create_graph=create_graph,
        retain_graph=True,
        allow_unused=True,
    )
    if strict and any(g is None for g in found):
        raise DifferentiationError(
            explain(operation, "an output of the function is independent of an input; strict mode allows no such input")
        )
    return tuple(_zeros(x) if g is None else g for g, x in zip(found, inputs, strict=True))


def _check_strategy(operation: str, strategy: str, vectorize: bool) -> None:
    if strategy not in ("forward-mode", "reverse-mode"):
        problem = f'Expected strategy to be either "forward-mode" or "reverse-mode", got {strategy!r}'
        raise OptionError(explain(operation, problem))
    if strategy == "forward-mode" and not vectorize:
        problem = "Computing Jacobian using forward-AD or forward-over-reverse Hessian is only implemented for `vectorize=True`"
        raise NotSupportedError(explain(operation, problem))


def _by_columns(func: Callable[..., Any], inputs: Any, create_graph: bool, strict: bool) -> Any:
    """The Jacobian in forward mode, in torch's containers: lists of blocks where there are several inputs."""
    if strict:
        problem = '`strict=True` and `strategy="forward-mode"` are not supported together'
        raise DifferentiationError(explain("jacobian", problem, 'Set strict=False or strategy="reverse-mode"'))
    if create_graph:
        problem = '`create_graph=True` and `strategy="forward-mode"` are not supported together'
        raise NotSupportedError(explain("jacobian", problem, 'Set create_graph=False or strategy="reverse-mode"'))
    given, alone = _tensors("jacobian", "inputs", inputs)
    single = True

    def listed(*values: Tensor) -> Tensors:
        nonlocal single
        outputs, single = _outputs("jacobian", func, values)
        return outputs

    rows = slots.jacfwd(listed, tuple(T.detach(t) for t in given))
    blocks = [row[0] if alone else list(row) for row in rows]
    return blocks[0] if single else tuple(blocks) if alone else blocks


def _jacobian_of(output: Tensor, inputs: Tensors, create_graph: bool, strict: bool, vectorize: bool) -> Tensors:
    """The Jacobian blocks of one output, one per input."""
    if output._data.dtype.kind == "c":
        problem = f"grad can be implicitly created only for real scalar outputs but got {output.dtype}"
        raise DTypeError(explain("jacobian", problem, "Use vjp or jvp, or view_as_real"))
    shape, size = output._data.shape, output._data.size
    if not size:
        kind = AxisError if vectorize else DataError
        raise kind(
            explain(
                "jacobian",
                f"an output of shape {list(shape)} has no rows",
                "Use strategy='forward-mode' with vectorize=True",
            )
        )
    eye = np.eye(size, dtype=output._data.dtype).reshape(size, *shape)
    if vectorize and output.requires_grad:
        found = grad(output, inputs, handle(eye, None), True, create_graph, allow_unused=True, is_grads_batched=True)
        return tuple(
            T.zeros(Type((*shape, *x._data.shape), x._data.dtype))
            if g is None
            else T.reshape(g, shape=(*shape, *x._data.shape))
            for g, x in zip(found, inputs, strict=True)
        )
    rows = [
        _gradients("jacobian", (output,), inputs, (handle(eye[i], None),), create_graph, strict) for i in range(size)
    ]
    return tuple(
        T.reshape(T.stack(*column, dim=0), shape=(*shape, *column[0]._data.shape)) for column in zip(*rows, strict=True)
    )


def _need_scalar(operation: str, outputs: Tensors, single: bool) -> None:
    if not single or outputs[0]._data.size != 1:
        raise DataError(explain(operation, "the Tensor returned by the function should contain a single element"))


def _finish(values: Tensors, alone: bool, create_graph: bool) -> Any:
    shown = values if create_graph else tuple(T.detach(t) for t in values)
    return shown[0] if alone else shown


__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]
