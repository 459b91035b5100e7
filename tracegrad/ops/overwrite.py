"""The operators that in-place writes become: a value replaced as a whole, a part of a value replaced through a view, and the view read back."""

from __future__ import annotations

from typing import Any

from tracegrad.errors import ShapeError, explain
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Shape, Type, broadcast, size_of

_TORCH_NAMES = {
    "zero": "ZeroBackward0", "number": "FillBackward2", "fill": "FillBackward3", "copy": "CopyBackwards", "normal": "NormalBackward0",
    "uniform": "UniformBackward0", "log_normal": "LogNormalBackward0", "exponential": "ExponentialBackward0", "cauchy": "CauchyBackward0",
    "geometric": "GeometricBackward0", "bernoulli": "BernoulliBackward2", "bernoulli_tensor": "BernoulliBackward1", "random": "RandomBackward2",
    "fill_number": "FillBackward0", "fill_tensor": "FillBackward1", "random_to": "RandomBackward1", "random_from_to": "RandomBackward0",
}  # fmt: skip


class Overwrite(Op):
    """source, broadcast and converted to the type of x: what copy_, fill_ and zero_ leave of x.  Shapes: (*a), (*b) with b broadcasting to a -> (*a).

    kind is 'copy', 'fill', 'number', 'zero' the name of a distribution or of a test, and only says what grad_fn is called.
    """

    stored = True
    inputs, attrs, linear, function, method = ("x", "source"), ("kind",), ("x", "source"), False, False
    numpy, jax = "np.full({x}.shape, {source}, {x}.dtype)", "jnp.full({x}.shape, {source}, {x}.dtype)"
    samples = ([A(2, 3), A(3), "copy"], [A(), A(), "fill"], [A(0, 3), A(), "copy"])

    @staticmethod
    def torch_name(kind: str) -> str:
        return _TORCH_NAMES.get(kind) or "".join(word.capitalize() for word in kind.split("_")) + "Backward0"

    @staticmethod
    def infer(x: Type, source: Type, kind: str) -> Type:
        """x's type."""
        if len(source.shape) > len(x.shape) or broadcast(f"{kind}_", x.shape, source.shape) != x.shape:
            raise ShapeError(
                explain(f"{kind}_", f"source of shape {list(source.shape)} does not broadcast to shape {list(x.shape)}")
            )
        return Type(x.shape, x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type) -> Value:
        return F.zeros(x_type)

    @staticmethod
    def grad_source(F: Ops, g: Value, source_type: Type) -> Value | None:
        if source_type.dtype.kind not in "fcV":
            return None
        return F.as_dtype(F.sum_to(g, shape=source_type.shape), source_type.dtype)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, source: Value, kind: str) -> Value:
        return F.overwrite(*F.lift(size, batched, x, source), kind=kind)


class StridedView(Op):
    """The elements offset + sum(i * strides) of x in row-major order, none twice.  Shape: (*a) -> shape."""

    masks = "selects"
    attrs, linear, function, method = ("shape", "strides", "offset"), ("x",), False, False
    view, quiet, torch_name = True, True, "AsStridedBackward0"
    numpy, jax = (
        "K.strided_view({x}, {shape}, {strides}, {offset})",
        "K.strided_view({x}, {shape}, {strides}, {offset})",
    )
    samples = ([A(2, 3), (3, 2), (1, 3), 0], [A(4, 3), (2, 2), (6, 1), 1], [A(4), (), (), 2])

    @staticmethod
    def infer(x: Type, shape: Shape, strides: Shape, offset: int) -> Type:
        """The given shape, within x's elements."""
        _check_reach("strided_view", x, shape, strides, offset)
        return Type(shape, x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type, strides: Shape, offset: int) -> Value:
        return F.copy_slices(F.zeros(x_type), g, strides=strides, offset=offset)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, shape: Shape, strides: Shape, offset: int) -> Value:
        return F.strided_view(x, shape=(size, *shape), strides=(size_of(F.shape(x)[1:]), *strides), offset=offset)


class CopySlices(Op):
    """x with the elements offset + sum(i * strides) in row-major order, none twice, replaced by those of part.  Shapes: (*a), (*b) -> (*a)."""

    stored = True
    masks = "selects"
    inputs, attrs, linear, function, method = ("x", "part"), ("strides", "offset"), ("x", "part"), False, False
    quiet, torch_name = True, "CopySlices"
    numpy, jax = "K.copy_slices({x}, {part}, {strides}, {offset})", "K.copy_slices({x}, {part}, {strides}, {offset})"
    samples = ([A(2, 3), A(3, 2), (1, 3), 0], [A(4, 3), A(2, 2), (6, 1), 1], [A(4), A(), (), 2])

    @staticmethod
    def infer(x: Type, part: Type, strides: Shape, offset: int) -> Type:
        """x's type."""
        _check_reach("copy_slices", x, part.shape, strides, offset)
        return Type(x.shape, x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, part_type: Type, strides: Shape, offset: int) -> Value:
        return F.copy_slices(g, F.zeros(part_type), strides=strides, offset=offset)

    @staticmethod
    def grad_part(F: Ops, g: Value, part_type: Type, strides: Shape, offset: int) -> Value:
        return F.strided_view(g, shape=part_type.shape, strides=strides, offset=offset)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, part: Value, strides: Shape, offset: int) -> Value:
        x, part = (
            v if lifted else F.broadcast_to(F.reshape(v, shape=(1, *F.shape(v))), shape=(size, *F.shape(v)))
            for v, lifted in zip((x, part), batched, strict=True)
        )
        return F.copy_slices(x, part, strides=(size_of(F.shape(x)[1:]), *strides), offset=offset)


def _check_reach(operation: str, x: Type, shape: Shape, strides: Shape, offset: int) -> None:
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    lowest = offset + sum(min(0, (n - 1) * step) for n, step in zip(shape, strides, strict=True))
    if size_of(shape) and (lowest < 0 or last >= size_of(x.shape)):
        raise ShapeError(
            explain(operation, f"shape {list(shape)} with strides {list(strides)} and offset {offset} leaves x", x=x)
        )
