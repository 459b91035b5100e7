"""The call path of one compiled signature as generated text: test the arguments, run, wrap the results.  Anything unusual is a MISS.

For a small function the arithmetic takes a few microseconds, so the path around it is straight-line code without loops over arguments or results.  Programs with
decisions, effects or a place on the tape have the tests generated as well, and run as the tree says.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from tracegrad import dtypes, pytree
from tracegrad.compiler.kinds import COMPARED, compared, is_opened, is_record
from tracegrad.config import GENERATED, local, settings
from tracegrad.eager.tensor import Parameter, Tensor, handle
from tracegrad.pytree import TreeDef

if TYPE_CHECKING:
    from tracegrad.compiler.arguments import Arguments
    from tracegrad.compiler.effects import Ending
    from tracegrad.compiler.program import Program
    from tracegrad.compiler.tree import Step, Tree

MISS = object()  # from a call that is not of the usual kind, or whose course has not been recorded
ASKED = frozenset(
    ("getattr", "hasattr", "vars", "__dict__", "AttributeError", "suppress")
)  # ways to see that a Tensor has no such attribute

Call = Callable[[tuple[Any, ...], dict[str, Any]], Any]


class _Unusual(Exception):  # noqa: N818  (no error: such a call takes the general path)
    """An argument that generated text does not test."""


def quick_call(tree: Tree, call: Arguments) -> Call | None:
    """A function from arguments to the result, or to MISS when they are not of this signature; None when the signature has no such path."""
    step = tree.root
    if step is None or call.key[2] or (step.piece is not None and step.piece[0].remote):
        return None
    text = _Text(tree, local.grad_enabled)
    try:
        text.take_call(call)
    except _Unusual:
        return None
    if step.ending is not None and step.program is not None and _is_plain(tree, step.ending):
        return text.straight(step, step.ending, step.program)
    return text.as_the_tree_says()


def _is_plain(tree: Tree, ending: Ending) -> bool:
    """Whether a program has no effects, and its inputs are arguments, captured Tensors, constants and floats."""
    kinds = all(kind == "static" or (kind == "tensor" and value is None) for kind, value in ending.leaves)
    sources = all(isinstance(source.of, Tensor) for source, _ in tree.captured)
    effects = ending.writes or ending.grads or ending.messages or ending.draws or ending.from_before or ending.histories
    return kinds and sources and not effects and not tree.grads


def usual_mode(grad: bool) -> bool:
    """Whether this thread is in no other mode than that of gradients, which is `grad`."""
    return (
        local.trace is None
        and local.grad_enabled is grad
        and not local.inference
        and local.watch is None
        and settings.stance != "force_eager"
    )


class _Text:
    """The text of one path."""

    def __init__(self, tree: Tree, grad: bool) -> None:
        self.tree, self.grad = tree, grad
        self.scope: dict[str, Any] = {
            "MISS": MISS, "Tensor": Tensor, "Parameter": Parameter, "new": object.__new__, "MODE": GENERATED, "default": dtypes.default, "FLOAT": dtypes.default.float,
            "array": np.array, "float64": np.float64, "ndarray": np.ndarray, "unchanged": tree.watched.still_valid, "usual_mode": usual_mode, "compared": compared,
            "handle": handle,
        }  # fmt: skip
        mode = 'if MODE["MODE"] and not usual_mode(True)' if grad else 'if not MODE["MODE"] or not usual_mode(False)'
        self.lines = [f"{mode} or default.float is not FLOAT: return MISS"]
        self.leaves: list[tuple[str, str]] = []  # of each input: the expression of its Tensor, and of its array
        self.objects: list[str] = []  # what must not be twice the same
        self.seen: set[int] = set()  # objects that are taken apart
        self.tracked = False
        self.count = 0
        self.asked = not ASKED.isdisjoint(tree.watched.walk.names)

    def name(self, value: Any, letter: str = "s") -> str:
        """A name for a value that the text needs."""
        self.count += 1
        self.scope[f"{letter}{self.count}"] = value
        return f"{letter}{self.count}"

    def fresh(self, letter: str = "a") -> str:
        """A name for what the text computes."""
        self.count += 1
        return f"{letter}{self.count}"

    def unless(self, condition: str) -> None:
        """Leave where the condition holds."""
        self.lines.append(f"if {condition}: return MISS")

    # --- arguments

    def take_call(self, call: Arguments) -> None:
        """Test all arguments."""
        known = {id(o) for o in call.objects}
        self.unless(f"len(args) != {len(call.args)}" + ("" if call.kwargs else " or kwargs"))
        self.unpack(call.args, "args", known)
        if call.kwargs:
            self.unless(f"tuple(kwargs) != {tuple(call.kwargs)!r}")
            self.unpack(tuple(call.kwargs.values()), "kwargs.values()", known)
        many = self.objects
        if 2 <= len(many) <= 4:
            self.unless(" or ".join(f"{a} is {b}" for i, a in enumerate(many) for b in many[:i]))
        elif many:
            self.unless(f"len({{{', '.join(f'id({a})' for a in many)}}}) != {len(many)}")

    def unpack(self, values: Any, source: str, known: set[int]) -> None:
        """Test the parts of something, whose number is known."""
        names = [self.fresh() for _ in values]
        if names:
            self.lines.append(f"{', '.join(names)}, = {source}")
        for value, name in zip(values, names, strict=True):
            self.take(value, name, known)

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
            self.unless(f"type({name}) is not {kind.__name__} or len({name}) != {len(value)}")
            self.unpack(value, name, known)
        elif kind is dict:
            self.unless(f"type({name}) is not dict or tuple({name}) != {self.name(tuple(value))}")
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
                raise _Unusual
            self.unless(f"type({name}) is not {self.name(kind)} or compared({name}, type({name})) != {self.name(key)}")

    def take_tensor(self, t: Tensor, name: str) -> None:
        """Test a Tensor's class, shape, dtype, and whether it requires grad."""
        if type(t) not in (Tensor, Parameter) or any(k[0] != "_" for k in t.__dict__):
            raise _Unusual
        marks = f" or {name}.__dict__" if self.asked else ""
        self.unless(f"type({name}) is not {type(t).__name__}{marks}")
        self.objects.append(name)
        data = self.fresh("d")
        self.test_tensor(t, name, data)
        self.leaves.append((name, data))

    def test_tensor(self, t: Tensor, name: str, data: str) -> None:
        """Test shape, dtype and history, and name the array."""
        shape, dtype, node = self.name(t._data.shape), self.name(t._data.dtype), t._node
        self.lines.append(f"{data} = {name}._data")
        history = f"{name}._node is not None"
        if node is not None and node.needs:
            self.tracked = True
            own = self.fresh("n")
            self.lines.append(f"{own} = {name}._node")
            history = f"{own} is None or not {own}.needs or {own}.op is {'not ' if node.op is None else ''}None"
        elif node is not None:
            raise _Unusual
        self.unless(f"{history} or {data}.shape != {shape} or {data}.dtype is not {dtype}")

    def take_float(self, name: str) -> None:
        """Test a float."""
        self.unless(f"type({name}) is not float")
        data = self.fresh("d")
        self.lines.append(f"{data} = array({name}, float64)")
        self.leaves.append((f"handle({data}, None)", data))

    def take_array(self, value: Any, name: str) -> None:
        """Test a NumPy array."""
        if value.dtype.kind not in "biufcV":
            raise _Unusual
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
            raise _Unusual
        if not table or id(value) in self.seen:
            raise _Unusual
        self.seen.add(id(value))
        parts = self.fresh()
        self.unless(f"type({name}) is not {self.name(kind)}")
        self.lines.append(f"{parts} = {name}.__dict__")
        self.unless(f"tuple({parts}) != {self.name(tuple(table))}")
        self.objects.append(name)
        self.unpack(table.values(), f"{parts}.values()", known)

    # --- what follows

    def take_surroundings(self) -> dict[Any, tuple[str, str]]:
        """Test captured Tensors and the rest of the surroundings; gives the expressions of all inputs by their source."""
        tree = self.tree
        names = {("argument", i): pair for i, pair in enumerate(self.leaves)}
        for key, t in {source.key(): source.of for source, _ in tree.captured}.items():
            own, data = self.name(t, "c"), self.fresh("e")
            names[key] = (own, data)
            self.test_tensor(t, own, data)
        if tree.watched:
            tests = [f"{self.name(thing)}{text} is {self.name(v)}" for thing, text, v in tree.watched.simple()]
            self.unless(f"not ({' and '.join(tests) or False}) and not unchanged()")
        for source in tree.values.sources.values():
            if source.kind == "fixed":
                names[source.key()] = (self.name(source.of, "f"), self.name(source.of._data, "f"))
            elif source.kind == "place":
                data = self.fresh("d")
                self.lines.append(f"{data} = array({self.name(source.of.read, 'p')}(), float64)")
                names[source.key()] = (f"handle({data}, None)", data)
        return names

    def straight(self, step: Step, ending: Ending, program: Program) -> Call | None:
        """The whole call as text."""
        try:
            names = self.take_surroundings()
        except _Unusual:
            return None
        result, needed = result_text(ending)
        self.scope.update(needed)
        ins = [names[self.tree.values.sources[leaf].key()] for leaf in step.ins]
        if self.tracked and self.grad:
            self.scope["run"] = program.run
            self.lines.append(f"r = run([{', '.join(t for t, _ in ins)}])")
            self.lines += [f"t{i} = r[{place}]" for i, place in enumerate(ending.plan)]
        else:
            self.scope["executable"] = program.alone
            self.lines += _run_lines(program, self.scope, ", ".join(data for _, data in ins))
            for i, place in enumerate(ending.plan):
                self.lines.append(f"t{i} = new(Tensor); t{i}._data = r[{place}]; t{i}._node = None")
        return self.made(result)

    def as_the_tree_says(self) -> Call:
        """Only the tests as text."""
        tree = self.tree

        def follow(tensors: list[Tensor]) -> Any:
            if not tree.still_valid(tensors) or tree.shares_memory(tensors):
                return MISS
            return tree.run(tensors)

        self.scope["follow"] = follow
        return self.made(f"follow([{', '.join(t for t, _ in self.leaves)}])")

    def made(self, result: str) -> Call:
        """The function."""
        text = "def quick(args, kwargs):\n" + "".join(f"    {line}\n" for line in [*self.lines, f"return {result}"])
        exec(compile(text, "<generated call>", "exec"), self.scope)
        return self.scope["quick"]  # type: ignore[no-any-return]


def _run_lines(program: Program, scope: dict[str, Any], arrays: str) -> list[str]:
    quiet = getattr(program.executable, "quiet", None)
    if quiet is None:
        return [f"r = executable({arrays})"]
    scope["quiet"], scope["function"] = quiet, program.executable.function  # type: ignore[attr-defined]
    scope["after"] = program.executable.after  # type: ignore[attr-defined]
    return [
        f"try: r = quiet(function, {arrays})" if arrays else "try: r = quiet(function)",
        f"except Exception as error: r = after(error, ({arrays}{',' if arrays else ''}))",
    ]


def result_text(ending: Ending) -> tuple[str, dict[str, Any]]:
    """Source of the result from t0, t1, ..., and the values that it needs."""
    scope: dict[str, Any] = {}
    given = iter(ending.leaves)
    tensors = iter(range(len(ending.leaves)))

    def text(tree: TreeDef) -> str:
        if isinstance(tree.kind, str):
            return leaf_text() if tree.leaf_count else "None"
        parts = [text(child) for child in tree.children]
        if tree.kind is tuple:
            return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        if tree.kind is list:
            return f"[{', '.join(parts)}]"
        if tree.kind is dict and all(type(key) is str for key in tree.meta):
            return "{" + ", ".join(f"{key!r}: {part}" for key, part in zip(tree.meta, parts, strict=True)) + "}"
        scope[f"close{len(scope)}"] = tree.close
        return f"close{len(scope) - 1}([{', '.join(parts)}])"

    def leaf_text() -> str:
        kind, value = next(given)
        if kind == "tensor":
            return f"t{next(tensors)}"
        scope[f"static{len(scope)}"] = value
        return f"static{len(scope) - 1}"

    return text(ending.treedef), scope
