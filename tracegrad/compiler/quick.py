"""The call path of one compiled signature as generated text: test the arguments, run, wrap the results.  Anything unusual is a MISS.

For a small function the arithmetic takes a few microseconds, so the path around it is straight-line code without loops over arguments or results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tracegrad import dtypes
from tracegrad.config import GENERATED
from tracegrad.eager.tensor import Parameter, Tensor
from tracegrad.pytree import TreeDef

if TYPE_CHECKING:
    from tracegrad.compiler.program import Program
    from tracegrad.compiler.tree import Tree

MISS = object()  # from a call that is not of the usual kind, or whose course has not been recorded


def quick_call(tree: Tree, args: Sequence[Any]) -> Callable[[tuple[Any, ...]], Any] | None:
    """A function from the tuple of positional arguments to the result, or to MISS when they are not of this entry's signature.

    None when the signature has no such path: nested arguments, random numbers, results in unusual containers.
    """
    step = tree.root
    if step is None or step.ending is None or step.program is None or tree.grads or tree.paths != 1:
        return None
    ending, program = step.ending, step.program
    captured = {source.key(): t for source, _ in tree.captured if isinstance(t := source.of, Tensor)}
    plain = all(kind in ("tensor", "static") for kind, _ in ending.leaves) and len(captured) == len(tree.captured)
    if not plain or ending.writes or ending.grads or ending.draws or ending.from_before:
        return None
    statics = {i: value for i, (kind, value) in enumerate(ending.leaves) if kind == "static"}
    result = result_text(ending.treedef, statics)
    if result is None or not all(type(a) is float or (type(a) in (Tensor, Parameter) and a._node is None) for a in args):
        return None
    scope: dict[str, Any] = {
        "MISS": MISS, "Tensor": Tensor, "Parameter": Parameter, "new": object.__new__, "MODE": GENERATED, "default": dtypes.default, "FLOAT": dtypes.default.float,
        "array": np.array, "float64": np.float64, "executable": program.alone, "unchanged": tree.watched.still_valid,
        **{f"static{i}": value for i, value in statics.items()},
    }  # fmt: skip
    lines = ['if MODE["MODE"] or default.float is not FLOAT: return MISS']
    if args:
        lines.append(f"{', '.join(f'a{i}' for i in range(len(args)))}, = args")
    for i, a in enumerate(args):
        if type(a) is float:
            lines += [f"if type(a{i}) is not float: return MISS", f"d{i} = array(a{i}, float64)"]
        else:
            lines.append(f"if type(a{i}) is not {'Parameter' if type(a) is Parameter else 'Tensor'}: return MISS")
            lines += _test_lines(scope, f"a{i}", f"d{i}", a._data)
    names = {("argument", i): f"d{i}" for i in range(len(args))}
    for i, (key, t) in enumerate(captured.items()):
        scope[f"c{i}"], names[key] = t, f"e{i}"
        lines += _test_lines(scope, f"c{i}", f"e{i}", t._data)
    if tree.watched:
        tests = []
        for i, (table, name, value) in enumerate(tree.watched.simple()):
            scope[f"w{i}"], scope[f"v{i}"] = table, value
            tests.append(f"w{i}.get({name!r}) is v{i}")
        lines.append(f"if not ({' and '.join(tests) or False}) and not unchanged(): return MISS")
    for source in tree.values.sources.values():
        if source.kind == "fixed":
            scope[f"f{len(names)}"], names[source.key()] = source.of._data, f"f{len(names)}"
        elif source.kind == "place":
            scope[f"p{len(names)}"] = source.of.read
            lines.append(f"d{len(names)} = array(p{len(names)}(), float64)")
            names[source.key()] = f"d{len(names)}"
    arrays = ", ".join(names[tree.values.sources[leaf].key()] for leaf in step.ins)
    lines += _run_lines(program, scope, arrays)
    for i, place in enumerate(ending.plan):
        lines.append(f"t{i} = new(Tensor); t{i}._data = r[{place}]; t{i}._node = None")
    text = "def quick(args):\n" + "".join(f"    {line}\n" for line in [*lines, f"return {result}"])
    exec(compile(text, "<generated call>", "exec"), scope)
    return scope["quick"]  # type: ignore[no-any-return]


def _test_lines(scope: dict[str, Any], name: str, data: str, example: Any) -> list[str]:
    scope[f"{name}_shape"], scope[f"{name}_dtype"] = example.shape, example.dtype
    return [
        f"{data} = {name}._data",
        f"if {name}._node is not None or {data}.shape != {name}_shape or {data}.dtype is not {name}_dtype: return MISS",
    ]


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


def result_text(treedef: TreeDef, statics: dict[int, Any]) -> str | None:
    """Source of the result from t0, t1, ... and static values; None for containers other than tuples, lists, dicts with string keys, and None."""
    counts = {"leaf": 0, "tensor": 0}

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
        raise LookupError

    def leaf_text() -> str:
        position = counts["leaf"]
        counts["leaf"] += 1
        if position in statics:
            return f"static{position}"
        counts["tensor"] += 1
        return f"t{counts['tensor'] - 1}"

    try:
        return text(treedef)
    except LookupError:
        return None
