"""The comparison of a function's surroundings as generated text: a test per place, each a few instructions.

It answers yes only where every place holds the very object that it held; all else is left to the comparison in loops (watch.py), which knows what is equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from operator import is_
from types import FunctionType
from typing import TYPE_CHECKING, Any

from tracegrad.compiler.walk import content, state_kind
from tracegrad.eager.tensor import Parameter, Tensor, raw

if TYPE_CHECKING:
    from tracegrad.compiler.watch import Surroundings

FAILURES = "(KeyError, ValueError, RuntimeError)"  # an entry that is gone, an empty cell, another length
VALUES = type({}.values())
LONG = 16  # entries of a container that are tested one by one
Name = Callable[[Any], str]


def _test_of_kind(place: str, kind: Any, name: Name) -> str:
    """The condition that a place of the function's own state holds what it may."""
    if kind is int or kind is float:
        return f"type({place}) is {kind.__name__}"
    return f"{name(state_kind)}({place}) == {name(kind)}"


def tests_of(watched: Surroundings, name: Name) -> tuple[list[str], list[str]]:
    """Statements, and the conditions that hold behind them where all is as it was.  `name` gives a name in the text for a value."""
    items = iter(watched.items)
    free, kinds = watched.free_floats(), watched.free_kinds()
    containers, tables = watched.sizes()
    lines: list[str] = []
    conditions: list[str] = []
    empty: list[str] = []
    position = 0

    def same(place: str) -> None:
        nonlocal position
        value = next(items)
        if position in kinds:
            conditions.append(_test_of_kind(place, kinds[position], name))
        else:
            conditions.append(f"type({place}) is float" if position in free else f"{place} is {name(value)}")
        position += 1

    for container, length in containers:
        if not length:
            if type(container) is not VALUES:  # it follows its dict
                empty.append(name(container))
        elif length <= LONG:
            parts = [f"x{position + i}" for i in range(length)]
            lines.append(f"{', '.join(parts)}, = {name(container)}")
            for part in parts:
                same(part)
        else:
            values = [next(items) for _ in range(length)]
            held = name(container)
            conditions.append(f"len({held}) == {length} and {name(_whole)}({held}, {name(values)})")
            position += length
    walk = watched.walk
    near: dict[int, str] = {}  # tables with several entries have a local name
    many = Counter([id(holder) for holder, _, _ in walk.entries])
    for holder, key, _ in walk.entries:
        own = name(holder)
        if many[id(holder)] > 2:
            if id(holder) not in near:
                near[id(holder)] = f"y{len(near)}"
                lines.append(f"{near[id(holder)]} = {own}")
            own = near[id(holder)]
        same(f"{own}[{repr(key) if type(key) is str else name(key)}]")
    for cell, _ in walk.cells:
        same(f"{name(cell)}.cell_contents")
    for function, _ in walk.functions:
        same(f"{name(function)}.__code__")
    for read in watched.getters:
        same(f"{name(read)}()")
    conditions += [f"len({name(table)}) == {length}" for table, length in tables]
    conditions += [f"{name(content)}({name(read)}()) == {name(was)}" for read, was in walk.arrays]
    for t, (shape, dtype, needs) in watched.forms:
        own, value = name(t), f"z{len(conditions)}"  # wherever it lies
        conditions.append(f"({value} := {name(raw)}({own})).shape == {name(shape)} and {value}.dtype is {name(dtype)}")
        usual = type(t) in (Tensor, Parameter)
        node = f"({own}._node is not None and {own}._node.needs)" if usual else f"{own}.requires_grad"
        conditions.append(f"{node} is {needs}")
    return lines, [*([f"not ({' or '.join(empty)})"] if empty else []), *conditions]


def _whole(container: Any, values: list[Any]) -> bool:
    return all(map(is_, container, values))


def holding(watched: Surroundings) -> Callable[[], bool]:
    """A function that says whether every place holds the very object that it holds now."""
    scope: dict[str, Any] = {}
    known: dict[int, str] = {}

    def name(value: Any) -> str:
        found = known.get(id(value))
        if found is None:
            found = known[id(value)] = f"v{len(known)}"
            scope[found] = value
        return found

    lines, conditions = tests_of(watched, name)
    body = [*lines, f"return {' and '.join(conditions) or True}"]
    text = "def holds():\n try:\n" + "".join(f"  {line}\n" for line in body) + f" except {FAILURES}: return False\n"
    exec(compile(text, "<generated comparison>", "exec"), scope)
    holds: FunctionType = scope["holds"]
    return holds
