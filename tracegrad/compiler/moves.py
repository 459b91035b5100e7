"""Other sizes for the axes of arguments: which change together, and to what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import NamedTuple

from tracegrad.compiler.resized import Axis

LARGE = 200_000  # elements of the arguments from which other sizes are smaller ones
Unit = frozenset[Axis]  # axes that have one size
Change = dict[Axis, int]


class Move(NamedTuple):
    """Axes that get another size together: a prime near the present one, or a multiple of it."""

    unit: Unit
    multiples: bool


def changed(sizes: dict[Axis, int], moves: Sequence[Move], taken: Iterable[int], elements: int, skipped: int) -> Change:
    """A size for each axis that is none of those that are taken: a prime near the present one, or a multiple of it; the first ones that fit are skipped.

    elements   of all arguments: where they are many, other sizes are smaller ones
    """
    known = {*taken, *sizes.values()}
    found: Change = {}
    for unit, multiples in moves:
        chosen: list[int] = []
        for new in _candidates(sizes[next(iter(unit))], multiples, elements > LARGE):
            if new not in known:
                known.add(new)
                chosen.append(new)
            if len(chosen) > skipped:
                break
        found.update(dict.fromkeys(unit, chosen[-1]))
    return found


def _candidates(size: int, multiples: bool, large: bool) -> Iterator[int]:
    if multiples:
        yield from (size * k for k in count(3) if is_prime(k))
    yield from (k for k in count(max(5, size // 8 if large else size)) if is_prime(k))


def is_prime(k: int) -> bool:
    """Whether nothing but 1 and itself divides k."""
    return k > 1 and all(k % d for d in range(2, int(k**0.5) + 1))


def units(axes: Iterable[Axis], sizes: dict[Axis, int]) -> list[Unit]:
    """Axes of one size together."""
    found: dict[int, list[Axis]] = {}
    for axis in axes:
        found.setdefault(sizes[axis], []).append(axis)
    return [frozenset(group) for group in found.values()]


def by_kind(unit: Unit) -> list[Unit]:
    """A unit as its first, second ... axes, and the ints."""
    kinds: dict[int, list[Axis]] = {}
    for axis in sorted(unit):
        kinds.setdefault(axis.dim if axis.argument >= 0 else -1, []).append(axis)
    return [frozenset(group) for group in kinds.values()]
