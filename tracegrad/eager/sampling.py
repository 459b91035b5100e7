"""Tensors drawn from distributions that are given by tensors, and tensors of positions and powers; loaded at the first use of one of them."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.config import local
from tracegrad.devices import check_device
from tracegrad.eager.creation import _draw as draw
from tracegrad.eager.creation import _into as into
from tracegrad.eager.creation import linspace, shape_of
from tracegrad.eager.data import as_leaf, element_type
from tracegrad.eager.dispatch import T
from tracegrad.eager.inference import fresh
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, DataError, DTypeError, NotSupportedError, ShapeError, explain


def _probabilities(operation: str, value: Any) -> Any:
    """The values of a tensor of probabilities.  Raises TraceError while recording, for they are checked."""
    if not isinstance(value, Tensor):
        raise ArgumentError(explain(operation, f"argument 'input' must be Tensor, not {type(value).__name__}"))
    if local.trace is not None and value._node is not None:
        local.trace.leave(value, operation)
    return value._data


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None, out: Any = None
) -> Tensor:  # noqa: A002
    """Positions drawn with the weights in the last axis.  Shape: (*p, n) -> (*p, num_samples), int64.

    Raises RuntimeError for weights that are negative, not finite or all zero, and for more draws than there are positions without replacement.
    """
    weights, count = _probabilities("multinomial", input), operator.index(num_samples)
    if weights.dtype.kind != "f":
        raise DTypeError(explain("multinomial", "only supports floating-point dtypes for input", input=input.dtype))
    if weights.ndim not in (1, 2):
        raise ShapeError(explain("multinomial", "prob_dist must be 1 or 2 dim"))
    if count <= 0:
        raise ShapeError(explain("multinomial", "cannot sample n_sample <= 0 samples"))
    if not replacement and count > weights.shape[-1]:
        raise ShapeError(
            explain("multinomial", "cannot sample n_sample > prob_dist.size(-1) samples without replacement")
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise DataError(explain("multinomial", "probability tensor contains either `inf`, `nan` or element < 0"))
    if not np.add.reduce(weights, axis=-1).all():
        raise DataError(explain("multinomial", "invalid multinomial distribution (sum of probabilities <= 0)"))
    if replacement:
        drawn = draw("random_uniform", dtypes.F64, (*weights.shape[:-1], count), generator)._data
        bounds = np.add.accumulate(weights.astype(np.float64), axis=-1)
        below = np.less_equal(bounds[..., None, :], (drawn * bounds[..., -1:])[..., None])
        return into(fresh(np.add.reduce(below, axis=-1, dtype=np.int64)), out)
    drawn = draw("random_uniform", dtypes.F64, weights.shape, generator)._data
    with np.errstate(all="ignore"):
        waits = -np.log1p(-drawn) / weights  # exponential, of these rates: the first come first
    waits = np.where(weights == 0, np.inf, waits)
    return into(fresh(np.argsort(waits, -1, kind="stable")[..., :count]), out)


def bernoulli(input: Tensor, p: Any = None, *, generator: Any = None, out: Any = None) -> Tensor:  # noqa: A002
    """1 with the probability in each element (or with probability p), else 0.  Shape: (*a) -> (*a).  Raises RuntimeError for others than [0, 1]."""
    if p is not None:
        made = T.full(shape=tuple(input.shape), value=0, dtype=_probabilities("bernoulli", input).dtype)
        return into(made.bernoulli_(p, generator=generator), out)
    chances = _probabilities("bernoulli", input)
    if chances.dtype.kind != "f":
        raise NotSupportedError(explain("bernoulli", "not implemented for integers and bools", input=input.dtype))
    if not ((chances >= 0) & (chances <= 1)).all():
        raise DataError(explain("bernoulli", "Expected p_in >= 0 && p_in <= 1 to be true, but got false."))
    drawn = draw("random_uniform", chances.dtype, chances.shape, generator)
    return into(T.cast(T.lt(drawn, input.detach()), dtype=chances.dtype), out)


def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
           pin_memory: bool = False, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Normal numbers of these means and standard deviations: tensors that broadcast, or numbers with a size.  Raises RuntimeError for a negative std."""
    check_device("normal", device)
    tensors = [v for v in (mean, std) if isinstance(v, Tensor)]
    for v in tensors:
        if v._data.dtype.kind != "f":
            raise NotSupportedError(explain("normal", "not implemented for integers and bools", input=v.dtype))
    if np.any(std._data < 0) if isinstance(std, Tensor) else std < 0:
        raise DataError(explain("normal", f"normal expects std >= 0.0, but found std {std}"))
    if tensors:
        shape = np.broadcast_shapes(*(v._data.shape for v in tensors))
        d = tensors[0]._data.dtype
    else:
        if size is None:
            raise ArgumentError(explain("normal", "two numbers need a size"))
        shape, d = shape_of("normal", (size,)), element_type("normal", dtype) or dtypes.default.float
    mean, std = (v.detach() if isinstance(v, Tensor) else float(v) for v in (mean, std))
    made = T.add(T.mul(draw("random_normal", d, shape, generator), std), mean)
    return into(as_leaf("normal", made, requires_grad), out)


def logspace(start: Any, end: Any, steps: int, base: float = 10.0, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """base to the power of `steps` equidistant values from start to end, of the default dtype or of dtype."""
    d = element_type("logspace", dtype) or dtypes.default.float
    exponents = linspace(start, end, steps, dtype=dtypes.from_numpy(dtypes.F64), device=device)
    made = T.cast(T.pow(float(base), exponents), dtype=d)
    return into(as_leaf("logspace", made, requires_grad), out)


def _triangle(operation: str, row: int, col: int, offset: int, dtype: Any, device: Any, below: bool) -> Tensor:
    check_device(operation, device)
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
