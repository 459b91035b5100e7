"""Floats outside the arguments that programs read at every call, and numbers of a recording that the function left in Python objects."""

from __future__ import annotations

from collections.abc import Iterable
from types import CellType
from typing import Any

import numpy as np

from tracegrad.compiler.call_trace import CallTrace
from tracegrad.compiler.readers import whole_value
from tracegrad.compiler.state import State, settled
from tracegrad.compiler.traced_numbers import TracedNumber, number_class
from tracegrad.compiler.walk import Place
from tracegrad.compiler.watch import Surroundings
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.ir.node import Node


class Replaced:
    """While it is entered, numbers of a recording stand in the places of floats, and its values in those of the state of the function."""

    def __init__(self, trace: CallTrace, places: Iterable[Place], state: State) -> None:
        self.state = state
        self._all: list[tuple[Place, float, Tensor]] = []
        for place in places:
            value = place.read()
            t = handle(np.array(value, np.float64), None)
            t.__dict__["_is_number"] = True
            t.__class__ = number_class(t._data.dtype)
            trace.floats[id(t)] = (t, place)
            self._all.append((place, value, t))
        self._there: list[tuple[Place, float, Tensor]] = []
        trace.replaced = self

    def __enter__(self) -> Replaced:
        for place, _, t in self._all:
            place.put(t)
        self._there = self._all
        self.state.begin()
        return self

    def __exit__(self, *_: Any) -> None:
        """Put the floats back, where the function has put nothing else."""
        self.state.end()
        there, self._there = self._there, []
        for place, value, t in there:
            try:
                if place.read() is t:
                    place.put(value)
                    self._there.append((place, value, t))
            except (KeyError, IndexError, ValueError):  # the function has removed the entry
                continue

    def again(self) -> None:
        """Let the numbers of the recording stand where the floats were put back."""
        for place, _, t in self._there:
            place.put(t)
        self.state.begin()


def changing(trees: Iterable[Any], now: Surroundings, steady: set[Any]) -> frozenset[Any]:
    """The places of floats that are all by which the surroundings differ from those of an earlier recording, and those that changed before."""
    for tree in trees:
        positions = tree.watched.only_floats_differ(now)
        if positions:
            return (tree.watched.variable | {now.walk.floats[i].name() for i in positions}) - steady
    return frozenset()


def decided_by(trace: CallTrace) -> set[Any]:
    """The places whose exact value decides about the course of a recording: these are better compared than read."""
    names = {trace.captured[key][1]: place.name() for key, (_, place) in trace.floats.items() if key in trace.captured}
    found = set()
    stack = [read.node for read in trace.decisions if read.reader is whole_value] if names else []
    seen = set(stack)
    while stack:
        node = stack.pop()
        if node in names:
            found.add(names[node])
        new = [i for i in node.inputs if isinstance(i, Node) and i not in seen] if node.seq > trace.start else []
        seen.update(new)
        stack += new
    return found


def settle(holder: Any, key: Any = None) -> None:
    """Turn numbers of a recording that the function kept in a container, under one name or in a variable into Python's."""
    if key is not None:
        if key in holder and isinstance(holder, dict):
            holder[key] = settled(holder[key])
    elif isinstance(holder, list):
        holder[:] = [settled(v) for v in holder]
    elif isinstance(holder, dict):
        holder.update({k: settled(v) for k, v in holder.items() if isinstance(v, (TracedNumber, list, dict))})
    elif isinstance(holder, CellType):
        holder.cell_contents = settled(holder.cell_contents)
