"""The quick paths of a compiled function, one for each of the sizes that it met lately."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tracegrad.compiler.arguments import Arguments
from tracegrad.compiler.recent import Recent

if TYPE_CHECKING:
    from tracegrad.compiler.tree import Tree
from tracegrad.eager.tensor import Tensor, raw

Quick = Callable[[tuple[Any, ...], dict[str, Any]], Any]


class QuickCalls:
    """Quick paths, and their trees, by the shapes of their positional arguments, which are Tensors and floats."""

    def __init__(self, limit: int) -> None:
        self._found: Recent[Any, tuple[Quick, Tree]] = Recent(limit)

    def find(self, args: tuple[Any, ...]) -> tuple[Quick, Tree] | None:
        """The path for arguments of these shapes, if there is one; it tests them itself."""
        if not self._found:
            return None
        try:
            return self._found.get(tuple([None if type(a) is float else raw(a).shape for a in args]))
        except TypeError:
            return None

    def add(self, call: Arguments, quick: Quick, tree: Tree) -> None:
        """Keep the path for calls such as this one."""
        if not call.kwargs and all(isinstance(a, (Tensor, float)) for a in call.args):
            self._found.put(tuple([None if type(a) is float else raw(a).shape for a in call.args]), (quick, tree))
