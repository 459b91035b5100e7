"""compile(strict=True): every so many calls the function also runs as it is, on values that it cannot change, and a difference is an error."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad import pytree
from tracegrad.compiler.arguments import Arguments
from tracegrad.compiler.call_trace import CallTrace, NotCompilable
from tracegrad.compiler.compile import Compiled
from tracegrad.compiler.host import hosting
from tracegrad.compiler.places import Replaced
from tracegrad.compiler.quick import Quick
from tracegrad.compiler.state import State
from tracegrad.compiler.watch import watch
from tracegrad.config import local, settings
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import StrictError, explain

_TOLERANCE = {"f": 1e-4, "c": 1e-4, "V": 5e-2}  # relative to the largest element


class Strict(Compiled):
    """A compiled function that compares itself with the function as it is, at every `settings.strict_every`-th call."""

    calls = 0

    def _first(self, *args: Any, **kwargs: Any) -> Any:
        """The function's result.  Raises StrictError where it, or what the function writes, is not what the function itself does."""
        self.calls += 1
        if self.calls % settings.strict_every or local.trace is not None:
            return self._strayed(args, kwargs)
        with self._lock:
            wanted = self._wanted(Arguments(args, kwargs))
            result = self._strayed(args, kwargs)
            if wanted is not None:
                self._compare(wanted, result)
            return result

    def _lead(self, quick: Quick) -> None:
        """Every call is counted: none goes to its path directly."""
        self._shown = quick.tree

    def _wanted(self, call: Arguments) -> Any:
        """What the function gives, and the Tensors that it writes with their values; None for a signature that runs uncompiled."""
        if call.key in self._uncompiled:
            return None
        trace = CallTrace("compile(strict=True)")
        watched = watch(self.function, *call.objects, codes=self._codes, state=self._state)
        floats = Replaced(trace, (), State(trace, watched))
        try:
            with floats, hosting(trace, watched, floats):
                result = self._record(trace, call, watched)
            leaves = [_copied(leaf) for leaf in pytree.flatten(result)[0]]
            written = [
                (base, _copied(base)) for base, _, node in trace.outside.bases.values() if base._node is not node
            ]
            grads = [(t, _copied(getattr(t, "_grad", None))) for t, _ in trace.outside.grads.values()]
        except NotCompilable as stop:
            if self.calls > settings.strict_every or self._trees.get(call.key):
                raise StrictError(
                    explain(
                        "compile",
                        f"the function {stop.reason}, which it did not do when it was compiled",
                        location=stop.location,
                    )
                ) from None
            return None
        finally:
            trace.outside.restore()
            trace.close()
            trace.give_back()
        if trace.given_up is not None or watched.changed():
            reason = trace.given_up[0] if trace.given_up is not None else "changes a Python object"
            raise StrictError(explain("compile", f"the function {reason}, which it did not do when it was compiled"))
        return (
            leaves,
            [(t, v) for t, v in written if id(t) not in trace.given],
            [(t, v) for t, v in grads if id(t) not in trace.given],
        )

    def _compare(self, wanted: Any, result: Any) -> None:
        leaves, written, grads = wanted
        found = [_copied(leaf) for leaf in pytree.flatten(result)[0]]
        if len(found) != len(leaves):
            raise StrictError(explain("compile", f"the program gives {len(found)} values, the function {len(leaves)}"))
        for i, (got, want) in enumerate(zip(found, leaves, strict=True)):
            _check(f"value {i} of the result", got, want)
        for i, (t, want) in enumerate(written):
            _check(f"written Tensor {i} (shape {list(t._data.shape)})", t._data, want)
        for i, (t, want) in enumerate(grads):
            _check(f".grad of Tensor {i} (shape {list(t._data.shape)})", _copied(getattr(t, "_grad", None)), want)


def _copied(leaf: Any) -> Any:
    return leaf._data.copy() if isinstance(leaf, Tensor) else leaf


def _check(what: str, got: Any, want: Any) -> None:
    """Raises StrictError where two values are not the same up to rounding."""
    a, b = np.asarray(got), np.asarray(want)
    if a.dtype.kind in _TOLERANCE and a.shape == b.shape:
        wide = np.complex128 if a.dtype.kind == "c" else np.float64
        a, b = a.astype(wide), b.astype(wide)
        finite = b[np.isfinite(b)]
        tolerance = _TOLERANCE[np.asarray(got).dtype.kind]
        same = np.allclose(a, b, tolerance, tolerance * (np.abs(finite).max() if finite.size else 0.0), equal_nan=True)
    else:
        same = a.shape == b.shape and bool(np.all(a == b))
    if not same:
        problem = (
            f"{what} is {_shown(got)} in the compiled function, but {_shown(want)} where the function runs as it is"
        )
        raise StrictError(
            explain(
                "compile", problem, "It reads or does something that a program does not see; leave that part outside"
            )
        )


def _shown(value: Any) -> str:
    return f"{value.tolist() if isinstance(value, np.ndarray) else value!s:.80}"
