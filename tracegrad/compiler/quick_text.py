"""The tests of a call's arguments as generated text: class, form and history of each, line by line.  Whatever is not as it was leaves the text."""

from __future__ import annotations

import re
from functools import partial
from keyword import iskeyword
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tracegrad import dtypes, pytree
from tracegrad.compiler.kinds import COMPARED, compared, is_opened, is_record
from tracegrad.config import GENERATED, local, settings
from tracegrad.eager.tensor import Parameter, Tensor, handle

if TYPE_CHECKING:
    from tracegrad.compiler.arguments import Arguments
    from tracegrad.compiler.tree import Tree

CO_VARKEYWORDS = 8  # of a code object: it has a parameter **kwargs
SMALL = 4096  # bytes of an array that is known again: only its identity is tested, and the path keeps it alive
ASKED = frozenset(
    ("getattr", "hasattr", "vars", "__dict__", "AttributeError", "suppress")
)  # ways to see that a Tensor has no such attribute

ABSENT = object()  # stands for an argument that a call does not give
RESERVED = re.compile(
    "[a-zA-Z]+[0-9]+|[A-Z]+|rest|more|miss|others|r|error|type|len|tuple|list|dict|float|int|str|bytes|id|Tensor|Parameter|new|default|array|ndarray|unchanged|usual_mode|"
    "compared|handle|run|executable|quiet|function|after|follow|Exception|KeyError|ValueError|RuntimeError"
)  # names that mean something else in the text


class Unusual(Exception):  # noqa: N818  (no error: such a call takes the general path)
    """An argument that generated text does not test."""


def usual_mode(grad: bool) -> bool:
    """Whether this thread is in no other mode than that of gradients, which is `grad`."""
    return (
        local.trace is None
        and local.grad_enabled is grad
        and not local.inference
        and local.watch is None
        and settings.stance != "force_eager"
    )


class Form(NamedTuple):
    """How an array is tested: its name, the name of the array that stood there in the last call, the condition that it has another form, and its bytes."""

    data: str
    before: str
    other: str
    size: int


def any_same(names: list[str]) -> str:
    """The condition that two of these are the same object; "" for less than two."""
    if len(names) > 4:
        return f"len({{{', '.join(f'id({a})' for a in names)}}}) != {len(names)}"
    return " or ".join(f"{a} is {b}" for i, a in enumerate(names) for b in names[:i])


class Tests:
    """The text of the tests, and what it found: `leaves` are the inputs."""

    def __init__(self, tree: Tree, grad: bool) -> None:
        self.tree, self.grad = tree, grad
        self.scope: dict[str, Any] = {
            "ABSENT": ABSENT, "Tensor": Tensor, "Parameter": Parameter, "new": partial(object.__new__, Tensor), "MODE": GENERATED, "default": dtypes.default, "FLOAT": dtypes.default.float,
            "array": np.array, "float64": np.float64, "ndarray": np.ndarray, "unchanged": tree.watched.still_valid, "usual_mode": usual_mode, "compared": compared,
            "handle": handle,
        }  # fmt: skip
        mode = 'if MODE["MODE"] and not usual_mode(True)' if grad else 'if not MODE["MODE"] or not usual_mode(False)'
        self.lines = [f"{mode} or default.float is not FLOAT: break"]
        self.parameters: list[str] = []
        self.named: list[str] = []  # parameters that are given by name
        self.forms: list[Form] = []  # of the arguments, then of what is captured
        self.given = 0  # how many are of the arguments
        self.names: dict[tuple[str, int], str] = {}
        self.shapes: dict[tuple[int, ...], tuple[int, ...]] = {}
        self.leaves: list[tuple[str, str]] = []  # of each input: the expression of its Tensor, and of its array
        self.objects: list[str] = []  # what must not be twice the same
        self.seen: set[int] = set()  # objects that are taken apart
        self.tracked = False
        self.count = 0
        self.asked = not ASKED.isdisjoint(tree.watched.walk.names)

    def name(self, value: Any, letter: str = "s") -> str:
        """A name for a value that the text needs."""
        found = self.names.get((letter, id(value)))
        if found is None:
            self.count += 1
            found = self.names[letter, id(value)] = f"{letter}{self.count}"
            self.scope[found] = value  # which also keeps it alive
        return found

    def fresh(self, letter: str = "a") -> str:
        """A name for what the text computes."""
        self.count += 1
        return f"{letter}{self.count}"

    def unless(self, condition: str) -> None:
        """Leave where the condition holds."""
        self.lines.append(f"if {condition}: break")

    # --- arguments

    def take_call(self, call: Arguments) -> None:
        """Test all arguments."""
        known = {id(o) for o in call.objects}
        self.parameters = [self.fresh() for _ in call.args]
        if by_name(self.tree.watched.roots[0], call.kwargs):
            self.named = list(call.kwargs)
        self.unless(
            "rest or more" if self.named or not call.kwargs else f"rest or tuple(more) != {tuple(call.kwargs)!r}"
        )
        for value, name in zip(call.args, self.parameters, strict=True):
            self.take(value, name, known)
        for name in self.named:
            self.take(call.kwargs[name], name, known)
        if call.kwargs and not self.named:
            self.unpack(tuple(call.kwargs.values()), "more.values()", known)
        self.given = len(self.forms)

    def test_forms(self) -> None:
        """Test shapes and dtypes, and that no Tensor is given twice.  Arrays of the last call are known again, since no two of them are the same one."""
        small = [form for form in self.forms if form.size <= SMALL]
        others = [form.other for form in self.forms if form.size > SMALL]
        if others:
            self.unless(" or ".join(others))
        same = any_same(self.objects)
        own = [form.before for form in self.forms[: self.given] if form.size <= SMALL]
        if same and len(own) < len(self.objects):  # not all of them have an array that is known again
            self.unless(same)
            same = ""
        if not small:
            return
        known = [f"{form.data} is not {form.before}" for form in small]
        self.lines.append(f"if {' or '.join(known)}:")
        if same:
            self.lines.append(f"    if {same}: break")
        for form, test in zip(small, known, strict=True):
            self.lines.append(f"    if {test} and ({form.other}): break")
        self.lines += ["    others += 1", "    if others % 16 == 1:"]  # others at every call are not worth remembering
        self.lines += [f"        {form.before} = {form.data} if {form.data}.base is None else None" for form in small]
        if same:
            twice = " or ".join(f"{a} is {b} is not None" for i, a in enumerate(own) for b in own[:i])
            self.lines.append(f"        if {twice}: {' = '.join(own)} = None")

    def unpack(self, values: Any, source: str, known: set[int]) -> None:
        """Test the parts of something that can be taken apart."""
        names = [self.fresh() for _ in values]
        if not names:
            return self.unless(f"len({source})")
        self.lines += [f"try: {', '.join(names)}, = {source}", "except ValueError: break"]
        for value, name in zip(values, names, strict=True):
            self.take(value, name, known)
        return None

    def take(self, value: Any, name: str, known: set[int]) -> None:
        """Test one value."""
        kind: Any = type(value)
        if isinstance(value, Tensor):
            self.take_tensor(value, name)
        elif value is None or kind is bool or value is Ellipsis or id(value) in known:
            self.unless(f"{name} is not {self.name(value)}")
        elif kind is float:
            self.take_float(name)
        elif kind is np.ndarray:
            self.take_array(value, name)
        elif kind is tuple or kind is list:
            self.unless(f"type({name}) is not {kind.__name__}")
            self.unpack(value, name, known)
        elif kind is dict:
            self.unless(f"type({name}) is not dict")
            self.take_keys(value, name)
            self.unpack(value.values(), f"{name}.values()", known)
        elif kind is int or kind is str or kind is bytes:
            self.unless(f"type({name}) is not {kind.__name__} or {name} != {self.name(value)}")
        elif isinstance(value, COMPARED) or (
            kind is FunctionType and not (value.__closure__ or value.__defaults__ or value.__kwdefaults__)
        ):
            self.unless(f"{name} is not {self.name(value)}")
        elif pytree.is_namedtuple(kind):
            self.unless(f"type({name}) is not {self.name(kind)}")
            self.unpack(value, name, known)
        elif is_opened(kind):
            self.take_record(value, kind, name, known)
        else:
            key = compared(value, kind)
            if key is None:
                raise Unusual
            self.unless(f"type({name}) is not {self.name(kind)} or compared({name}, type({name})) != {self.name(key)}")

    def take_keys(self, value: dict[Any, Any], name: str) -> None:
        """Test the keys of a dict and their order."""
        if not value or len(value) > 8 or not all(type(key) is str for key in value):
            return self.unless(f"tuple({name}) != {self.name(tuple(value))}")
        keys = [self.fresh("k") for _ in value]
        self.lines += [f"try: {', '.join(keys)}, = {name}", "except ValueError: break"]
        return self.unless(" or ".join(f"{key} != {own!r}" for key, own in zip(keys, value, strict=True)))

    def take_tensor(self, t: Tensor, name: str) -> None:
        """Test a Tensor's class, shape, dtype, and whether it requires grad."""
        if type(t) not in (Tensor, Parameter) or any(k[0] != "_" for k in t.__dict__):
            raise Unusual
        marks = f" or {name}.__dict__" if self.asked else ""
        self.unless(f"type({name}) is not {type(t).__name__}{marks}")
        self.objects.append(name)
        data = self.fresh("d")
        self.test_tensor(t, name, data)
        self.leaves.append((name, data))

    def test_tensor(self, t: Tensor, name: str, data: str) -> None:
        """Test shape, dtype and history, and name the array."""
        node = t._node
        self.lines.append(f"{data} = {name}._data")
        history = f"{name}._node is not None"
        if node is not None and node.needs:
            self.tracked = True
            own = self.fresh("n")
            self.lines.append(f"{own} = {name}._node")
            history = f"{own} is None or not {own}.needs or {own}.op is {'not ' if node.op is None else ''}None"
        elif node is not None:
            raise Unusual
        self.unless(history)
        shape = self.name(self.shapes.setdefault(t._data.shape, t._data.shape))
        other = f"{data}.shape != {shape} or {data}.dtype is not {self.name(t._data.dtype)}"
        self.forms.append(Form(data, self.fresh("b"), other, t._data.nbytes))

    def take_float(self, name: str) -> None:
        """Test a float."""
        self.unless(f"type({name}) is not float")
        data = self.fresh("d")
        self.lines.append(f"{data} = array({name})")
        self.leaves.append((f"handle({data}, None)", data))

    def take_array(self, value: Any, name: str) -> None:
        """Test a NumPy array."""
        if value.dtype.kind not in "biufcV":
            raise Unusual
        shape, dtype = self.name(value.shape), self.name(value.dtype)
        self.unless(f"type({name}) is not ndarray or {name}.shape != {shape} or {name}.dtype is not {dtype}")
        self.leaves.append((f"handle({name}, None)", name))

    def take_record(self, value: Any, kind: Any, name: str, known: set[int]) -> None:
        """Test an object that only holds data."""
        table = getattr(value, "__dict__", None)
        if (
            not is_record(kind)
            or isinstance(value, (dict, list))
            or any("__slots__" in c.__dict__ for c in kind.__mro__)
        ):
            raise Unusual
        if not table or id(value) in self.seen:
            raise Unusual
        self.seen.add(id(value))
        parts = self.fresh()
        self.unless(f"type({name}) is not {self.name(kind)}")
        self.lines.append(f"{parts} = {name}.__dict__")
        self.unless(f"tuple({parts}) != {self.name(tuple(table))}")
        self.objects.append(name)
        self.unpack(table.values(), f"{parts}.values()", known)


def by_name(function: Any, kwargs: dict[str, Any]) -> bool:
    """Whether the named arguments can be parameters of the text: their order means nothing to the function, and the text has no such names itself."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if type(code) is not CodeType or code.co_flags & CO_VARKEYWORDS:
        return False
    return all(k.isidentifier() and not iskeyword(k) and not RESERVED.fullmatch(k) for k in kwargs)
