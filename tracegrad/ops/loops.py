"""while_loop and its reverse: a body applied until a condition fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracegrad.dtypes import BOOL
from tracegrad.errors import DTypeError, ShapeError, explain
from tracegrad.ir.bodies import check_body, check_types, input_types, is_differentiable, output_types, reordered, run
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node, input_type, make_leaf
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops
from tracegrad.ir.samples import A, Body
from tracegrad.ir.types import Type
from tracegrad.ops.branches import filled_rows, select_rows
from tracegrad.ops.carried import Read, Wanted, batched_state, dtype_source, moving_carries, spread, tangent_of
from tracegrad.slots import slots


class WhileLoop(Op):
    """A body applied while cond gives True: xs are the carried values, then constants, and both graphs take all of them.  Shapes: the carried values keep theirs.

    cond gives one bool, body the next carried values.
    """

    inputs, attrs, nondiff = ("*xs",), ("cond", "body", "carries"), ("xs",)
    function, method, stored = False, False, True
    numpy = jax = "K.while_loop({xs}, {cond}, {body}, {carries})"
    torch_name = "WhileLoopBackward"
    samples = (
        [A(2), A(2, lo=1.1, hi=1.3), Body(lambda F, h, w: (F.lt(F.sum(F.square(h), dim=None, keepdim=False), 30.0),), A(2), A(2)),
         Body(lambda F, h, w: (F.add(F.mul(h, w), F.exp(F.neg(h))),), A(2), A(2)), 1],
        [A(), A(3), Body(lambda F, h, x: (F.lt(h, 5.0),), A(), A(3)), Body(lambda F, h, x: (F.add(h, 1.7), F.sin(x)), A(), A(3)), 2],
    )  # fmt: skip

    @classmethod
    def several(cls) -> bool:
        """Always: a result per carried value."""
        return True

    @staticmethod
    def infer(xs: tuple[Type, ...], cond: Graph, body: Graph, carries: int) -> tuple[Type, ...]:
        """The types of the carried values.  Raises RuntimeError for a cond that does not give one bool and a body that changes a carried type."""
        check_loop("while_loop", xs, cond, body, carries)
        return xs[:carries]

    @staticmethod
    def statements(target: str, operands: tuple[str, ...], node: Node, cond: str, body: str) -> list[str]:
        """A Python `while`."""
        carries = node.attrs[2]
        state = [f"{target}_h{i}" for i in range(carries)]
        given = ", ".join([*state, *operands[carries:]])
        together = "".join(f"{h}, " for h in state).rstrip()
        return [
            *(f"{h} = np.array({x})" for h, x in zip(state, operands, strict=False)),
            f"while {cond}({given})[0]:",
            f"    {together} = {body}({given})",
            f"{target} = ({together})",
        ]

    @staticmethod
    def vjp(F: Ops, node: Node, given: tuple[Any, ...], read: Read, wanted: Wanted) -> list[Any]:
        """while_backward, which runs the loop again and keeps the carried values of every step."""
        cond, body, carries = node.attrs
        count = len(node.inputs)
        types = [input_type(node, i) for i in range(count)]
        state = [i for i in range(carries) if is_differentiable(types[i])]
        followed = [i for i in range(carries, count) if is_differentiable(types[i]) and wanted(node.inputs[i])]
        found: list[Any] = [None] * count
        if all(g is None for g in given) or not (followed or any(wanted(node.inputs[i]) for i in state)):
            return found
        xs = [read(node, i) for i in range(count)]
        answers = reverse_of_while(F, xs, types, cond, body, carries, (*state, *followed), [given[i] for i in state])
        for i, part in zip((*state, *followed), answers, strict=True):
            found[i] = part if wanted(node.inputs[i]) else None
        return found

    @staticmethod
    def push(F: Ops, node: Node, incoming: tuple[Any, ...]) -> Any:
        """A loop that carries the tangents along: a tangent per result, None for zero."""
        cond, body, carries = node.attrs
        moving, flags = moving_carries(body, carries, [i for i, t in enumerate(incoming) if t is not None])
        if not any(flags):
            return None
        wide = forward_while(cond, body, carries, moving)
        tangents = [tangent_of(F, node, incoming, i) for i in moving]
        first = [i for i in moving if i < carries]
        answers = F.while_loop(
            *node.inputs[:carries], *tangents[: len(first)], *node.inputs[carries:], *tangents[len(first) :],
            cond=wide[0], body=wide[1], carries=carries + len(first),
        )  # fmt: skip
        pushed = dict(zip(first, answers[carries:], strict=True))
        return tuple(pushed.get(k) for k in range(carries))

    @staticmethod
    def batch(
        F: Ops, size: int, batched: tuple[bool, ...], xs: tuple[Any, ...], cond: Graph, body: Graph, carries: int
    ) -> Any:
        """A condition for all: the same loop.  A condition for each: the loop runs until all have stopped, and keeps the values of those that have."""
        flags, wide, _ = batched_state(body, carries, batched, size)
        test = slots.batch_graph(cond, flags, size, spread=False)
        own = len(test.outputs[0].shape) == 1
        if own:
            flags = [True] * carries + list(flags[carries:])
            wide = slots.batch_graph(body, flags, size)
            test = slots.batch_graph(cond, flags, size)
        operands = [spread(F, x, size) if f and not has else x for x, f, has in zip(xs, flags, batched, strict=True)]
        if not own:
            found = F.while_loop(*operands, cond=test, body=wide, carries=carries)
            return tuple(v if f else spread(F, v, size) for v, f in zip(found, flags, strict=False))
        (mask,) = run(F, test, operands)
        found = F.while_loop(
            mask,
            *operands,
            cond=_any_running(wide, size),
            body=_frozen(test, wide, carries, flags),
            carries=carries + 1,
        )
        return tuple(found[1:])


class WhileBackward(Op):
    """The cotangents of a while_loop's operands `followed`: xs are its operands, then a cotangent per differentiable carried value.

    Shapes: those of the operands that are followed, of which the differentiable carried values come first.  `back` takes all of xs at one step.
    The carried values of every step are kept while it runs; XLA cannot do that, so that there is no such operator for JAX.
    """

    inputs, attrs, nondiff = ("*xs",), ("cond", "body", "back", "carries", "followed"), ("xs",)
    function, method, stored = False, False, True
    numpy = jax = "K.while_backward({xs}, {cond}, {body}, {back}, {carries}, {followed})"
    torch_name = "WhileBackwardBackward"
    samples = ()

    @classmethod
    def several(cls) -> bool:
        """Always: a result per followed operand."""
        return True

    @staticmethod
    def infer(
        xs: tuple[Type, ...], cond: Graph, body: Graph, back: Graph, carries: int, followed: tuple[int, ...]
    ) -> tuple[Type, ...]:
        """The types of the followed operands.  Raises RuntimeError where the graphs do not fit."""
        count = len(body.inputs)
        check_loop("while_backward", xs[:count], cond, body, carries)
        check_body("while_backward", "back", back, xs)
        found = tuple(xs[i] for i in followed)
        check_types("while_backward", "the cotangents that back gives", output_types(back), found)
        return found

    @staticmethod
    def statements(target: str, operands: tuple[str, ...], node: Node, cond: str, body: str, back: str) -> list[str]:
        """The loop, which keeps what it carries, and a loop back over that."""
        inner, followed, carries = len(node.attrs[1].inputs), node.attrs[4], node.attrs[3]
        state = [f"{target}_h{i}" for i in range(carries)]
        constants = operands[carries:inner]
        moving = len([i for i in followed if i < carries])
        g = [f"{target}_g{i}" for i in range(len(followed))]
        here = ", ".join([*state, *constants])
        together = "".join(f"{h}, " for h in state).rstrip()
        parts = (
            ", ".join([*g[:moving], f"*{target}_parts"]) if len(g) > moving else "".join(f"{v}, " for v in g).rstrip()
        )
        return [
            f"{target}_steps = []",
            *(f"{h} = {x}" for h, x in zip(state, operands, strict=False)),
            f"while {cond}({here})[0]:",
            f"    {target}_steps.append(({together}))",
            f"    {together} = {body}({here})",
            *(f"{v} = np.array({x})" for v, x in zip(g, operands[inner:], strict=False)),
            *(
                f"{v} = np.zeros({t.shape}, {dtype_source(t)})"
                for v, t in list(zip(g, node.types, strict=True))[moving:]
            ),
            f"for {together} in reversed({target}_steps):",
            f"    {parts} = {back}({', '.join([*state, *constants, *g[:moving]])})",
            *(f"    {v} = {v} + {target}_parts[{k}]" for k, v in enumerate(g[moving:])),
            f"{target} = ({''.join(f'{v}, ' for v in g).rstrip()})",
        ]

    @staticmethod
    def vjp(F: Ops, node: Node, given: tuple[Any, ...], read: Read, wanted: Wanted) -> list[Any]:
        """In the cotangents it is the transpose of the loop's tangent; in the operands it is the reverse of the loop that carries these tangents along."""
        cond, body, _, carries, followed = node.attrs
        count, inner = len(node.inputs), len(body.inputs)
        xs = [read(node, i) for i in range(count)]
        v = [F.zeros(t) if g is None else g for g, t in zip(given, node.types, strict=True)]
        first = len([i for i in followed if i < carries])
        found: list[Any] = [None] * count
        if any(wanted(i) for i in node.inputs[inner:]):
            test, step = forward_while(cond, body, carries, followed)
            operands = [*xs[:carries], *v[:first], *xs[carries:inner], *v[first:]]
            answers = F.while_loop(*operands, cond=test, body=step, carries=carries + first)
            for k in range(first):
                found[inner + k] = answers[carries + k] if wanted(node.inputs[inner + k]) else None
        if any(wanted(node.inputs[i]) for i in followed):
            for i, part in zip(followed, bent(F, node, xs, followed, v, [None] * first), strict=True):
                found[i] = part if wanted(node.inputs[i]) else None
        return found

    @staticmethod
    def push(F: Ops, node: Node, incoming: tuple[Any, ...]) -> Any:
        """The reverse of the loop that carries the operands' tangents along: a tangent per result."""
        _, body, _, carries, followed = node.attrs
        inner = len(body.inputs)
        moving = [i for i in followed if i < carries]
        given = list(incoming[inner : inner + len(moving)])
        moving += [i for i in range(carries, inner) if incoming[i] is not None]
        v = [tangent_of(F, node, incoming, i) for i in moving]
        return tuple(bent(F, node, list(node.inputs), moving, v, given))

    @staticmethod
    def batch(
        F: Ops, size: int, batched: tuple[bool, ...], xs: tuple[Any, ...], cond: Graph, body: Graph, back: Graph, carries: int, followed: tuple[int, ...]
    ) -> Any:  # fmt: skip
        """The reverse of the batched loop: of examples that are all given operands of their own, so that each has its own cotangents."""
        inner = len(body.inputs)
        full = [x if has else spread(F, x, size) for x, has in zip(xs, batched, strict=True)]
        flags = [True] * inner
        step, test = slots.batch_graph(body, flags, size), slots.batch_graph(cond, flags, size)
        kinds = [F.type(x) for x in full[:inner]]
        (mask,) = run(F, test, full[:inner])
        moved = tuple(i + 1 for i in followed)
        answers = reverse_of_while(
            F,
            [mask, *full[:inner]],
            [F.type(mask), *kinds],
            _any_running(step, size),
            _frozen(test, step, carries, flags),
            carries + 1,
            moved,
            full[inner:],
        )
        return tuple(answers)


def check_loop(operation: str, xs: tuple[Type, ...], cond: Graph, body: Graph, carries: int) -> None:
    """Raise RuntimeError unless cond gives one bool and body the next carried values."""
    check_body(operation, "cond", cond, xs)
    check_body(operation, "body", body, xs)
    if type(carries) is not int or not 0 <= carries <= len(xs):
        raise ShapeError(explain(operation, f"carries={carries!r} does not fit the {len(xs)} operands"))
    found = output_types(cond)
    if found != (Type((), BOOL),):
        error = ShapeError if len(found) == 1 and found[0].dtype == BOOL else DTypeError
        raise error(explain(operation, f"the condition must give one bool, not {', '.join(map(str, found))}"))
    check_types(operation, "the carried values that the body gives", output_types(body), xs[:carries])


def reverse_of_while(
    F: Ops, xs: Sequence[Any], types: Sequence[Type], cond: Graph, body: Graph, carries: int, followed: Sequence[int], cotangents: Sequence[Any]
) -> tuple[Any, ...]:  # fmt: skip
    """The cotangents of the operands `followed` (all differentiable carried ones first), from one per differentiable carried value (None for zero)."""
    state = [i for i in followed if i < carries]
    back = slots.vjp_graph(body, followed, state)
    given = [F.zeros(types[i]) if g is None else g for i, g in zip(state, cotangents, strict=True)]
    found: tuple[Any, ...] = F.while_backward(
        *xs, *given, cond=cond, body=body, back=back, carries=carries, followed=tuple(followed)
    )
    return found


def bent(
    F: Ops, node: Node, xs: Sequence[Any], moving: Sequence[int], v: Sequence[Any], given: Sequence[Any]
) -> list[Any]:
    """How a while_backward's results change when its operands `moving` (all differentiable carried ones first) do along v, and its cotangents along `given`.

    The loop that carries tangents gives J(x) v.  The cotangent of x in its reverse, from g for the tangents and dg for the values, is d(J(x)^T g) along v and dg.
    """
    cond, body, _, carries, followed = node.attrs
    inner, types = len(body.inputs), [input_type(node, i) for i in range(len(node.inputs))]
    test, step = forward_while(cond, body, carries, moving)
    first = len([i for i in moving if i < carries])
    operands = [*xs[:carries], *v[:first], *xs[carries:inner], *v[first:]]
    tangents = [types[i] for i in moving]
    kinds = [*types[:carries], *tangents[:first], *types[carries:inner], *tangents[first:]]
    targets = [i for i in range(carries + first) if is_differentiable(kinds[i])]
    targets += [i + first for i in followed if i >= carries]
    answers = reverse_of_while(F, operands, kinds, test, step, carries + first, targets, [*given, *xs[inner:]])
    parts = dict(zip(targets, answers, strict=True))
    return [parts[i if i < carries else i + first] for i in followed]


def forward_while(cond: Graph, body: Graph, carries: int, moving: Sequence[int]) -> tuple[Graph, Graph]:
    """The condition and the body of the loop that carries tangents too: operands are (carried, their tangents, constants, their tangents)."""
    count = len(body.inputs)
    pushed = slots.jvp_graph(body, moving)
    first = [k for k, i in enumerate(moving) if i < carries]
    last = [k for k, i in enumerate(moving) if i >= carries]
    order = [*range(carries), *(count + k for k in first), *range(carries, count), *(count + k for k in last)]
    differentiable = [i for i, t in enumerate(output_types(body)) if is_differentiable(t)]
    places = dict(zip(differentiable, range(carries, len(pushed.outputs)), strict=True))
    step = reordered(pushed, order, [*range(carries), *(places[moving[k]] for k in first)])
    extra = {i: make_leaf(pushed.inputs[i].type) for i in range(count, len(pushed.inputs))}
    leaves = [extra[i] if i in extra else cond.inputs[i] for i in order]
    return Graph(leaves, cond.outputs, (), (), step.names), step


def _any_running(body: Graph, size: int) -> Graph:
    """The condition of a loop over examples of which each has its own: whether one of them goes on.  Its inputs: which do, then those of the body."""
    mask = make_leaf(Type((size,), BOOL))
    leaves = [make_leaf(t) for t in input_types(body)]
    return Graph([mask, *leaves], [B.any(mask, dim=None, keepdim=False)])


def _frozen(cond: Graph, body: Graph, carries: int, flags: Sequence[bool]) -> Graph:
    """A step of the loop over examples of which each has its own condition: those that have stopped keep their values."""
    (size,) = cond.outputs[0].shape
    mask = make_leaf(Type((size,), BOOL))
    leaves = [make_leaf(t, needs=is_differentiable(t)) for t in input_types(body)]
    filled = filled_rows(B, mask, tuple(flags), tuple(leaves))
    made = [select_rows(B, mask, new, old) for new, old in zip(run(B, body, filled), leaves, strict=False)]
    (going,) = run(B, cond, [*made, *leaves[carries:]])
    return Graph([mask, *leaves], [B.logical_and(mask, going), *made])
