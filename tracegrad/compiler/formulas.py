"""Formulas for the numbers in emitted text: how each follows from the numbers of the recorded graph.

Recordings give samples: the graph's numbers, and a number of the text.  A formula is one that gives exactly the text's number for every sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import combinations_with_replacement, product
from math import prod
from typing import NamedTuple

import numpy as np

from tracegrad.compiler.sizes import Number

Column = tuple[Number, ...]  # one number per sample
LARGEST = 12  # different varying numbers among which products of three are tried
STEPS = (-1, 1, -2, 2)
MERGED = 4e-15  # relative difference of constants that were merged in another order
SINGLE = 2e-7  # relative difference of what was rounded to float32


class Formula(NamedTuple):
    """A number from those of a graph: `apply` of the numbers at `places`."""

    kind: str
    places: tuple[int, ...]
    constant: Number
    apply: Callable[..., Number]

    def __call__(self, numbers: Sequence[Number]) -> Number:
        """Its value.  Raises ArithmeticError where it has none."""
        return self.apply(self.constant, *[numbers[p] for p in self.places])


class Columns:
    """The numbers of the samples, each with its first place; numbers that were equal in all samples are one."""

    def __init__(self, samples: Sequence[Sequence[Number]]) -> None:
        self.count = len(samples)
        self.same: list[int] = []  # for each place the first one with the same numbers
        self.fixed: dict[int, Number] = {}  # places whose number did not vary
        first: dict[Column, int] = {}
        for place, column in enumerate(zip(*samples, strict=True)):
            if all(v == column[0] for v in column):
                self.fixed[place] = column[0]
                self.same.append(place)
            else:
                self.same.append(first.setdefault(column, place))
        self.varying = {place: column for column, place in first.items()}

    def fits(self, numbers: Sequence[Number]) -> bool:
        """Whether other numbers have all that the samples had in common: what did not vary, and what was equal."""
        return all(numbers[p] == v for p, v in self.fixed.items()) and all(
            numbers[p] == numbers[q] for p, q in enumerate(self.same)
        )

    def formulas(self, wanted: Column) -> list[Formula]:
        """All formulas that give a number of the text; most of them say the same in other words."""
        real = type(wanted[0]) is float
        every = (*self._equal(real), *self._simple(wanted, real), *self._products(wanted, real))
        found = [f for f in every if self._gives(f, wanted)]
        return found or (list(self._monomials(wanted)) if real and len(self.varying) <= LARGEST else [])

    def _gives(self, formula: Formula, wanted: Column) -> bool:
        for i, value in enumerate(wanted):
            try:
                made = formula.apply(formula.constant, *[self.varying[p][i] for p in formula.places])
            except ArithmeticError:
                return False
            if made != value or type(made) is not type(value):
                return False
        return True

    def _monomials(self, wanted: Column) -> Iterable[Formula]:
        """Products of two or three quantities and reciprocals, as constants are merged: up to rounding, since these come in any order."""
        if self.count < 2 or 0.0 in wanted:
            return
        for count in (2, 3):
            for places in combinations_with_replacement(self.varying, count):
                for signs in product((1, -1), repeat=count):
                    of = partial(_monomial, signs)
                    base = [of(*[self.varying[p][i] for p in places]) for i in range(self.count)]
                    constants = [w / b for w, b in zip(wanted, base, strict=True)]
                    if max(constants) - min(constants) <= MERGED * abs(constants[0]):
                        yield Formula("monomial", places, _nice(constants[0]), lambda k, *v, of=of: k * of(*v))

    def _equal(self, real: bool) -> Iterable[Formula]:
        for place in self.varying:
            yield Formula("equal", (place,), 1, _as_float if real else _as_int)

    def _simple(self, wanted: Column, real: bool) -> Iterable[Formula]:
        for place, column in self.varying.items():
            yield from _of_one(wanted, real, (place,), [abs(v) for v in column], lambda *v: abs(v[0]))
            if not real:
                yield Formula("sum", (place,), wanted[0] - abs(column[0]), lambda k, v: abs(v) + k)
            for step in STEPS if real else ():
                moved = [abs(v) + step for v in column]
                yield from _of_one(wanted, real, (place,), moved, lambda *v, step=step: abs(v[0]) + step)

    def _products(self, wanted: Column, real: bool) -> Iterable[Formula]:
        for count in (2, 3) if len(self.varying) <= LARGEST else (2,):
            for places in combinations_with_replacement(self.varying, count):
                made = [prod(abs(self.varying[p][i]) for p in places) for i in range(self.count)]
                yield from _of_one(wanted, real, places, made, lambda *v: prod(map(abs, v)))
                if real:
                    made = [v - 1 for v in made]
                    yield from _of_one(wanted, real, places, made, lambda *v: prod(map(abs, v)) - 1)
        for above in self.varying if real else ():
            for below in self.varying:
                ratio = [abs(v) / abs(w) for v, w in zip(self.varying[above], self.varying[below], strict=True)]
                yield from _of_one(wanted, real, (above, below), ratio, lambda v, w: abs(v) / abs(w))


def _of_one(
    wanted: Column, real: bool, places: tuple[int, ...], base: list[Number], of: Callable[..., Number]
) -> Iterable[Formula]:
    """Formulas from one quantity of the graph, whose values are `base`: multiples and fractions."""
    if any(v == 0 for v in base):
        return
    if real:
        if 0.0 in wanted:
            return
        for k in _constants(wanted[0] * base[0], wanted[-1] * base[-1]):
            yield Formula("over", places, k, lambda k, *v: k / of(*v))
            yield Formula("times reciprocal", places, k, lambda k, *v: k * (1.0 / of(*v)))
        for k in _constants(wanted[0] * base[0], wanted[-1] * base[-1], SINGLE):
            yield Formula("over, in float32", places, k, lambda k, *v: single(k / of(*v)))
            yield Formula("times reciprocal, in float32", places, k, lambda k, *v: k * single(1.0 / of(*v)))
        for k in _constants(wanted[0] / base[0], wanted[-1] / base[-1]):
            yield Formula("times", places, k, lambda k, *v: k * of(*v))
        return
    if wanted[0] % base[0] == 0:
        yield Formula("times", places, wanted[0] // base[0], lambda k, *v: k * of(*v))
    if wanted[0] and base[0] % wanted[0] == 0:
        yield Formula("part", places, base[0] // wanted[0], lambda k, *v: _exact_part(of(*v), k))


def _as_float(k: Number, v: Number) -> Number:
    return float(abs(v))


def _as_int(k: Number, v: Number) -> Number:
    return int(abs(v)) if v == int(v) else abs(v)


def _exact_part(value: Number, k: Number) -> Number:
    if k == 0 or value % k:
        raise ArithmeticError("does not divide")
    return value // k


def _monomial(signs: tuple[int, ...], *values: Number) -> float:
    """The product of values and reciprocals."""
    made = 1.0
    for sign, value in zip(signs, values, strict=True):
        made = made * abs(value) if sign > 0 else made / abs(value)
    return made


def _nice(value: float) -> float:
    """The whole number that a value is but for rounding, or the value."""
    return float(round(value)) if abs(value - round(value)) <= MERGED * abs(value) else value


def single(value: Number) -> float:
    """A number rounded to float32, as a constant of a float32 program may be."""
    return float(np.float32(value))


def _constants(first: float, last: float, rounding: float = 1e-12) -> list[float]:
    """The constants of which two measured values can be roundings."""
    if abs(first - last) > rounding * abs(first):
        return []
    measured = (first, last) if rounding < SINGLE else ()
    return list(dict.fromkeys(k for k in (float(round(first)), round(first * 4) / 4, *measured) if k))
