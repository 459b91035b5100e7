"""What an in-place operator may write: results of the tensor's shape and of a kind of numbers that its dtype holds."""

from __future__ import annotations

from typing import Any

from tracegrad.eager.tensor import Tensor
from tracegrad.errors import DTypeError, ShapeError, explain

_KINDS = {"b": 0, "u": 1, "i": 1, "f": 2, "V": 2, "c": 3}
_NUMBERS = {bool: 0, int: 1, float: 2, complex: 3}


def check_result(t: Tensor, new: Tensor, operation: str) -> None:
    """RuntimeError unless t's memory can hold `new`: the same shape, and not complex for reals, nor fractions for integers."""
    if new._data.shape != t._data.shape:
        raise ShapeError(
            explain(
                operation,
                f"output with shape {list(t._data.shape)} doesn't match the broadcast shape {list(new._data.shape)}",
            )
        )
    if operation == "abs_" and t._data.dtype.kind == "c":
        raise DTypeError(explain(operation, "In-place abs is not supported for complex tensors"))
    if operation == "float_power_" and new._data.dtype != t._data.dtype:
        problem = (
            f"the base given to float_power_ has dtype {t.dtype} but the operation's result requires dtype {new.dtype}"
        )
        raise DTypeError(explain(operation, problem, "Use float_power, or convert the base"))
    if _KINDS[new._data.dtype.kind] > _KINDS[t._data.dtype.kind]:
        raise DTypeError(
            explain(operation, f"result type {new.dtype} can't be cast to the desired output type {t.dtype}")
        )


def refuse_wider(t: Tensor, operands: tuple[Any, ...], operation: str) -> None:
    """RuntimeError where the common dtype with an operand cannot be written back: torch looks at this before whether it has a kernel."""
    own = _KINDS[t._data.dtype.kind]
    for x in operands:
        kind = _KINDS[x._data.dtype.kind] if isinstance(x, Tensor) else _NUMBERS.get(type(x), 0)
        if kind > own:
            shown = x.dtype if isinstance(x, Tensor) else type(x).__name__
            raise DTypeError(
                explain(operation, f"result type {shown} can't be cast to the desired output type {t.dtype}")
            )
