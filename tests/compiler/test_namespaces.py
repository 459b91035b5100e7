"""Classes of text that exec() runs are the user's, whatever module they say that they are of."""

from __future__ import annotations

import sys
import types

import pytest

import tracegrad as tg

TEXT = """
class Config:
    rate = 1.0

class Holder:
    scale = 3.0

    def __init__(self):
        self.k = 2.0

    @classmethod
    @tg.compile
    def of_class(cls, x):
        return x * cls.scale

    @tg.compile
    def apply(self, x):
        return x * self.k * self.scale

@tg.compile
def rated(x):
    return x * Config.rate

one, holder = tg.ones(1), Holder()
found = [Holder.of_class(one), holder.apply(one), rated(one)]
Holder.scale, holder.k, Config.rate = 5.0, 3.0, 2.0
found += [Holder.of_class(one), holder.apply(one), rated(one)]
holder.scale = 7.0
found += [holder.apply(one)]
"""


def by_hand():
    made = types.ModuleType("made_by_hand")
    return vars(made), made


NAMESPACES = {
    "without a name": lambda: ({}, None),
    "of no module": lambda: ({"__name__": "nowhere"}, None),
    "of a module made by hand": by_hand,
}


@pytest.mark.parametrize("name", NAMESPACES)
def test_attributes_of_such_classes_are_compared(name, monkeypatch):
    names, module = NAMESPACES[name]()
    if module is not None:
        monkeypatch.setitem(sys.modules, module.__name__, module)
    scope = {"tg": tg, **names}
    exec(TEXT, scope)
    assert [t.item() for t in scope["found"]] == [3.0, 6.0, 1.0, 5.0, 15.0, 2.0, 21.0]
