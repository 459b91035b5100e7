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


def test_what_methods_close_over_is_compared_though_only_a_library_calls_them():
    table, factor = {"k": 2.0}, [3.0]

    class Scaling(tg.nn.Module):
        def forward(self, x):
            return x * table["k"]

    class Tripled(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * factor[0]

        @staticmethod
        def backward(ctx, g):
            return g * factor[0]

    fast, tripled = tg.compile(Scaling()), tg.compile(lambda x: Tripled.apply(x).sum())
    x = tg.ones(1, requires_grad=True)
    assert [fast(x).item(), tripled(x).item()] == [2.0, 3.0]
    table["k"], factor[0] = 5.0, 7.0
    assert [fast(x).item(), tripled(x).item()] == [5.0, 7.0]
    assert tg.autograd.grad(tripled(x), x)[0].item() == 7.0


def test_attributes_of_functions_are_compared():
    def f(x):
        return x * f.factor["k"]

    fast = tg.compile(f)
    found = []
    for factor in ({"k": 1.0}, {"k": 2.0}):
        f.factor = factor
        found.append(fast(tg.ones(1)).item())
    f.factor["k"] = 3.0
    assert [*found, fast(tg.ones(1)).item()] == [1.0, 2.0, 3.0]
