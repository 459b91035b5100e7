"""Compiled methods: of instances, of classes, overridden ones, and those of objects without a __dict__."""

from __future__ import annotations

import copy

import tracegrad as tg

ONE = tg.ones(1)


class Base:
    scale = 3.0

    @tg.compile
    def apply(self, x):
        return x * self.scale

    @classmethod
    @tg.compile
    def of_class(cls, x):
        return x + cls.scale

    @staticmethod
    @tg.compile
    def plain(x):
        return x - 1

    @property
    @tg.compile
    def doubled(self):
        return ONE * self.scale * 2


class Derived(Base):
    scale = 7.0

    @tg.compile
    def apply(self, x):
        return super().apply(x) + 1


class Slotted:
    __slots__ = ("scale",)

    def __init__(self, scale):
        self.scale = scale

    @tg.compile
    def apply(self, x):
        return x * self.scale


def test_super_calls_the_method_of_the_base_class():
    made = Derived()
    assert [made.apply(ONE * k).item() for k in (1, 2)] == [8.0, 15.0]
    assert Base().apply(ONE).item() == 3.0


def test_a_class_method_has_a_program_for_each_class():
    assert [Base.of_class(ONE).item(), Derived.of_class(ONE).item(), Derived().of_class(ONE).item()] == [4.0, 8.0, 8.0]
    Base.scale = 4.0
    try:
        assert [Base.of_class(ONE).item(), Derived.of_class(ONE).item()] == [5.0, 8.0]
    finally:
        Base.scale = 3.0


def test_static_methods_and_properties_are_compiled():
    assert [Base.plain(ONE).item(), Base().plain(ONE).item(), Base().doubled.item()] == [0.0, 0.0, 6.0]


def test_objects_with_slots_have_compiled_methods():
    first, second = Slotted(2.0), Slotted(5.0)
    assert [first.apply(ONE).item(), second.apply(ONE).item(), first.apply(ONE).item()] == [2.0, 5.0, 2.0]
    assert first.apply is first.apply


def test_a_copy_has_programs_of_its_own():
    made = Base()
    made.apply(ONE)
    other = copy.deepcopy(made)
    other.scale = 5.0
    assert [made.apply(ONE).item(), other.apply(ONE).item()] == [3.0, 5.0]
