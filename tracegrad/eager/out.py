"""`out=`: the results of a function written into tensors that the caller gives.

The generated functions of the module (`tracegrad.exp`, not `Tensor.exp`) know the keyword and come here when it is used; nothing else does.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.config import local
from tracegrad.eager.inplace import refuse_overlap, write
from tracegrad.eager.reshaping import resize
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.eager.views import refuse_shared
from tracegrad.errors import ArgumentError, DifferentiationError, DTypeError, InplaceError, NotSupportedError, explain
from tracegrad.ir.op import Op
from tracegrad.ops.results import named_result

# what computes in the dtype of `out`
IN_OUT_DTYPE = frozenset({"sum", "prod", "cumsum", "cumprod", "nansum"})
# what wants `out` of the very dtype of the result; the others convert, as an in-place operator does
SAME_DTYPE = frozenset(
    "bitwise_not neg sgn abs sign floor ceil trunc round conj_physical masked_select nonzero where dot vdot mv mm bmm matmul addmm index_add gather scatter_add take_along_dim "
    "frac nan_to_num isneginf isposinf signbit tril triu softmax log_softmax slice_scatter norm complex polar amax amin argmax argmin index_select any all searchsorted bucketize".split()
)
# what torch refuses for any `out` over an operand's memory, since it reads and writes at different places
SCATTERING = frozenset(
    "take gather index_select masked_select kthvalue cat stack vstack hstack dstack column_stack scatter scatter_add index_add index_copy take_along_dim diff".split()
)
JOINS = frozenset({"cat", "stack", "vstack", "hstack"})
RESIZED = (
    "An output with one or more elements was resized since it had shape {had}, which does not match the required output shape {new}. This behavior is deprecated: "
    "resize the tensor to zero elements first, with t.resize_(0)"
)


def with_out(op: type[Op], function: Callable[..., Any], out: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Call the function and write its results into `out`: a Tensor, or a tuple of them for several results.

    Raises TypeError for anything else, RuntimeError where autograd would have to follow, for a dtype that does not take the result, and for memory that is read
    and written at different places.  A tensor of another shape is resized, with a warning if it has elements.
    """
    several = isinstance(out, (tuple, list))
    targets = tuple(out) if several else (out,)
    for t in targets:
        if not isinstance(t, Tensor):
            raise ArgumentError(explain(op.name, f"argument 'out' must be Tensor, not {type(t).__name__}"))
    operands = list(_tensors((*args, *named.values())))
    followed = targets if set(op.nondiff_outputs) >= set(op.outputs) else (*targets, *operands)
    if local.grad_enabled and any(t.requires_grad for t in followed):
        raise DifferentiationError(
            explain(
                op.name,
                "functions with out=... arguments don't support automatic differentiation, but one of the arguments requires grad",
                "Call it under no_grad(), or without out",
            )
        )
    duals = None if local.watch is None else local.watch.duals
    if duals is not None and any(duals.tangent(t) is not None for t in followed):
        problem = f"Trying to use forward AD with {op.name}_out that does not support it because it is an out= function"
        raise NotSupportedError(explain(op.name, problem, "Call it without out"))
    if op.name in IN_OUT_DTYPE and named.get("dtype", ...) is None:
        named["dtype"] = targets[0].dtype
    result = function(*args, **named)
    results = result if isinstance(result, tuple) else (result,)
    _check_results(op, targets, results, several is isinstance(result, tuple))
    for t, made in zip(targets, results, strict=True):
        _store(op, t, made, operands)
    if not several:
        return targets[0]
    name = type(result).__name__
    return out if name == "tuple" else named_result(f"{name}_out", result._fields, targets)


def into(operation: str, out: Any, made: Tensor) -> Tensor:
    """A new tensor's values written into `out`, of any dtype."""
    if not isinstance(out, Tensor):
        raise ArgumentError(explain(operation, f"argument 'out' must be Tensor, not {type(out).__name__}"))
    if local.grad_enabled and out.requires_grad:
        problem = "functions with out=... arguments don't support automatic differentiation, but one of the arguments requires grad"
        raise DifferentiationError(explain(operation, problem, "Call it under no_grad(), or without out"))
    _fit(out, made._data.shape)
    with np.errstate(all="ignore"):
        return write(out, handle(made._data.astype(out._data.dtype), None) if local.trace is None else made, operation)


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from _tensors(value)


def _check_results(op: type[Op], targets: tuple[Tensor, ...], results: tuple[Tensor, ...], fits: bool) -> None:
    if not fits:
        raise ArgumentError(
            explain(op.name, "received an invalid combination of arguments: out is not of the form of the result")
        )
    if len(targets) != len(results):
        raise ArgumentError(explain(op.name, f"expected tuple of {len(results)} elements but got {len(targets)}"))
    for i, (t, made) in enumerate(zip(targets, results, strict=True)):
        have, want = t._data.dtype, made._data.dtype
        if have == want or (op.name in ("any", "all") and have == np.uint8):
            continue
        exact = op.name in SAME_DTYPE or i > 0
        if not exact and dtypes.kind_rank(want) <= dtypes.kind_rank(have):
            continue
        if op.name in JOINS:
            raise ArgumentError(explain(op.name, f"input types can't be cast to the desired output type {t.dtype}"))
        if exact:
            problem = f"Expected out tensor to have dtype {made.dtype}, but got {t.dtype} instead"
            raise DTypeError(explain(op.name, problem))
        raise DTypeError(
            explain(op.name, f"result type {made.dtype} can't be cast to the desired output type {t.dtype}")
        )


def _store(op: type[Op], t: Tensor, made: Tensor, operands: list[Tensor]) -> None:
    if op.elementwise:
        for operand in operands:
            refuse_overlap(t._data, operand._data, op.name)
    elif op.name in SCATTERING:
        for operand in operands:
            refuse_shared(t._data, operand._data, op.name)
    _fit(t, made._data.shape)
    write(t, made, op.name)


def _fit(t: Tensor, shape: tuple[int, ...]) -> None:
    """Resize t, with torch's warning if elements are lost."""
    if t._data.shape == shape:
        return
    if local.trace is not None:
        raise InplaceError(
            explain("out", "a recording cannot resize", "Give out the shape of the result", shape=list(shape))
        )
    if t._data.size:
        warnings.warn(RESIZED.format(had=list(t._data.shape), new=list(shape)), UserWarning, stacklevel=5)
    resize(t, shape)
