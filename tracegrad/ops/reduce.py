"""Sums, products, means and tests over axes, and running sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracegrad import dtypes
from tracegrad.dtypes import BOOL, I64
from tracegrad.errors import DTypeError, NotSupportedError, ShapeError, explain
from tracegrad.ir.families import Reduction
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, M
from tracegrad.ir.types import Shape, Type, many_axes, one_axis, reduced, size_of
from tracegrad.ops.checks import is_floating, needs_floating, not_for

_FOLDS = (
    [A(2, 3), (0,), False],
    [A(2, 3), (1,), True],
    [A(2, 3), None, False],
    [A(2, 3, 2), (0, 2), False],
    [A(0, 3), (0,), False],
    [A(), None, False],
)
_FOLDS_OF_SOME = (*_FOLDS[:4], [A(0, 3), (1,), False], [A(), None, False])
Dim = tuple[int, ...] | None


def folded(F: Ops, operation: str, x: Any, dtype: Any, attrs: dict[str, Any]) -> Value:
    """The operator sum, prod or cumsum applied in the dtype torch computes in: the given one, else x's own if floating, else int64."""
    fold = getattr(F, operation)
    if dtype is None:
        return fold(x if is_floating(F.type(x).dtype) else F.as_dtype(x, I64), **attrs)
    target = dtypes.to_numpy(dtype)
    x = F.as_dtype(x, target)
    if is_floating(target):
        return fold(x, **attrs)
    return F.as_dtype(fold(F.as_dtype(x, I64), **attrs), target)


def total(F: Ops, x: Any, dim: Dim, keepdim: bool = False, same: bool = False) -> Value:
    """The sum over dim for what is made of sums: whole numbers as int64, or in x's own dtype if `same`."""
    d = F.type(x).dtype
    if is_floating(d):
        return F.sum(x, dim=dim, keepdim=keepdim)
    made = F.sum(F.as_dtype(x, I64), dim=dim, keepdim=keepdim)
    return F.as_dtype(made, d) if same else made


def _needs_wide(operation: str, x: Type) -> None:
    """Folds of small integers would change the dtype in NumPy; `folded` converts them before and after."""
    if x.dtype.kind in "bu" or (x.dtype.kind == "i" and x.dtype.itemsize < I64.itemsize):
        raise DTypeError(explain(operation, "small integers must be converted to int64 before they are folded", x=x))


def folded_count(shape: Shape, dim: Sequence[int] | None) -> int:
    """How many elements each result of a fold over dim is made of."""
    return size_of(shape if dim is None else tuple(shape[d] for d in dim))


def spread(F: Ops, g: Value, x_type: Type, dim: Sequence[int] | None) -> Value:
    """The result of a fold over dim, repeated to the shape of what was folded."""
    return F.expand(F.unreduce(g, shape=x_type.shape, dim=dim), shape=x_type.shape)


class Sum(Reduction):
    """Sum over the axes dim.  Shape: (*a) -> a without dim (1s there if keepdim).  No elements: 0; integers and bools are summed as int64."""

    linear, onnx = ("x",), "ReduceSum"
    numpy = "np.add.reduce({x}, axis={dim}, keepdims={keepdim}) if {x}.size < 16384 else K.total({x}, {dim}, {keepdim})"
    jax = "jnp.sum({x}, axis={dim}, keepdims={keepdim})"
    samples = _FOLDS

    @staticmethod
    def expression(backend: str, x: str, dim: Dim, keepdim: bool) -> str:
        """In programs NumPy's sum, which a reader knows."""
        return f"np.add.reduce({x}, axis={dim}, keepdims={keepdim})" if backend == "numpy" else ""

    @staticmethod
    def torch_name(dim: Dim, keepdim: bool) -> str:
        return "SumBackward0" if dim is None and not keepdim else "SumBackward1"

    @staticmethod
    def call(F: Ops, input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Value:  # noqa: A002
        """Sum over dim (an int or a tuple; None for all), computed in dtype if given."""
        if dim is None and dtype is None and F.is_floating(input):  # the ordinary case
            return F.sum(input, dim=None, keepdim=bool(keepdim))
        return folded(
            F, "sum", input, dtype, {"dim": many_axes("sum", len(F.shape(input)), dim), "keepdim": bool(keepdim)}
        )

    @classmethod
    def infer(cls, x: Type, dim: Dim, keepdim: bool) -> Type:
        """The reduced shape; x's dtype, which is int64 for whole numbers (call converts)."""
        _needs_wide(cls.name, x)
        return Type(reduced(x.shape, dim, keepdim), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type, dim: Dim) -> Value:
        return spread(F, g, x_type, dim)


class Mean(Reduction):
    """Mean over the axes dim.  Shape: (*a) -> a without dim (1s there if keepdim).  No elements: nan.  Refuses integers and bools."""

    linear, onnx = ("x",), "ReduceMean"
    numpy, jax = "K.mean({x}, {dim}, {keepdim})", "K.mean({x}, {dim}, {keepdim})"
    samples = _FOLDS

    @staticmethod
    def torch_name(dim: Dim, keepdim: bool) -> str:
        return "MeanBackward0" if dim is None and not keepdim else "MeanBackward1"

    @staticmethod
    def call(F: Ops, input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Value:  # noqa: A002
        """Mean over dim (an int or a tuple; None for all), computed in dtype if given."""
        if dim is None and dtype is None and F.is_floating(input):  # the ordinary case
            return F.mean(input, dim=None, keepdim=bool(keepdim))
        x = input if dtype is None else F.as_dtype(input, dtypes.to_numpy(dtype))
        t = F.type(x)
        needs_floating(
            "mean",
            t.dtype,
            "could not infer output dtype. Input dtype must be either a floating point or complex dtype",
        )
        return F.mean(x, dim=many_axes("mean", len(t.shape), dim), keepdim=bool(keepdim))

    @classmethod
    def infer(cls, x: Type, dim: Dim, keepdim: bool) -> Type:
        """The reduced shape; x's dtype, which must be floating."""
        needs_floating(
            "mean",
            x.dtype,
            "could not infer output dtype. Input dtype must be either a floating point or complex dtype",
        )
        return Type(reduced(x.shape, dim, keepdim), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type, dim: Dim) -> Value:
        return spread(F, F.div(g, float(max(folded_count(x_type.shape, dim), 1))), x_type, dim)


class Prod(Sum):
    """Product over the axes dim.  Shape: (*a) -> a without dim (1s there if keepdim).  No elements: 1.  Derivatives of every order are right at zeros."""

    masks = "folds"
    linear, onnx, expression = (), "ReduceProd", None
    numpy = "K.product({x}, {dim}, {keepdim})"
    jax = "jnp.prod({x}, axis={dim}, keepdims={keepdim})"
    samples = (
        [A(2, 3), (0,), False],
        [A(2, 5), (1,), True],
        [A(2, 3), None, False],
        [A(0, 3), (0,), False],
        [A(), None, False],
        [A(7, lo=0, hi=0), None, False],
    )

    @staticmethod
    def torch_name(dim: Dim, keepdim: bool) -> str:
        return "ProdBackward0" if dim is None and not keepdim else "ProdBackward1"

    @staticmethod
    def call(F: Ops, input: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Value:  # noqa: A002
        """Product over one axis (None: over all), computed in dtype if given."""
        axes = (
            None if dim is None else many_axes("prod", len(F.shape(input)), one_axis("prod", len(F.shape(input)), dim))
        )
        return folded(F, "prod", input, dtype, {"dim": axes, "keepdim": bool(keepdim)})

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, x_type: Type, dim: Dim) -> Value:
        g = F.unreduce(g, shape=x_type.shape, dim=dim)
        if dim is not None and len(dim) == 1:
            return F.mul(g, F.products_of_others(x, dim=dim[0]))
        if dim is None or len(dim) == len(x_type.shape):
            others = F.products_of_others(F.reshape(x, shape=(size_of(x_type.shape),)), dim=0)
            return F.mul(g, F.reshape(others, shape=x_type.shape))
        raise NotSupportedError(
            explain("prod", "has a derivative over one axis or all axes, not over several", dim=dim)
        )


class ProductsOfOthers(Op):
    """Along axis dim, for each element the product of all others: the derivative of prod, also at zeros.  Shape: (*a) -> (*a)."""

    masks = "rows"
    attrs, function, method = ("dim",), False, False
    numpy, jax = "K.products_of_others({x}, {dim})", "K.products_of_others({x}, {dim})"
    samples = ([A(2, 3), 1], [A(5, 2), 0], [A(1), 0], [A(2), 0], [A(0, 2), 0], [A(4, lo=0, hi=0), 0])

    @staticmethod
    def infer(x: Type, dim: int) -> Type:
        """x's type."""
        return x

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, x_type: Type, dim: int) -> Value:
        """sum over i of g[i] times the product of all but i and k.

        It is the tangent of this operator along g (its Jacobian is symmetric), computed on a binary tree of pairs (product, tangent): upwards the values of each
        half, downwards those of everything outside it.  Only products and sums occur, so that every further derivative is right at zeros as well.
        """
        size, last = x_type.shape[dim], len(x_type.shape) - 1
        if size < 2:
            return F.zeros(x_type)
        p, s = _to_last(F, x, dim, last), _to_last(F, g, dim, last)
        width = 1 << (size - 1).bit_length()
        if width > size:
            missing = Type((*F.shape(p)[:-1], width - size), x_type.dtype)
            p, s = F.cat(p, F.ones(missing), dim=last), F.cat(s, F.zeros(missing), dim=last)
        found = _outside(F, p, s)[1]
        return _to_last(F, F.slice(found, dim=last, start=0, stop=size, step=1) if width > size else found, dim, last)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dim: int) -> Value:
        return F.products_of_others(x, dim=dim + 1)


def _to_last(F: Ops, x: Any, dim: int, last: int) -> Any:
    """x with the axes dim and last exchanged."""
    order = list(range(last + 1))
    order[dim], order[last] = last, dim
    return x if dim == last else F.permute(x, dims=tuple(order))


def _outside(F: Ops, p: Any, s: Any) -> tuple[Any, Any]:
    """(product, tangent) of everything outside each position of the last axis."""
    shape = F.shape(p)
    width, axis = shape[-1], (len(shape),)
    if width == 2:
        return F.flip(p, dims=(len(shape) - 1,)), F.flip(s, dims=(len(shape) - 1,))
    halves, kept = (*shape[:-1], width // 2, 2), (*shape[:-1], width // 2, 1)
    across_p, across_s = (F.flip(F.reshape(v, shape=halves), dims=axis) for v in (p, s))
    above_p = F.mul(F.reshape(p, shape=halves), across_p)
    above_s = F.mul(F.reshape(s, shape=halves), across_p)
    product = F.reshape(F.slice(above_p, dim=len(shape), start=0, stop=1, step=1), shape=kept[:-1])
    outer_p, outer_s = (F.reshape(v, shape=kept) for v in _outside(F, product, F.sum(above_s, dim=axis, keepdim=False)))
    found_s = F.add(F.mul(outer_s, across_p), F.mul(outer_p, across_s))
    return F.reshape(F.mul(outer_p, across_p), shape=shape), F.reshape(found_s, shape=shape)


class Cumsum(Op):
    """Sums of the elements up to and with each position of axis dim.  Shape: (*a) -> (*a).  Integers and bools are summed as int64."""

    attrs, linear, inplace, onnx = ("dim",), ("x",), True, "CumSum"
    numpy, jax = "K.cumsum({x}, {dim})", "K.cumsum({x}, {dim})"
    samples = ([A(2, 3), 0], [A(2, 3), 1], [A(), 0], [A(0, 3), 0], [A(3, 2, 2), 1])

    @staticmethod
    def infer(x: Type, dim: int) -> Type:
        """x's type."""
        _needs_wide("cumsum", x)
        return x

    @staticmethod
    def call(F: Ops, input: Any, dim: int, *, dtype: Any = None) -> Value:  # noqa: A002
        """Sums along dim, computed in dtype if given."""
        return folded(F, "cumsum", input, dtype, {"dim": one_axis("cumsum", len(F.shape(input)), dim)})

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type, dim: int) -> Value:
        return F.flip(F.cumsum(F.flip(g, dims=(dim,)), dim=dim), dims=(dim,)) if x_type.shape else g

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dim: int) -> Value:
        return F.cumsum(x, dim=dim + 1) if len(F.shape(x)) > 1 else x


class Any_(Reduction):
    """Whether some element over the axes dim is nonzero.  Shape: (*a) -> a without dim (1s there if keepdim), bool.  No elements: False."""

    stored = True
    name, nondiff_outputs, quiet = "any", ("out",), True
    numpy = "np.logical_or.reduce({x}, axis={dim}, keepdims={keepdim})"
    jax = "jnp.any({x}, axis={dim}, keepdims={keepdim})"
    samples = (
        [M(2, 3), (0,), False],
        [A(2, 3), None, False],
        [A(2, 3), None, True],
        [A(0, 3), (0,), False],
        [A(), None, False],
    )

    @staticmethod
    def call(F: Ops, input: Any, dim: Any = None, keepdim: bool = False) -> Value:  # noqa: A002
        """Whether some element over dim (an int or a tuple; None for all) is nonzero; uint8 stays uint8."""
        return _test(F, "any", input, dim, keepdim)

    @classmethod
    def infer(cls, x: Type, dim: Dim, keepdim: bool) -> Type:
        """The reduced shape, bool."""
        return Type(reduced(x.shape, dim, keepdim), BOOL)


class All(Any_):
    """Whether all elements over the axes dim are nonzero.  Shape: (*a) -> a without dim (1s there if keepdim), bool.  No elements: True."""

    name = "all"
    numpy = "np.logical_and.reduce({x}, axis={dim}, keepdims={keepdim})"
    jax = "jnp.all({x}, axis={dim}, keepdims={keepdim})"

    @staticmethod
    def call(F: Ops, input: Any, dim: Any = None, keepdim: bool = False) -> Value:  # noqa: A002
        """Whether all elements over dim (an int or a tuple; None for all) are nonzero; uint8 stays uint8."""
        return _test(F, "all", input, dim, keepdim)


def _test(F: Ops, operation: str, x: Any, dim: Any, keepdim: bool) -> Value:
    """any or all over dim; the empty tuple is no axis at all, unlike everywhere else, as in torch."""
    t = F.type(x)
    if isinstance(dim, (tuple, list)) and not dim:
        found = F.ne(x, 0)
    else:
        found = getattr(F, operation)(x, dim=many_axes(operation, len(t.shape), dim), keepdim=bool(keepdim))
    return F.cast(found, dtype=t.dtype) if t.dtype.kind == "u" else found


class Trace(Op):
    """Sum of the diagonal of a matrix.  Shape: (n, m) -> ().  Whole numbers are summed as int64; refuses bools."""

    strict = True
    linear, samples = ("x",), ([A(3, 3)], [A(2, 4)], [A(0, 3)])
    numpy, jax = "K.trace({x})", "K.trace({x})"

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """The sum of input[i, i]."""
        return F.trace(F.as_dtype(input, I64) if F.type(input).dtype.kind in "iu" else input)

    @staticmethod
    def infer(x: Type) -> Type:
        """A single value of x's dtype; RuntimeError unless x is a matrix."""
        _check_matrix(x)
        return Type((), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type) -> Value:
        count = min(x_type.shape)
        return F.diagonal_backward(F.expand(g, shape=(count,)), shape=x_type.shape, offset=0, dim1=0, dim2=1)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value) -> Value:
        return F.sum(F.diagonal(x, offset=0, dim1=1, dim2=2), dim=(1,), keepdim=False)


def _check_matrix(x: Type) -> None:
    if len(x.shape) != 2:
        raise ShapeError(explain("trace", f"expected a matrix, but got tensor with dim {len(x.shape)}", x=x))
    not_for("trace", x, "b")
