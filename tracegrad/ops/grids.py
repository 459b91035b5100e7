"""Coordinates and combinations of values, joined and mirrored values, differences over grids."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.dtypes import I64, is_half
from tracegrad.errors import ArgumentError, ArgumentValueError, DTypeError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.half import wide
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, I
from tracegrad.ir.types import Shape, Type, one_axis, size_of
from tracegrad.ops.checks import is_number, whole
from tracegrad.ops.joining import Cat, tensor_list
from tracegrad.ops.reshape import sizes


def _listed(tensors: tuple[Any, ...]) -> list[Any]:
    """Tensors given as arguments or as one sequence."""
    return list(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else list(tensors)


class Meshgrid(Composite):
    """The coordinates of the points of a grid, one value for each axis.  Shapes: (n,), (m,) ... -> (n, m, ...) each."""

    method = False
    samples = ([A(2), A(3)],)

    @staticmethod
    def call(F: Ops, *tensors: Any, indexing: str = "ij") -> tuple[Value, ...]:
        """Views of the vectors over the whole grid; with indexing="xy" the first two axes are exchanged."""
        values = _listed(tensors)
        if not values:
            raise ShapeError(explain("meshgrid", "expects a non-empty TensorList"))
        if indexing not in ("ij", "xy"):
            raise ShapeError(explain("meshgrid", f'indexing must be one of "xy" or "ij", but received: {indexing}'))
        for v in values:
            if len(F.shape(v)) > 1:
                raise ShapeError(explain("meshgrid", "Expected 0D or 1D tensor in the tensor list", got=F.type(v)))
            if F.type(v).dtype != F.type(values[0]).dtype:
                raise DTypeError(explain("meshgrid", "expects all tensors to have the same dtype"))
        turned = indexing == "xy" and len(values) > 1
        if turned:
            values[:2] = values[1], values[0]
        shape = tuple(size_of(F.shape(v)) for v in values)
        places = (tuple(n if d == i else 1 for d in range(len(shape))) for i, n in enumerate(shape))
        grids = [F.broadcast_to(F.reshape(v, shape=p), shape=shape) for v, p in zip(values, places, strict=True)]
        if turned:
            grids[:2] = grids[1], grids[0]
        return tuple(grids)


class CartesianProd(Composite):
    """All tuples of elements of vectors, as rows.  Shapes: (n,), (m,) ... -> (n * m * ..., count); one vector: itself."""

    method = False
    samples = ([A(2), A(3)],)

    @staticmethod
    def call(F: Ops, *tensors: Any) -> Value:
        """The product of the vectors, the last one changing fastest."""
        values = _listed(tensors)
        for v in values:
            if len(F.shape(v)) != 1:
                raise ShapeError(explain("cartesian_prod", f"Expect a 1D vector, but got shape {list(F.shape(v))}"))
        if len(values) == 1:
            return values[0]
        grids = Meshgrid.call(F, *values)
        return F.stack(*(F.reshape(v, shape=(size_of(F.shape(v)),)) for v in grids), dim=1)


class Combinations(Composite):
    """All selections of r elements of a vector, as rows.  Shape: (n,) -> (count, r)."""

    method = False
    samples = ([A(4)],)

    @staticmethod
    def call(F: Ops, input: Any, r: int = 2, with_replacement: bool = False) -> Value:  # noqa: A002
        """Selections in the order of their positions, an element more than once only with_replacement."""
        t = F.type(input)
        if len(t.shape) != 1:
            raise ShapeError(explain("combinations", f"Expect a 1D vector, but got shape {list(t.shape)}"))
        if r < 0:
            raise ShapeError(explain("combinations", f"Expect a non-negative number, but got {r}"))
        if not r:
            return F.zeros(Type((0,), t.dtype))
        choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
        rows = list(choose(range(t.shape[0]), r))
        columns = (tuple(row[i] for row in rows) for i in range(r))
        taken = (F.index_select(input, F.literal(values=c, shape=(len(rows),), dtype=I64), dim=0) for c in columns)
        return F.stack(*taken, dim=1)


class BlockDiag(Composite):
    """Matrices along a diagonal, zeros elsewhere.  Shapes: (n, m), (p, q) ... -> (n + p + ..., m + q + ...)."""

    method = False
    samples = ([A(2, 3), A(1, 2)],)

    @staticmethod
    def call(F: Ops, *tensors: Any) -> Value:
        """The block diagonal matrix; vectors count as rows, single numbers as matrices of one element."""
        values = list(tensors)
        for i, v in enumerate(values):
            if isinstance(v, (list, tuple, int, float, complex, str)) or v is None:
                problem = f"expected Tensor as element {i}, but got {type(v).__name__}"
                raise ArgumentError(explain("block_diag", problem))
        if not values:
            return F.zeros(Type((1, 0), dtypes.default.float))
        common = F.type(values[0]).dtype
        for v in values[1:]:
            common = dtypes.promote_types(common, F.type(v).dtype)
        blocks = [F.as_dtype(v, common) for v in values]
        blocks = [b if len(F.shape(b)) == 2 else F.reshape(b, shape=(1, size_of(F.shape(b)))) for b in blocks]
        if any(len(F.shape(v)) > 2 for v in values):
            raise ShapeError(explain("block_diag", "Input tensors must have 2 or fewer dimensions"))
        width, rows, before = sum(F.shape(b)[1] for b in blocks), [], 0
        for b in blocks:
            n, m = F.shape(b)
            sides = (F.zeros(Type((n, size), common)) for size in (before, width - before - m))
            left, right = sides
            rows.append(F.cat(left, b, right, dim=1))
            before += m
        return (
            F.named(F.cat(*rows, dim=0), called="BlockDiagBackward0") if common.kind in "fcV" else F.cat(*rows, dim=0)
        )


class ColumnStack(Composite):
    """Values joined along the second axis, vectors as columns.  Shapes: (n,), (n, k) ... -> (n, 1 + k + ...)."""

    method = False
    samples = ([[A(2), A(2)]],)

    @staticmethod
    def call(F: Ops, tensors: Any) -> Value:
        """The tensors side by side."""
        items = tensor_list("column_stack", tensors, empty=False)
        columns = [v if len(F.shape(v)) > 1 else F.reshape(v, shape=(size_of(F.shape(v)), 1)) for v in items]
        return Cat.call(F, columns, 1)


class RowStack(Composite):
    """Values joined along the first axis, vectors as rows.  Shapes: (n,), (k, n) ... -> (1 + k + ..., n)."""

    method = False
    samples = ([[A(2), A(2)]],)

    @staticmethod
    def call(F: Ops, tensors: Any) -> Value:
        """vstack(tensors)."""
        return F.vstack(tensors)


class Dstack(Composite):
    """Values joined along the third axis.  Shapes: (n,), (n,) ... -> (1, n, count), (n, m, k) ... -> (n, m, sum of k)."""

    method = False
    samples = ([[A(2), A(2)]],)

    @staticmethod
    def call(F: Ops, tensors: Any) -> Value:
        """The tensors one behind the other."""
        items = tensor_list("dstack", tensors, empty=False)
        return Cat.call(F, [F.reshape(v, shape=_three(F.shape(v))) for v in items], 2)


def _three(shape: Shape) -> Shape:
    return (1, *(shape or (1,)), 1) if len(shape) < 2 else (*shape, 1) if len(shape) == 2 else shape


class Fliplr(Composite):
    """x with its second axis reversed.  Shape: (*a) -> (*a)."""

    samples = ([A(2, 3)],)

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """input with columns in reverse order.  Raises RuntimeError for fewer than two axes."""
        if len(F.shape(input)) < 2:
            raise ShapeError(explain("fliplr", "Input must be >= 2-d."))
        return F.flip(input, dims=(1,))


class Flipud(Composite):
    """x with its first axis reversed.  Shape: (*a) -> (*a)."""

    samples = ([A(2, 3)],)

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """input with rows in reverse order.  Raises RuntimeError for a single number."""
        if not F.shape(input):
            raise ShapeError(explain("flipud", "Input must be >= 1-d."))
        return F.flip(input, dims=(0,))


class Argwhere(Composite):
    """The positions of the nonzero elements, as rows.  Shape: (*a) -> (count, number of axes), int64.  Not for recorded code."""

    samples = ()  # the shape of its result depends on values

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """nonzero(input)."""
        return F.nonzero(input)


class UnravelIndex(Composite):
    """Flat positions as one position for each axis of a shape.  Shape: (*a) -> (*a) for each axis."""

    method = False
    samples = ([I(4, below=6), (2, 3)], [I(2, 2, below=4), 4])

    @staticmethod
    def call(F: Ops, indices: Any, shape: Any) -> tuple[Value, ...]:
        """The positions along the axes of `shape`, int64.  Raises TypeError unless indices are integers, ValueError for a negative size."""
        t, sizes = F.type(indices), tuple(shape) if isinstance(shape, Sequence) else (shape,)
        if t.dtype.kind not in "iu":
            raise ArgumentError(explain("unravel_index", "expected 'indices' to be integer dtype", indices=t))
        sizes = tuple(whole("unravel_index", "shape", n) for n in sizes)
        if any(n < 0 for n in sizes):
            raise ArgumentValueError(explain("unravel_index", f"'shape' cannot have negative values, but got {sizes}"))
        indices = F.as_dtype(indices, I64)
        if not size_of(t.shape):
            return tuple(indices for _ in sizes)
        found, step = [], 1
        for n in reversed(sizes):
            found.append(F.remainder(F.div_floor(indices, step) if step > 1 else indices, n))
            step *= n
        return tuple(reversed(found))


class Isin(Composite):
    """Whether each element is one of the test elements.  Shapes: (*a), (*b) -> (*a), bool."""

    method = False
    samples = ([A(3), A(2)],)

    @staticmethod
    def call(F: Ops, elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Value:
        """Membership, or with `invert` its opposite."""
        elements, test_elements = (v.item() if isinstance(v, np.generic) else v for v in (elements, test_elements))
        if is_number(elements) and is_number(test_elements):
            raise ArgumentError(explain("isin", "one of elements and test_elements must be a Tensor"))
        for values in (elements, test_elements):
            if not is_number(values) and F.type(values).dtype.kind in "bc":
                raise DTypeError(explain("isin", "Unsupported input type encountered for isin()", got=F.type(values)))
        if isinstance(elements, (bool, complex)) or isinstance(test_elements, (bool, complex)):
            raise DTypeError(explain("isin", "Unsupported input type encountered for isin()"))
        if is_number(elements):
            elements = F.full(shape=(), value=elements, dtype=F.type(test_elements).dtype)
        if is_number(test_elements):
            found = F.eq(elements, test_elements)
        else:
            among = F.reshape(test_elements, shape=(size_of(F.shape(test_elements)),))
            found = F.any(
                F.eq(F.unsqueeze(elements, dim=len(F.shape(elements))), among),
                dim=(len(F.shape(elements)),),
                keepdim=False,
            )
        return F.logical_not(found) if invert else found


class SumToSize(Composite):
    """x summed over the axes along which `size` broadcasts to its shape.  Shape: (*a) -> size."""

    function = False
    samples = ([A(2, 3), 1, 3],)

    @staticmethod
    def call(F: Ops, input: Any, *size: Any) -> Value:  # noqa: A002
        """The sum of the given size.  Raises RuntimeError where that does not broadcast to input's shape."""
        wanted = sizes("sum_to_size", size)
        shape: Shape = F.shape(input)
        lead = len(shape) - len(wanted)
        if lead < 0 or any(n not in (1, m) for n, m in zip(wanted, shape[lead:], strict=True)):
            raise ShapeError(explain("sum_to_size", f"size {list(wanted)} is not expandable to size {list(shape)}."))
        if shape == wanted and wanted:
            return input
        return F.sum_to(input if F.is_floating(input) else F.as_dtype(input, I64), shape=wanted)


class Gradient(Composite):
    """The derivatives of samples of a function by central differences, one value for each axis.  Shape: (*a) -> (*a) each."""

    method = False
    samples = ([A(5)],)

    @staticmethod
    def call(F: Ops, input: Any, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> tuple[Value, ...]:  # noqa: A002
        """Differences along dim (all axes for None), second order inside and of edge_order at the ends."""
        own = F.type(input).dtype
        if is_half(own):
            spacing = [wide(F, s) for s in spacing] if isinstance(spacing, (tuple, list)) else spacing
            found = Gradient.call(F, wide(F, input), spacing=spacing, dim=dim, edge_order=edge_order)
            return tuple(F.promote(v, dtype=own) for v in found)
        shape: Shape = F.shape(input)
        if edge_order not in (1, 2):
            raise ShapeError(explain("gradient", "torch.gradient only supports edge_order=1 and edge_order=2."))
        given = range(len(shape)) if dim is None else (dim,) if is_number(dim) else dim
        axes = [one_axis("gradient", len(shape), d) for d in given]
        for d in axes:
            if axes.count(d) > 1:
                raise ShapeError(explain("gradient", f"dim {d} appears multiple times in the list of dims"))
        gaps = _spacings(F, spacing, len(axes))
        if any(shape[d] < edge_order + 1 for d in axes):
            raise ShapeError(
                explain("gradient", "expected each dimension size to be at least edge_order+1", input=F.type(input))
            )
        if F.type(input).dtype.kind in "bu":
            raise DTypeError(explain("gradient", "torch.gradient does not support bool and uint8 input."))
        x = input if F.is_floating(input) else F.as_dtype(input, dtypes.default.float)
        return tuple(
            _even_slopes(F, x, d, gap, edge_order) if is_number(gap) else _slopes(F, x, d, gap, edge_order)
            for d, gap in zip(axes, gaps, strict=True)
        )


def _spacings(F: Ops, spacing: Any, count: int) -> list[Any]:
    """For each axis a number, or the coordinates along it."""
    if spacing is None or is_number(spacing):
        return [1 if spacing is None else spacing] * count
    if not isinstance(spacing, (tuple, list)):
        return [spacing.item()] * count if F.type(spacing).shape == () else _refuse_spacing(spacing)
    if len(spacing) != count:
        problem = f"expected spacing to be unspecified, a scalar or a list with one entry for each axis, got {len(spacing)} for {count}"
        raise ShapeError(explain("gradient", problem))
    for gap in spacing:
        if not is_number(gap) and len(F.shape(gap)) != 1:
            problem = f"expected each element of spacing to have one dimension, but got an element with {len(F.shape(gap))} dimensions!"
            raise ShapeError(explain("gradient", problem))
    return list(spacing)


def _refuse_spacing(spacing: Any) -> list[Any]:
    raise ArgumentError(explain("gradient", f"argument 'spacing' cannot be {type(spacing).__name__}"))


def _cut(F: Ops, x: Value, dim: int, start: int, stop: int) -> Value:
    n = F.shape(x)[dim]
    return F.slice(x, dim=dim, start=start % n if start < 0 else start, stop=stop if stop > 0 else n + stop, step=1)


def _even_slopes(F: Ops, x: Value, dim: int, gap: Any, edge_order: int) -> Value:
    """Slopes of samples whose distance is one number."""
    n = F.shape(x)[dim]
    if edge_order == 1:
        first = F.sub(_cut(F, x, dim, 1, 2), _cut(F, x, dim, 0, 1))
        last = F.sub(_cut(F, x, dim, n - 1, n), _cut(F, x, dim, n - 2, n - 1))
    else:
        a, b, c = (_cut(F, x, dim, i, i + 1) for i in range(3))
        first = F.add(F.add(F.mul(a, -1.5), F.mul(b, 2.0)), F.mul(c, -0.5))
        a, b, c = (_cut(F, x, dim, i, i + 1) for i in range(n - 3, n))
        last = F.add(F.add(F.mul(a, 0.5), F.mul(b, -2.0)), F.mul(c, 1.5))
    ends = [F.div(first, gap), F.div(last, gap)]
    if n == 2:
        return F.cat(*ends, dim=dim)
    inner = F.div(F.sub(_cut(F, x, dim, 2, n), _cut(F, x, dim, 0, n - 2)), 2 * gap)
    return F.cat(ends[0], inner, ends[1], dim=dim)


def _slopes(F: Ops, x: Value, dim: int, gap: Value, edge_order: int) -> Value:
    """Slopes of samples at given coordinates."""
    n = F.shape(x)[dim]
    steps = F.as_dtype(F.sub(_cut(F, gap, 0, 1, n), _cut(F, gap, 0, 0, n - 1)), F.type(x).dtype)
    steps = F.reshape(steps, shape=tuple(n - 1 if d == dim else 1 for d in range(len(F.shape(x)))))
    rises = F.div(F.sub(_cut(F, x, dim, 1, n), _cut(F, x, dim, 0, n - 1)), steps)
    first, last = _cut(F, rises, dim, 0, 1), _cut(F, rises, dim, n - 2, n - 1)
    if n == 2:
        return F.cat(first, last, dim=dim)
    before, after = _cut(F, steps, dim, 0, n - 2), _cut(F, steps, dim, 1, n - 1)
    low, high = _cut(F, rises, dim, 0, n - 2), _cut(F, rises, dim, 1, n - 1)
    inner = F.div(F.add(F.mul(low, after), F.mul(high, before)), F.add(before, after))
    if edge_order == 2:
        first = _edge(F, first, _cut(F, rises, dim, 1, 2), _cut(F, steps, dim, 0, 1), _cut(F, steps, dim, 1, 2))
        last = _edge(
            F,
            last,
            _cut(F, rises, dim, n - 3, n - 2),
            _cut(F, steps, dim, n - 2, n - 1),
            _cut(F, steps, dim, n - 3, n - 2),
        )
    return F.cat(first, inner, last, dim=dim)


def _edge(F: Ops, near: Value, far: Value, step: Value, other: Value) -> Value:
    """The slope at an end of the parabola through three points."""
    return F.sub(near, F.mul(F.div(step, F.add(step, other)), F.sub(far, near)))
