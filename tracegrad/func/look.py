"""What the branch of a cond that is not taken would return: it is recorded once, to compare its types with those of the other."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from tracegrad import pytree
from tracegrad.compiler.recorder import Trace
from tracegrad.compiler.replay import record
from tracegrad.dtypes import I64
from tracegrad.eager.generator import Generator, default_generator
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.func.bodies import as_tensors, check_same, kind_of
from tracegrad.ir.types import type_of

_KEPT = 10_000
_seen: set[Any] = set()


class _Look(Trace):
    """A recording that nothing comes of."""

    def random_key(self, generator: Generator = default_generator) -> Tensor:
        """Any key: the generator stays as it is."""
        return handle(np.zeros(2, I64), None)

    def put_aside(self, kept: Tensor, value: Tensor) -> bool:
        """Running statistics stay as they are."""
        return True


def check_other_branch(other: Callable[..., Any], operands: Any, found: Any, both: tuple[Any, Any]) -> None:
    """Raise RuntimeError where the branch that was not taken returns another form, other shapes or dtypes than `found`.

    Asked once for a pair of functions and types of operands; a branch that cannot be recorded or that fails on these operands is believed.
    """
    codes = tuple(getattr(f, "__code__", None) for f in both)
    flat, treedef = pytree.flatten(tuple(operands))
    if None in codes or not all(isinstance(leaf, (Tensor, bool, int, float, complex)) for leaf in flat):
        return
    key = (codes, treedef, tuple(kind_of(v) if isinstance(v, Tensor) else type(v) for v in flat))
    if key in _seen:
        return
    if len(_seen) >= _KEPT:
        _seen.clear()
    _seen.add(key)
    trace = _Look("cond")
    try:
        given = [trace.leaf(v._data) if isinstance(v, Tensor) else v for v in flat]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            recorded = record(trace, lambda *a: as_tensors("cond", other(*a)), treedef.unflatten(given), {})
    except Exception:  # noqa: BLE001  (whatever it is, it is no answer)
        return
    leaves, form = pytree.flatten(found)
    have = [type_of(o) for o in recorded.graph.outputs]
    want = [kind_of(v) if isinstance(v, Tensor) else type_of(v)._replace(weak=False) for v in leaves]
    _seen.discard(key)
    check_same("cond", "what true_fn and false_fn return", have, want, (recorded.treedef, form))
    _seen.add(key)
