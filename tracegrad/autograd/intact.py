"""Whether what a sweep reads is still there and still what it was."""

from __future__ import annotations

from tracegrad.autograd.anomaly import Anomaly, warn_about
from tracegrad.eager.clock import check_not_overwritten
from tracegrad.errors import DifferentiationError, GraphFreedError, explain
from tracegrad.ir.node import FREED, Node


def intact(order: list[Node]) -> list[Node]:
    """The nodes of a sweep, if all their saved values are there and are what they were.  Raises GraphFreedError or OverwrittenError."""
    for node in order:
        if node.saved is FREED:
            raise GraphFreedError(
                explain(
                    "backward",
                    f"the graph of this value was freed by an earlier backward (at {node.op.name if node.op else 'a leaf'}). "
                    "Trying to backward through the graph a second time",
                    "Pass retain_graph=True to the first call to keep it",
                )
            )
    if Anomaly.enabled:
        _check_each(order)
    check_not_overwritten(order)
    return order


def _check_each(order: list[Node]) -> None:
    """The same in anomaly mode, where a warning tells of which step a value was overwritten."""
    for node in order:
        try:
            check_not_overwritten([node])
        except DifferentiationError:
            warn_about(node)
            raise


__all__ = ["intact"]
