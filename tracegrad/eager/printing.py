"""How a Tensor prints: the forms of torch, character for character."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.config import local
from tracegrad.eager.conversions import leave
from tracegrad.eager.marked import is_invalid
from tracegrad.eager.tensor import PLACE, Parameter, Tensor
from tracegrad.slots import slots

Array = np.ndarray[Any, Any]
_PROFILES = {"default": (4, 1000, 3, 80), "short": (2, 1000, 2, 80), "full": (4, math.inf, 3, 80)}


class _Options:
    """What set_printoptions sets."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_options = _Options()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors print: digits after the point, size from which the middle is left out, items kept at each end, columns, and whether to use e-notation
    (None: where the values call for it; given anew by every call).  profile is 'default', 'short' or 'full' and sets the first four; other names are
    ignored, as in torch.
    """
    if profile in _PROFILES:
        _options.precision, _options.threshold, _options.edgeitems, _options.linewidth = _PROFILES[profile]
    for name, value in (
        ("precision", precision),
        ("threshold", threshold),
        ("edgeitems", edgeitems),
        ("linewidth", linewidth),
    ):
        if value is not None:
            setattr(_options, name, value)
    _options.sci_mode = sci_mode


class _Column:
    """One format for all numbers of a tensor: integers, whole floats (`1.`), decimals or e-notation, in a common width."""

    def __init__(self, values: Array) -> None:
        self.kind = "integer"
        self.width = 1
        if values.dtype.kind not in "fV":
            self.width = max([1, *(len(str(v)) for v in values.ravel().tolist())])
            return
        self.kind = "whole"
        flat = values.astype(np.float64).ravel()
        finite = flat[np.isfinite(flat) & (flat != 0)]
        if finite.size:
            self._choose(finite)

    def _choose(self, finite: Array) -> None:
        sizes = np.abs(finite)
        low, high = float(sizes.min()), float(sizes.max())
        whole = bool((np.ceil(finite) == finite).all())
        science = high / low > 1000 or high > 1e8 or (not whole and low < 1e-4)
        if _options.sci_mode is not None:
            science = _options.sci_mode
        self.kind = "science" if science else "whole" if whole else "decimal"
        extra = 1 if self.kind == "whole" else 0  # the point
        self.width = max(1, *(len(self._digits(v)) + extra for v in finite.tolist()))

    def _digits(self, value: float) -> str:
        if self.kind == "science":
            return f"{value:.{_options.precision}e}"
        return f"{value:.0f}" if self.kind == "whole" else f"{value:.{_options.precision}f}"

    def text(self, value: Any) -> str:
        """The number in this column, right-aligned."""
        if self.kind == "integer":
            return str(value).rjust(self.width)
        shown = self._digits(value)
        if self.kind == "whole" and math.isfinite(value):
            shown += "."
        return shown.rjust(self.width)


class _ComplexColumn:
    """Real and imaginary parts in a column each."""

    def __init__(self, values: Array) -> None:
        self.real, self.imaginary = _Column(values.real), _Column(values.imag)
        self.width = self.real.width + self.imaginary.width + 1

    def text(self, value: complex) -> str:
        """The number as `a+bj`; the sign of b joins the parts."""
        second = self.imaginary.text(value.imag).lstrip()
        sign = "" if second[0] in "+-" else "+"
        return f"{self.real.text(value.real)}{sign}{second}j"


def _corners(values: Array) -> Array:
    """The elements that are shown of a tensor too large to show: they decide the column."""
    keep = _options.edgeitems
    for axis, size in enumerate(values.shape):
        if size > 2 * keep:
            shown = [*range(keep), *range(size - keep, size)]
            values = values.take(shown, axis)
    return values


def _row(values: Array, indent: int, column: Any, shorten: bool) -> str:
    keep = _options.edgeitems
    if shorten and not keep:
        cells = ["..."]
    elif shorten and len(values) > 2 * keep:
        first, last = values[:keep].tolist(), values[-keep:].tolist()
        cells = [*map(column.text, first), " ...", *map(column.text, last)]
    else:
        cells = [column.text(v) for v in values.tolist()]
    in_line = max(1, (_options.linewidth - indent) // (column.width + 2))
    lines = [", ".join(cells[i : i + in_line]) for i in range(0, len(cells), in_line)] or [""]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _nested(values: Array, indent: int, column: Any, shorten: bool) -> str:
    if values.ndim == 0:
        return str(column.text(values.item()))
    if values.ndim == 1:
        return _row(values, indent, column, shorten)
    keep = _options.edgeitems
    if shorten and len(values) > 2 * keep:
        end = len(values)
        shown = [_nested(values[i], indent + 1, column, shorten) for i in range(keep)]
        shown += ["...", *(_nested(values[i], indent + 1, column, shorten) for i in range(end - keep, end))]
    else:
        shown = [_nested(v, indent + 1, column, shorten) for v in values]
    return "[" + ("," + "\n" * (values.ndim - 1) + " " * (indent + 1)).join(shown) + "]"


def array_text(values: Array, indent: int = 0) -> str:
    """The nested brackets of an array whose first character stands in column `indent`."""
    if not values.size:
        return "[]"
    shorten = values.size > _options.threshold
    shown = _corners(values) if shorten else values
    column = _ComplexColumn(shown) if values.dtype.kind == "c" else _Column(shown)
    return _nested(values, indent, column, shorten)


def _notes(t: Tensor) -> list[str]:
    """What follows the values: size, dtype, history."""
    notes = []
    array, place = t._data, t.__dict__.get(PLACE, "cpu")
    if place != "cpu":
        notes.append(f"device='{place}'")
    usual = {dtypes.default.float, dtypes.I64, dtypes.BOOL, dtypes.default_complex()}
    if (array.size and not _options.edgeitems) or (not array.size and array.ndim != 1):
        notes.append(f"size={tuple(array.shape)}")
    if array.dtype not in usual or (not array.size and array.dtype != dtypes.default.float):
        notes.append(f"dtype={t.dtype}")
    if is_invalid(t):
        return [*notes, "grad_fn=<Invalid>"]
    node = t._node
    if node is not None and node.needs:
        history = type(slots.grad_fn(t)).__name__.rpartition("::")[2]
        notes.append("requires_grad=True" if node.op is None else f"grad_fn=<{history}>")
    if local.watch is not None and local.watch.duals is not None:
        tangent = local.watch.duals.tangent(t)
        if tangent is not None:
            notes.append(f"tangent={tangent}")
    return notes


def __repr__(self: Tensor) -> str:
    """The tensor as torch prints it, such as `tensor([1., 2.], requires_grad=True)`."""
    leave(self, "print")
    head = "Parameter containing:\n" if isinstance(self, Parameter) else ""
    plain = self.__class__ is Tensor or isinstance(self, Parameter)
    prefix = "tensor(" if plain else f"{self.__class__.__name__}("
    text = array_text(self._data, len(prefix))
    parts = [prefix, text]
    line = len(prefix + text) - (prefix + text).rfind("\n") + 1
    for note in _notes(self):
        if line + len(note) + 2 > _options.linewidth:
            parts.append(f",\n{' ' * len(prefix)}{note}")
            line = len(prefix) + len(note)
        else:
            parts.append(f", {note}")
            line += len(note) + 2
    return f"{head}{''.join(parts)})"


def __format__(self: Tensor, spec: str) -> str:
    """A 0-d tensor that is no Parameter formats as its number, others as their repr (TypeError with a format specification, as for any object)."""
    if not self._data.ndim and self.__class__ is Tensor:
        leave(self, "format")
        return format(self._data.item(), spec)
    return object.__format__(self, spec)
