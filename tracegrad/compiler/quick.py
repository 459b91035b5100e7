"""The call path of one compiled signature as generated text: test the arguments, run, wrap the results.  Anything unusual is a MISS.

For a small function the arithmetic takes a few microseconds, so the path around it is straight-line code without loops over arguments or results.  Programs with
decisions, effects or a place on the tape have the tests generated as well, and run as the tree says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tracegrad.compiler.quick_text import ABSENT, SMALL, Tests, Unusual
from tracegrad.compiler.values import Source
from tracegrad.compiler.watch_text import FAILURES, tests_of
from tracegrad.config import local
from tracegrad.eager.tensor import Tensor
from tracegrad.pytree import TreeDef

if TYPE_CHECKING:
    from tracegrad.compiler.arguments import Arguments
    from tracegrad.compiler.effects import Ending
    from tracegrad.compiler.program import Program
    from tracegrad.compiler.tree import Step, Tree
    from tracegrad.compiler.watch import Surroundings

MISS = object()  # from a call that is not of the usual kind, or whose course has not been recorded
FEW = 24  # comparisons of places outside that stand in the text of the call itself
Miss = Callable[[tuple[Any, ...], dict[str, Any]], Any]


class Quick:
    """The call path of one signature of a compiled function.

    call     called as the function, it leaves what is not of its signature to `miss`, which gets (args, kwargs)
    tested   the same, with MISS as the answer then        tree    what it follows
    """

    def __init__(self, make: Callable[[Miss], Callable[..., Any]], tree: Tree, miss: Miss) -> None:
        self.call, self.tested, self.tree = make(miss), make(_missed), tree


def _missed(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return MISS


def given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call, without those that stand for others that it does not give."""
    if args and args[-1] is ABSENT:
        args = tuple([a for a in args if a is not ABSENT])
    return args, {k: v for k, v in kwargs.items() if v is not ABSENT} if kwargs else kwargs


def quick_call(tree: Tree, call: Arguments, miss: Miss) -> Quick | None:
    """The path of a call's signature; None when it has none.  `miss` is called where a call is not of it."""
    step = tree.root
    if step is None or call.key[2] or (step.piece is not None and step.piece[0].remote):
        return None
    text = _Text(tree, local.grad_enabled, miss)
    try:
        text.take_call(call)
    except Unusual:
        return None
    if step.ending is not None and not tree.catches and _is_plain(tree, step.ending):
        return text.straight(step, step.ending, step.program)
    return text.as_the_tree_says()


def _is_plain(tree: Tree, ending: Ending) -> bool:
    """Whether a program has no effects, and its inputs are arguments, captured Tensors, constants and floats."""
    kinds = all(
        (type(value) is Source and value.kind in ("argument", "captured"))
        if kind == "outside"
        else (kind != "tensor" or value is None)
        for kind, value in ending.leaves
    )
    sources = all(isinstance(source.of, Tensor) for source, _ in tree.captured)
    acts = ending.writes or ending.grads or ending.flags or ending.messages or ending.state or ending.draws
    effects = acts or ending.from_before or not all(h.is_gone for h in ending.histories)
    return kinds and sources and not effects and not tree.grads


class _Text(Tests):
    """The text of one path."""

    def __init__(self, tree: Tree, grad: bool, miss: Miss) -> None:
        super().__init__(tree, grad)
        self.miss = miss

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
            self.take_places(tree.watched)
        for source in tree.values.sources.values():
            if source.kind == "fixed":
                names[source.key()] = (self.name(source.of, "f"), self.name(source.of._data, "f"))
            elif source.kind == "place":
                data = self.fresh("d")
                self.lines.append(f"{data} = array({self.name(source.of.read, 'p')}(), float64)")
                names[source.key()] = (f"handle({data}, None)", data)
        return names

    def take_places(self, watched: Surroundings) -> None:
        """Test what is read outside: here where these are a few places, else in a function that is generated when it has been the same for a while."""
        if watched.size > FEW:
            return self.unless("not unchanged()")
        lines, conditions = tests_of(watched, self.name)
        if not lines and all(".__code__ is " in condition for condition in conditions):  # nothing that can fail
            return self.unless(f"not ({' and '.join(conditions) or True}) and not unchanged()")
        holds = self.fresh("h")
        self.lines.append("try:")
        self.lines += [f"    {line}" for line in [*lines, f"{holds} = {' and '.join(conditions) or True}"]]
        self.lines.append(f"except {FAILURES}: {holds} = False")
        return self.unless(f"not {holds} and not unchanged()")

    def straight(self, step: Step, ending: Ending, program: Program | None) -> Quick | None:
        """The whole call as text."""
        try:
            names = self.take_surroundings()
        except Unusual:
            return None
        self.test_forms()
        known = {key: own for key, (own, _) in names.items()}
        if any(kind == "outside" and value.key() not in known for kind, value in ending.leaves):
            return None
        result, needed = result_text(ending, known)
        self.scope.update(needed)
        ins = [names[self.tree.values.sources[leaf].key()] for leaf in step.ins]
        kinds = [kind for kind, _ in ending.leaves if kind in ("tensor", "number")]
        tracked = self.tracked and self.grad and program is not None and any(program.follows)
        if program is not None and tracked:
            self.scope["run"] = program.run
            self.lines.append(f"r = run([{', '.join(t for t, _ in ins)}])")
        elif program is not None and (copies := _copied(program, [data for _, data in ins])):
            self.lines.append(f"r = {copies}")
        elif program is not None:
            self.scope["executable"] = program.alone
            self.lines += _run_lines(program, self.scope, ", ".join(data for _, data in ins))
        for i, (place, kind) in enumerate(zip(ending.plan, kinds, strict=True)):
            if kind == "number":
                self.lines.append(f"t{i} = r[{place}]{'._data' if tracked else ''}.item()")
            elif tracked:
                self.lines.append(f"t{i} = r[{place}]")
            else:
                self.lines.append(f"t{i} = new(); t{i}._data = r[{place}]; t{i}._node = None")
        shown = [i for i, (kind, _) in enumerate(ending.leaves) if kind in ("tensor", "number")]
        for history in ending.histories:
            own = ", ".join(f"t{shown.index(i)}" for i in history.positions)
            given = ", ".join(t for t, _ in self.leaves)
            self.lines.append(f"{self.name(history.show)}([{own}], [{given}])")
        return self.made(result)

    def as_the_tree_says(self) -> Quick:
        """Only the tests as text."""
        tree = self.tree

        def follow(tensors: list[Tensor]) -> Any:
            if not tree.still_valid(tensors) or tree.shares_memory(tensors):
                return MISS
            return tree.run(tensors)

        self.test_forms()
        self.scope["follow"] = follow
        self.scope["MISS"] = MISS
        self.lines.append(f"r = follow([{', '.join(t for t, _ in self.leaves)}])")
        self.unless("r is MISS")
        return self.made("r")

    def made(self, result: str) -> Quick:
        """The path.  A call that is no such one leaves the loop, which runs once, with what it was given."""
        taken = [*(f"{p}=ABSENT" for p in self.parameters), *(["/"] if self.parameters else []), "*rest"]
        head = ", ".join([*taken, *(f"{k}=ABSENT" for k in self.named), "**more"])
        positional = "".join(f"{p}, " for p in self.parameters)
        by_name = "".join(f"{k!r}: {k}, " for k in self.named)
        befores = [form.before for form in self.forms if form.size <= SMALL]
        held = [f"{' = '.join(befores)} = None", "others = 0"] if befores else []
        lines = ["def make(miss):", *(f"    {line}" for line in held), f"    def quick({head}):"]
        lines += [f"        nonlocal {', '.join(befores)}, others"] if befores else []
        lines += ["        while True:", *(f"            {line}" for line in [*self.lines, f"return {result}"])]
        lines += [f"        return miss(({positional}*rest,), {{{by_name}**more}})", "    return quick", ""]
        exec(compile("\n".join(lines), "<generated call>", "exec"), self.scope)
        return Quick(self.scope["make"], self.tree, self.miss)


def _copied(program: Program, arrays: list[str]) -> str:
    """The results of a program that has nothing to compute, as an expression; "" for other programs."""
    graph = program.graph
    if graph.nodes or getattr(program.executable, "quiet", None) is None:
        return ""
    places = dict(zip(graph.leaves, arrays, strict=True))
    return f"({', '.join(f'array({places[o]})' for o in graph.outputs)},)" if graph.outputs else ""


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


def result_text(ending: Ending, known: dict[Any, str]) -> tuple[str, dict[str, Any]]:
    """Source of the result from t0, t1, ... and the expressions of arguments and captured Tensors by their keys, and the values that it needs."""
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
        if kind in ("tensor", "number"):
            return f"t{next(tensors)}"
        if kind == "outside":
            return known[value.key()]
        scope[f"static{len(scope)}"] = value
        return f"static{len(scope) - 1}{'.copy()' if kind == 'array' else ''}"

    return text(ending.treedef), scope
