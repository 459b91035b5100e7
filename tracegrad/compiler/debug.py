"""debug_print(): printing that compiled programs keep, in order and with the values of each call."""

from __future__ import annotations

from typing import Any

from tracegrad import pytree
from tracegrad.config import local
from tracegrad.eager.tensor import Tensor, handle


class Message:
    """One debug_print: its text, and its arguments taken apart.  leaves holds None for what is a value of the program, with its `kinds`."""

    def __init__(self, text: str, leaves: list[Any], treedef: pytree.TreeDef) -> None:
        self.text, self.treedef = text, treedef
        self.tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        self.kinds = ["value" if isinstance(leaf, Tensor) else "static" for leaf in leaves]
        self.numbers = [isinstance(t, (bool, int, float)) for t in self.tensors]  # of a recording
        self.statics = [leaf for leaf in leaves if not isinstance(leaf, Tensor)]

    def show(self, values: list[Tensor]) -> None:
        """Print it with these values of its Tensors."""
        shown = iter(
            [t._data.item() if n else handle(t._data, None) for t, n in zip(values, self.numbers, strict=True)]
        )
        statics = iter(self.statics)
        leaves = [next(shown) if kind == "value" else next(statics) for kind in self.kinds]
        args, kwargs = self.treedef.unflatten(leaves)
        print(self.text.format(*args, **kwargs) if args or kwargs else self.text)


def debug_print(text: str, *args: Any, **kwargs: Any) -> None:
    """Print `text.format(*args, **kwargs)`, or the text alone, at every call, also of a compiled function, whose program keeps it: `debug_print("loss {:.3f}", loss)`.

    Arguments are Tensors, nested lists, tuples and dicts of them, and anything else as it is.  What one call prints comes in order, when its course is known: after all
    decisions, and before it writes to Tensors.  Derivatives flow past it.  Raises TraceError where a function is recorded that has no order (`capture`, `vmap` and
    loops of tg.scan inside compiled functions).
    """
    trace = local.trace
    leaves, treedef = pytree.flatten((args, kwargs))
    if trace is not None and not trace.reads:
        trace.debug(Message(text, leaves, treedef))
        return
    local.trace = None
    try:
        message = Message(text, leaves, treedef)
        message.show(message.tensors)
    finally:
        local.trace = trace
