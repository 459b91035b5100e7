"""Norms of vectors and matrices, rank and condition, and small functions of torch.linalg that are made of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tracegrad import dtypes
from tracegrad.dtypes import I64
from tracegrad.errors import ArgumentError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type, many_axes, one_axis, size_of
from tracegrad.ops.checks import as_number, needs_floating, real_type
from tracegrad.ops.least_squares import check_tolerances, matrix_sizes, size_limit
from tracegrad.ops.matrices import needs_matrices, needs_square
from tracegrad.ops.spectral_values import singular_values
from tracegrad.ops.spread import wider


def _floating(F: Ops, operation: str, x: Any, dtype: Any) -> Value:
    """x in the dtype that a norm is computed in."""
    t = F.type(x)
    needs_floating(operation, t.dtype, "Expected a floating point or complex tensor as input")
    return x if dtype is None else F.as_dtype(x, wider(t, dtypes.to_numpy(dtype)))


class VectorNorm(Composite):
    """(sum of |x|**ord)**(1/ord) over dim; ord inf, -inf and 0: maximum, minimum and count.  Shape: (*a) -> a without dim."""

    function, method, samples = False, False, ([A(2, 3)], [A(2, 3), 1, 0])

    @staticmethod
    def call(F: Ops, x: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Value:  # noqa: A002
        """The norm over dim (None: of all elements), computed in dtype if given."""
        ord = as_number(ord)  # noqa: A001
        if isinstance(ord, str) or not isinstance(ord, (int, float)):
            raise ArgumentError(
                explain("linalg.vector_norm", f"argument 'ord' must be Number, not {type(ord).__name__}")
            )
        x = _floating(F, "linalg.vector_norm", x, dtype)
        axes = many_axes("linalg.vector_norm", len(F.shape(x)), dim)
        return F.linalg_vector_norm(x, ord=float(ord), dim=axes, keepdim=bool(keepdim))


class MatrixNorm(Composite):
    """Frobenius, nuclear, spectral and sum norms of matrices over two axes.  Shape: (*p, n, m) -> (*p)."""

    function, method, samples = False, False, ([A(2, 3)], [A(2, 3), "nuc"])

    @staticmethod
    def call(
        F: Ops,
        input: Any,
        ord: Any = "fro",
        dim: Any = (-2, -1),
        keepdim: bool = False,
        *,
        dtype: Any = None,  # noqa: A002, N803
    ) -> Value:
        """ord "fro", "nuc", inf, -inf, 1, -1 (sums of rows or columns), 2 or -2 (largest or smallest singular value)."""
        if len(F.shape(input)) < 2:
            raise ShapeError(explain("linalg.matrix_norm", "The input tensor A must have at least 2 dimensions"))
        x = _floating(F, "linalg.matrix_norm", input, dtype)
        if not isinstance(dim, Sequence):
            raise ArgumentError(explain("linalg.matrix_norm", f"argument 'dim' must be tuple of ints, not {dim}"))
        if len(dim) != 2:
            raise ShapeError(explain("linalg.matrix_norm", f"dim must be a 2-tuple. Got {dim}"))
        rank = len(F.shape(x))
        rows, columns = (one_axis("linalg.matrix_norm", rank, d) for d in dim)
        if rows == columns:
            raise ShapeError(explain("linalg.matrix_norm", f"dims must be different. Got ({dim[0]}, {dim[1]})"))
        if ord == "fro":
            return F.linalg_vector_norm(x, ord=2.0, dim=tuple(sorted((rows, columns))), keepdim=bool(keepdim))
        if ord == "nuc" or (not isinstance(ord, str) and abs(ord) == 2):
            return _by_singular_values(F, x, ord, rows, columns, bool(keepdim))
        if isinstance(ord, str) or abs(ord) not in (1, math.inf):
            raise ShapeError(explain("linalg.matrix_norm", f"Order {ord} not supported"))
        first, second = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = F.linalg_vector_norm(x, ord=1.0, dim=(first,), keepdim=True)
        if ord > 0 and not F.shape(sums)[second]:
            return F.sum(sums, dim=tuple(sorted((rows, columns))), keepdim=bool(keepdim))  # 0
        extreme = (F.amax if ord > 0 else F.amin)(sums, dim=(second,), keepdim=True)
        if keepdim:
            return extreme
        return _squeezed_extreme(F, sums, ord > 0, first, second)


def _squeezed_extreme(F: Ops, sums: Value, largest: bool, first: int, second: int) -> Value:
    """The extreme of sums along `second` without both axes."""
    flat = F.squeeze(sums, dim=(first,))
    return (F.amax if largest else F.amin)(flat, dim=(second - (first < second),), keepdim=False)


def _by_singular_values(F: Ops, x: Any, order: Any, rows: int, columns: int, keepdim: bool) -> Value:
    rank = len(F.shape(x))
    others = tuple(i for i in range(rank) if i not in (rows, columns))
    turned = x if (*others, rows, columns) == tuple(range(rank)) else F.permute(x, dims=(*others, rows, columns))
    values = singular_values(F, turned)
    last = len(others)
    if order == "nuc" or (order > 0 and not F.shape(values)[last]):
        found = F.sum(values, dim=(last,), keepdim=False)
    else:
        found = (F.amax if order > 0 else F.amin)(values, dim=(last,), keepdim=False)
    if not keepdim:
        return found
    shape = tuple(1 if i in (rows, columns) else n for i, n in enumerate(F.shape(x)))
    return F.named(F.reshape(found, shape=shape), called="PermuteBackward0")


class LinalgNorm(Composite):
    """The vector or matrix norm, by ord and the number of axes.  Shape: (*a) -> a without dim."""

    function, method, samples = False, False, ([A(2, 3)], [A(3), 1])

    @staticmethod
    def call(
        F: Ops, input: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
    ) -> Value:  # noqa: A002, N803
        """Without ord the 2-norm of all elements of dim; with ord the matrix norm over two axes, the vector norm over one."""
        rank = len(F.shape(input))
        axes = None if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
        if axes is not None and len(axes) not in (1, 2):
            raise ShapeError(explain("linalg.norm", "If dim is specified, it must be of length 1 or 2", dim=dim))
        if ord is not None and axes is None and rank not in (1, 2) and not isinstance(ord, str):
            problem = f"If dim is not specified but ord is, the input must be 1D or 2D. Got {rank}D"
            raise ShapeError(explain("linalg.norm", problem))
        if isinstance(ord, str) or (ord is not None and (len(axes) if axes is not None else rank) == 2):
            if axes is None and rank > 2:
                problem = f"If dim is not specified but ord is, the input must be 1D or 2D. Got {rank}D"
                raise ShapeError(explain("linalg.norm", problem))
            return F.matrix_norm(input, ord, (-2, -1) if axes is None else axes, keepdim, dtype=dtype)
        return F.vector_norm(input, 2 if ord is None else ord, axes, keepdim, dtype=dtype)


class FrobeniusNorm(Composite):
    """The root of the sum of squares over at most two axes.  Shape: (*a) -> a without dim.  No axes: over all of them."""

    method, samples = False, ([A(2, 3), (0, 1)], [A(2, 3), 1])

    @staticmethod
    def call(F: Ops, input: Any, dim: Any, keepdim: bool = False) -> Value:  # noqa: A002
        """The 2-norm of the elements along dim."""
        axes = (dim,) if isinstance(dim, int) else tuple(dim)
        if len(axes) > 2:
            problem = f"Expected at most 2 dimensions, but got {len(axes)} dimensions instead."
            raise ShapeError(explain("frobenius_norm", problem))
        return F.named(F.norm(input, 2.0, axes or None, keepdim), called="NormBackward1")


class NuclearNorm(Composite):
    """The sum of the singular values of matrices over two axes.  Shape: (*p, n, m) -> (*p)."""

    method, samples = False, ([A(2, 3)], [A(2, 3), (0, 1)])

    @staticmethod
    def call(F: Ops, input: Any, dim: Any = (-2, -1), keepdim: bool = False) -> Value:  # noqa: A002
        """nuclear_norm(input, dim, keepdim) or nuclear_norm(input, keepdim)."""
        if isinstance(dim, bool):
            dim, keepdim = (-2, -1), dim
        return F.matrix_norm(input, "nuc", tuple(dim), keepdim)


class LinalgCond(Composite):
    """The condition numbers of matrices: norm(A) * norm(inv(A)).  Shape: (*p, n, m) -> (*p).  inf for singular matrices."""

    function, method, samples = False, False, ([A(3, 3)],)

    @staticmethod
    def call(F: Ops, input: Any, p: Any = None) -> Value:  # noqa: N803
        """p: None or 2 (the quotient of the extreme singular values), -2, "fro", "nuc", inf, -inf, 1 or -1."""
        t = F.type(input)
        needs_matrices("linalg.cond", t)
        if 0 in t.shape:
            return F.full(shape=t.shape[:-2], value=0, dtype=real_type(t).dtype)
        if p is None or p in (2, -2):
            values = singular_values(F, input)
            last, count = len(t.shape) - 2, min(t.shape[-2:])
            ends = [F.slice(values, dim=last, start=i, stop=i + 1, step=1) for i in (0, count - 1)]
            quotient = F.div(*ends) if p != -2 else F.div(ends[1], ends[0])
            return F.named(F.reshape(quotient, shape=t.shape[:-2]), called="SqueezeBackward1")
        needs_square("linalg.cond", t)
        if p == "nuc":  # by its definition: the inverse of a singular matrix has no singular values
            values = singular_values(F, input)
            last = len(t.shape) - 2
            return F.mul(*(F.sum(v, dim=(last,), keepdim=False) for v in (values, F.reciprocal(values))))
        product = F.mul(F.matrix_norm(input, p), F.matrix_norm(F.linalg_inv_node(input, check=False), p))
        return F.named(F.where(F.isnan(product), math.inf, product), called="NanToNumBackward0")


class LinalgMatrixRank(Composite):
    """The number of singular values (for hermitian: sizes of eigenvalues) above max(atol, rtol * largest).  Shape: (*p, n, m) -> (*p), int64."""

    function, method, samples = False, False, ([A(3, 3)],)

    @staticmethod
    def call(
        F: Ops, input: Any, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
    ) -> Value:  # noqa: N803
        """tol is an absolute limit."""
        t = F.type(input)
        needs_matrices("torch.linalg.matrix_rank", t, "input")
        if tol is not None:
            atol, rtol = tol, 0.0
        check_tolerances(F, "torch.linalg.matrix_rank", atol, rtol)
        if 0 in t.shape[-2:]:
            return F.full(shape=t.shape[:-2], value=0, dtype=I64)
        values = matrix_sizes(F, input, bool(hermitian))
        limit = size_limit(F, values, t, atol, rtol)
        above = F.gt(values, F.unsqueeze(limit, dim=len(F.shape(limit))))
        return F.sum(F.cast(above, dtype=I64), dim=(len(F.shape(above)) - 1,), keepdim=False)


def _powers(F: Ops, x: Any, count: int) -> Value:
    """1, x, x**2, ... along a new last axis."""
    t = F.type(x)
    found = [F.ones(t)]
    for _ in range(count - 1):
        found.append(F.mul(found[-1], x))
    return F.stack(*found, dim=len(t.shape)) if found[:count] else F.zeros(Type((*t.shape, 0), t.dtype))


class LinalgVander(Composite):
    """The powers 0, 1, ..., N - 1 of every element.  Shape: (*p, n) -> (*p, n, N)."""

    function, method, samples = False, False, ([A(3)],)

    @staticmethod
    def call(F: Ops, x: Any, *, N: int | None = None) -> Value:  # noqa: N803
        """N: how many, by default as many as the last axis of x is long."""
        t = F.type(x)
        if not t.shape:
            x, t = F.reshape(x, shape=(1,)), Type((1,), t.dtype)
        count = t.shape[-1] if N is None else N
        if count <= 1:
            raise ShapeError(explain("linalg.vander", "N must be greater than 1.", N=count))
        x = x if t.dtype.kind in "fcV" else F.as_dtype(x, I64)
        return F.named(_powers(F, x, count), called="CatBackward0")


class Vander(Composite):
    """The powers N - 1, ..., 1, 0 of every element.  Shape: (n,) -> (n, N)."""

    method, samples = False, ([A(3)],)

    @staticmethod
    def call(F: Ops, x: Any, N: int | None = None, increasing: bool = False) -> Value:  # noqa: N803
        """N: how many, by default as many as x is long; ascending if increasing."""
        t = F.type(x)
        if len(t.shape) != 1:
            raise ShapeError(explain("vander", "x must be a one-dimensional tensor", x=t))
        if N is not None and N < 0:
            raise ShapeError(explain("vander", "N must be non-negative.", N=N))
        x = x if t.dtype.kind in "fcV" else F.as_dtype(x, I64)
        found = _powers(F, x, t.shape[0] if N is None else N)
        return found if increasing else F.flip(found, dims=(1,))


class LinalgTensorinv(Composite):
    """The inverse of a tensor as a map from its last axes to its first `ind`.  Shape: (*a, *b) -> (*b, *a)."""

    function, method, samples = False, False, ([A(6, 2, 3), 1],)

    @staticmethod
    def call(F: Ops, A: Any, ind: int = 2) -> Value:  # noqa: N803
        """Raises RuntimeError unless both groups of axes have as many elements."""
        shape = tuple(F.shape(A))
        if ind <= 0:
            raise ShapeError(explain("linalg.tensorinv", "Expected a strictly positive integer for 'ind'", ind=ind))
        left, right = shape[:ind], shape[ind:]
        if size_of(left) != size_of(right):
            problem = f"Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got {size_of(right)} != {size_of(left)}"
            raise ShapeError(explain("linalg.tensorinv", problem))
        found = F.linalg_inv_node(F.reshape(A, shape=(size_of(left), size_of(right))), check=True)
        return F.named(F.reshape(found, shape=(*right, *left)), called="ReshapeAliasBackward0")


class LinalgTensorsolve(Composite):
    """X with tensordot(A, X) = B.  Shapes: (*b, *x), (*b) -> (*x)."""

    function, method, samples = False, False, ([A(2, 3, 6), A(2, 3)],)

    @staticmethod
    def call(F: Ops, A: Any, B: Any, dims: Any = None) -> Value:  # noqa: N803
        """dims: axes of A that are moved to its end before."""
        rank, shape_b = len(F.shape(A)), tuple(F.shape(B))
        if dims is not None:
            moved = [one_axis("linalg.tensorsolve", rank, d) for d in dims]
            A = F.permute(A, dims=(*(i for i in range(rank) if i not in moved), *moved))
        right = tuple(F.shape(A))[len(shape_b) :]
        if size_of(right) != size_of(shape_b):
            problem = "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim])"
            raise ShapeError(
                explain("linalg.tensorsolve", f"{problem}, but got {size_of(right)} != {size_of(shape_b)}")
            )
        count = size_of(right)
        column = F.reshape(B, shape=(count, 1))
        found = F.linalg_solve_node(F.reshape(A, shape=(count, count)), column, left=True, check=True)
        return F.reshape(found, shape=right)


class LinalgDiagonal(Composite):
    """The diagonals of matrices, a view.  Shape: (*p, n, m) -> (*p, k)."""

    function, method, samples = False, False, ([A(3, 3)],)

    @staticmethod
    def call(F: Ops, A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Value:  # noqa: N803
        """The elements (i, i + offset) over the axes dim1 and dim2."""
        rank = len(F.shape(A))
        first, second = (one_axis("diagonal", rank, d) for d in (dim1, dim2))
        if first == second:
            raise ShapeError(explain("diagonal", f"diagonal dimensions cannot be identical {dim1}, {dim2}"))
        return F.diagonal(A, offset=offset, dim1=first, dim2=second)
