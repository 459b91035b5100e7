"""scan: a body applied a number of times that is known when the program is made."""

from __future__ import annotations

from typing import Any

from tracegrad.errors import ShapeError, explain
from tracegrad.ir.bodies import check_body, check_types, is_differentiable, output_types, reordered
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node, input_type, make_leaf
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops
from tracegrad.ir.samples import A, Body
from tracegrad.ir.types import Type
from tracegrad.ops.carried import Read, Wanted, batched_state, dtype_source, moving_carries, spread, tangent_of
from tracegrad.slots import slots


class Scan(Op):
    """A body applied `length` times: xs are the carried values, then what is read slice by slice along axis 0, then constants.

    Shapes: carried values keep theirs, slices have (length, *slice) -> the last carried values, then what the body gives besides, stacked (length, *a).
    With reverse=True the last slice comes first.
    """

    inputs, attrs, nondiff = ("*xs",), ("body", "carries", "slices", "length", "reverse"), ("xs",)
    function, method, stored = False, False, True
    numpy = jax = "K.scan({xs}, {body}, {carries}, {slices}, {length}, {reverse})"
    torch_name = "ScanBackward"
    samples = (
        [A(2), A(3, 2), A(), Body(lambda F, h, x, w: (F.tanh(F.add(F.mul(h, w), x)), F.mul(h, x)), A(2), A(2), A()), 1, 1, 3, False],
        [A(2), A(4), Body(lambda F, h, x: (F.add(F.sin(h), x),), A(2), A()), 1, 1, 4, True],
        [A(3, 2), Body(lambda F, x: (F.exp(x),), A(2)), 0, 1, 3, False],
    )  # fmt: skip

    @classmethod
    def several(cls) -> bool:
        """Always: the body says how many results there are."""
        return True

    @staticmethod
    def infer(
        xs: tuple[Type, ...], body: Graph, carries: int, slices: int, length: int, reverse: bool
    ) -> tuple[Type, ...]:
        """The types of the carried values and of the stacks.  Raises RuntimeError where the body does not fit its operands or changes a carried type."""
        counts = (carries, slices, length)
        if any(type(c) is not int for c in counts) or type(reverse) is not bool or not 0 <= carries + slices <= len(xs):
            raise ShapeError(
                explain("scan", "does not fit its operands", carries=carries, slices=slices, length=length)
            )
        if length < 1 or min(carries, slices) < 0:
            raise ShapeError(explain("scan", f"length must be positive, not {length}"))
        rows = xs[carries : carries + slices]
        if any(t.shape[:1] != (length,) for t in rows):
            raise ShapeError(explain("scan", f"what is read slice by slice must have {length} slices", xs=rows))
        takes = (*xs[:carries], *(Type(t.shape[1:], t.dtype) for t in rows), *xs[carries + slices :])
        check_body("scan", "body", body, takes)
        gives = output_types(body)
        check_types("scan", "the carried values that the body gives", gives[:carries], takes[:carries])
        return (*gives[:carries], *(Type((length, *t.shape), t.dtype) for t in gives[carries:]))

    @staticmethod
    def statements(target: str, operands: tuple[str, ...], node: Node, body: str) -> list[str]:
        """A `for` that assigns the carried values and fills the stacks."""
        _, carries, slices, length, reverse = node.attrs
        state = [f"{target}_h{i}" for i in range(carries)]
        stacks = [f"{target}_y{i}" for i in range(len(node.types) - carries)]
        rows = [
            f"{name}[i]" if len(input_type(node, carries + k).shape) > 1 else f"{name}[i, ...]"
            for k, name in enumerate(operands[carries : carries + slices])
        ]
        given = ", ".join([*state, *rows, *operands[carries + slices :]])
        assigned = "".join(f"{name}, " for name in (*state, *(f"{y}[i]" for y in stacks))).rstrip()
        count = f"range({length - 1}, -1, -1)" if reverse else f"range({length})"
        return [
            *(f"{h} = {x}" for h, x in zip(state, operands, strict=False)),
            *(
                f"{y} = np.empty({t.shape}, {dtype_source(t)})"
                for y, t in zip(stacks, node.types[carries:], strict=True)
            ),
            f"for i in {count}:",
            f"    {assigned} = {body}({given})",
            f"{target} = ({''.join(f'{v}, ' for v in (*state, *stacks)).rstrip()})",
        ]

    @staticmethod
    def vjp(F: Ops, node: Node, given: tuple[Any, ...], read: Read, wanted: Wanted) -> list[Any]:
        """A scan in the other direction over the carried values of every step, which are computed once more."""
        body, carries, slices, length, reverse = node.attrs
        count = len(node.inputs)
        types = [input_type(node, i) for i in range(count)]
        state = [i for i in range(carries) if is_differentiable(types[i])]
        followed = [i for i in range(carries, count) if is_differentiable(types[i]) and wanted(node.inputs[i])]
        stacked = [
            k for k in range(carries, len(node.types)) if given[k] is not None and is_differentiable(node.types[k])
        ]
        found: list[Any] = [None] * count
        if all(g is None for g in given) or not (followed or any(wanted(node.inputs[i]) for i in state)):
            return found
        xs = [read(node, i) for i in range(count)]
        history = F.scan(
            *xs, body=_history(body, carries), carries=carries, slices=slices, length=length, reverse=reverse
        )
        back = _reverse_step(body, carries, slices, state, followed, stacked)
        inner = [i for i in followed if i >= carries + slices]
        answers = F.scan(
            *[F.zeros(types[i]) if given[i] is None else given[i] for i in state],
            *[F.zeros(types[i]) for i in inner],
            *history[carries:],
            *xs[carries : carries + slices],
            *[given[k] for k in stacked],
            *xs[carries + slices :],
            body=back,
            carries=len(state) + len(inner),
            slices=carries + slices + len(stacked),
            length=length,
            reverse=not reverse,
        )
        for i, part in zip((*state, *inner, *(i for i in followed if i < carries + slices)), answers, strict=True):
            found[i] = part if wanted(node.inputs[i]) else None
        return found

    @staticmethod
    def push(F: Ops, node: Node, incoming: tuple[Any, ...]) -> Any:
        """A scan that carries the tangents along: a tangent per result, None for zero."""
        body, carries, slices, length, reverse = node.attrs
        count = len(node.inputs)
        moving = [i for i, t in enumerate(incoming) if t is not None]
        moving, flags = moving_carries(body, carries, moving)
        if not any(flags):
            return None
        pushed = slots.jvp_graph(body, moving)
        outputs = len(node.types)
        places = dict(zip([k for k, t in enumerate(output_types(body)) if is_differentiable(t)], range(outputs, len(pushed.outputs)), strict=True))  # fmt: skip
        groups = [(0, carries), (carries, carries + slices), (carries + slices, count)]
        order, operands = [], []
        for low, high in groups:
            here = [k for k, i in enumerate(moving) if low <= i < high]
            order += [*range(low, high), *(count + k for k in here)]
            operands += [*node.inputs[low:high], *(tangent_of(F, node, incoming, moving[k]) for k in here)]
        first = [i for i in moving if i < carries]
        rest = [k for k in range(carries, outputs) if flags[k]]
        chosen = [*range(carries), *(places[i] for i in first), *range(carries, outputs), *(places[k] for k in rest)]
        answers = F.scan(
            *operands,
            body=reordered(pushed, order, chosen),
            carries=carries + len(first),
            slices=slices + sum(carries <= i < carries + slices for i in moving),
            length=length,
            reverse=reverse,
        )
        tangents = dict(zip(first, answers[carries:], strict=False))
        tangents.update(zip(rest, answers[outputs + len(first) :], strict=True))
        return tuple(tangents.get(k) for k in range(outputs))

    @staticmethod
    def batch(
        F: Ops, size: int, batched: tuple[bool, ...], xs: tuple[Any, ...], body: Graph, carries: int, slices: int, length: int, reverse: bool
    ) -> Any:  # fmt: skip
        """The same scan over a batched body; what is read slice by slice has the batch along its second axis."""
        flags, wide, given = batched_state(body, carries, batched, size)
        operands = [
            _swapped(F, x)
            if has and carries <= i < carries + slices
            else spread(F, x, size)
            if flags[i] and not has
            else x
            for i, (x, has) in enumerate(zip(xs, batched, strict=True))
        ]
        found = F.scan(*operands, body=wide, carries=carries, slices=slices, length=length, reverse=reverse)
        return tuple(
            spread(F, v, size) if not has else v if k < carries else _swapped(F, v)
            for k, (v, has) in enumerate(zip(found, given, strict=True))
        )


def _history(body: Graph, carries: int) -> Graph:
    """The body that gives, besides the next carried values, those that it got."""
    return body.with_outputs((*body.outputs[:carries], *body.inputs[:carries]))


def _reverse_step(
    body: Graph, carries: int, slices: int, state: list[int], followed: list[int], stacked: list[int]
) -> Graph:
    """One step of the reverse of scan: (cotangents carried, sums for constants | carried values, slices, cotangents of the stacks | constants)."""
    back = slots.vjp_graph(body, (*state, *followed), (*state, *stacked))
    count, middle = len(body.inputs), carries + slices
    g_state = back.inputs[count : count + len(state)]
    g_stacks = back.inputs[count + len(state) :]
    parts = dict(zip((*state, *followed), back.outputs, strict=True))
    inner = [i for i in followed if i >= middle]
    sums = {i: make_leaf(back.inputs[i].type) for i in inner}
    added = [B.add(sums[i], parts[i]) for i in inner]
    leaves = [*g_state, *sums.values(), *back.inputs[:middle], *g_stacks, *back.inputs[middle:count]]
    outputs = [*(parts[i] for i in state), *added, *(parts[i] for i in followed if i < middle)]
    return Graph(leaves, outputs)


def _swapped(F: Ops, x: Any) -> Any:
    """x with its first two axes exchanged."""
    return F.permute(x, dims=(1, 0, *range(2, len(F.shape(x)))))
