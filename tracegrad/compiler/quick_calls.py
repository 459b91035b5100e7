"""How a compiled function is called: by the generated path of the signature that was used last, then by other ones, then by the function that knows all cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tracegrad.autograd.anomaly import Anomaly
from tracegrad.compiler.arguments import Arguments
from tracegrad.compiler.quick import MISS, Quick, given, quick_call
from tracegrad.compiler.recent import Recent
from tracegrad.config import local, settings
from tracegrad.eager.tensor import raw

if TYPE_CHECKING:
    from tracegrad.compiler.tree import Tree

QUICK = 4  # generated call paths that are tried before all others


class Called:
    """What can be called: `__call__` is a function of each object's own, since one more function between the caller and the text would take as long as the tests in it."""

    __slots__ = ("__call__",)

    __call__: Callable[..., Any]
    function: Callable[..., Any]
    _shown: Tree | None
    _general: Callable[[tuple[Any, ...], dict[str, Any]], Any]

    def _begin(self, limit: int) -> None:
        """Know no path.  At most `limit` are kept."""
        self._quick: tuple[Quick, ...] = ()  # the paths of the signatures that were used last
        self._quicks: Recent[Any, Quick] = Recent(limit)  # by the shapes of their positional arguments
        self._strays = 0  # calls that the leading path left to others
        self.__call__ = self._first

    def _first(self, *args: Any, **kwargs: Any) -> Any:
        """A call before there is a path."""
        return self._strayed(args, kwargs)

    def _strayed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of a call that is not of the signature that was used last."""
        args, kwargs = given(args, kwargs)
        for quick in self._quick:
            if quick.call is self.__call__:  # which has just been tried
                continue
            result = quick.tested(*args, **kwargs)
            if result is not MISS:
                self._shown = quick.tree
                self._strays += 1
                if not self._strays % 4:  # where calls of two kinds alternate, one of them leads most of the time
                    self._lead(quick)
                return result
        # inside another recording: part of that program; anomaly mode looks at each step
        if local.trace is not None or settings.stance == "force_eager" or Anomaly.enabled:
            return self.function(*args, **kwargs)
        found = None if kwargs or not self._quicks else self._quicks.get(_shapes(args))
        if found is not None:
            result = found.tested(*args)
            if result is not MISS:
                self._quick = (*self._quick[1 - QUICK :], found)
                self._lead(found)
                return result
        return self._general(args, kwargs)

    def _lead(self, quick: Quick) -> None:
        """Let a path be the one that the next call takes."""
        self._shown = quick.tree
        self.__call__ = quick.call

    def _remember(self, call: Arguments, tree: Tree) -> None:
        """Make the tree the one that the next call tries first."""
        self._shown = tree
        if tree.quick is None:
            tree.quick = quick_call(tree, call, self._strayed) or False
            if tree.quick and not call.kwargs and (shapes := _shapes(call.args)) is not None:
                self._quicks.put(shapes, tree.quick)
        if tree.quick:
            if tree.quick not in self._quick:
                self._quick = (*self._quick[1 - QUICK :], tree.quick)
            self._lead(tree.quick)


def _shapes(args: tuple[Any, ...]) -> Any:
    """The shapes of Tensors, None for floats; None where there is something else among the arguments."""
    try:
        return tuple([None if type(a) is float else raw(a).shape for a in args])
    except TypeError:
        return None
