"""Layers that torch has as one step.  They open into simpler operators (decompose) but have rules of their own."""

from __future__ import annotations

from tracegrad.errors import DTypeError, ShapeError, explain
from tracegrad.ir.node import Node
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type, broadcast, size_of
from tracegrad.ops.checks import not_for


class Linear(Op):
    """x @ weight^T + bias.  Shapes: (*p, k), (m, k), (m,) -> (*p, m); a weight of shape (k,) gives (*p)."""

    inputs = ("x", "weight", "bias?")
    function, method, public, tensor_first = False, False, ("input", "weight", "bias"), True
    samples = (
        [A(2, 3), A(4, 3), A(4)],
        [A(3), A(4, 3), A(4)],
        [A(2, 5, 3), A(4, 3), None],
        [A(0, 3), A(4, 3), A(4)],
        [A(2, 3), A(3), None],
    )

    @staticmethod
    def torch_name(node: Node) -> str:
        """torch computes 2-D inputs by addmm or mm and views others as matrices."""
        x, bias = node.inputs[0], node.inputs[2]
        axes = len(x.shape if isinstance(x, (Node, Type)) else x)
        if axes == 2:
            return "MmBackward0" if bias is None else "AddmmBackward0"
        return "ViewBackward0" if bias is not None else "SqueezeBackward4" if axes == 1 else "UnsafeViewBackward0"

    @staticmethod
    def infer(x: Type, weight: Type, bias: Type | None) -> Type:
        """The last axis of x replaced by the rows of weight."""
        not_for("addmm_impl_cpu_", x, "b")
        types = (x, weight) if bias is None else (x, weight, bias)
        if any(t.dtype != x.dtype for t in types):
            raise DTypeError(
                explain(
                    "linear",
                    "mat1 and mat2 must have the same dtype",
                    "Convert one with .to(dtype)",
                    x=x,
                    weight=weight,
                    bias=bias,
                )
            )
        if len(weight.shape) not in (1, 2):
            raise ShapeError(explain("linear", "weight must have one or two axes", x=x, weight=weight))
        if not x.shape or x.shape[-1] != weight.shape[-1]:
            rows, columns = (size_of(x.shape[:-1]), x.shape[-1]) if x.shape else (1, 1)
            wanted = f"{weight.shape[-1]}x{size_of(weight.shape[:-1])}"
            raise ShapeError(
                explain(
                    "linear",
                    f"mat1 and mat2 shapes cannot be multiplied ({rows}x{columns} and {wanted})",
                    x=x,
                    weight=weight,
                )
            )
        shape = (*x.shape[:-1], *weight.shape[:-1])
        if bias is not None and broadcast("linear", shape, bias.shape) != shape:
            raise ShapeError(explain("linear", "bias does not fit the result", bias=bias, result=Type(shape, x.dtype)))
        return Type(shape, x.dtype)

    @staticmethod
    def edges(node: Node) -> tuple[int, ...]:
        """torch's order of the operands, which is that of addmm."""
        return (0, 1) if node.inputs[2] is None else (2, 0, 1)

    @staticmethod
    def decompose(F: Ops, x: Value, weight: Value, bias: Value | None) -> Value:
        product: Value = F.matmul(x, F.mT(weight) if len(F.shape(weight)) == 2 else weight)
        return product if bias is None else F.add_within(product, bias)

    @staticmethod
    def grad_x(F: Ops, g: Value, weight: Value) -> Value:
        if len(F.shape(weight)) == 1:
            return F.mul(F.reshape(g, shape=(*F.shape(g), 1)), weight)
        return F.matmul(g, weight)

    @staticmethod
    def grad_weight(F: Ops, g: Value, x: Value, weight_type: Type) -> Value:
        *lead, size = F.shape(x)
        rows = size_of(tuple(lead))
        total = F.matmul(
            F.mT(F.reshape(g, shape=(rows, size_of(weight_type.shape[:-1])))), F.reshape(x, shape=(rows, size))
        )
        return F.reshape(total, shape=weight_type.shape)

    @staticmethod
    def grad_bias(F: Ops, g: Value, bias_type: Type) -> Value:
        return F.sum_to(g, shape=bias_type.shape)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], x: Value, weight: Value, bias: Value | None) -> Value:
        """One batched matrix product; the ordinary operator where only x is batched."""
        if not any(batched[1:]):
            return F.linear(x, weight, bias)
        own, columns = F.shape(x)[1:] if batched[0] else F.shape(x), F.shape(x)[-1]
        wide = x if batched[0] else F.broadcast_to(F.reshape(x, shape=(1, *own)), shape=(size, *own))
        shape = F.shape(weight)[1:] if batched[1] else F.shape(weight)
        rows, out = size_of(own[:-1]), size_of(shape[:-1])
        all_weights = (
            weight if batched[1] else F.broadcast_to(F.reshape(weight, shape=(1, *shape)), shape=(size, *shape))
        )
        product = F.matmul(
            F.reshape(wide, shape=(size, rows, columns)), F.mT(F.reshape(all_weights, shape=(size, out, columns)))
        )
        product = F.reshape(product, shape=(size, *own[:-1], *shape[:-1]))
        if bias is None:
            return product
        return F.add(product, _aligned(F, bias, batched[2], len(own) - 1 + len(shape) - 1))


def _aligned(F: Ops, value: Value, is_batched: bool, rank: int) -> Value:
    """A batched operand with its batch axis in front of `rank` axes."""
    if not is_batched:
        return value
    size, *own = F.shape(value)
    shaped: Value = F.reshape(value, shape=(size, *(1,) * (rank - len(own)), *own))
    return shaped


__all__ = ["Linear"]
