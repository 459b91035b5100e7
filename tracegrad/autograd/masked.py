"""The first-order sweep on arrays of a graph in which masks of selections can matter (see ir/masking).

A mask only ever turns a nan into a 0: wherever the plain sweep finds no nan, both agree.  So the plain sweep runs first, without touching any leaf, and
the one with masks, which takes several times as long per operator, only if there is a nan in what it found or user code that may run only once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracegrad.autograd.generic import arrive, goes_on, reach_leaves, read_raw, release
from tracegrad.autograd.hooks import Extra, run_after_step, run_before_step
from tracegrad.autograd.saving import Packed, reading_once
from tracegrad.config import UserCode
from tracegrad.ir.masking import where_masks_matter
from tracegrad.ir.node import FREED, Node
from tracegrad.ir.op import SELECTS
from tracegrad.ir.raw import N
from tracegrad.ir.sweep import Masks

Back = Callable[[Node, Any, dict[Node, Any]], None]


def walk_twice(
    plain: Back,
    order: list[Node],
    grads: dict[Node, Any],
    found: dict[Node, Any],
    targets: set[Node] | None,
    inside: set[Node],
    keep: bool,
    into_leaves: bool,
) -> None:
    """The sweep without masks if it finds no nan, else the one with masks."""
    if UserCode.possible and any(map(_runs_user_code, order)):
        _masked_walk(plain, order, grads, found, targets, inside, keep, into_leaves)
        return
    attempt = _plain_walk(plain, order, grads.copy(), targets, inside)
    if any(_has_nan(g) for n, g in attempt.items() if targets is None or n in targets):
        _masked_walk(plain, order, grads, found, targets, inside, keep, into_leaves)
        return
    if targets is not None:
        found.update((n, g) for n, g in attempt.items() if n in targets)
    if into_leaves:
        reach_leaves(order, attempt, targets, False)
    if not keep:
        release(order, targets)


def _plain_walk(
    plain: Back, order: list[Node], grads: dict[Node, Any], targets: set[Node] | None, inside: set[Node]
) -> dict[Node, Any]:
    """The cotangents of the leaves, or of the targets."""
    pop = grads.pop
    found: dict[Node, Any] = {}
    for n in order:
        g = pop(n, None)
        if g is None:
            continue
        op = n.op
        if targets is not None and n in targets:
            found[n] = g
            if op is None or not goes_on(n, inside):
                continue
        if op is None:
            found[n] = g
        elif n.extra is None:
            op.back(n, g, grads)
        else:
            plain(n, g, grads)
    return found


def _runs_user_code(node: Node) -> bool:
    return type(node.extra) is Extra or type(node.saved) is Packed or hasattr(node.op, "vjp")


def _has_nan(g: Any) -> bool:
    total = np.vdot(g, g)  # squares cannot cancel, so it is nan only if an element is
    return bool(total != total)


def _masked_walk(
    plain: Back,
    order: list[Node],
    grads: dict[Node, Any],
    found: dict[Node, Any],
    targets: set[Node] | None,
    inside: set[Node],
    keep: bool,
    into_leaves: bool,
) -> None:
    """The loop with masks beside the cotangents; `plain` is the backward of a node at which none matters."""
    masks = Masks(N, where_masks_matter(order))
    waiting, places = masks.waiting, masks.places
    for n in order:
        g = grads.pop(n, None)
        if g is None:
            continue
        op = n.op
        mask = waiting.pop(n, None)
        before = g
        g, on = arrive(n, g, found, targets, inside, into_leaves)
        if not on:
            continue
        mask = masks.after_hook(mask, before, g)
        if type(n.extra) is Extra and n.extra.before_step:
            before, g = g, run_before_step(n, g)
            if g is None:
                continue
            mask = masks.after_hook(mask, before, g)
        if op.name == "project":
            parts = grads.get(n.inputs[0])
            masks.add_projection(n, mask, parts is None or parts[n.attrs[0]] is None)
            plain(n, g, grads)
        elif n in places and (mask is not None or op.mask_kind == SELECTS):
            _step(masks, plain, n, g, mask, grads)
        else:
            plain(n, g, grads)
            masks.end(n.inputs)
        if not keep and n.saved is not None:
            n.saved = FREED


def _step(masks: Masks, plain: Back, node: Node, g: Any, mask: Any, grads: dict[Node, Any]) -> None:
    """The backward of a node whose cotangent has a mask, or which makes one."""
    op, extra = node.op, node.extra
    assert op is not None
    read = reading_once(read_raw) if type(node.saved) is Packed else read_raw
    if op.mask_kind <= SELECTS and extra is None and type(node.saved) is not Packed:
        found = masks.of_inputs(node, mask, read)
        firsts = {source: source not in grads for source in node.inputs if type(source) is Node}
        plain(node, g, grads)
        for source, own in zip(node.inputs, found, strict=True):
            if type(source) is Node and source in grads:
                masks.add(source, own, firsts[source])
                firsts[source] = False
        return
    parts, found = masks.step(node, tuple(g) if op.several() else (g,), mask, read, _is_node)
    if type(extra) is Extra and extra.after_step:
        made, parts = parts, run_after_step(node, parts, g)
        found = [masks.after_hook(m, p, q) for m, p, q in zip(found, made, parts, strict=True)]
    for source, part, own in zip(node.inputs, parts, found, strict=True):
        if part is not None:
            before = grads.get(source)
            grads[source] = part if before is None else before + part
            masks.add(source, own, before is None)


def _is_node(value: Any) -> bool:
    return type(value) is Node


__all__ = ["walk_twice"]
