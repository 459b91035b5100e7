"""Tensors of numbers in a row: powers, ranges with both ends, positions of triangles; loaded at the first use of one of them."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.devices import check_device
from tracegrad.eager.creation import _MISSING as MISSING
from tracegrad.eager.creation import _into as into
from tracegrad.eager.creation import _number as number_of
from tracegrad.eager.creation import linspace
from tracegrad.eager.data import as_leaf, element_type
from tracegrad.eager.dispatch import T
from tracegrad.eager.inference import fresh
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, DataError, NotSupportedError, ShapeError, explain
from tracegrad.ops.checks import whole


def logspace(start: Any, end: Any, steps: Any = MISSING, base: float = 10.0, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
             pin_memory: bool = False, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """base to the power of `steps` equidistant values from start to end, of the default dtype or of dtype."""
    d = element_type("logspace", dtype) or dtypes.default.float
    if d.kind in "iu":
        start, end = (T.cast(v, dtype=d) if isinstance(v, Tensor) else int(v) for v in (start, end))
    wide = dtypes.from_numpy(d if d.kind == "c" else dtypes.F64)
    exponents = linspace(start, end, steps, dtype=wide, device=device)
    return into(as_leaf("logspace", T.cast(T.pow(float(base), exponents), dtype=d), requires_grad), out)


def range(start: Any = 0, end: Any = None, step: Any = 1, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
          requires_grad: bool = False) -> Tensor:  # noqa: A001  # fmt: skip
    """start, start + step, ... up to and including end, of the default dtype or of dtype.  Deprecated in torch, in favour of arange.

    Raises RuntimeError for step 0, for bounds on the wrong side, and for bounds that are not finite.
    """
    if end is None:
        raise ArgumentError(explain("range", 'missing 1 required positional argument: "end"'))
    text = (
        "torch.range is deprecated and will be removed in a future release because its behavior is inconsistent with Python's range builtin. "
        "Instead, use torch.arange, which produces values in [start, end)."
    )
    warnings.warn(text, UserWarning, stacklevel=2)
    check_device("range", device)
    d = element_type("range", dtype) or dtypes.default.float
    if d.kind in "bc":
        raise NotSupportedError(explain("range", f"not implemented for {dtypes.from_numpy(d)}"))
    first, last, by = (number_of("range", v) for v in (start, end, step))
    if not by:
        raise DataError(explain("range", "step must be nonzero"))
    if not (math.isfinite(first) and math.isfinite(last)):
        raise DataError(explain("range", f"unsupported range: {first} -> {last}"))
    if (last - first) * by < 0:
        raise DataError(
            explain("range", f"upper bound and lower bound inconsistent with step sign: {first}, {last}, {by}")
        )
    if d.kind in "iu":
        first, last, by = int(first), int(last), int(by)
    count = int((last - first) / by) + 1
    return into(as_leaf("range", T.arange(start=first, step=by, count=count, dtype=d), requires_grad), out)


def _triangle(operation: str, row: int, col: int, offset: int, dtype: Any, device: Any, below: bool) -> Tensor:
    check_device(operation, device)
    row, col, offset = (whole(operation, name, n) for name, n in (("row", row), ("col", col), ("offset", offset)))
    for name, n in (("row", row), ("col", col)):
        if n < 0:
            raise ShapeError(explain(operation, f"{name} must be non-negative, got{n}"))
    d = dtypes.I64 if dtype is None else dtypes.to_numpy(dtype)
    if d not in (np.int32, np.int64):
        raise NotSupportedError(explain(operation, "not implemented for this dtype", dtype=dtype))
    inside = np.tri(row, col, offset if below else offset - 1, bool)
    return fresh(np.stack(np.nonzero(inside if below else ~inside)).astype(d))


def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None, layout: Any = None
) -> Tensor:
    """The positions on and below a diagonal of a row x col matrix, as rows of row and of column numbers.  Shape: (2, count), int64."""
    return _triangle("tril_indices", row, col, offset, dtype, device, True)


def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None, layout: Any = None
) -> Tensor:
    """The positions on and above a diagonal of a row x col matrix, as rows of row and of column numbers.  Shape: (2, count), int64."""
    return _triangle("triu_indices", row, col, offset, dtype, device, False)
