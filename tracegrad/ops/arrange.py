"""Elements in other places: rolled, turned, on diagonals, repeated, taken by flat positions; differences of neighbours and products of all pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracegrad.dtypes import I32, I64
from tracegrad.errors import ArgumentError, AxisError, DTypeError, IndexingError, NotSupportedError, ShapeError, explain
from tracegrad.ir.families import Composite, Movement
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, I
from tracegrad.ir.types import Shape, Type, one_axis, size_of
from tracegrad.ops.checks import is_number, needs_floating, whole
from tracegrad.ops.masks import read_mask
from tracegrad.ops.slicing import Diagonal, DiagonalBackward


class Roll(Movement):
    """x moved along axes, what leaves at the end coming back at the start; without axes in row-major order.  Shape: (*a) -> (*a)."""

    attrs, masks = ("shifts", "dims"), "selects"
    numpy = jax = "K.roll({x}, {shifts}, {dims})"
    samples = (
        [A(5), (2,), (0,)],
        [A(2, 3), (1, -1), (0, 1)],
        [A(0, 3), (1,), (1,)],
        [A(4), (-5,), (0,)],
        [A(2, 3), (1,), ()],
    )

    @staticmethod
    def infer(x: Type, shifts: Shape, dims: Shape) -> Type:
        """x's type."""
        return x

    @staticmethod
    def call(F: Ops, input: Any, shifts: Any, dims: Any = None) -> Value:  # noqa: A002
        """input moved by shifts along dims; without dims the flattened input.  Raises RuntimeError when their counts differ."""
        shape: Shape = F.shape(input)
        steps = tuple(int(s) for s in shifts) if isinstance(shifts, Sequence) else (whole("roll", "shifts", shifts),)
        axes = () if dims is None else tuple(dims) if isinstance(dims, Sequence) else (dims,)
        if not axes and len(steps) == 1:
            return F.roll(input, shifts=steps, dims=())
        if len(axes) != len(steps) or not axes:
            raise ShapeError(
                explain("roll", f"shifts and dimensions must align. shifts: {len(steps)}, dims:{len(axes)}")
            )
        if not shape:
            raise IndexingError(explain("roll", f"Dimension specified as {axes[0]} but tensor has no dimensions"))
        places = tuple(one_axis("roll", len(shape), d) for d in axes)
        return F.roll(input, shifts=steps, dims=places)

    @staticmethod
    def grad_x(F: Ops, g: Value, shifts: Shape, dims: Shape) -> Value:
        return F.roll(g, shifts=tuple(-s for s in shifts), dims=dims)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, shifts: Shape, dims: Shape) -> Value:
        if not dims:
            shape = F.shape(x)
            flat = F.roll(F.reshape(x, shape=(size, size_of(shape[1:]))), shifts=shifts, dims=(1,))
            return F.reshape(flat, shape=shape)
        return F.roll(x, shifts=shifts, dims=tuple(d + 1 for d in dims))


class Rot90(Movement):
    """x turned by k quarters from axis dims[0] toward dims[1].  Shape: those two axes change places for odd k."""

    name, attrs, masks = "rot90", ("k", "dims"), "selects"
    numpy, jax = "np.rot90({x}, {k}, {dims}).copy()", "jnp.rot90({x}, {k}, {dims})"
    samples = ([A(2, 3), 1, (0, 1)], [A(2, 3, 4), 3, (2, 0)], [A(2, 3), 2, (0, 1)], [A(0, 3), 1, (0, 1)])

    @staticmethod
    def infer(x: Type, k: int, dims: Shape) -> Type:
        """The turned shape."""
        shape, (a, b) = list(x.shape), dims
        if k % 2:
            shape[a], shape[b] = shape[b], shape[a]
        return Type(tuple(shape), x.dtype)

    @staticmethod
    def call(F: Ops, input: Any, k: int = 1, dims: Any = (0, 1)) -> Value:  # noqa: A002
        """input turned by k * 90 degrees in the plane of two axes.  Raises RuntimeError unless there are two different ones."""
        ndim, axes = len(F.shape(input)), tuple(dims)
        if len(axes) != 2:
            raise ShapeError(explain("rot90", f"expected total rotation dims == 2, but got dims = {len(axes)}"))
        if ndim < 2:
            raise ShapeError(explain("rot90", f"expected total dims >= 2, but got total dims = {ndim}"))
        first, second = (one_axis("rot90", ndim, d) for d in axes)
        if first == second:
            raise ShapeError(
                explain(
                    "rot90", f"expected rotation dims to be different, but got dim0 = {axes[0]} and dim1 = {axes[1]}"
                )
            )
        return F.rot90(input, k=whole("rot90", "k", k) % 4, dims=(first, second))

    @staticmethod
    def grad_x(F: Ops, g: Value, k: int, dims: Shape) -> Value:
        return F.rot90(g, k=-k % 4, dims=dims)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, k: int, dims: Shape) -> Value:
        return F.rot90(x, k=k, dims=(dims[0] + 1, dims[1] + 1))


class Diff(Composite):
    """The n-th differences of neighbours along an axis; of bools whether they differ.  Shape: (*p, m, *q) -> (*p, m - n, *q)."""

    tensors = ("prepend", "append")
    samples = ([A(4)], [A(2, 5), 2])

    @staticmethod
    def call(F: Ops, input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Value:  # noqa: A002
        """Differences along dim, with the values prepend before and append after."""
        if not hasattr(n, "__index__"):
            raise ArgumentError(explain("diff", f"argument 'n' must be int, not {type(n).__name__}"))
        if n < 0:
            raise ShapeError(explain("diff", f"order must be non-negative but got {n}"))
        if not F.shape(input):
            raise ShapeError(explain("diff", "expects input to be at least one-dimensional"))
        axis = one_axis("diff", len(F.shape(input)), dim)
        if not n:  # torch looks at neither prepend nor append
            return F.clone(input)
        parts = [v for v in (prepend, input, append) if v is not None]
        x = F.cat(*parts, dim=axis) if len(parts) > 1 else input
        join = F.logical_xor if F.type(x).dtype.kind == "b" else F.sub
        for _ in range(min(n, F.shape(x)[axis])):
            count = F.shape(x)[axis]
            x = join(
                F.slice(x, dim=axis, start=1, stop=count, step=1),
                F.slice(x, dim=axis, start=0, stop=max(count - 1, 0), step=1),
            )
        return x


class DiagEmbed(DiagonalBackward):
    """Zeros with the last axis of x on a diagonal of two new axes.  Shape: (*a, count) -> shape."""

    function, method, torch_name = True, True, "DiagEmbedBackward0"

    @staticmethod
    def call(F: Ops, input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Value:  # noqa: A002
        """input's last axis on the diagonal of the new axes dim1 and dim2."""
        shape: Shape = F.shape(input)
        if not shape:
            raise AxisError(explain("diag_embed", "Dimension out of range: a 0-dim input has no axis for the diagonal"))
        first, second = (one_axis("diag_embed", len(shape) + 1, d) for d in (dim1, dim2))
        if first == second:
            raise ShapeError(explain("diag_embed", f"diagonal dimensions cannot be identical {dim1}, {dim2}"))
        size = shape[-1] + abs(whole("diag_embed", "offset", offset))
        rest = iter(shape[:-1])
        made = tuple(size if d in (first, second) else next(rest) for d in range(len(shape) + 1))
        return F.diag_embed(input, shape=made, offset=int(offset), dim1=first, dim2=second)


class DiagonalCopy(Diagonal):
    """The diagonal in memory of its own, as diag gives it.  Shape: x without dim1 and dim2, and the diagonal's length at the end."""

    view, function, method, call, torch_name = False, False, False, None, "DiagonalBackward0_copy"
    numpy = "K.diagonal({x}, {offset}, {dim1}, {dim2}).copy()"


class Diag(Composite):
    """The matrix with a vector on its diagonal, or a matrix's diagonal.  Shapes: (n,) -> (n, n), (n, m) -> (min(n, m),) for offset 0."""

    samples = ([A(3)], [A(2, 3)])

    @staticmethod
    def call(F: Ops, input: Any, diagonal: int = 0) -> Value:  # noqa: A002
        """By the number of axes of input: the matrix of a vector, or the diagonal of a matrix, in memory of its own."""
        ndim = len(F.shape(input))
        if ndim == 1:
            return DiagEmbed.call(F, input, diagonal)
        if ndim != 2:
            raise ShapeError(explain("diag", f"Supports 1D or 2D tensors. Got {ndim}D"))
        return F.diagonal_copy(input, offset=whole("diag", "diagonal", diagonal), dim1=0, dim2=1)


class Diagflat(Composite):
    """The matrix with all elements of x on its diagonal.  Shape: (*a) -> (n, n)."""

    samples = ([A(2, 2)],)

    @staticmethod
    def call(F: Ops, input: Any, offset: int = 0) -> Value:  # noqa: A002
        """The elements of input in row-major order on a diagonal."""
        return DiagEmbed.call(F, F.reshape(input, shape=(size_of(F.shape(input)),)), offset)


class RepeatInterleave(Composite):
    """Each element (or slice along an axis) repeated.  Shape: (*p, n, *q) -> (*p, n * repeats, *q); flattened without dim."""

    samples = ([A(2, 3), 2], [A(2, 3), 2, 1])

    @staticmethod
    def call(
        F: Ops, input: Any, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
    ) -> Value:  # noqa: A002
        """Every element `repeats` times, an int or a count for each; repeat_interleave(repeats) alone gives the positions.

        Raises RuntimeError for an output_size that is not the size of the result along dim.
        """
        if repeats is None:
            return _positions(F, input, output_size)
        if dim is None:
            input, dim = F.reshape(input, shape=(size_of(F.shape(input)),)), 0  # noqa: A001
        elif not F.shape(input):
            input = F.reshape(input, shape=(1,))  # noqa: A001
        shape = F.shape(input)
        axis = one_axis("repeat_interleave", len(shape), dim)
        if is_number(repeats):
            count = whole("repeat_interleave", "repeats", repeats)
            if output_size is not None and count >= 0 and output_size != shape[axis] * count:
                problem = f"Invalid output_size, expected {shape[axis] * count} but got {output_size}"
                raise ShapeError(explain("repeat_interleave", problem))
            return _each_repeated(F, input, count, axis)
        counts = F.shape(repeats)
        if F.type(repeats).dtype not in (I32, I64):
            raise NotSupportedError(
                explain("repeat_interleave", "repeats has to be Long or Int tensor", repeats=F.type(repeats))
            )
        if size_of(counts) == 1:
            repeats = F.expand(F.reshape(repeats, shape=(1,)), shape=(shape[axis],))
        elif len(counts) != 1 or counts[0] != shape[axis]:
            raise ShapeError(
                explain(
                    "repeat_interleave",
                    "repeats must have the same size as input along dim",
                    repeats=F.type(repeats),
                    input=F.type(input),
                )
            )
        return F.index_select(input, _positions(F, repeats, output_size), dim=axis)


def _each_repeated(F: Ops, x: Any, count: int, axis: int) -> Value:
    if count < 0:
        raise ShapeError(explain("repeat_interleave", "Repeats must be non-negative", repeats=count))
    shape: Shape = F.shape(x)
    wide = F.expand(F.unsqueeze(x, dim=axis + 1), shape=(*shape[: axis + 1], count, *shape[axis + 1 :]))
    flat = F.reshape(F.clone(wide), shape=(*shape[:axis], shape[axis] * count, *shape[axis + 1 :]))
    return F.named(flat, called="ViewBackward0") if F.type(x).dtype.kind in "fcV" else flat


def _positions(F: Ops, repeats: Any, size: int | None) -> Any:
    """0 repeats[0] times, 1 repeats[1] times ...  Raises RuntimeError for a negative count, and where they are not `size`."""
    t = F.type(repeats)
    if t.dtype.kind not in "iu":
        raise NotSupportedError(explain("repeat_interleave", "not implemented for counts of this dtype", repeats=t))
    counts = read_mask(repeats)
    if counts.size and counts.min() < 0:
        raise ShapeError(explain("repeat_interleave", "repeats can not be negative"))
    found = F.repeated_positions(repeats)
    if size is not None and F.shape(found) != (size,):
        problem = "allocated size does not match required size"
        raise ShapeError(explain("repeat_interleave", problem, output_size=size, needed=F.shape(found)[0]))
    return found


class RepeatedPositions(Op):
    """0 x[0] times, 1 x[1] times and so on.  Shape: (n,) -> (sum(x),), x's dtype.  Not for recorded code."""

    value_dependent, quiet, function, method, nondiff_outputs = True, True, False, False, ("out",)
    numpy = "K.repeated_positions({x})"
    samples = ()  # the shape of its result depends on values

    @staticmethod
    def infer(x: Type) -> Type:
        """An unknown count of positions."""
        return Type((-1,), x.dtype)


class Take(Op):
    """x at positions that count through all its elements.  Shapes: (*a), (*b) -> (*b).  Raises IndexError for a position outside."""

    masks = "selects"
    tensors = ("index",)
    inputs, linear, nondiff = ("x", "index"), ("x",), ("index",)
    numpy = jax = "K.take({x}, {index})"
    samples = ([A(2, 3), I(4, below=6)], [A(5), I(2, 2, below=5)], [A(), I(3, below=1)], [A(4), I(0, below=4)])

    @staticmethod
    def infer(x: Type, index: Type) -> Type:
        """index's shape, x's dtype; RuntimeError unless index is int64."""
        if index.dtype != I64:
            raise DTypeError(explain("take", "Expected a long tensor for index", index=index))
        if not size_of(x.shape) and size_of(index.shape):
            raise IndexingError(explain("take", "tried to take from an empty tensor", x=x))
        return Type(index.shape, x.dtype)

    @staticmethod
    def call(F: Ops, input: Any, index: Any) -> Value:  # noqa: A002
        """The elements of input at flat positions, negative ones from the end."""
        Take.infer(F.type(input), F.type(index))  # eager code asks the kernel alone
        return F.take(input, index)

    @staticmethod
    def grad_x(F: Ops, g: Value, index: Value, x_type: Type) -> Value:
        count = size_of(x_type.shape)
        flat, at = (F.reshape(v, shape=(size_of(F.shape(v)),)) for v in (g, index))
        zeros = F.zeros(Type((count,), x_type.dtype))
        return F.reshape(F.index_put(zeros, flat, at, dims=(0,), accumulate=True), shape=x_type.shape)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], x: Value, index: Value) -> Value:
        if not batched[0]:
            return F.take(x, index)
        rows = F.reshape(x, shape=(size, size_of(F.shape(x)[1:])))
        (index,) = F.lift(size, batched[1:], index)
        shape = F.shape(index)
        at = F.remainder(F.reshape(index, shape=(size, size_of(shape[1:]))), max(F.shape(rows)[1], 1))
        return F.reshape(F.gather(rows, at, dim=1), shape=shape)


class Renorm(Composite):
    """Slices along an axis, those with a larger p-norm scaled to maxnorm.  Shape: (*a) -> (*a)."""

    inplace = True
    samples = ([A(2, 3), 2, 0, 1.0],)

    @staticmethod
    def call(F: Ops, input: Any, p: float, dim: int, maxnorm: float) -> Value:  # noqa: A002
        """input with each slice along dim scaled where its p-norm is larger than maxnorm."""
        ndim = len(F.shape(input))
        if p <= 0:
            raise ShapeError(explain("renorm", "non-positive-norm not supported", p=p))
        if not maxnorm >= 0:
            raise ShapeError(explain("renorm", f"expected maxnorm to be >= 0 but got {maxnorm}"))
        if ndim < 2:
            raise ShapeError(explain("renorm", f"input needs at least 2 dimensions, got {ndim} dimensions"))
        needs_floating("renorm", F.type(input).dtype, "Expected a floating point or complex tensor as input")
        axis = one_axis("renorm", ndim, dim)
        size = F.linalg_vector_norm(input, ord=float(p), dim=tuple(d for d in range(ndim) if d != axis), keepdim=True)
        factor = F.where(F.gt(size, float(maxnorm)), F.div(float(maxnorm), F.add(size, 1e-7)), F.ones(F.type(size)))
        return F.named(F.mul(input, factor), called="RenormBackward0")
