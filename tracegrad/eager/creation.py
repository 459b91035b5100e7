"""Tensors from a shape, bounds or numbers (600 lines allowed: torch's long signatures, one argument a line); also the public names of data.py and generator.py."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.config import local
from tracegrad.devices import axis_order, check_device, preserve_format
from tracegrad.dtypes import NUMBERS, SCALARS
from tracegrad.eager.data import array_of, as_leaf, as_tensor, asarray, element_type, from_numpy, implied_by, tensor
from tracegrad.eager.dispatch import T
from tracegrad.eager.generator import (
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from tracegrad.eager.inference import fresh
from tracegrad.eager.late import late
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import (
    ArgumentError,
    ArgumentValueError,
    DataError,
    DTypeError,
    NotSupportedError,
    ShapeError,
    explain,
)
from tracegrad.kernels import numpy_kernels as K
from tracegrad.kernels.windows import dense_like


def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A 0-d tensor of the default dtype, or of dtype."""
    if not isinstance(s, (*SCALARS, Tensor)):
        raise ArgumentError(explain("scalar_tensor", f"argument 's' must be Number, not {type(s).__name__}"))
    return full((), s, dtype=dtype or dtypes.get_default_dtype(), device=device, requires_grad=requires_grad)


def shape_of(operation: str, given: Sequence[Any]) -> tuple[int, ...]:
    """A size given as several ints or as one sequence.  Raises TypeError for anything but ints, RuntimeError for negative ones."""
    if not given:
        raise ArgumentError(explain(operation, 'missing 1 required positional argument: "size"'))
    items = given[0] if len(given) == 1 and isinstance(given[0], (tuple, list)) else given
    try:
        if any(isinstance(n, bool) for n in items):
            raise TypeError
        shape = tuple(operator.index(n) for n in items)
    except TypeError:
        raise ArgumentError(explain(operation, f"argument 'size' must be tuple of ints, got {items!r}")) from None
    if any(n < 0 for n in shape):
        raise ShapeError(explain(operation, "Dimension size must be non-negative.", size=list(shape)))
    return shape


def _constant(shape: tuple[int, ...], value: Any, d: Any) -> Tensor:
    if local.trace is not None:
        recorded: Tensor = T.full(shape=shape, value=value, dtype=d)
        return recorded
    with np.errstate(all="ignore"):
        return fresh(K.full(shape, value, d))


_store = late("out", "into")


def _into(made: Tensor, out: Any) -> Tensor:
    """The result, written into `out` where one is given."""
    if out is None:
        return made
    result: Tensor = _store("out", out, made)
    return result


def zeros(
    *size: Any,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    **named: Any,
) -> Tensor:
    """Zeros of the given size (several ints or one sequence), of the default dtype or of dtype."""
    return _uniform("zeros", size, 0, out, dtype, device, requires_grad, named)


def ones(
    *size: Any,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    **named: Any,
) -> Tensor:
    """Ones of the given size (several ints or one sequence), of the default dtype or of dtype."""
    return _uniform("ones", size, 1, out, dtype, device, requires_grad, named)


def empty(*size: Any, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
          memory_format: Any = None, **named: Any) -> Tensor:  # fmt: skip
    """A tensor of the given size; the values are zero.  memory_format may be contiguous_format or one of the channels-last formats."""
    made = _uniform("empty", size, 0, out, dtype, device, requires_grad, named)
    if memory_format is None:
        return made
    if memory_format is preserve_format:
        raise ShapeError(explain("empty", "unsupported memory format option Preserve"))
    return T.row_major(made, axis_order("empty", memory_format, made._data.ndim))  # type: ignore[no-any-return]


def _size(operation: str, size: tuple[Any, ...], named: dict[str, Any]) -> tuple[int, ...]:
    if named:
        if size or set(named) != {"size"}:
            raise ArgumentError(explain(operation, f"got unexpected arguments {sorted(named)}"))
        size = (named["size"],)
    return shape_of(operation, size)


def _uniform(
    operation: str,
    size: tuple[Any, ...],
    value: int,
    out: Any,
    dtype: Any,
    device: Any,
    requires_grad: bool,
    named: dict[str, Any],
) -> Tensor:
    check_device(operation, device)
    made = _constant(_size(operation, size, named), value, element_type(operation, dtype) or dtypes.default.float)
    return _into(as_leaf(operation, made, requires_grad), out)


def full(
    size: Any,
    fill_value: Any,
    *,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """fill_value in every element; without dtype that of the number (bool, int64, or the default floating dtype)."""
    check_device("full", device)
    if not isinstance(size, (tuple, list)):
        raise ArgumentError(explain("full", f"argument 'size' must be tuple of ints, not {type(size).__name__}"))
    shape, d = shape_of("full", (size,)), element_type("full", dtype)
    if isinstance(fill_value, Tensor):
        if fill_value._data.ndim or fill_value.requires_grad:
            problem = (
                "argument 'fill_value' must be Number, not Tensor, unless this has no axes and does not require grad"
            )
            raise ArgumentError(explain("full", problem, shape=list(fill_value._data.shape)))
        value = T.cast(T.detach(fill_value), dtype=d or implied_by(fill_value))
        made = T.cast(T.broadcast_to(T.reshape(value, shape=()), shape=shape), dtype=value._data.dtype)
    else:
        fill_value = fill_value.item() if isinstance(fill_value, np.generic) else fill_value
        if not isinstance(fill_value, NUMBERS):
            kind = type(fill_value).__name__
            raise ArgumentError(explain("full", f"argument 'fill_value' must be Number, not {kind}"))
        if isinstance(fill_value, complex) and d is not None and d.kind not in "cb":
            raise DTypeError(
                explain("full", f"{fill_value} cannot be converted to {dtypes.from_numpy(d)} without overflow")
            )
        number = array_of(fill_value, d)
        beyond = isinstance(fill_value, float) and math.isfinite(fill_value) and not dtypes.is_half(number.dtype)
        if beyond and not np.isfinite(number):
            raise DTypeError(
                explain(
                    "full",
                    f"value {fill_value} cannot be converted to {dtypes.from_numpy(number.dtype)} without overflow",
                )
            )
        made = _constant(shape, number.item(), number.dtype)
    return _into(as_leaf("full", made, requires_grad), out)


def _like(operation: str, t: Any, dtype: Any, device: Any) -> Any:
    check_device(operation, device)
    if not isinstance(t, Tensor):
        raise ArgumentError(explain(operation, f"argument 'input' must be Tensor, not {type(t).__name__}"))
    return element_type(operation, dtype) or t._data.dtype


def _placed(made: Tensor, like: Tensor, memory_format: Any) -> Tensor:
    """The new tensor in memory of the order that `like` has, unless another one is asked for."""
    order = axis_order("like", memory_format, like._data.ndim)
    if order is not None:
        return T.row_major(made, order)  # type: ignore[no-any-return]
    if like._data.flags.c_contiguous or local.trace is not None:
        return made
    data = dense_like(like._data, made._data.dtype)
    data[...] = made._data
    made._data = data
    return made


def zeros_like(
    input: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:  # noqa: A002
    """Zeros of input's shape and dtype (or of dtype)."""
    d = _like("zeros_like", input, dtype, device)
    return as_leaf("zeros_like", _placed(_constant(input._data.shape, 0, d), input, memory_format), requires_grad)


def ones_like(
    input: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:  # noqa: A002
    """Ones of input's shape and dtype (or of dtype)."""
    d = _like("ones_like", input, dtype, device)
    return as_leaf("ones_like", _placed(_constant(input._data.shape, 1, d), input, memory_format), requires_grad)


def empty_like(
    input: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:  # noqa: A002
    """A tensor of input's shape and dtype (or of dtype); the values are zero."""
    return zeros_like(input, dtype=dtype, device=device, requires_grad=requires_grad, memory_format=memory_format)


def full_like(
    input: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:  # noqa: A002
    """fill_value in every element, with input's shape and dtype (or dtype)."""
    d = _like("full_like", input, dtype, device)
    made = full(tuple(input._data.shape), fill_value, dtype=dtypes.from_numpy(d))
    return as_leaf("full_like", _placed(made, input, memory_format), requires_grad)


def _number(operation: str, value: Any) -> Any:
    """A Python number from a number, a NumPy scalar or a tensor of one element."""
    if isinstance(value, Tensor):
        if local.trace is not None:
            local.trace.leave(value, f"a bound of {operation}")
        value = value._data
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, complex):
        raise DTypeError(explain(operation, f"value cannot be converted to type double without overflow: {value}"))
    if isinstance(value, (np.generic, np.ndarray)) and value.size == 1:
        return value.item()
    raise ArgumentError(explain(operation, f"bounds must be numbers, got {type(value).__name__}"))


_MISSING: Any = object()


def arange(start: Any = _MISSING, end: Any = _MISSING, step: Any = 1, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
           requires_grad: bool = False) -> Tensor:  # fmt: skip
    """start, start + step, ... below end: `arange(end)`, `arange(start, end, step)`.  int64 if all are ints, else the default dtype.

    Raises RuntimeError for step 0, for bounds on the wrong side, and for bounds that are not finite.
    """
    check_device("arange", device)
    if start is _MISSING:
        if end is _MISSING:
            raise ArgumentError(explain("arange", "missing argument: the end"))
        start = 0
    elif end is _MISSING:
        start, end = 0, start
    first, last, by = (_number("arange", v) for v in (start, end, step))
    whole = all(type(v) is int for v in (first, last, by))
    d = element_type("arange", dtype) or (dtypes.I64 if whole else dtypes.default.float)
    if dtype is None and isinstance(out, Tensor):
        d = out._data.dtype
    if d.kind not in "iufV":
        raise NotSupportedError(explain("arange", f"not implemented for {dtypes.from_numpy(d)}"))
    if not all(math.isfinite(v) for v in (first, last, by)):
        raise DataError(explain("arange", f"unsupported range: {first} -> {last}, step {by}"))
    if by and d.kind in "iu":
        if d.itemsize == 8:  # torch counts in the dtype itself there, and in doubles for the narrower ones
            first, last = int(first), int(last)
        by = by if whole else _whole_step(by) if d.itemsize == 8 else _whole_step(by) and by
    if not by:
        raise DataError(explain("arange", "step must be nonzero"))
    if (last - first) * by < 0:
        raise DataError(
            explain("arange", f"upper bound and lower bound inconsistent with step sign: {first}, {last}, {by}")
        )
    count = -((first - last) // by) if whole else math.ceil((last - first) / by)
    if d.kind in "iu":
        first, by = int(first), int(by)
    return _into(as_leaf("arange", T.arange(start=first, step=by, count=int(count), dtype=d), requires_grad), out)


def _whole_step(step: float) -> int:
    if not int(step):
        raise ArgumentValueError(explain("arange", f"step must be nonzero: {step} is 0 as an integer"))
    return int(step)


def _bound(operation: str, value: Any) -> Any:
    """`_number`, or a complex number.  Raises RuntimeError for a tensor with axes."""
    if isinstance(value, Tensor) and value._data.ndim:
        problem = f"only supports 0-dimensional start and end tensors, but got {value._data.ndim} dimension(s)."
        raise ShapeError(explain(operation, problem))
    return value if isinstance(value, complex) else _number(operation, value)


def spaced(low: Tensor, high: Tensor, count: int) -> Tensor:
    """`count` equidistant values between two 0-d tensors, computed from both ends inwards."""
    at = T.arange(start=0, step=1, count=count, dtype=dtypes.F64)
    at = T.cast(at, dtype=low._data.dtype)
    step = T.div(T.sub(high, low), float(max(count - 1, 1)))
    left = T.arange(start=0, step=1, count=count, dtype=dtypes.I64)
    from_low, from_high = T.add(low, T.mul(step, at)), T.sub(high, T.mul(step, T.sub(float(count - 1), at)))
    return T.where(T.lt(left, max(count // 2, 1)), from_low, from_high)  # type: ignore[no-any-return]


def linspace(start: Any, end: Any, steps: Any = _MISSING, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """`steps` equidistant values from start to end, both included, of the default dtype or of dtype."""
    check_device("linspace", device)
    if steps is _MISSING:
        raise ArgumentError(explain("linspace", "missing the number of steps"))
    count = operator.index(steps)
    if count < 0:
        raise ShapeError(explain("linspace", f"number of steps must be non-negative, got {count}"))
    d = element_type("linspace", dtype) or dtypes.default.float
    if local.trace is not None and any(isinstance(v, Tensor) and not v._data.ndim for v in (start, end)):
        kind = d if d.kind in "fc" else dtypes.F64
        ends = (
            T.cast(v, dtype=d) if isinstance(v, Tensor) else T.full(shape=(), value=v, dtype=d) for v in (start, end)
        )
        low, high = (T.detach(T.cast(v, dtype=kind)) for v in ends)
        return as_leaf("linspace", T.cast(spaced(low, high, count), dtype=d), requires_grad)
    first, last = (_bound("linspace", v) for v in (start, end))
    if isinstance(first, complex) or isinstance(last, complex):
        d = d if dtype is not None else dtypes.default_complex()
        if d.kind != "c":
            raise DTypeError(explain("linspace", f"complex bounds do not fit into {dtypes.from_numpy(d)}"))
    if d.kind == "b":
        raise NotSupportedError(explain("linspace", "not implemented for torch.bool"))
    made = T.linspace(start=first, end=last, steps=count, dtype=d)
    return _into(as_leaf("linspace", made, requires_grad), out)


def eye(
    n: Any,
    m: Any = None,
    *,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Ones on the diagonal of n rows and m (or n) columns, zeros elsewhere."""
    check_device("eye", device)
    rows, columns = operator.index(n), operator.index(n if m is None else m)
    if rows < 0 or columns < 0:
        raise ShapeError(explain("eye", f"n and m must be greater or equal to 0, got {rows} and {columns}"))
    made = T.eye(n=rows, m=columns, dtype=element_type("eye", dtype) or dtypes.default.float)
    return _into(as_leaf("eye", made, requires_grad), out)


# --- random


def _draw(operation: str, d: Any, shape: tuple[int, ...], generator: Any, **attrs: Any) -> Tensor:
    """Random numbers from the next key of the generator; while recording, of a key that is drawn anew at every call of the compiled function."""
    made: Tensor = getattr(T, operation)(_next_key(generator), **attrs, shape=shape, dtype=d)
    return made


def _next_key(generator: Any) -> Tensor:
    """The key of the generator's next draw.  Raises TypeError for what is no Generator."""
    if generator is None:
        generator = default_generator
    elif not isinstance(generator, Generator):
        raise ArgumentError(explain("random", f"generator must be a Generator, not {type(generator).__name__}"))
    if local.trace is not None:
        recorded: Tensor = local.trace.random_key(generator)
        return recorded
    return handle(generator.next_key(), None)


def _draw_numbers(operation: str, d: Any, shape: tuple[int, ...], generator: Any) -> Tensor:
    """Floating random numbers, or complex ones: of uniform parts, or normal with parts of variance 1/2."""
    if d.kind != "c":
        return _draw(operation, d, shape, generator)
    kind = dtypes.from_numpy(d).to_real().numpy
    parts = [_draw(operation, kind, shape, generator) for _ in range(2)]
    made: Tensor = T.complex(*([T.mul(p, 0.5**0.5) for p in parts] if operation == "random_normal" else parts))
    return made


def _floating(operation: str, d: Any) -> Any:
    if d.kind not in "fcV":
        raise NotSupportedError(
            explain(
                operation, f"not implemented for {dtypes.from_numpy(d)}: random numbers of this kind are floating-point"
            )
        )
    return d


def rand(*size: Any, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
         **named: Any) -> Tensor:  # fmt: skip
    """Uniform numbers in [0, 1) of the given size (several ints or one sequence)."""
    check_device("rand", device)
    d = _floating("rand", element_type("rand", dtype) or dtypes.default.float)
    return _into(
        as_leaf("rand", _draw_numbers("random_uniform", d, _size("rand", size, named), generator), requires_grad), out
    )


def randn(*size: Any, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
          **named: Any) -> Tensor:  # fmt: skip
    """Standard normal numbers of the given size (several ints or one sequence)."""
    check_device("randn", device)
    d = _floating("randn", element_type("randn", dtype) or dtypes.default.float)
    return _into(
        as_leaf("randn", _draw_numbers("random_normal", d, _size("randn", size, named), generator), requires_grad), out
    )


def randint(*bounds: Any, low: Any = None, high: Any = None, size: Any = None, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
            pin_memory: bool = False, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Integers in [low, high): `randint(high, size)` or `randint(low, high, size)`; int64 unless dtype is given.  Raises RuntimeError for an empty range."""
    check_device("randint", device)
    given = list(bounds)
    if size is None and given:
        size = given.pop()
    if high is None and given:
        high = given.pop()
    if low is None and given:
        low = given.pop()
    if given or high is None or not isinstance(size, (tuple, list)):
        raise ArgumentError(
            explain("randint", "takes (high, size) or (low, high, size) with size a tuple of ints", got=bounds)
        )
    first, last = (_whole_bound(v) for v in (0 if low is None else low, high))
    if not -(2**63) <= first < 2**63 or last >= 2**63:
        raise ArgumentValueError(explain("randint", "Overflow when unpacking long", low=first, high=last))
    d = element_type("randint", dtype) or dtypes.I64
    if first >= last:
        raise DataError(explain("randint", f"expects 'from' to be less than 'to', but got from={first} >= to={last}"))
    if d.kind == "c":
        raise DTypeError(explain("randint", "handles only integral, floating-point and boolean types", dtype=dtype))
    least, most = (0, 1) if d.kind == "b" else (first, last)
    if d.kind in "iu" and d is not dtypes.I64:
        least, most = int(np.iinfo(d).min), int(np.iinfo(d).max)
    if last - 1 > most or first < least:
        raise DTypeError(
            explain("randint", f"the bounds {first} and {last - 1} are out of range for {dtypes.from_numpy(d)}")
        )
    made = _draw("random_integers", d, shape_of("randint", (size,)), generator, low=first, high=last)
    return _into(as_leaf("randint", made, requires_grad), out)


def _whole_bound(value: Any) -> int:
    number = _number("randint", value)
    if isinstance(number, float) and not isinstance(value, Tensor):
        raise ArgumentError(explain("randint", f"the bounds must be int, not float: {value}"))
    return int(number)


def randperm(
    n: Any,
    *,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """The integers 0 ... n-1 in random order; int64 unless dtype is given."""
    check_device("randperm", device)
    count = operator.index(n)
    if count < 0:
        raise ShapeError(explain("randperm", f"Trying to create tensor with negative dimension {count}"))
    d = element_type("randperm", dtype) or dtypes.I64
    if d.kind in "bc":
        raise NotSupportedError(explain("randperm", f"not implemented for {dtypes.from_numpy(d)}"))
    if d is not dtypes.I64 and count - 1 > (np.iinfo(d).max if d.kind in "iu" else 2**63):
        raise DTypeError(
            explain("randperm", f"{count - 1} cannot be converted to {dtypes.from_numpy(d)} without overflow")
        )
    made = T.random_permutation(_next_key(generator), n=count, dtype=d)
    return _into(as_leaf("randperm", made, requires_grad), out)


def rand_like(
    input: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
    generator: Any = None,
) -> Tensor:  # noqa: A002
    """Uniform numbers in [0, 1) of input's shape and dtype (or of dtype)."""
    d = _floating("rand_like", _like("rand_like", input, dtype, device))
    made = _draw_numbers("random_uniform", d, input._data.shape, generator)
    return as_leaf("rand_like", _placed(made, input, memory_format), requires_grad)


def randn_like(
    input: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
    generator: Any = None,
) -> Tensor:  # noqa: A002
    """Standard normal numbers of input's shape and dtype (or of dtype)."""
    d = _floating("randn_like", _like("randn_like", input, dtype, device))
    made = _draw_numbers("random_normal", d, input._data.shape, generator)
    return as_leaf("randn_like", _placed(made, input, memory_format), requires_grad)


def randint_like(
    input: Any,
    low: Any,
    high: Any = None,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:  # noqa: A002
    """Integers in [low, high) (in [0, low) without high), with input's shape and dtype (or dtype)."""
    d = dtypes.from_numpy(_like("randint_like", input, dtype, device))
    first, last = (0, low) if high is None else (low, high)
    made = randint(first, last, tuple(input._data.shape), dtype=d)
    return as_leaf("randint_like", _placed(made, input, memory_format), requires_grad)


__all__ = [
    "Generator", "arange", "as_tensor", "asarray", "default_generator", "empty", "empty_like", "eye", "from_numpy", "full", "full_like", "get_rng_state", "initial_seed",
    "linspace", "manual_seed", "ones", "ones_like", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "scalar_tensor", "seed",
    "set_rng_state", "tensor", "zeros", "zeros_like",
]  # fmt: skip
