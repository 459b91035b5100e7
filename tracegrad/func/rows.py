"""autograd.grad with is_grads_batched: many cotangents in one program, by recording one sweep and batching it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tracegrad.autograd.engine import grad
from tracegrad.autograd.generic import release
from tracegrad.autograd.hooks import Extra
from tracegrad.autograd.modes import set_grad_enabled
from tracegrad.config import local
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import TracegradError
from tracegrad.func.mapping import vmap
from tracegrad.ir.sweep import reachable

FEW = 32  # up to this many rows a loop is quicker than making the program


def batched_rows(
    roots: Sequence[Tensor],
    wanted: Sequence[Tensor],
    rows: Sequence[Tensor],
    size: int,
    keep: bool,
    create: bool,
    allow_unused: bool,
) -> list[Tensor | None] | None:
    """For each wanted Tensor its gradients for all rows of cotangents, stacked; None for one without influence.

    None instead of the list where a loop has to do: few rows, hooks in the graph (they see one gradient at a time), an open level of forward mode, or a step
    that no batched program can make, such as a Function whose backward reads values.
    """
    if size <= FEW or (local.watch is not None and local.watch.duals is not None):
        return None
    targets = {t._node for t in wanted if t._node is not None}
    order = reachable([r._node for r in roots if r._node is not None], targets)
    if any(type(node.extra) is Extra for node in order):
        return None
    missing: list[int] = []

    def sweep(*row: Tensor) -> list[Tensor]:
        found = grad(roots, wanted, row, retain_graph=True, create_graph=create, allow_unused=True)
        missing[:] = [i for i, g in enumerate(found) if g is None]
        return [g for g in found if g is not None]

    try:
        with set_grad_enabled(create):
            found = iter(_leaves(vmap(sweep, randomness="same"), rows))
    except TracegradError:
        return None
    if missing and not allow_unused:  # the loop says so
        return None
    if not keep:
        release(order, targets)
    return [None if i in missing else next(found) for i in range(len(wanted))]


def _leaves(program: Callable[..., Any], rows: Sequence[Tensor]) -> list[Tensor]:
    found: list[Tensor] = program(*rows)
    return found


__all__ = ["batched_rows"]
