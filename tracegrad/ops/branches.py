"""cond: one of two bodies, chosen by a boolean when the program runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracegrad.dtypes import BOOL, I64
from tracegrad.errors import DTypeError, ShapeError, explain
from tracegrad.ir.bodies import check_body, check_types, is_differentiable, moving_outputs, output_types
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node, input_type, make_leaf
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, Body, M
from tracegrad.ir.types import Type
from tracegrad.slots import slots


class Cond(Op):
    """The results of the body `true` where pred holds, else of `false`.  Shapes: pred (), xs as the bodies take them -> as both of them give.

    Only the chosen body runs, in the derivative too.
    """

    inputs, attrs, nondiff = ("pred", "*xs"), ("true", "false"), ("pred", "xs")
    function, method, stored = False, False, True
    numpy, jax = "K.cond({pred}, {xs}, {true}, {false})", "K.cond({pred}, {xs}, {true}, {false})"
    torch_name = "CondBackward"
    samples = (
        [M(), A(3), A(), Body(lambda F, x, y: (F.mul(F.sin(x), y),), A(3), A()), Body(lambda F, x, y: (F.add(x, y),), A(3), A())],
        [M(), A(2, 2), Body(lambda F, x: (x, F.exp(x)), A(2, 2)), Body(lambda F, x: (F.square(x), x), A(2, 2))],
    )  # fmt: skip

    @classmethod
    def several(cls) -> bool:
        """Always: the bodies say how many results there are."""
        return True

    @staticmethod
    def infer(pred: Type, xs: tuple[Type, ...], true: Graph, false: Graph) -> tuple[Type, ...]:
        """The types that both bodies give.  Raises RuntimeError for a predicate that is not one bool, and where the bodies differ."""
        if pred.dtype != BOOL or pred.shape:
            error = DTypeError if pred.dtype != BOOL else ShapeError
            raise error(explain("cond", f"the predicate must be one bool, not {pred}"))
        check_body("cond", "true", true, xs)
        check_body("cond", "false", false, xs)
        found = output_types(true)
        check_types("cond", "the results of false, which must be as those of true,", output_types(false), found)
        return found

    @staticmethod
    def statements(target: str, operands: tuple[str, ...], node: Node, true: str, false: str) -> list[str]:
        """`if pred: target = body0(...)`."""
        pred, given = operands[0], ", ".join(operands[1:])
        return [f"if {pred}:", f"    {target} = {true}({given})", "else:", f"    {target} = {false}({given})"]

    @staticmethod
    def vjp(
        F: Ops, node: Node, given: tuple[Any, ...], read: Callable[[Node, int], Any], wanted: Callable[[Any], bool]
    ) -> list[Any]:
        """A cond of the two reverse bodies."""
        count = len(node.inputs)
        found: list[Any] = [None] * count
        xs = range(1, count)
        chosen = [i for i in xs if wanted(node.inputs[i]) and is_differentiable(input_type(node, i))]
        outputs = [k for k, g in enumerate(given) if g is not None and is_differentiable(node.types[k])]
        if not chosen or not outputs:
            return found
        back = [slots.vjp_graph(body, [i - 1 for i in chosen], outputs) for body in node.attrs]
        parts = F.cond(
            *[read(node, i) for i in range(count)], *[given[k] for k in outputs], true=back[0], false=back[1]
        )
        for i, part in zip(chosen, parts, strict=True):
            found[i] = part
        return found

    @staticmethod
    def push(F: Ops, node: Node, incoming: tuple[Any, ...]) -> Any:
        """A cond of the two forward bodies: a tangent per result, None for zero."""
        moving = [i - 1 for i, t in enumerate(incoming) if t is not None and i]
        if not moving:
            return None
        bodies = []
        flags = [a or b for a, b in zip(*(moving_outputs(body, moving) for body in node.attrs), strict=True)]
        differentiable = [k for k, t in enumerate(node.types) if is_differentiable(t)]
        for body in node.attrs:
            pushed = slots.jvp_graph(body, moving)
            tangents = pushed.outputs[len(node.types) :]
            kept = [t for k, t in zip(differentiable, tangents, strict=True) if flags[k]]
            bodies.append(pushed.with_outputs(kept))
        if not any(flags):
            return None
        parts = iter(F.cond(*node.inputs, *[incoming[i + 1] for i in moving], true=bodies[0], false=bodies[1]))
        return tuple(next(parts) if has else None for has in flags)

    @staticmethod
    def batch(
        F: Ops, size: int, batched: tuple[Any, ...], pred: Value, xs: tuple[Any, ...], true: Graph, false: Graph
    ) -> Any:
        """One pred for all: a cond of batched bodies.  A pred for each: both bodies, of which each example takes one's results."""
        wide = [slots.batch_graph(body, batched[1:], size) for body in (true, false)]
        if not batched[0]:
            return F.cond(pred, *xs, true=wide[0], false=wide[1])
        answers = [
            chosen_rows(F, mask, batched[1:], xs, body)
            for mask, body in zip((pred, F.logical_not(pred)), wide, strict=True)
        ]
        return tuple(select_rows(F, pred, a, b) for a, b in zip(*answers, strict=True))


def chosen_rows(F: Ops, mask: Value, batched: tuple[bool, ...], xs: tuple[Any, ...], body: Graph) -> tuple[Any, ...]:
    """The batched body's results, right for the examples where the mask holds; zeros, without running it, if that is nowhere.

    An example that is not to be run gets the operands of one that is, so that neither its values nor its derivatives can be infinite.
    """
    filled = filled_rows(F, mask, batched, xs)
    leaves = [make_leaf(leaf.type) for leaf in body.inputs]
    nothing = Graph(leaves, [B.zeros(t) for t in output_types(body)], (), (), body.names)
    found: tuple[Any, ...] = F.cond(F.any(mask, dim=None, keepdim=False), *filled, true=body, false=nothing)
    return found


def filled_rows(F: Ops, mask: Value, batched: tuple[bool, ...], xs: tuple[Any, ...]) -> list[Any]:
    """The batched operands, with the first example for which the mask holds in the place of those for which it does not."""
    first = F.reshape(F.argmax(F.as_dtype(mask, I64), dim=0, keepdim=False), shape=(1,))
    return [
        select_rows(F, mask, x, F.index_select(x, first, dim=0)) if has else x
        for x, has in zip(xs, batched, strict=True)
    ]


def select_rows(F: Ops, mask: Value, x: Value, y: Value) -> Any:
    """Example by example x where the mask holds, else y."""
    shape = F.shape(x)
    return F.where(F.reshape(mask, shape=(shape[0], *(1,) * (len(shape) - 1))), x, y)
