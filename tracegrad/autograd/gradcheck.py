"""gradcheck and gradgradcheck: derivatives compared with central differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tracegrad.autograd.engine import grad
from tracegrad.autograd.modes import enable_grad
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentValueError, DataError, GradcheckError, NotSupportedError, explain
from tracegrad.slots import slots

Array = np.ndarray[Any, Any]
RANDOM_SEED = 20240229  # of the directions in fast mode and of the cotangents of gradgradcheck


class _Options(NamedTuple):
    eps: float
    atol: float
    rtol: float
    nondet_tol: float
    fast: bool
    batched: bool
    undefined: bool


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether the gradients of `func` with respect to every input that requires grad equal central differences with step `eps`.

    Equal means |analytical - numerical| <= atol + rtol * |numerical| for every entry of every Jacobian (for one random projection if fast_mode).
    The inputs should be float64.  Raises GradcheckError (a RuntimeError) unless raise_exception=False, ValueError when no input requires grad.
    check_forward_ad compares the derivatives of func.jvp as well; check_batched_grad two gradients in one call with one by one; check_undefined_grad whether
    backward bears that only one of several results was used.  check_grad_dtypes and masked are accepted: gradients always have the dtype of their input.
    """
    if check_batched_forward_grad:
        raise NotSupportedError(
            explain(
                "gradcheck", "batched forward-mode derivatives are not checked", "Leave check_batched_forward_grad out"
            )
        )
    arguments = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    options = _Options(eps, atol, rtol, nondet_tol, fast_mode, check_batched_grad, check_undefined_grad)
    try:
        _check_inputs(arguments)
        if check_backward_ad:
            _check(func, arguments, options)
        if check_forward_ad:
            _check_forward(func, arguments, options)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Whether the gradients of the gradients of `func` equal central differences: gradcheck of the function from inputs and cotangents to gradients.

    The cotangents are random (with a fixed seed) unless `grad_outputs` are given.  Options and errors as gradcheck's.
    """
    if check_fwd_over_rev:
        raise NotSupportedError(
            explain("gradgradcheck", "forward-mode derivatives are not checked here", "Leave check_fwd_over_rev out")
        )
    arguments = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    outputs = _differentiable(func(*arguments))
    if grad_outputs is None:
        generator = np.random.default_rng(RANDOM_SEED)
        cotangents = [
            handle(np.asarray(generator.standard_normal(o.shape), o._data.dtype), None).requires_grad_()
            for o in outputs
        ]
    else:
        given = (grad_outputs,) if isinstance(grad_outputs, Tensor) else tuple(grad_outputs)
        cotangents = [g for g in given if g is not None]
    count = len(arguments)

    def gradients(*values: Any) -> tuple[Any, ...]:
        results = _differentiable(func(*values[:count]))
        wanted = [v for v in values[:count] if isinstance(v, Tensor) and v.requires_grad]
        found = grad(results, wanted, list(values[count:]), create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradients,
        (*arguments, *cotangents),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_batched_grad=check_batched_grad,
        check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode,
    )


def _check_inputs(arguments: tuple[Any, ...]) -> None:
    followed = [(i, a) for i, a in enumerate(arguments) if isinstance(a, Tensor) and a.requires_grad]
    if not followed:
        raise ArgumentValueError(
            explain(
                "gradcheck",
                "expects at least one input tensor to require gradient, but none of them have requires_grad=True",
            )
        )
    for i, a in followed:
        if a._data.dtype.kind == "c":
            raise NotSupportedError(explain("gradcheck", f"input #{i} is complex; only real inputs are checked"))
        if a._data.dtype != np.float64:
            text = f"Input #{i} requires gradient and is not a double precision floating point or complex. This check will likely fail if all the inputs are not of double precision floating point or complex."
            warnings.warn(text, UserWarning, stacklevel=4)
        if any(size > 1 and stride == 0 for size, stride in zip(a._data.shape, a._data.strides, strict=True)):
            raise DataError(
                explain(
                    "gradcheck",
                    f"the input at position {i} has a dimension with stride 0: its elements share memory and cannot be changed one at a time",
                    "Call .contiguous() on it first",
                )
            )


def _check(func: Callable[..., Any], arguments: tuple[Any, ...], options: _Options) -> None:
    followed = [a for a in arguments if isinstance(a, Tensor) and a.requires_grad]
    with enable_grad():
        outputs = _tensors(func(*arguments))
    for i, output in enumerate(outputs):
        if not output.requires_grad:
            _check_constant(func, arguments, followed, i, output, options)
            continue
        for j, x in enumerate(followed):
            compare = _compare_projection if options.fast else _compare_jacobians
            compare(func, arguments, output, x, (i, j), options)
        _check_linear(output, followed, i)
        if options.batched:
            _check_batched(output, followed, i)
        if options.undefined and len(outputs) > 1:
            _check_undefined(output, followed, i)


def _tensors(result: Any) -> list[Tensor]:
    items = list(result) if isinstance(result, (tuple, list)) else [result]
    for item in items:
        if not isinstance(item, Tensor):
            raise ArgumentValueError(
                explain("gradcheck", f"the function must return Tensors, got {type(item).__name__}")
            )
    return items


def _differentiable(result: Any) -> list[Tensor]:
    return [t for t in _tensors(result) if t.requires_grad]


def _positions(x: Tensor) -> Iterator[tuple[int, tuple[int, ...]]]:
    return enumerate(np.ndindex(*x._data.shape))


def _evaluate(func: Callable[..., Any], arguments: tuple[Any, ...], index: int) -> Array:
    """Result `index` of the function as a float64 vector."""
    return np.array(_tensors(func(*arguments))[index]._data, np.float64).reshape(-1)


def _numerical(func: Callable[..., Any], arguments: tuple[Any, ...], x: Tensor, index: int, eps: float) -> Array:
    """The Jacobian of result `index` with respect to x, (elements of x, elements of the result), by central differences."""
    rows = []
    for _, at in _positions(x):
        before = x._data[at]
        try:
            x._data[at] = before + eps
            high = _evaluate(func, arguments, index)
            x._data[at] = before - eps
            low = _evaluate(func, arguments, index)
        finally:
            x._data[at] = before
        rows.append((high - low) / (2 * eps))
    return np.array(rows) if rows else np.zeros((0, 0))


def _vjp(output: Tensor, x: Tensor, cotangent: Array) -> Array:
    """The gradient of x for one cotangent, as a vector."""
    g = handle(np.asarray(cotangent, output._data.dtype).reshape(output._data.shape), None)
    (found,) = grad(output, x, g, retain_graph=True, allow_unused=True)
    return np.zeros(x._data.size) if found is None else np.array(found._data, np.float64).reshape(-1)


def _analytical(output: Tensor, x: Tensor) -> Array:
    """The Jacobian by one sweep per element of the result: (elements of x, elements of the result)."""
    columns = [_vjp(output, x, row) for row in np.eye(output._data.size)]
    return np.array(columns).reshape(output._data.size, x._data.size).T


def _compare_jacobians(
    func: Callable[..., Any],
    arguments: tuple[Any, ...],
    output: Tensor,
    x: Tensor,
    places: tuple[int, int],
    options: _Options,
) -> None:
    numerical = _numerical(func, arguments, x, places[0], options.eps)
    analytical = _analytical(output, x)
    if analytical.size and not np.allclose(analytical, numerical, options.rtol, options.atol, equal_nan=True):
        raise GradcheckError(_mismatch(analytical, numerical, output, x, places))
    again = _analytical(output, x)
    if np.any(np.abs(analytical - again) > options.nondet_tol):
        raise GradcheckError(
            explain(
                "gradcheck",
                "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives different values, "
                f"although analytical gradient matches numerical gradient. The tolerance for nondeterminism was {options.nondet_tol}",
            )
        )


def _mismatch(analytical: Array, numerical: Array, output: Tensor, x: Tensor, places: tuple[int, int]) -> str:
    """What the message says of two Jacobians that differ: the worst entry, where it stands, and both matrices."""
    difference = np.abs(analytical - numerical)
    row, column = np.unravel_index(np.argmax(np.where(np.isnan(difference), np.inf, difference)), difference.shape)
    at_x, at_out = (tuple(map(int, np.unravel_index(i, t._data.shape))) for i, t in ((row, x), (column, output)))
    return (
        f"gradcheck: Jacobian mismatch for output {places[0]} with respect to input {places[1]},\n"
        f"worst entry: d output{list(at_out)} / d input{list(at_x)}: analytical {analytical[row, column]:.10g}, numerical {numerical[row, column]:.10g}, "
        f"difference {difference[row, column]:.3g}\nnumerical:{numerical}\nanalytical:{analytical}\n"
    )


def _compare_projection(
    func: Callable[..., Any],
    arguments: tuple[Any, ...],
    output: Tensor,
    x: Tensor,
    places: tuple[int, int],
    options: _Options,
) -> None:
    """Compare u . J v for random unit vectors; on a mismatch the whole Jacobians, for the message."""
    generator = np.random.default_rng(RANDOM_SEED)
    u, v = _unit(generator, output._data.size), _unit(generator, x._data.size)
    step = (options.eps * v).reshape(x._data.shape)
    before = x._data.copy()
    try:
        x._data[...] = before + step
        high = _evaluate(func, arguments, places[0])
        x._data[...] = before - step
        low = _evaluate(func, arguments, places[0])
    finally:
        x._data[...] = before
    numerical = np.array([[u @ (high - low) / (2 * options.eps)]])
    analytical = np.array([[_vjp(output, x, u) @ v]])
    if not np.allclose(analytical, numerical, options.rtol, options.atol, equal_nan=True):
        slow = _numerical(func, arguments, x, places[0], options.eps)
        text = _mismatch(_analytical(output, x), slow, output, x, places)
        raise GradcheckError(
            f"{text}fast mode compared the projections: numerical {numerical.item():.10g}, analytical {analytical.item():.10g}\n"
        )


def _unit(generator: np.random.Generator, size: int) -> Array:
    v = generator.standard_normal(size)
    return v / max(float(np.linalg.norm(v)), 1e-300)


def _check_constant(
    func: Callable[..., Any],
    arguments: tuple[Any, ...],
    followed: list[Tensor],
    index: int,
    output: Tensor,
    options: _Options,
) -> None:
    """A result without history must not depend on the inputs; integer results are not looked at."""
    if output._data.dtype.kind != "f":
        return
    for x in followed:
        if np.any(np.abs(_numerical(func, arguments, x, index, options.eps)) > options.atol):
            raise GradcheckError(
                explain(
                    "gradcheck",
                    f"Numerical gradient for function expected to be zero: output {index} does not require grad but depends on an input",
                )
            )


def _check_linear(output: Tensor, followed: list[Tensor], index: int) -> None:
    for x in followed:
        if np.any(_vjp(output, x, np.zeros(output._data.size))):
            raise GradcheckError(
                explain(
                    "gradcheck",
                    f"backward not multiplied by grad_output (output {index}): a cotangent of zeros gives a gradient that is not zero",
                )
            )


def _check_batched(output: Tensor, followed: list[Tensor], index: int) -> None:
    """Two cotangents in one call give what they give one by one."""
    pair = np.stack([np.ones(output._data.shape), np.full(output._data.shape, 0.5)]).astype(output._data.dtype)
    rows = handle(pair, None)
    for x in followed:
        (together,) = grad(output, x, rows, retain_graph=True, allow_unused=True, is_grads_batched=True)
        alone = [_vjp(output, x, row) for row in pair]
        if together is not None and not np.allclose(np.reshape(together._data, (2, -1)), alone):
            raise GradcheckError(
                explain("gradcheck", f"batched gradients of output {index} differ from those computed one by one")
            )


def _check_undefined(output: Tensor, followed: list[Tensor], index: int) -> None:
    """A backward from one of several results must bear that the others have no gradient."""
    for x in followed:
        try:
            _vjp(output, x, np.ones(output._data.size))
        except GradcheckError:
            raise
        except Exception as error:
            text = f"Expected backward function to handle undefined output grads. Only output {index} was used, and backward raised {error!r}"
            raise GradcheckError(
                explain("gradcheck", text, "Let backward look for None, or leave materialize_grads on")
            ) from error


def _check_forward(func: Callable[..., Any], arguments: tuple[Any, ...], options: _Options) -> None:
    """Compare the tangents that forward mode gives with central differences."""
    places = [i for i, a in enumerate(arguments) if isinstance(a, Tensor) and a.requires_grad]
    points = tuple(handle(arguments[i]._data, None) for i in places)

    def function(*values: Tensor) -> tuple[Tensor, ...]:
        filled = list(arguments)
        for i, v in zip(places, values, strict=True):
            filled[i] = v
        return tuple(_tensors(func(*filled)))

    generator = np.random.default_rng(RANDOM_SEED)
    for j, point in enumerate(points):
        size = point._data.size
        directions = _unit(generator, size)[None] if options.fast else np.eye(size)
        rows = [[t._data.reshape(-1) for t in _tangents(function, points, j, d)] for d in directions]
        for i, columns in enumerate(zip(*rows, strict=True)):
            if columns[0].dtype.kind != "f":
                continue
            analytical = np.array(columns)
            numerical = directions @ _numerical(func, arguments, arguments[places[j]], i, options.eps)
            if not np.allclose(analytical, numerical, options.rtol, options.atol, equal_nan=True):
                difference = np.max(np.abs(analytical - numerical))
                text = f"Jacobian computed with forward mode mismatch for output {i} with respect to input {j},\n"
                raise GradcheckError(
                    f"gradcheck: {text}largest difference {difference:.3g}\nnumerical:{numerical}\nanalytical:{analytical}\n"
                )


def _tangents(function: Callable[..., Any], points: tuple[Tensor, ...], index: int, direction: Array) -> Any:
    """The tangents of the results for one direction of one input."""
    along = [np.zeros(p._data.shape, p._data.dtype) for p in points]
    along[index] = direction.reshape(along[index].shape).astype(along[index].dtype)
    return slots.jvp(function, points, tuple(handle(a, None) for a in along))[1]


__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]
