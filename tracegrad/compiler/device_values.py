"""Values on devices as the tape of compiled calls has them."""

from __future__ import annotations

from typing import Any

from tracegrad.backends.on_device import OnDevice
from tracegrad.eager.clock import owner, written_since
from tracegrad.eager.tensor import Tensor, raw
from tracegrad.errors import OverwrittenError, explain
from tracegrad.ir.node import Node
from tracegrad.ir.types import Type


def now(t: Tensor) -> Any:
    """What a Tensor is now, wherever it lies, for a program that keeps its values on devices: the tape needs it as it is."""
    value = raw(t)
    return value.now() if type(value) is OnDevice else value


def here(value: Any) -> Any:
    """A value as NumPy's."""
    return value.data() if type(value) is OnDevice else value


def check_not_written(node: Node) -> None:
    """Raises OverwrittenError where a value that the backward of a compiled call reads was written on its device since, as the engine does for memory on the host."""
    assert node.op is not None
    for i, value in enumerate(node.saved[0]):  # type: ignore[index]
        if type(value) is OnDevice and node.op.reads_saved(node, "xs", i):
            host = value.host()
            if value.replaced() or (host is not None and written_since(owner(host), node.seq)):
                problem = "its derivative needs the value of 'xs', but one of the variables needed for gradient computation has been modified by an inplace operation"
                remedy = "Write the update out of place, or clone() the value first"
                raise OverwrittenError(explain(node.op.name, problem, remedy, value=Type(value.shape, value.dtype)))


__all__ = ["check_not_written", "here", "now"]
