"""Whatever a function reads besides its arguments is never frozen: each way of reading, and a change of it between calls."""

from __future__ import annotations

import argparse
import array
import collections
import contextvars
import dataclasses
import enum
import functools
import sys
import threading
import types
import weakref

import numpy as np
import pytest

import tracegrad as tg

X = tg.tensor([1.0, 2.0])
ACTIVATION = tg.relu
SCALAR = np.float32(2.0)
VARIABLE = contextvars.ContextVar("VARIABLE")


class Kind(enum.Enum):
    SMALL = 1
    LARGE = 2


class Tools:
    """Has its functions and values on the class."""

    factor = 2.0
    table = {"a": [1.0]}  # noqa: RUF012

    @staticmethod
    def static(x):
        return x * 2

    @classmethod
    def of_class(cls, x):
        return x * cls.factor

    @property
    def scale(self):
        return self.factor * 3

    def method(self, x):
        return x + 1


class Derived(Tools):
    """Inherits."""


class Slotted:
    """Has slots."""

    __slots__ = ("rate",)

    def __init__(self):
        self.rate = 2.0


class Bag(dict):
    """A dict of the user's."""


class Row(collections.UserList):
    """A list of the user's."""


@dataclasses.dataclass
class Options:
    power: int = 2
    inner: dict[str, float] = dataclasses.field(default_factory=lambda: {"a": 1.0})


def helper(x):
    return x * 2


def calls_helper(x):
    return helper(x)


def set_global(name, value):
    setattr(sys.modules[__name__], name, value)


def module_of(name, text):
    module = types.ModuleType(name)
    module.__file__ = f"/home/user/{name}.py"
    exec(compile(text, module.__file__, "exec"), module.__dict__)
    sys.modules[name] = module
    return module


def ways():
    box, options, slotted, bag, row = {"f": helper}, Options(), Slotted(), Bag(k=1.0), Row([1.0])
    tools, derived, space, names = Tools(), Derived(), types.SimpleNamespace(a=1.0), argparse.Namespace(a=1.0)
    mine = module_of("mine_of_the_user", "RATE = 2.0\nTABLE = [1.0]\ndef scaled(x):\n    return x * RATE\n")
    other = module_of("other_of_the_user", "RATE = 2.0\n")
    part = functools.partial(lambda x, k, group: x * k * group["a"], k=2.0, group={"a": 1.0})
    elements, raw, ordered = array.array("d", [2.0]), bytearray(b"ab"), collections.OrderedDict(a=1.0)
    counts, weight, cell = collections.Counter(a=2), tg.ones(2), 1
    point = collections.namedtuple("Point", "x y")([1.0], 2.0)
    registry, local, weak = {"kind": Kind.SMALL}, threading.local(), weakref.ref(options)
    local.rate = 2.0
    VARIABLE.set(2.0)

    def default(x, k=2.0, *, m=3.0):
        return x * k * m

    def nested(x):
        def inner(y):
            return y * options.power

        return inner(x)

    def closed(x):
        return x * cell

    def rebind():
        nonlocal cell
        cell = 5

    def importing(x):
        from other_of_the_user import RATE as rate

        return x * rate

    def decorated(function):
        @functools.wraps(function)
        def inner(*args):
            return function(*args) + options.power

        return inner

    def over_generator(x):
        return sum(x * p for p in row)

    def recursive(x, depth=0):
        return x if depth >= options.power else recursive(x * 2, depth + 1)

    return {
        "static method": (lambda x: Tools.static(x), lambda: setattr(Tools, "static", staticmethod(lambda x: x * 3))),
        "class method": (lambda x: Tools.of_class(x), lambda: setattr(Tools, "factor", 5.0)),
        "bound class method": (Tools.of_class, lambda: setattr(Tools, "factor", 5.0)),
        "property": (lambda x: x * tools.scale, lambda: setattr(Tools, "factor", 5.0)),
        "method replaced": (lambda x: tools.method(x), lambda: setattr(Tools, "method", lambda self, x: x + 7)),
        "method of an instance": (lambda x: tools.method(x), lambda: setattr(tools, "method", lambda x: x + 7)),
        "inherited": (lambda x: x * derived.factor, lambda: setattr(Tools, "factor", 5.0)),
        "inherited, hidden": (lambda x: x * derived.factor, lambda: setattr(Derived, "factor", 5.0)),
        "container of a class": (lambda x: x * Tools.table["a"][0], lambda: Tools.table["a"].__setitem__(0, 4.0)),
        "function in a dict": (lambda x: box["f"](x), lambda: box.update(f=lambda x: x * 5)),
        "helper in the module": (calls_helper, lambda: set_global("helper", lambda x: x * 5)),
        "function of tracegrad in a global": (lambda x: ACTIVATION(x), lambda: set_global("ACTIVATION", tg.tanh)),
        "scalar of NumPy": (lambda x: x * float(SCALAR), lambda: set_global("SCALAR", np.float32(3.0))),
        "dataclass": (lambda x: x**options.power, lambda: setattr(options, "power", 3)),
        "dict in a dataclass": (lambda x: x * options.inner["a"], lambda: options.inner.update(a=3.0)),
        "nested function": (nested, lambda: setattr(options, "power", 3)),
        "slots": (lambda x: x * slotted.rate, lambda: setattr(slotted, "rate", 3.0)),
        "dict of the user's": (lambda x: x * bag["k"], lambda: bag.update(k=3.0)),
        "list of the user's": (lambda x: x * row[0], lambda: row.__setitem__(0, 3.0)),
        "generator expression": (over_generator, lambda: row.append(3.0)),
        "namespace": (lambda x: x * space.a, lambda: setattr(space, "a", 3.0)),
        "arguments of a program": (lambda x: x * names.a, lambda: setattr(names, "a", 3.0)),
        "constant of a module": (lambda x: x * mine.RATE, lambda: setattr(mine, "RATE", 3.0)),
        "list of a module": (lambda x: x * mine.TABLE[0], lambda: mine.TABLE.__setitem__(0, 3.0)),
        "what a function of a module reads": (lambda x: mine.scaled(x), lambda: setattr(mine, "RATE", 3.0)),
        "function of a module": (lambda x: mine.scaled(x), lambda: setattr(mine, "scaled", lambda x: x * 9)),
        "imported inside": (importing, lambda: setattr(other, "RATE", 3.0)),
        "partial": (part, lambda: part.keywords["group"].update(a=3.0)),
        "keyword of a partial": (part, lambda: part.keywords.update(k=3.0)),
        "default": (default, lambda: setattr(default, "__defaults__", (5.0,))),
        "keyword default": (default, lambda: setattr(default, "__kwdefaults__", {"m": 5.0})),
        "code": (default, lambda: setattr(default, "__code__", (lambda x, k=0, *, m=0: x - k - m).__code__)),
        "cell": (closed, rebind),
        "decorator": (decorated(helper), lambda: setattr(options, "power", 3)),
        "array of Python": (lambda x: x * elements[0], lambda: elements.__setitem__(0, 3.0)),
        "bytes": (lambda x: x * raw[0], lambda: raw.__setitem__(0, 3)),
        "ordered dict": (lambda x: x * ordered["a"], lambda: ordered.update(a=3.0)),
        "counter": (lambda x: x * counts["a"], lambda: counts.update("a")),
        "list in a named tuple": (lambda x: x * point.x[0], lambda: point.x.__setitem__(0, 3.0)),
        "enum member": (lambda x: x * registry["kind"].value, lambda: registry.update(kind=Kind.LARGE)),
        "requires_grad": (lambda x: x * (2 if weight.requires_grad else 3), lambda: weight.requires_grad_()),
        "requires_grad of an operand": (
            lambda x: x * weight * (2 if weight.requires_grad else 3),
            lambda: weight.requires_grad_(),
        ),
        "shape": (lambda x: x * weight.shape[0], lambda: setattr(weight, "data", tg.ones(5))),
        "dtype": (lambda x: x.to(weight.dtype), lambda: setattr(weight, "data", tg.ones(2, dtype=tg.float64))),
        "variable of a context": (lambda x: x * VARIABLE.get(), lambda: VARIABLE.set(4.0)),
        "variable of a thread": (lambda x: x * local.rate, lambda: setattr(local, "rate", 4.0)),
        "weak reference": (lambda x: x ** weak().power, lambda: setattr(options, "power", 3)),
        "recursion": (recursive, lambda: setattr(options, "power", 4)),
        "globals by name": (lambda x: x * globals()["SCALAR"].item(), lambda: set_global("SCALAR", np.float32(7.0))),
        "attribute by name": (lambda x: x * getattr(space, "".join("a")), lambda: setattr(space, "a", 3.0)),
        "attributes as a dict": (lambda x: x * vars(space)["a"], lambda: setattr(space, "a", 3.0)),
        "fields": (lambda x: x * dataclasses.asdict(options)["power"], lambda: setattr(options, "power", 3)),
        "default dtype": (lambda x: x.long() * 1.5, lambda: tg.set_default_dtype(tg.float64)),
        "grad mode": (lambda x: x * (2 if tg.is_grad_enabled() else 3), lambda: tg.set_grad_enabled(False)),
    }


@pytest.fixture(autouse=True)
def _as_before():
    kept = {k: globals()[k] for k in ("helper", "ACTIVATION", "SCALAR")}
    classes = [(c, dict(vars(c))) for c in (Tools, Derived)]
    yield
    for name, value in kept.items():
        set_global(name, value)
    for cls, table in classes:
        for name in [n for n in vars(cls) if n not in table and n[:2] != "__"]:
            delattr(cls, name)
        for name, value in table.items():
            if name[:2] != "__":
                setattr(cls, name, value)
    Tools.table["a"][0] = 1.0
    tg.set_default_dtype(tg.float32)
    tg.set_grad_enabled(True)


@pytest.mark.parametrize("name", ways())
def test_a_change_is_seen_by_the_next_call(name):
    function, change = ways()[name]
    fast = tg.compile(function)
    first = function(X)
    for _ in range(3):
        assert repr(fast(X).detach()) == repr(first.detach())
    assert fast.compilations <= 1
    change()
    want = function(X)
    assert repr(want.detach()) != repr(first.detach())
    for _ in range(2):
        assert repr(fast(X).detach()) == repr(want.detach())


INDICES = {
    "a number": lambda x: x[x.argmax().item()] * 2,
    "a number behind the end": lambda x: x[x.argmax().item() - 100],
    "in a tuple": lambda x: x.reshape(10, 10)[x.argmax().item() // 10, 3],
    "in a list": lambda x: x[[x.argmax().item(), 0]],
    "in a list of rows": lambda x: x.reshape(10, 10)[[x.argmax().item() % 10, 0]].sum(1),
    "found by searching": lambda x: x[tg.searchsorted(x.sort()[0], x[0]).item() % 100],
}


@pytest.mark.parametrize("name", INDICES)
def test_an_index_from_item_is_a_value_of_the_program(name):
    function, fast = INDICES[name], tg.compile(INDICES[name])
    tg.manual_seed(1)
    for _ in range(100):
        x = tg.randn(100, dtype=tg.float64, requires_grad=True)
        found, wanted = fast(x), function(x)
        tg.testing.assert_close(found, wanted)
        tg.testing.assert_close(tg.autograd.grad(found.sum(), x), tg.autograd.grad(wanted.sum(), x))
    assert fast.compilations <= 2 and fast.tree.paths == 1


def test_an_index_from_item_that_is_out_of_range_is_an_index_error():
    fast = tg.compile(lambda x, i: x[i.sum().item()])
    assert fast(tg.ones(3), tg.tensor([1, 1])).item() == 1
    for _ in range(2):
        with pytest.raises(IndexError):
            fast(tg.ones(3), tg.tensor([1, 3]))


BOUNDS = {
    "a slice": lambda x: x[: (x > 0).sum().item()].sum(),
    "a slice of columns": lambda x: x.reshape(10, 10)[1:, (x > 1).sum().item() % 10 :].sum(),
    "arange": lambda x: tg.arange((x > 0).sum().item()).sum() + x.sum(),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_from_item_are_sizes_and_no_courses(name):
    function, fast = BOUNDS[name], tg.compile(BOUNDS[name])
    tg.manual_seed(1)
    for _ in range(100):
        x = tg.randn(100, dtype=tg.float64)
        tg.testing.assert_close(fast(x), function(x))
    assert fast.compilations <= 8 and len(fast.tree.courses) == 1
