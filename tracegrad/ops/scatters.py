"""Values with one of their views replaced: what an in-place write through a view would leave, as a new value."""

from __future__ import annotations

from typing import Any

from tracegrad.errors import IndexingError, NotSupportedError, ShapeError, explain
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Shape, Type, one_axis, size_of
from tracegrad.kernels.windows import offset_of, within
from tracegrad.ops.checks import whole
from tracegrad.ops.overwrite import CopySlices
from tracegrad.ops.slicing import Diagonal, position
from tracegrad.ops.windows import check_memory


class SelectScatter(CopySlices):
    """x with one position of an axis replaced by part.  Shapes: (*a, n, *b), (*a, *b) -> (*a, n, *b)."""

    function, method, torch_name = True, True, "SelectScatterBackward0"
    samples = ([A(2, 3), A(2), (3,), 1], [A(4), A(), (), 2])

    @staticmethod
    def call(F: Ops, input: Any, src: Any, dim: int, index: int) -> Value:  # noqa: A002
        """A copy of input whose position `index` of axis dim holds src.  Raises RuntimeError when src has another shape than that position."""
        shape = F.shape(input)
        axis = _axis("select_scatter", shape, dim)
        i, steps = position("select_scatter", shape, axis, index), _row_major(shape)
        part = _part(F, "select_scatter", input, src, (*shape[:axis], *shape[axis + 1 :]))
        return F.select_scatter(
            input, part, strides=(*steps[:axis], *steps[axis + 1 :]), offset=i * steps[axis] if size_of(shape) else 0
        )

    @staticmethod
    def decompose(F: Ops, x: Value, part: Value, strides: Shape, offset: int) -> Value:
        return F.copy_slices(x, part, strides=strides, offset=offset)


class SliceScatter(SelectScatter):
    """x with a slice of an axis replaced by part.  Shapes: (*a, n, *b), (*a, m, *b) -> (*a, n, *b)."""

    torch_name = "SliceScatterBackward0"
    samples = ([A(5), A(2), (2,), 1], [A(2, 3), A(2, 2), (3, 2), 0])

    @staticmethod
    def call(
        F: Ops,
        input: Any,  # noqa: A002
        src: Any,
        dim: int = 0,
        start: int | None = None,
        end: int | None = None,
        step: int = 1,
    ) -> Value:
        """A copy of input whose start:end:step of axis dim holds src.  Raises RuntimeError when src has another shape than that slice."""
        shape = F.shape(input)
        axis, pace = _axis("slice_scatter", shape, dim), whole("slice_scatter", "step", step)
        if pace < 1:
            raise ShapeError(explain("slice_scatter", "slice step must be positive", step=step))
        first, last, _ = slice(start, end, pace).indices(shape[axis])
        count, steps = len(range(first, last, pace)), _row_major(shape)
        part = _part(F, "slice_scatter", input, src, (*shape[:axis], count, *shape[axis + 1 :]))
        return F.slice_scatter(
            input,
            part,
            strides=(*steps[:axis], pace * steps[axis], *steps[axis + 1 :]),
            offset=first * steps[axis] if count else 0,
        )


class DiagonalScatter(SelectScatter):
    """x with a diagonal replaced by part.  Shapes: (*a), that of the diagonal -> (*a)."""

    torch_name = "DiagonalScatterBackward0"
    samples = ([A(3, 3), A(3), (4,), 0], [A(2, 3), A(2), (4,), 1])

    @staticmethod
    def call(F: Ops, input: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Value:  # noqa: A002
        """A copy of input whose diagonal over the axes dim1 and dim2 holds src.  Raises RuntimeError when src has another shape than the diagonal."""
        shape, ndim = F.shape(input), len(F.shape(input))
        first, second = one_axis("diagonal_scatter", ndim, dim1), one_axis("diagonal_scatter", ndim, dim2)
        if first == second:
            raise ShapeError(explain("diagonal_scatter", f"diagonal dimensions cannot be identical {dim1}, {dim2}"))
        shift, steps = whole("diagonal_scatter", "offset", offset), _row_major(shape)
        wanted = Diagonal.infer(F.type(input), shift, first, second).shape
        part = _part(F, "diagonal_scatter", input, src, wanted)
        strides = (*(s for i, s in enumerate(steps) if i not in (first, second)), steps[first] + steps[second])
        start = shift * steps[second] if shift >= 0 else -shift * steps[first]
        return F.diagonal_scatter(input, part, strides=strides, offset=start if size_of(wanted) else 0)


class AsStridedScatter(SelectScatter):
    """x with the elements of a view by strides replaced by part.  Shapes: (*a), (*b) -> (*a)."""

    torch_name = "AsStridedScatterBackward0"
    samples = ([A(2, 3), A(3, 2), (1, 3), 0], [A(4), A(2), (2,), 1])

    @staticmethod
    def call(F: Ops, input: Any, src: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Value:  # noqa: A002
        """A copy of input whose elements storage_offset + sum(i * stride) hold src.

        Raises RuntimeError when src has another shape, NotSupportedError for strides that show an element twice.
        """
        shape, strides = tuple(int(n) for n in size), tuple(int(n) for n in stride)
        data = getattr(input, "_data", input)
        own = offset_of(data)
        offset = 0 if storage_offset is None else int(storage_offset) - own
        layout = () if data.flags.c_contiguous else tuple(s // data.itemsize for s in data.strides)
        check_memory(data, shape, strides, own + offset)
        if _repeats(shape, strides):
            raise NotSupportedError(
                explain("as_strided_scatter", "these strides show an element twice", stride=list(strides))
            )
        part = _part(F, "as_strided_scatter", input, src, shape)
        if not layout and within(data.shape, layout, shape, strides, offset):
            return F.as_strided_scatter(input, part, strides=strides, offset=offset)
        places = {"shape": data.shape, "strides": strides, "offset": offset, "layout": layout}
        there = F.put_strided(F.ones(Type(shape, data.dtype)), **places)  # what the input does not show is not written
        made = F.where(F.ne(there, 0), F.put_strided(part, **places), input)
        return F.named(made, called="AsStridedScatterBackward0")


def _axis(operation: str, shape: Shape, dim: int) -> int:
    if not shape:
        raise IndexingError(explain(operation, f"{operation}() cannot be applied to a 0-dim tensor."))
    return one_axis(operation, len(shape), dim)


def _row_major(shape: Shape) -> Shape:
    steps = [1] * len(shape)
    for i in range(len(shape) - 2, -1, -1):
        steps[i] = steps[i + 1] * shape[i + 1]
    return tuple(steps)


def _repeats(shape: Shape, strides: Shape) -> bool:
    reach = 0
    for step, n in sorted((s, n) for s, n in zip(strides, shape, strict=True) if n > 1):
        if step <= reach:
            return True
        reach += step * (n - 1)
    return False


def _part(F: Ops, operation: str, x: Any, source: Any, wanted: Shape) -> Value:
    have: Type = F.type(source)
    if have.shape != wanted:
        raise ShapeError(
            explain(
                operation,
                f"expected src to have a size equal to the slice of self. src size = {list(have.shape)}, slice size = {list(wanted)}",
            )
        )
    return F.as_dtype(source, F.type(x).dtype)
