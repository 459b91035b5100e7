"""torch._higher_order_ops's names: `cond`, `while_loop`, `scan` and `map`, which tracegrad has at its top."""

from tracegrad._higher_order_ops.cond import cond
from tracegrad._higher_order_ops.map import map  # noqa: A004  (the name in torch)
from tracegrad._higher_order_ops.scan import scan
from tracegrad._higher_order_ops.while_loop import while_loop

__all__ = ["cond", "map", "scan", "while_loop"]
