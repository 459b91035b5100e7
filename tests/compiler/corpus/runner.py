"""Runs the corpus: `python -m tests.compiler.corpus.runner [category or part of a name ...] [--backend numpy|jax] [--joint] [-v]`.

A line for each program: ok; eager (right, but a signature ran uncompiled with a warning, where that is allowed); differs (what); error (message).
--joint compiles result and derivatives as one function; --torch compares tracegrad's eager outcome with torch's instead.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from tests.compiler.corpus.base import PROGRAMS, Case, Outcome, Program, differences, joint, outcome
from tests.compiler.corpus.pending import PENDING

CATEGORIES = (
    "control_flow",
    "decisions",
    "values",
    "training",
    "any_order",
    "calling",
    "shapes",
    "sizes",
    "footguns",
    "in_place",
    "algorithms",
    "tricky",
    "models",
    "people",
    "structured",
    "histories",
)
for _category in CATEGORIES:
    importlib.import_module(f"tests.compiler.corpus.{_category}")

SECONDS = {"numpy": 30, "jax": 120}  # a recording that never ends is a failure too


class StuckError(BaseException):
    """A program took too long; no `except Exception` stops it."""


class Judged:
    """What became of a program: status ("ok", "eager", "differs", "error"), and a sentence."""

    def __init__(self, status: str, text: str = "", error: BaseException | None = None) -> None:
        self.status, self.text, self.error = status, text, error

    @property
    def passed(self) -> bool:
        """Whether the program did what it should."""
        return self.status in ("ok", "eager")


def pending_name(program: Program, backend: str, together: bool) -> str:
    """The name under which a program is listed as pending."""
    return f"{program.name}{'+joint' if together else ''}{'' if backend == 'numpy' else '@' + backend}"


def is_pending(program: Program, backend: str, together: bool) -> bool:
    """Whether a program is listed, by itself, or for this backend, or for this way."""
    ways = [program.name, pending_name(program, "numpy", together), pending_name(program, backend, together)]
    return any(name in PENDING for name in [*ways, pending_name(program, backend, False)])


def eagerly(function: Any = None, **options: Any) -> Any:
    """The compile() of an eager run: gives the function back."""
    return (lambda f: f) if function is None else function


def compiler(torch: Any, backend: str, made: list[Any]) -> Callable[..., Any]:
    """The compile() of a compiled run, which keeps what it has made; with counted=False, for use while a function runs, it does not."""

    def compile(function: Any = None, *, counted: bool = True, **options: Any) -> Any:
        if function is None:
            return lambda f: compile(f, **options)
        compiled = torch.compile(function, backend=backend, **options)
        if counted:
            made.append(compiled)
        return compiled

    return compile


@contextlib.contextmanager
def fresh(torch: Any) -> Iterator[None]:
    """Seeds and settings as in a new process, and as before afterwards."""
    torch.manual_seed(0)
    default, enabled = torch.get_default_dtype(), torch.is_grad_enabled()
    try:
        yield
    finally:
        torch.set_default_dtype(default)
        torch.set_grad_enabled(enabled)


def eager_outcomes(torch: Any, program: Program) -> tuple[Case, list[Outcome]]:
    """What every call of an uncompiled program does."""
    with fresh(torch):
        case = program.build(torch, eagerly)
        return case, [outcome(torch, case, made) for made in case.calls]


def judge(torch: Any, program: Program, backend: str = "numpy", together: bool = False) -> Judged:
    """Run a program eagerly and compiled, each with a state of its own, and compare call after call."""
    if program.only_numpy and backend != "numpy":
        return Judged("ok", "on NumPy only")
    try:
        with limit(SECONDS[backend]):
            _, expected = eager_outcomes(torch, program)
            with fresh(torch):
                return _judge_compiled(torch, program, backend, together, expected)
    except StuckError as error:
        return Judged("error", str(error), error)


def _judge_compiled(torch: Any, program: Program, backend: str, together: bool, expected: list[Outcome]) -> Judged:
    compiled: list[Any] = []
    compile = compiler(torch, backend, compiled)
    case = program.build(torch, eagerly if together else compile)
    if together and not (case.joint and case.order):
        return Judged("ok", "without derivatives")
    function = compile(joint(torch, case)) if together else None
    warned: list[str] = []
    for i, (made, want) in enumerate(zip(case.calls, expected, strict=True)):
        got = outcome(torch, case, made, function)
        warned += [w for w in got.warned if w not in want.warned]
        missing = [w for w in want.warned if w not in got.warned]
        refused = isinstance(got.error, torch.errors.TraceError) and type(got.error) is not type(want.error)
        if refused or (got.error is not None and want.error is None):
            if case.may_refuse and refused:
                return Judged("ok", f"refused: {got.error}")
            return Judged("error", f"call {i}: {type(got.error).__name__}: {got.error}", got.error)
        found = differences(want, got) or (f"did not warn: {missing[0]}" if missing else None)
        if found and not (case.may_succeed and want.error is not None and got.error is None):
            return Judged("differs", f"call {i}: {found}", got.error)
        count = compilations(compiled)
        if case.at_most is not None and not together and count > case.at_most:
            return Judged("differs", f"call {i}: {count} compilations, at most {case.at_most} are needed")
    return _judge_warnings(case, compiled, warned)


def compilations(compiled: list[Any]) -> int:
    """How many programs these compiled functions have compiled, where they count them."""
    return sum(c.compilations for c in compiled if hasattr(c, "compilations"))


def _judge_warnings(case: Case, compiled: list[Any], warned: list[str]) -> Judged:
    if len(warned) > max(1, len(compiled)):
        return Judged("differs", f"{len(warned)} warnings, the last: {warned[-1]}")
    if warned and not case.may_warn:
        return Judged("differs", f"warned: {warned[0]}")
    return Judged("eager", warned[0]) if warned else Judged("ok")


def judge_by_torch(ours: Any, theirs: Any, program: Program) -> Judged:
    """Compare eager outcomes of tracegrad with torch's."""
    with limit(60):
        _, expected = eager_outcomes(theirs, program)
        _, found = eager_outcomes(ours, program)
    for i, (want, got) in enumerate(zip(expected, found, strict=True)):
        text = differences(want, got)
        if text:
            return Judged("differs", f"call {i}: {text} {got.error or ''} {want.error or ''}", got.error)
    return Judged("ok")


@contextlib.contextmanager
def limit(seconds: int) -> Iterator[None]:
    """Raises StuckError after so many seconds."""

    def stop(*_: Any) -> None:
        raise StuckError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def chosen(words: list[str]) -> list[Program]:
    """The programs of the named categories, or whose names contain a word; all of them without words."""
    found = PROGRAMS.values()
    return [
        p for p in found if not words or any(w == p.category or (w not in CATEGORIES and w in p.name) for w in words)
    ]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--backend", default="numpy", choices=list(SECONDS))
    parser.add_argument("--joint", action="store_true")
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--list-pending", action="store_true", help="print the lines of PENDING that this run needs")
    parser.add_argument("-v", action="store_true", help="show tracebacks and whole messages")
    options = parser.parse_args()
    tracegrad = importlib.import_module("tracegrad")
    counts: Counter[str] = Counter()
    for program in chosen(options.words):
        begun = time.perf_counter()
        judged = _one(tracegrad, program, options)
        if judged is None:
            continue
        counts[judged.status] += 1
        note = " (pending)" if is_pending(program, options.backend, options.joint) else ""
        if options.list_pending:
            if not judged.passed:
                print(f'    "{pending_name(program, options.backend, options.joint)}",')
            continue
        text = judged.text if options.v else " ".join(judged.text.split())[:150]
        shown = judged.status + (f" ({text})" if text else "")
        print(f"{program.name:45} {time.perf_counter() - begun:5.1f}s  {shown}{note}", flush=True)
        if options.v and judged.error is not None:
            traceback.print_exception(judged.error)
    if not options.list_pending:
        print(", ".join(f"{count} {status}" for status, count in counts.items()))


def _one(tracegrad: Any, program: Program, options: argparse.Namespace) -> Judged | None:
    try:
        if options.torch:
            if program.random or program.only_tracegrad:
                return None
            return judge_by_torch(tracegrad, importlib.import_module("torch"), program)
        return judge(tracegrad, program, options.backend, options.joint)
    except Exception as error:
        return Judged("error", f"{type(error).__name__}: {error}", error)


if __name__ == "__main__":
    main()
