"""torch.testing: `assert_close`, which compares tensors, numbers and containers of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tracegrad.dtypes import NUMBERS
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, explain

# relative and absolute tolerance by dtype; exact for others
_TOLERANCES = {"float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7), "complex64": (1.3e-6, 1e-5), "complex128": (1e-7, 1e-7)}  # fmt: skip


def assert_close(
    actual: Any, expected: Any, *, allow_subclasses: bool = True, rtol: float | None = None, atol: float | None = None,
    equal_nan: bool = False, check_device: bool = True, check_dtype: bool = True, check_layout: bool = True,
    check_stride: bool = False, msg: str | Callable[[str], str] | None = None,
) -> None:  # fmt: skip
    """Raise AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere, and shapes and dtypes agree.

    Takes tensors, arrays, numbers, and sequences and mappings of them.  Tolerances depend on the dtype unless both are given.  Raises ValueError for only one
    of them and TypeError for what cannot be compared.
    """
    if (rtol is None) != (atol is None):
        raise ArgumentValueError(explain("assert_close", "rtol and atol must both be specified or both be unspecified"))
    options = (rtol, atol, equal_nan, check_dtype, check_stride)
    problem = _difference(actual, expected, options, "")
    if problem:
        raise AssertionError(problem if msg is None else msg(problem) if callable(msg) else msg)


def _difference(actual: Any, expected: Any, options: tuple[Any, ...], place: str) -> str:
    """What differs, or an empty string."""
    where = f"\n\nThe failure occurred for item {place}" if place else ""
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if actual.keys() != expected.keys():
            return f"The keys of the mappings do not match:\n\n{list(actual)} != {list(expected)}{where}"
        return next(filter(None, (_difference(actual[k], expected[k], options, f"{place}[{k!r}]") for k in actual)), "")
    if _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            return f"The length of the sequences mismatch: {len(actual)} != {len(expected)}{where}"
        pairs = enumerate(zip(actual, expected, strict=True))
        return next(filter(None, (_difference(a, b, options, f"{place}[{i}]") for i, (a, b) in pairs)), "")
    found = _leaf_difference(actual, expected, options)
    return found and found + where


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _leaf_difference(actual: Any, expected: Any, options: tuple[Any, ...]) -> str:
    rtol, atol, equal_nan, check_dtype, check_stride = options
    if actual is None or expected is None:
        return "" if actual is expected else f"None mismatch: {actual} is not {expected}"
    numbers = all(isinstance(v, NUMBERS) for v in (actual, expected))
    if not numbers and isinstance(actual, Tensor) != isinstance(expected, Tensor):
        raise ArgumentError(explain("assert_close", f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}"))  # fmt: skip
    a, b = _values(actual), _values(expected)
    if a.shape != b.shape:
        return f"The values for attribute 'shape' do not match: {_size(a)} != {_size(b)}."
    if not numbers and check_dtype and a.dtype != b.dtype:
        return f"The values for attribute 'dtype' do not match: torch.{a.dtype} != torch.{b.dtype}."
    if check_stride and a.strides != b.strides:
        return f"The values for attribute 'stride()' do not match: {a.strides} != {b.strides} bytes."
    if rtol is None:
        pairs = [_TOLERANCES.get(d.name, (0.0, 0.0)) for d in (a.dtype, b.dtype)]
        rtol, atol = (max(column) for column in zip(*pairs, strict=True))
    return _value_difference(a, b, rtol, atol, equal_nan, numbers)


def _values(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value._data
    array = np.asarray(value)
    if array.dtype.kind not in "biufcV":
        raise ArgumentError(explain("assert_close", f"cannot compare an object of type {type(value).__name__}"))
    return array


def _size(array: Any) -> str:
    return f"torch.Size([{', '.join(map(str, array.shape))}])"


def _value_difference(a: Any, b: Any, rtol: float, atol: float, equal_nan: bool, numbers: bool) -> str:
    wide = np.result_type(a.dtype, b.dtype, np.complex128 if "c" in (a.dtype.kind, b.dtype.kind) else np.float64)
    if a.dtype.kind in "biu" and b.dtype.kind in "biu":
        wide = np.dtype(object)  # large integers are compared exactly
    x, y = a.astype(wide), b.astype(wide)
    with np.errstate(all="ignore"):
        gap = np.abs(x - y)
        close = (x == y) | (np.asarray(gap <= atol + rtol * np.abs(y), bool) & _finite(y))
        if equal_nan:
            close = close | ((x != x) & (y != y))
        close = np.asarray(close, bool)
        if close.all():
            return ""
        relative = np.asarray(np.asarray(gap, float) / np.abs(np.asarray(y, complex)), float)
    gap = np.where(close, -1.0, np.asarray(gap, float))
    relative = np.where(close, -1.0, relative)
    if a.ndim == 0:
        kind = "Scalars" if numbers or not a.ndim else "Tensor-likes"
        return (f"{kind} are not close!\n\nExpected {b.item()} but got {a.item()}.\nAbsolute difference: {float(gap)} (up to {atol} allowed)\n"
                f"Relative difference: {float(relative)} (up to {rtol} allowed)")  # fmt: skip
    places = [tuple(int(i) for i in np.unravel_index(np.argmax(v), v.shape)) for v in (gap, relative)]
    wrong = int((~close).sum())
    return (f"Tensor-likes are not {'close' if rtol or atol else 'equal'}!\n\nMismatched elements: {wrong} / {a.size} ({100 * wrong / a.size:.1f}%)\n"
            f"Greatest absolute difference: {gap[places[0]]} at index {places[0]} (up to {atol} allowed)\n"
            f"Greatest relative difference: {relative[places[1]]} at index {places[1]} (up to {rtol} allowed)")  # fmt: skip


def _finite(array: Any) -> Any:
    return True if array.dtype == object else np.isfinite(array)


__all__ = ["assert_close"]
