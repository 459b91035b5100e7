"""In-place methods that forget the old value: random numbers, a diagonal, and the results of a Python function.

The numbers come from the generator that rand and randn draw from; the gradient of what was there before is zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.config import local
from tracegrad.dtypes import NUMBERS
from tracegrad.eager.creation import _draw as draw
from tracegrad.eager.creation import _draw_numbers as draw_numbers
from tracegrad.eager.dispatch import T
from tracegrad.eager.generate import public_function
from tracegrad.eager.inplace import assign, write
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentError, DataError, DTypeError, InplaceError, NotSupportedError, ShapeError, explain


def uniform_(self: Tensor, from_: float = 0, to: float = 1, *, generator: Any = None, **named: Any) -> Tensor:
    """Fill with numbers uniform in [from, to).  Raises RuntimeError when from exceeds to, NotImplementedError for integers."""
    from_ = _named("uniform_", named, from_)
    _of_kind(self, "uniform_", "fVc")
    if from_ > to:
        problem = f"uniform_ expects to return a [from, to) range, but found from={from_} > to={to}"
        raise DataError(explain("uniform_", problem))
    width = float(to - from_)
    drawn = _uniform(self, "uniform_", generator)
    if self._data.dtype.kind == "c":
        from_ *= 1 + 1j
    return assign(self, T.add(T.mul(drawn, width), from_), "uniform", "uniform_")


def normal_(self: Tensor, mean: float = 0, std: float = 1, *, generator: Any = None) -> Tensor:
    """Fill with normal numbers of the given mean and standard deviation.  Raises RuntimeError for a negative one, NotImplementedError for integers."""
    return assign(self, _normal(self, "normal_", mean, std, generator), "normal", "normal_")


def log_normal_(self: Tensor, mean: float = 1, std: float = 2, *, generator: Any = None) -> Tensor:
    """Fill with exp of normal numbers of the given mean and standard deviation."""
    _of_kind(self, "log_normal_", "fV")
    if not std > 0:
        raise DataError(explain("log_normal_", f"log_normal_ expects std > 0.0, but found std={std}"))
    drawn = T.exp(_normal(self, "log_normal_", mean, std, generator))
    return assign(self, drawn, "log_normal", "log_normal_")


def exponential_(self: Tensor, lambd: float = 1, *, generator: Any = None) -> Tensor:
    """Fill with numbers of the exponential distribution of this rate.  Raises RuntimeError for a rate that is not positive."""
    _continuous(self, "exponential_", "Exponential distribution")
    if not lambd > 0:
        raise DataError(explain("exponential_", f"exponential_ expects lambda > 0.0, but found lambda={lambd}"))
    least = 2.0**-8 if self._data.dtype.kind == "V" else float(np.finfo(self._data.dtype).eps) / 2
    waits = T.neg(T.log1p(T.neg(_uniform(self, "exponential_", generator))))
    drawn = T.mul(T.clamp(waits, min=least, max=None), 1.0 / lambd)  # never 0, of which Gumbel numbers are logarithms
    return assign(self, drawn, "exponential", "exponential_")


def cauchy_(self: Tensor, median: float = 0, sigma: float = 1, *, generator: Any = None) -> Tensor:
    """Fill with numbers of the Cauchy distribution.  Raises RuntimeError for a sigma that is not positive."""
    _continuous(self, "cauchy_", "Cauchy distribution")
    if not sigma > 0:
        raise DataError(explain("cauchy_", f"cauchy_ expects sigma > 0.0, but found sigma={sigma}"))
    angle = T.mul(T.sub(_uniform(self, "cauchy_", generator), 0.5), math.pi)
    return assign(self, T.add(T.mul(T.tan(angle), float(sigma)), float(median)), "cauchy", "cauchy_")


def geometric_(self: Tensor, p: float, *, generator: Any = None) -> Tensor:
    """Fill with numbers of trials until a success of probability p.  Raises RuntimeError unless 0 < p < 1."""
    if not 0 < p < 1:
        raise DataError(explain("geometric_", f"geometric_ expects p to be in (0, 1), but got p={p}"))
    _of_kind(self, "geometric_", "biufV")
    drawn = T.log1p(T.neg(draw("random_uniform", dtypes.F64, self._data.shape, generator)))
    trials = T.clamp(T.ceil(T.div(drawn, math.log1p(-p))), min=1.0, max=None)
    return assign(self, T.cast(trials, dtype=self._data.dtype), "geometric", "geometric_")


def values_known() -> bool:
    """Whether the values of Tensors are those of a call: outside recordings, and in those of compiled functions, which compute."""
    trace = local.trace
    return trace is None or (trace.decides and trace.values_known)


def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Any = None) -> Tensor:
    """Fill with 1 with probability p (a number, or a tensor that broadcasts), else 0.  Raises RuntimeError for a probability outside [0, 1]."""
    if isinstance(p, Tensor):
        if p._data.dtype.kind not in "fV":
            raise NotSupportedError(explain("bernoulli_", "probabilities are floating-point", p=p.dtype))
        wrong = values_known() and bool(np.any(~((p._data >= 0) & (p._data <= 1))))
        p = p.detach()  # type: ignore[attr-defined]
        if local.trace is not None and not wrong:
            problem = explain("bernoulli_", "bernoulli_ expects p to be in [0, 1]")
            p = T.distribution_parameter(p, T.logical_and(T.ge(p, 0), T.le(p, 1)), problem=problem)
    else:
        wrong = not 0 <= p <= 1
    if wrong:
        raise DataError(explain("bernoulli_", f"bernoulli_ expects p to be in [0, 1], but got p={p}"))
    _of_kind(self, "bernoulli_", "biufV")
    wide = p._data.dtype if isinstance(p, Tensor) else dtypes.F64
    drawn = T.lt(draw("random_uniform", wide, self._data.shape, generator), p)
    kind = "bernoulli_tensor" if isinstance(p, Tensor) else "bernoulli"
    found = T.cast(drawn, dtype=self._data.dtype)
    return assign(self, found, kind, "bernoulli_")


def random_(self: Tensor, *bounds: Any, generator: Any = None, to: Any = None, **named: Any) -> Tensor:
    """Fill with integers in [from, to): `random_()` (all that the dtype holds exactly), `random_(to)` or `random_(from, to)`.

    Raises RuntimeError for an empty range.
    """
    given = [*bounds, *named.values(), *([] if to is None else [to])]
    if len(given) > 2 or set(named) - {"from"}:
        raise ArgumentError(explain("random_", "takes (), (to) or (from, to)", got=tuple(given)))
    d = _of_kind(self, "random_", "biufV")
    low, high = (0, _all_of(d)) if not given else (0, given[0]) if len(given) == 1 else given
    if high is None:
        high = _all_of(d)
    if low >= high:
        problem = f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        raise DataError(explain("random_", problem))
    least, most = (0, 1) if d.kind == "b" else (np.iinfo(d).min, np.iinfo(d).max) if d.kind in "iu" else (low, high)
    for name, bound in (("from", low), ("to - 1", high - 1)):
        if not least <= bound <= most:
            raise DataError(explain("random_", f"{name} is out of bounds for {self.dtype}", got=bound))
    drawn = draw("random_integers", dtypes.I64, self._data.shape, generator, low=int(low), high=int(high))
    kind = ("random", "random_to", "random_from_to")[len(given)]
    return assign(self, T.cast(drawn, dtype=self._data.dtype), kind, "random_")


def _all_of(d: Any) -> int:
    """One more than the largest integer up to which the dtype holds all of them."""
    if d.kind in "fV":
        return int(2 ** (8 if d.kind == "V" else np.finfo(d).nmant + 1) + 1)
    return 2 if d.kind == "b" else int(np.iinfo(d).max) if d.itemsize == 8 else int(np.iinfo(d).max) + 1


def _named(operation: str, named: dict[str, Any], value: float) -> float:
    """The bound that torch calls `from`, which is no name in Python."""
    if set(named) - {"from"}:
        raise ArgumentError(explain(operation, f"got unexpected arguments {sorted(named)}"))
    return float(named.get("from", value))


def _continuous(t: Tensor, operation: str, what: str) -> None:
    if t._data.dtype.kind not in "fV":
        problem = f"{what} is a continuous probability distribution. dtype must be a floating point"
        raise DTypeError(explain(operation, problem, got=t.dtype))


def _of_kind(t: Tensor, operation: str, kinds: str) -> Any:
    if t._data.dtype.kind not in kinds:
        raise NotSupportedError(explain(operation, f"not implemented for '{dtypes.TORCH_CLASS[t.dtype.name]}'"))
    return t._data.dtype


def _uniform(t: Tensor, operation: str, generator: Any) -> Tensor:
    return draw_numbers("random_uniform", _of_kind(t, operation, "fcV"), t._data.shape, generator)


def _normal(t: Tensor, operation: str, mean: float, std: float, generator: Any) -> Tensor:
    if not std >= 0:
        raise DataError(explain(operation, f"normal expects std >= 0.0, but found std {std}"))
    drawn = draw_numbers("random_normal", _of_kind(t, operation, "fcV"), t._data.shape, generator)
    made: Tensor = T.add(T.mul(drawn, float(std)), float(mean))
    return made


# --- other fills


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Write a number on the main diagonal (wrap: of a tall matrix again below it).  Raises RuntimeError below two axes, or for axes of several sizes beyond two."""
    shape = self._data.shape
    if len(shape) < 2:
        raise ShapeError(explain("fill_diagonal_", "dimensions must larger than 1", shape=list(shape)))
    if len(shape) > 2 and len(set(shape)) > 1:
        raise ShapeError(
            explain("fill_diagonal_", "all dimensions of input must be of equal length", shape=list(shape))
        )
    if not isinstance(fill_value, NUMBERS):
        raise ArgumentError(explain("fill_diagonal_", f"fill_value must be a number, got {type(fill_value).__name__}"))
    mask = np.zeros(shape, np.bool_)
    if wrap and len(shape) == 2:
        mask.reshape(-1)[:: shape[1] + 1] = True
    else:
        count = min(shape)
        mask[(np.arange(count),) * len(shape)] = True
    return write(self, public_function("masked_fill")(self, handle(mask, None), fill_value), "fill_diagonal_")


def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:  # noqa: A002
    """Replace each element by callable(element).  Raises RuntimeError for a tensor that requires grad."""
    return _by_python(self, "apply_", callable, self)


def map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:  # noqa: A002
    """Replace each element by callable(element, element of tensor).  Raises RuntimeError for a tensor that requires grad."""
    if not isinstance(tensor, Tensor):
        raise ArgumentError(explain("map_", f"argument 'tensor' must be Tensor, not {type(tensor).__name__}"))
    return _by_python(self, "map_", callable, self, tensor)


def _by_python(t: Tensor, operation: str, function: Callable[..., Any], *operands: Tensor) -> Tensor:
    if any(o.requires_grad for o in operands):
        problem = f"Can't call {operation}() on Variable that requires grad"
        raise InplaceError(explain(operation, problem, f"Use var.detach().{operation}() instead"))
    if local.trace is not None:
        local.trace.leave(t, operation)
    arrays = np.broadcast_arrays(*(o._data for o in operands))
    made = [function(*values) for values in zip(*(a.reshape(-1).tolist() for a in arrays), strict=True)]
    return assign(t, handle(np.array(made, t._data.dtype).reshape(arrays[0].shape), None), "copy", operation)
