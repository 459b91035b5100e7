"""x[index] and x[index] = value, with torch's meaning of every index (600 lines allowed: both read an index by the same rules).

Numbers, slices, None and Ellipsis make views, one operator each and in order (`x[1:, 0]` is a slice, then a select).  What is left are positions and masks, which
one `index` reads; new axes stand where NumPy puts them, counted after the numbers are gone (`x[0, :, i]` differs from NumPy there, as in torch).
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tracegrad.config import GENERATED, local
from tracegrad.dtypes import BOOL, I32, I64, NUMBERS
from tracegrad.eager import inplace
from tracegrad.eager.clock import owner
from tracegrad.eager.dispatch import T
from tracegrad.eager.generate import operator_function
from tracegrad.eager.inference import refuse_write
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.eager.views import base_of, refuse_shared, shows_twice
from tracegrad.errors import ArgumentError, ArgumentValueError, IndexingError, ShapeError, TracegradError, explain
from tracegrad.ir.types import Type
from tracegrad.ops.index import indexed_shape
from tracegrad.ops.masks import SMALL, mask_positions, number_of, put_under_mask, read_mask

Array = np.ndarray[Any, Any]
Advanced = list[tuple[int, Tensor]]  # axis of the view, and the positions or the mask there
_WHOLE = slice(None)
_VALUES = (Tensor, *NUMBERS)
_PARTS = (Tensor, slice, list, tuple)

_select, _slice, _unsqueeze = (operator_function(name) for name in ("select", "slice", "unsqueeze"))


def get_item(self: Tensor, index: Any) -> Tensor:
    """self[index]: a view for numbers, slices, None and Ellipsis; a copy for positions and masks.

    Raises IndexError for a position out of range, too many indices or an index of the wrong kind, ValueError for a step below 1.
    """
    kind = type(index)
    if kind is int:
        shape = self._data.shape
        if shape and -shape[0] <= index < shape[0]:
            return _select(self, dim=0, index=index if index >= 0 else index + shape[0])  # type: ignore[no-any-return]
    elif kind is slice and self._data.ndim:
        return _sliced(self, 0, index)
    elif kind is Tensor and index._data.dtype == I64 and index._data.ndim and self._data.ndim:
        return _at_positions(self, index, 0)
    elif kind is tuple:
        found = _plain_view(self, index)
        if found is not None:
            return found
    view, advanced = _split(self, _items(index))
    if not advanced:
        return T.whole(self) if view is self else view  # type: ignore[no-any-return]
    if len(advanced) == 1 and advanced[0][1]._data.dtype == BOOL:
        dim, mask = advanced[0]
        read_mask(mask)
        if local.trace is None:
            return T.index_mask(view, mask, dim=dim)  # type: ignore[no-any-return]
    dims, positions = _positions(view, advanced)
    if len(dims) == 1:
        return _at_positions(view, positions[0], dims[0])
    try:
        return T.index(view, *positions, dims=dims)  # type: ignore[no-any-return]
    except IndexError as error:
        raise _as_ours(error) from None


def _at_positions(x: Tensor, positions: Tensor, dim: int) -> Tensor:
    """x at positions of one axis; recorded as `index`, the one operator that passes know."""
    try:
        if local.trace is not None:
            return T.index(x, positions, dims=(dim,))  # type: ignore[no-any-return]
        return T.index_one(x, positions, dim=dim)  # type: ignore[no-any-return]
    except IndexError as error:
        raise _as_ours(error) from None


def _plain_view(x: Tensor, index: tuple[Any, ...]) -> Tensor | None:
    """The view of ints, slices and None, which is what most indices are; None where the general path has to look."""
    dim, before = 0, x
    for part in index:
        kind = type(part)
        if part is None:
            x = _unsqueeze(x, dim=dim)
            dim += 1
            continue
        shape = x._data.shape
        if (kind is not int and kind is not slice) or dim >= len(shape):
            return None
        size = shape[dim]
        if kind is slice:
            part = part if local.trace is None else _known(part)
            if not _is_whole(part, size):
                x = _sliced(x, dim, part)
            dim += 1
        elif -size <= part < size:
            x = _select(x, dim=dim, index=part if part >= 0 else part + size)
        else:
            return None
    return x if x is not before else None


def _as_ours(error: IndexError) -> IndexError:
    return error if isinstance(error, TracegradError) else IndexingError(explain("index", str(error)))


def _items(index: Any) -> tuple[Any, ...]:
    """The index as a tuple of its parts; a list of lists, tensors, slices, None or Ellipsis counts as a tuple, as in torch."""
    if isinstance(index, tuple):
        return index
    nested = isinstance(index, list) and len(index) < 32
    if nested and any(i is None or i is Ellipsis or (isinstance(i, _PARTS) and not _is_int(i)) for i in index):
        return tuple(index)
    return (index,)


def _sliced(x: Tensor, dim: int, index: slice) -> Tensor:
    """The view of a slice at axis dim.  Raises ValueError for a step below 1, TypeError for bounds that are no integers."""
    size = x._data.shape[dim]
    start, stop, step = (index if local.trace is None else _known(index)).indices(size)
    if step < 1:
        raise ArgumentValueError(
            explain("index", "step must be greater than zero", "Use flip to reverse an axis", step=step)
        )
    return _slice(x, dim=dim, start=start, stop=stop if stop > start else start, step=step)  # type: ignore[no-any-return]


def _known(index: slice) -> slice:
    """The slice with Python's numbers for numbers of a recording, which notes that they decide about a size."""
    bounds = [index.start, index.stop, index.step]
    for i, bound in enumerate(bounds):
        if isinstance(bound, Tensor) and bound._data.size == 1 and bound._data.dtype.kind in "iu":
            local.trace.leave(bound, "a bound of a slice")  # type: ignore[union-attr]
            bounds[i] = bound._data.item()
    return slice(*bounds)


def _slice_bounds(index: slice, size: int) -> tuple[int, int, int]:
    start, stop, step = index.indices(size)
    if step < 1:
        raise ArgumentValueError(
            explain("index", "step must be greater than zero", "Use flip to reverse an axis", step=step)
        )
    return start, stop, step


def _split(x: Tensor, items: tuple[Any, ...], copies: list[Any] | None = None) -> tuple[Tensor, Advanced]:
    """x after the numbers, slices and new axes, and the positions and masks that remain, by axis of that view.

    A recording reads at a 0-d tensor by a copy; `copies` gets what a write has to put back: the value before, the axis, the position and the copy.
    """
    parts = [i if i is None or i is Ellipsis or type(i) in (int, slice, bool) else _part(i) for i in items]
    taken = sum(_axes_taken(i) for i in parts)
    ndim = x._data.ndim
    if taken > ndim:
        for part in parts:
            if type(part) is slice:  # of two mistakes torch names this one
                _slice_bounds(part, 0)
        raise IndexingError(
            explain(
                "index",
                f"too many indices for tensor of dimension {ndim}",
                indices=taken,
                x=Type(x._data.shape, x._data.dtype),
            )
        )
    dim, advanced, skipped = 0, [], False
    for part in parts:
        if part is Ellipsis:
            dim += 0 if skipped else ndim - taken
            skipped = True
        elif part is None:
            x = _unsqueeze(x, dim=dim)
            dim += 1
        elif type(part) is slice:
            part = part if local.trace is None else _known(part)
            if not _is_whole(part, x._data.shape[dim]):
                x = _sliced(x, dim, part)
            dim += 1
        elif type(part) is int:
            x = _select(x, dim=dim, index=_position(x, dim, part))
        elif type(part) is bool or (part._data.dtype == BOOL and not part._data.ndim):
            x = _unsqueeze(x, dim=dim)
            advanced.append((dim, _one_mask(part)))
            dim += 1
        elif not part._data.ndim:
            before, x = x, _at_scalar(x, dim, part)
            if copies is not None:
                copies.append((before, dim, part, x))
        else:
            advanced.append((dim, part))
            dim += max(_axes_taken(part), 1)
    return x, advanced


def _is_whole(part: slice, size: int) -> bool:
    """Whether torch takes the slice for no slice at all: it starts at 0, as written, and ends at or behind the end."""
    if part == _WHOLE:
        return True
    return part.indices(size) == (0, size, 1) and part.start in (None, 0) and (part.stop is None or part.stop >= size)


def _axes_taken(part: Any) -> int:
    """How many axes of x a part of the index stands for."""
    if part is None or part is Ellipsis or type(part) is bool:
        return 0
    if isinstance(part, Tensor) and part._data.dtype == BOOL:
        return part._data.ndim
    return 1


def _part(item: Any) -> Any:
    """A part of an index that is none of Python's own: an int, or a tensor of positions or a mask.  Raises IndexError for other kinds."""
    if isinstance(item, (int, np.integer)) and not isinstance(item, Tensor):  # a number of a recording stays there
        return int(item)
    if isinstance(item, np.bool_):
        return bool(item)
    if local.trace is not None and isinstance(item, (list, tuple)) and any(isinstance(i, Tensor) for i in item):
        if all(isinstance(i, int) or (isinstance(i, Tensor) and _is_position(i)) for i in item):
            parts = [
                T.reshape(T.cast(i, dtype=I64), shape=(1,))
                if isinstance(i, Tensor)
                else T.full(shape=(1,), value=i, dtype=I64)
                for i in item
            ]
            return T.cat(*parts, dim=0)
    if isinstance(item, (list, tuple, range, np.ndarray)):
        data = np.asarray([_plain(i) for i in item] if isinstance(item, (list, tuple)) else item)
        item = handle(data.astype(I64) if not data.size and data.dtype.kind in "fV" else data, None)
    if isinstance(item, Tensor):
        if item._data.dtype == np.uint8:
            return T.cast(item, dtype=BOOL)
        if item._data.dtype not in (I64, I32, BOOL):
            raise IndexingError(
                explain(
                    "index",
                    "tensors used as indices must be long, int, byte or bool tensors",
                    index=Type(item._data.shape, item._data.dtype),
                )
            )
        return item
    if isinstance(item, str):
        raise ArgumentError(explain("index", "new(): invalid data type 'str'"))
    try:
        return operator.index(item)
    except TypeError:
        raise IndexingError(
            explain(
                "index",
                f"only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got {type(item).__name__})",
            )
        ) from None


def _is_int(i: Any) -> bool:
    """Whether this is a number of a recording, which stands for an int of Python's."""
    return isinstance(i, Tensor) and "_is_number" in i.__dict__


def _is_position(t: Tensor) -> bool:
    return t._data.size == 1 and t._data.dtype.kind in "iu"


def _plain(item: Any) -> Any:
    if isinstance(item, Tensor):
        if local.trace is not None:
            local.trace.leave(item, "a list index")
        return item._data
    return item


def _position(x: Tensor, dim: int, index: int) -> int:
    size = x._data.shape[dim]
    if not -size <= index < size:
        raise IndexingError(
            explain(
                "index",
                f"index {index} is out of bounds for dimension {dim} with size {size}",
                x=Type(x._data.shape, x._data.dtype),
            )
        )
    return index + size if index < 0 else index


def _one_mask(part: Any) -> Tensor:
    """True, False or a 0-d bool tensor as a mask over an axis of size 1."""
    if isinstance(part, Tensor):
        return T.reshape(part, shape=(1,))  # type: ignore[no-any-return]
    if local.trace is not None:  # as positions: a recording does not read masks
        return T.full(shape=(int(part),), value=0, dtype=I64)  # type: ignore[no-any-return]
    return T.full(shape=(1,), value=part, dtype=BOOL)  # type: ignore[no-any-return]


def _at_scalar(x: Tensor, dim: int, part: Tensor) -> Tensor:
    """x at the position that a 0-d tensor holds: a select; while recording an index, so that the position stays a value."""
    if local.trace is not None:
        return T.index(x, part, dims=(dim,))  # type: ignore[no-any-return]
    return _select(x, dim=dim, index=_position(x, dim, int(part._data)))  # type: ignore[no-any-return]


def _positions(x: Tensor, advanced: Advanced) -> tuple[tuple[int, ...], list[Tensor]]:
    """Axes and position tensors, each mask replaced by the positions where it is true."""
    dims: list[int] = []
    positions: list[Tensor] = []
    for dim, part in advanced:
        found = [part]
        if part._data.dtype == BOOL:
            _check_mask(x, dim, part)
            found = [p if isinstance(p, Tensor) else handle(p, None) for p in mask_positions(T, part)]
        dims += range(dim, dim + len(found))
        positions += found
    return tuple(dims), positions


def _check_mask(x: Tensor, dim: int, mask: Tensor) -> None:
    shape, own = x._data.shape, mask._data.shape
    for i, n in enumerate(own):
        if shape[dim + i] != n:
            raise IndexingError(
                explain(
                    "index",
                    f"The shape of the mask {list(own)} at index {i} does not match the shape of the indexed tensor {list(shape)} at index {dim + i}",
                )
            )


# --- assignment


def set_item(self: Tensor, index: Any, value: Any) -> None:
    """self[index] = value: writes the memory, and gradients flow to value.  value is a number or a tensor that broadcasts.

    Raises IndexError as reading does, RuntimeError for a shape that does not fit and for a leaf that requires grad, TypeError for other values.
    """
    if type(value) is not float and not isinstance(value, _VALUES):
        if not isinstance(value, np.integer):
            raise ArgumentError(explain("index", f"can't assign a {type(value).__name__} to a Tensor"))
        value = int(value)
    plain = type(index) is int or _is_plain(index)
    if plain and _direct(self, value) and _write_plain(self, index, value):
        return
    if not plain:  # a plain index is a view of the leaf, and the write to it says so
        inplace.check_own_leaf(self, "index_put_")
    if not isinstance(value, Tensor):
        number, d = number_of(self._data.dtype, value), self._data.dtype
        value = handle(np.array(number, d), None) if local.trace is None else T.full(shape=(), value=number, dtype=d)
    if index is False:
        return
    if local.trace is not None:
        copies: list[Any] = []
        _write(*_split(self, _items(index), copies), value)
        for before, dim, part, made in reversed(copies):
            inplace.write(before, T.index_put(before, made, part, dims=(dim,), accumulate=False), "index_put_")
        return
    _write(*_split(self, (None,) if index is True else _items(index)), value)


def _write(view: Tensor, advanced: Advanced, value: Tensor) -> None:
    """Write a value where an index that _split has taken apart leads."""
    if advanced:
        _write_positions(view, advanced, value)
        return
    value = _fitted(value, view._data.shape)
    if value._data.ndim or not view._data.ndim or shows_twice(view._data):  # copy_ refuses what fill_ allows
        inplace.copy_(view, value)
    else:
        inplace.fill_(view, value)


def _direct(t: Tensor, value: Any) -> bool:
    """Whether memory is all that a write changes."""
    flags = t._data.flags
    if not flags.writeable or (not flags.c_contiguous and shows_twice(t._data)):
        return False
    if GENERATED["MODE"]:
        if local.trace is not None or (local.watch is not None and local.watch.duals is not None):
            return False
        if not local.grad_enabled:
            if type(t) is not Tensor:
                refuse_write(t, "index_put_")
            return True
    if type(t) is not Tensor:
        refuse_write(t, "index_put_")
    if t._node is not None or (t._data.base is not None and base_of(t)._node is not None):
        return False
    return type(value) is float or not isinstance(value, Tensor) or value._node is None


def _is_plain(index: Any) -> bool:
    """Whether NumPy reads the index as torch does: ints, slices forward, None and one Ellipsis."""
    kind = type(index)
    if kind is int:
        return True
    if kind is slice:
        return index.step is None or (type(index.step) is int and index.step > 0)
    if kind is tuple:
        return all(i is None or i is Ellipsis or (type(i) in (int, slice) and _is_plain(i)) for i in index)
    return False


def _write_plain(t: Tensor, index: Any, value: Any) -> bool:
    """The write by NumPy alone; False, with nothing written, when NumPy refuses: the general path knows torch's reason."""
    data = t._data
    try:
        if isinstance(value, Tensor):
            value = value._data
            if value is data or ((value.base is not None or data.base is not None) and owner(value) is owner(data)):
                return False  # the general path looks whether it would read what it writes
            if value.dtype != data.dtype:
                with np.errstate(all="ignore"):
                    value = (value.real if value.dtype.kind == "c" and data.dtype.kind != "c" else value).astype(
                        data.dtype
                    )
        elif type(value) is not float or data.dtype.kind not in "fV" or not -SMALL <= value <= SMALL:
            value = number_of(data.dtype, value.item() if isinstance(value, np.generic) else value)
        data[index] = value
    except (IndexError, TypeError, ValueError, OverflowError):
        return False
    inplace.touch(t)
    return True


def _fitted(value: Tensor, shape: tuple[int, ...]) -> Tensor:
    """value without leading axes of size 1 beyond the target's.  Raises RuntimeError when it does not broadcast to shape."""
    own = value._data.shape
    extra = len(own) - len(shape)
    if extra > 0 and all(n == 1 for n in own[:extra]):
        value = T.reshape(value, shape=own[extra:])
        own = own[extra:]
    if len(own) > len(shape) or any(n not in (1, shape[len(shape) - len(own) + i]) for i, n in enumerate(own)):
        raise ShapeError(
            explain(
                "index",
                f"shape mismatch: value tensor of shape {list(own)} cannot be broadcast to indexing result of shape {list(shape)}",
            )
        )
    return value


def _write_positions(view: Tensor, advanced: Advanced, value: Tensor) -> None:
    """Write through positions and masks."""
    if len(advanced) == 1 and advanced[0][1]._data.dtype == BOOL:
        dim, mask = advanced[0]
        _check_mask(view, dim, mask)
        spread = _spread(value, view._data.ndim - dim - mask._data.ndim, dim)
        if spread is not None:
            _write_masked(view, dim, mask, spread)
            return
        if local.trace is not None:
            _check_dtype(view, value)
            inplace.write(view, put_under_mask(T, view, mask, value, dim), "index_put_")
            return
    dims, positions = _positions(view, advanced)
    shape = view._data.shape
    target = indexed_shape("index", shape, [p._data.shape for p in positions], dims)
    if any(p._data.size and not shape[d] for d, p in zip(dims, positions, strict=True)):
        raise IndexingError(
            explain("index", "index is out of bounds for dimension with size 0", x=Type(shape, view._data.dtype))
        )
    _check_dtype(view, value)
    if local.trace is None:
        refuse_shared(view._data, value._data, "index_put_")
    try:
        new = T.index_put(view, _fitted(value, target), *positions, dims=dims, accumulate=False)
    except IndexError as error:
        raise _as_ours(error) from None
    inplace.write(view, new, "index_put_")


def _check_dtype(view: Tensor, value: Tensor) -> None:
    if value._data.dtype != view._data.dtype:
        raise ShapeError(
            explain(
                "index",
                "Index put requires the source and destination dtypes match",
                "Convert the value with .to(dtype)",
                destination=view.dtype,
                source=value.dtype,
            )
        )


def _spread(value: Tensor, behind: int, before: int) -> Tensor | None:
    """value as it broadcasts against the whole view, if every masked element gets the same; else None.  behind, before: axes after and before the mask."""
    shape = value._data.shape
    if value._data.size == 1 and len(shape) <= before + behind + 1:
        return value if not shape else T.reshape(value, shape=())  # type: ignore[no-any-return]
    if len(shape) <= behind:
        return value
    at = len(shape) - behind - 1  # the place of the masked elements
    if shape[at] != 1 or at > before or any(n != 1 for n in shape[:at]):
        return None
    return T.reshape(value, shape=shape[at + 1 :])  # type: ignore[no-any-return]


def _write_masked(view: Tensor, dim: int, mask: Tensor, value: Tensor) -> None:
    """Write value, which broadcasts against the whole view, where the mask holds: a selection, so that a recording keeps it."""
    shape, own = view._data.shape, value._data.shape
    behind = len(shape) - dim - mask._data.ndim
    if any(n not in (1, size) for n, size in zip(reversed(own), reversed(shape), strict=False)):
        raise ShapeError(
            explain(
                "index",
                f"shape mismatch: value tensor of shape {list(own)} cannot be broadcast under a mask in shape {list(shape)}",
            )
        )
    if own or value._data.size != 1:
        _check_dtype(view, value)
    elif value._data.dtype != view._data.dtype:
        value = T.cast(value, dtype=view._data.dtype)
    if behind:
        mask = T.reshape(mask, shape=(*mask._data.shape, *(1,) * behind))
    if _direct(view, value):
        np.copyto(view._data, value._data, where=np.broadcast_to(mask._data, shape))
        inplace.touch(view)
        return
    new = T.where(mask, value, view) if local.trace is not None else T.mask_put(view, mask, value)
    inplace.write(view, new, "index_put_")


METHODS = {"__getitem__": get_item, "__setitem__": set_item}
