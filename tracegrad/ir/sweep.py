"""The reverse sweep over nodes, generic in the namespace: with B it differentiates graphs, with T it makes differentiable derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tracegrad.errors import DifferentiationError, explain
from tracegrad.ir.half import calculates_in_half, rounded, wide, wide_node, wide_reader
from tracegrad.ir.masking import Mark, MaskOps, UnknownMaskError, multiplies, spread_mask, where_masks_matter
from tracegrad.ir.node import BY_SEQUENCE, Node, input_type
from tracegrad.ir.op import SELECTS, STOPS, Op, cotangent_names
from tracegrad.ir.prelude import Ops

Reader = Callable[[Node, int], Any]  # (node, position) -> value of that input; position -1 - k is result k


def cotangents_of_inputs(
    F: Ops, node: Node, given: tuple[Any, ...], read: Reader, wanted: Callable[[Any], bool], mask: Any = None
) -> list[Any]:
    """The cotangent of each input of `node` (None where not wanted or zero), from those of its results (None where absent).

    For an elementwise operator the products are 0 where `mask`, if given, is false.
    """
    op = node.op
    assert op is not None
    custom = getattr(op, "vjp", None)
    if custom is not None:
        return list(custom(F, node, given, read, wanted))
    stand_in, half = node, calculates_in_half(node)
    if half:  # the rules compute in float32 as well
        stand_in, given, read = wide_node(node), tuple([wide(F, g) for g in given]), wide_reader(F, node, read)
    known = _names(F, op, stand_in, given, _conjugated(F, read) if op.conjugates and is_complex(node) else read)
    found: list[Any] = [None] * len(node.inputs)
    last = len(op.operands) - 1
    for position, rule in enumerate(op.rules):
        is_tail = op.variadic and position == last
        inputs = node.inputs[position:] if is_tail else node.inputs[position : position + 1]
        if rule is None or not any(wanted(i) for i in inputs):
            continue
        answer = rule.function(F, *(known(name) for name in rule.reads))
        parts = answer if is_tail else (answer,)
        for offset, part in enumerate(parts):
            here = position + offset
            if part is None or not wanted(node.inputs[here]):
                continue
            if op.elementwise:
                part = F.sum_to(part if mask is None else F.where(mask, part, 0.0), shape=node.inputs[here].shape)
            found[here] = rounded(F, part, input_type(node, here).dtype) if half else part
    return found


def is_complex(node: Node) -> bool:
    """Whether a result of the node is complex."""
    return any(t.dtype.kind == "c" for t in node.types)


def _conjugated(F: Ops, read: Reader) -> Reader:
    """What a holomorphic operator's rules read when its values are complex.

    The rule says g * f'(x); the gradient, dL/d(re) + i dL/d(im), is g * conj(f'(x)).  f' is made of functions that commute with conj.
    """

    def conjugate(node: Node, position: int) -> Any:
        value = read(node, position)
        if value is None or F.type(value).dtype.kind != "c":
            return value
        return value.conjugate() if isinstance(value, complex) else F.conj(value)

    return conjugate


def _names(F: Ops, op: type[Op], node: Node, given: tuple[Any, ...], read: Reader) -> Callable[[str], Any]:
    """What the names that a rule reads stand for at this node."""
    grads = dict(zip(cotangent_names(op), given, strict=True))
    count, last = len(node.inputs), len(op.operands) - 1

    def value(name: str) -> Any:
        if name in grads:
            g = grads[name]
            return F.zeros(node.types[list(grads).index(name)]) if g is None else g
        if name in op.attrs:
            return node.attrs[op.attrs.index(name)]
        if name in op.outputs:
            return read(node, -1 - op.outputs.index(name))
        if name in op.operands:
            at = op.operands.index(name)
            return tuple(read(node, i) for i in range(at, count)) if op.variadic and at == last else read(node, at)
        if name.endswith("_types"):
            return tuple(input_type(node, i) for i in range(last, count))
        at = op.operands.index(name.removesuffix("_type"))
        return input_type(node, at) if node.inputs[at] is not None else None

    return value


def reachable(roots: Iterable[Node], targets: set[Node] | None = None) -> list[Node]:
    """The nodes that carry derivatives from the roots, latest first; with targets only those that lead to a target."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        node = stack.pop()
        if targets is not None and node in targets and node.op is None:
            continue
        for source in node.inputs:
            if type(source) is Node and source.needs and source not in seen:
                seen.add(source)
                stack.append(source)
    order = sorted(seen, key=BY_SEQUENCE)
    if targets is not None:
        useful = set(targets)
        order = [n for n in order if _leads(n, useful)]
    order.reverse()
    return order


def _leads(node: Node, useful: set[Node]) -> bool:
    if node in useful:
        return True
    for source in node.inputs:
        if type(source) is Node and source in useful:
            useful.add(node)
            return True
    return False


class Masks:
    """The masks of the cotangents that wait in a sweep: a value that is false where a selection made the cotangent 0 (see ir/masking).

    Two cotangents of one node that both have a mask keep its elements that one of them has; one without a mask ends it.
    """

    def __init__(self, F: Ops, places: set[Node]) -> None:
        self.F, self.S, self.places = F, MaskOps(F), places
        self.waiting: dict[Node, Any] = {}  # for an operator with several results a list

    def add(self, source: Node, mask: Any, first: bool) -> None:
        """A cotangent with this mask (None: without) has reached `source`, as the first or not."""
        if mask is None or source not in self.places:
            self.waiting.pop(source, None)
        elif first:
            self.waiting[source] = mask
        elif source in self.waiting:
            self.waiting[source] = self.F.logical_or(self.waiting[source], mask)

    def end(self, sources: tuple[Any, ...]) -> None:
        """Cotangents without masks have reached these inputs of a node."""
        if self.waiting:
            for source in sources:
                if type(source) is Node:
                    self.waiting.pop(source, None)

    def add_projection(self, node: Node, mask: Any, first: bool) -> None:
        """The same for one result of an operator that has several."""
        if node not in self.places:
            return
        parent, index = node.inputs[0], node.attrs[0]
        masks = self.waiting.setdefault(parent, [None] * len(parent.types))
        before = masks[index]
        masks[index] = mask if first else None if mask is None or before is None else self.F.logical_or(before, mask)

    def after_hook(self, mask: Any, before: Any, now: Any) -> Any:
        """The mask of a cotangent that a hook may have replaced: what it made other than 0 counts as well."""
        if now is before or mask is None:
            return mask
        if isinstance(mask, list):
            return [self.after_hook(m, None, g) for m, g in zip(mask, now, strict=True)]
        return None if now is None else self.F.logical_or(mask, self.F.ne(now, 0))

    def step(
        self, node: Node, given: tuple[Any, ...], mask: Any, read: Reader, wanted: Callable[[Any], bool]
    ) -> tuple[list[Any], list[Any]]:
        """The cotangents of the inputs, with zeros where the mask says so, and their masks."""
        op = node.op
        assert op is not None
        if mask is None or op.mask_kind <= SELECTS:
            return cotangents_of_inputs(self.F, node, given, read, wanted), self.of_inputs(node, mask, read)
        multiplied = multiplies(node)
        guard = mask if multiplied and op.elementwise else None
        parts = cotangents_of_inputs(self.F, node, given, read, wanted, guard)
        mark = Mark(mask, node.shape)
        masks: list[Any] = [None] * len(parts)
        for i, part in enumerate(parts):
            if part is not None:
                masks[i] = spread_mask(self.S, node, mark, node.inputs[i].shape).value
                if multiplied and not op.elementwise:
                    parts[i] = self.F.where(masks[i], part, 0.0)
        return parts, masks

    def of_inputs(self, node: Node, mask: Any, read: Reader) -> list[Any]:
        """The masks that a linear operator or a selection passes on to its inputs."""
        op, nothing = node.op, [None] * len(node.inputs)
        assert op is not None
        if node not in self.places or op.mask_kind == STOPS or (mask is None and op.mask_kind != SELECTS):
            return nothing
        masks = mask if isinstance(mask, list) else [mask] * len(node.types)
        marks = tuple(Mark(m, t.shape) for m, t in zip(masks, node.types, strict=True))
        try:
            found = cotangents_of_inputs(self.S, node, marks, read, self._matters)
        except UnknownMaskError:
            return nothing
        return [m.value if type(m) is Mark else None for m in found]

    def _matters(self, source: Any) -> bool:
        return type(source) is Node and source in self.places


def sweep(
    F: Ops,
    order: Iterable[Node],
    cotangents: dict[Node, Any],
    read: Reader,
    *,
    arrived: Callable[[Node, Any], Any] | None = None,
    left: Callable[[Node, list[Any], Any], list[Any]] | None = None,
) -> dict[Node, Any]:
    """Walk `order` (latest first) and return the cotangent of every node in it that received one.

    `cotangents` holds those of the roots.  `arrived(node, g)` sees each complete cotangent before it is used and may replace it;
    `left(node, parts, g)` sees what the node's rules made of it for its inputs and may replace that.
    """
    order = list(order)
    inside = set(order)
    pending: dict[Node, Any] = dict(cotangents)
    done: dict[Node, Any] = {}
    masks = Masks(F, where_masks_matter(order))  # without places nothing is ever kept

    def wanted(value: Any) -> bool:
        return type(value) is Node and value in inside

    for node in order:
        g = pending.pop(node, None)
        if g is None:
            continue
        mask = masks.waiting.pop(node, None)
        if arrived is not None:
            before, g = g, arrived(node, g)
            mask = masks.after_hook(mask, before, g)
        done[node] = g
        if node.op is None:
            continue
        if node.op.name == "project":
            masks.add_projection(node, mask, _collect_projection(F, node, g, pending))
            continue
        given = tuple(g) if node.op.several() else (g,)
        try:
            parts, masked = masks.step(node, given, mask, read, wanted)
        except RecursionError as error:
            raise DifferentiationError(explain(node.op.name, "its derivative rule recursed too deeply")) from error
        if left is not None:
            made, parts = parts, left(node, parts, g)
            masked = [masks.after_hook(m, p, q) for m, p, q in zip(masked, made, parts, strict=True)]
        for source, part, own in zip(node.inputs, parts, masked, strict=True):
            if part is not None:
                earlier = pending.get(source)
                pending[source] = part if earlier is None else F.add(earlier, part)
                masks.add(source, own, earlier is None)
    return done


def _collect_projection(F: Ops, node: Node, g: Any, pending: dict[Node, Any]) -> bool:
    """Put the cotangent of one result into the list that its operator's node waits for; whether it is the first for that result."""
    parent, index = node.inputs[0], node.attrs[0]
    parts = pending.setdefault(parent, [None] * len(parent.types))
    before = parts[index]
    parts[index] = g if before is None else F.add(before, g)
    return before is None
