"""Tensors drawn from distributions that are given by tensors; loaded at the first use of one of them.

Eagerly wrong parameters raise; while recording they cannot be read, and the elements that they belong to become nan (positions: the least int64).
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.config import local
from tracegrad.devices import check_device
from tracegrad.dtypes import NUMBERS
from tracegrad.eager.creation import _draw as draw
from tracegrad.eager.creation import _draw_numbers as draw_numbers
from tracegrad.eager.creation import _into as into
from tracegrad.eager.creation import shape_of
from tracegrad.eager.data import as_leaf, element_type
from tracegrad.eager.dispatch import T
from tracegrad.eager.fills import bernoulli_, values_known
from tracegrad.eager.inference import fresh
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import (
    ArgumentError,
    ArgumentValueError,
    DataError,
    DTypeError,
    NotSupportedError,
    ShapeError,
    explain,
)
from tracegrad.ir.types import broadcast

WRONG_WEIGHTS = explain("multinomial", "probability tensor contains either `inf`, `nan` or element < 0")
NO_WEIGHTS = explain("multinomial", "invalid multinomial distribution (sum of probabilities <= 0)")


def _of_tensor(operation: str, name: str, value: Any) -> Tensor:
    """The parameters without their history.  Raises TypeError for anything but a Tensor."""
    if not isinstance(value, Tensor):
        raise ArgumentError(explain(operation, f"argument {name!r} must be Tensor, not {type(value).__name__}"))
    return value.detach()  # type: ignore[attr-defined,no-any-return]


def _floating(operation: str, value: Tensor, error: type[Exception] = NotSupportedError) -> None:
    if value._data.dtype.kind not in "fV":
        raise error(explain(operation, "only supports floating-point dtypes for input", got=value.dtype))


def _without_slope(made: Tensor, step: str, *parameters: Any) -> Tensor:
    """`made` as a function of the parameters, whose derivative is zero, as in torch."""
    for value in parameters:
        if isinstance(value, Tensor) and value.requires_grad:
            made = T.flat(made, value, step=step)
    return made


def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None, out: Any = None) -> Tensor:  # noqa: A002  # fmt: skip
    """Positions drawn with the weights in the last axis.  Shape: (*p, n) -> (*p, num_samples), int64.

    Raises RuntimeError for weights that are negative, not finite or all zero, and for more draws than there are positions without replacement.
    """
    weights, count = _of_tensor("multinomial", "input", input), operator.index(num_samples)
    _floating("multinomial", weights, DTypeError)
    if isinstance(out, Tensor) and out._data.dtype != dtypes.I64:
        raise DTypeError(explain("multinomial", f"expects Long tensor out, got: {out.dtype}"))
    shape = weights._data.shape
    if len(shape) not in (1, 2):
        raise ShapeError(explain("multinomial", "prob_dist must be 1 or 2 dim"))
    if count <= 0:
        raise ShapeError(explain("multinomial", "cannot sample n_sample <= 0 samples"))
    if not replacement and count > shape[-1]:
        problem = "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        raise ShapeError(explain("multinomial", problem))
    if values_known():
        _check_weights(weights._data)
    if local.trace is None:
        return into(_positions_drawn(weights._data.astype(np.float64), count, replacement, generator), out)
    axis, wide = len(shape) - 1, T.cast(weights, dtype=dtypes.F64)
    wide = T.distribution_parameter(wide, T.logical_and(T.ge(wide, 0), T.lt(wide, np.inf)), problem=WRONG_WEIGHTS)
    bounds = T.cumsum(wide, dim=axis)
    total = (
        T.slice(bounds, dim=axis, start=shape[-1] - 1, stop=shape[-1], step=1)
        if shape[-1]
        else T.sum(wide, dim=(axis,), keepdim=True)
    )
    checked = T.distribution_parameter(total if replacement else wide, T.gt(total, 0), problem=NO_WEIGHTS)
    if replacement:
        drawn = draw("random_uniform", dtypes.F64, (*shape[:-1], count), generator)
        reached = T.unsqueeze(T.mul(drawn, checked), dim=axis + 1)
        found = T.sum(
            T.cast(T.le(T.unsqueeze(bounds, dim=axis), reached), dtype=dtypes.I64), dim=(axis + 1,), keepdim=False
        )
    else:
        drawn = draw("random_uniform", dtypes.F64, shape, generator)
        waits = T.div(T.neg(T.log1p(T.neg(drawn))), checked)  # exponential, of these rates: the first come first
        order = T.argsort(T.where(T.eq(wide, 0), np.inf, waits), axis, False, stable=True)
        found = T.slice(order, dim=axis, start=0, stop=count, step=1)
    return into(found, out)


def _positions_drawn(wide: Any, count: int, replacement: bool, generator: Any) -> Tensor:
    """What a recording of multinomial computes, of known weights in float64."""
    if replacement:
        drawn = draw("random_uniform", dtypes.F64, (*wide.shape[:-1], count), generator)._data
        bounds = np.add.accumulate(wide, axis=-1)
        reached = drawn * bounds[..., -1:]
        return fresh(np.add.reduce(bounds[..., None, :] <= reached[..., None], axis=-1, dtype=np.int64))
    drawn = draw("random_uniform", dtypes.F64, wide.shape, generator)._data
    with np.errstate(all="ignore"):
        waits = np.divide(np.negative(np.log1p(np.negative(drawn))), wide)
    waits = np.where(np.equal(wide, 0), np.inf, waits)
    return fresh(np.argsort(waits, -1, kind="stable")[..., :count])


def _check_weights(weights: Any) -> None:
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise DataError(WRONG_WEIGHTS)
    if not np.add.reduce(weights, axis=-1).all():
        raise DataError(NO_WEIGHTS)


def bernoulli(input: Tensor, p: Any = None, *, generator: Any = None, out: Any = None) -> Tensor:  # noqa: A002
    """1 with the probability in each element (or with probability p, a number), else 0.  Shape: (*a) -> (*a).  The derivative is zero.

    Raises RuntimeError for others than [0, 1], NotImplementedError for integers.
    """
    chances = _of_tensor("bernoulli", "input", input)
    if p is not None:
        if isinstance(p, Tensor) or not isinstance(p, NUMBERS):
            raise ArgumentError(explain("bernoulli", f"argument 'p' must be float, not {type(p).__name__}"))
        made = T.full(shape=chances._data.shape, value=0, dtype=chances._data.dtype)
        return into(bernoulli_(made, p, generator=generator), out)
    _floating("bernoulli", chances)
    problem = explain("bernoulli", "Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    if values_known() and not ((chances._data >= 0) & (chances._data <= 1)).all():
        raise DataError(problem)
    d = chances._data.dtype
    if local.trace is not None:
        chances = T.distribution_parameter(chances, T.logical_and(T.ge(chances, 0), T.le(chances, 1)), problem=problem)
    found = T.cast(T.lt(draw("random_uniform", d, chances._data.shape, generator), chances), dtype=d)
    return into(_without_slope(found, "BernoulliBackward0", input), out)


def poisson(input: Tensor, generator: Any = None) -> Tensor:  # noqa: A002
    """Poisson counts with the rate in each element, by inversion of the distribution.  Shape: (*a) -> (*a), of input's dtype.  The derivative is zero.

    Raises RuntimeError for a negative rate, NotImplementedError for integers.
    """
    rates = _of_tensor("poisson", "input", input)
    _floating("poisson", rates)
    problem = explain("poisson", "invalid Poisson rate, expected rate to be non-negative")
    if values_known() and not (rates._data >= 0).all():
        raise DataError(problem)
    if local.trace is not None:
        rates = T.distribution_parameter(rates, T.ge(rates, 0), problem=problem)
    drawn = draw("random_uniform", dtypes.F64, rates._data.shape, generator)
    return _without_slope(T.poisson_counts(drawn, rates), "PoissonBackward0", input)


def binomial(count: Tensor, prob: Tensor, generator: Any = None) -> Tensor:
    """How many of `count` trials with probability `prob` succeed, by inversion of the distribution.  The shapes broadcast; the dtype is that of both.

    Raises ValueError for integers, RuntimeError for different dtypes.
    """
    trials, chances = _of_tensor("binomial", "count", count), _of_tensor("binomial", "prob", prob)
    for value in (trials, chances):
        _floating("binomial", value, ArgumentValueError)
    if trials._data.dtype != chances._data.dtype:
        raise DTypeError(explain("binomial", f"Found dtype {chances.dtype} but expected {trials.dtype}"))
    trials, chances = T.clamp(trials, min=0.0, max=None), T.clamp(chances, min=0.0, max=1.0)
    shape = broadcast("binomial", trials._data.shape, chances._data.shape)
    return T.binomial_counts(draw("random_uniform", dtypes.F64, shape, generator), trials, chances)  # type: ignore[no-any-return]


_MISSING: Any = object()


def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = _MISSING, *, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
           pin_memory: bool = False, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Normal numbers of these means and standard deviations: tensors that broadcast, or numbers with a size.  The derivative is zero.

    Raises RuntimeError for a negative std, NotImplementedError for integers.
    """
    check_device("normal", device)
    tensors = [v for v in (mean, std) if isinstance(v, Tensor)]
    if not all(isinstance(v, (Tensor, *NUMBERS)) for v in (mean, std)):
        raise ArgumentError(
            explain("normal", f"got ({type(mean).__name__}, {type(std).__name__}): expects Tensors or numbers")
        )
    if bool(tensors) != (size is _MISSING) or (tensors and dtype is not None):
        raise ArgumentError(explain("normal", "two numbers need a size, and a tensor takes neither size nor dtype"))
    if isinstance(std, Tensor):
        if std._data.dtype.kind == "c":
            raise DTypeError(explain("normal", "expects standard deviation to be non-complex", std=std.dtype))
        problem = explain("normal", "normal expects all elements of std >= 0.0")
        if values_known() and std._data.dtype.kind in "fV" and not np.all(std._data >= 0):
            raise DataError(problem)
    elif not std >= 0:
        raise DataError(explain("normal", f"normal expects std >= 0.0, but found std {std}"))
    if tensors:
        shape, d = broadcast("normal", *(v._data.shape for v in tensors)), tensors[0]._data.dtype
    else:
        shape, d = shape_of("normal", (size,)), element_type("normal", dtype) or dtypes.default.float
    if d.kind not in "fcV" or any(v._data.dtype.kind not in "fcV" for v in tensors):
        raise NotSupportedError(explain("normal", "not implemented for integers and bools", dtype=dtypes.from_numpy(d)))
    centre, spread = (v.detach() if isinstance(v, Tensor) else v for v in (mean, std))  # type: ignore[attr-defined]
    spread = T.cast(spread, dtype=d) if isinstance(spread, Tensor) and spread._data.dtype != d else spread
    if local.trace is not None and isinstance(spread, Tensor) and d.kind != "c":
        spread = T.distribution_parameter(spread, T.ge(spread, 0), problem=problem)
    drawn = T.add(T.mul(draw_numbers("random_normal", d, shape, generator), spread), centre)
    kind = 1 + (2 if isinstance(mean, Tensor) and isinstance(std, Tensor) else isinstance(std, Tensor))
    made = _without_slope(drawn, f"NormalBackward{kind}", *tensors)
    return into(as_leaf("normal", made, requires_grad), out)
