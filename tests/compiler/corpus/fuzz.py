"""Random programs with decisions, loops, writes and numbers that leave, judged as the corpus is.

`python -m tests.compiler.corpus.fuzz [--count 200] [--seed 0] [--backend numpy|jax] [--joint] [--torch] [-v]` prints every program that fails, as text to run again.
"""

from __future__ import annotations

import argparse
import importlib
import random
import textwrap
from collections import Counter
from typing import Any

import numpy as np

from tests.compiler.corpus.base import Case, Program, f64
from tests.compiler.corpus.runner import SECONDS, Judged, judge, judge_by_torch

UNARY = ["sin", "cos", "tanh", "exp", "abs", "neg", "sigmoid", "square", "relu", "atan"]
REDUCE = ["{}.sum()", "{}.mean()", "{}.max()", "{}.min()", "{}.norm()", "({} * {}).sum()", "{}[0]", "{}[-1]"]
EXPRESSIONS = [
    "{a} + {b}",
    "{a} - {b}",
    "{a} * {b}",
    "{a} / ({b}.abs() + 1)",
    "torch.{u}({a} * 0.5)",
    "torch.where({a} > {b}, {a}, {b} * 2)",
    "{a}.clamp(-1.5, 1.5)",
    "{a}.flip(0)",
    "torch.cat([{a}[1:], {b}[:1]])",
    "{a}.cumsum(0) * 0.3",
    "{a} * {s}.tanh()",
    "{a} + {k}",
    "{a} * {s}.item() * 0.1",
    "w * {a}",
    "{a} - {s}",
    "torch.maximum({a}, {b})",
    "{a}.detach() * {b}",
    "{a}.clone()",
]


class Writer:
    """Writes the text of one random function f(x, y), which may use the captured tensors w and t."""

    def __init__(self, seed: int, writes: bool) -> None:
        self.random, self.writes, self.vectors, self.made = random.Random(seed), writes, ["x", "y", "w"], 0

    def vector(self) -> str:
        return self.random.choice(self.vectors[-4:])

    def scalar(self) -> str:
        name = self.vector()
        return self.random.choice(REDUCE).format(name, self.vector())

    def condition(self) -> str:
        a, b, s = self.scalar(), self.scalar(), self.random.choice([-1.0, 0.0, 0.5, 2.0])
        forms = [
            f"{a} > {s}",
            f"{a} < {b}",
            f"{a}.item() > {s}",
            f"{a} > {s} and {b} < 1.0",
            f"not ({a} > {s})",
            f"({self.vector()} > {s}).any()",
            f"{a} > {s} or {b} > {a}",
            f"int({a}) % 2 == 0",
            f"{s} < {a} < {s + 2}",
            f"x.shape[0] > {self.random.choice([2, 3])}",
        ]
        return self.random.choice(forms)

    def expression(self) -> str:
        form = self.random.choice(EXPRESSIONS)
        number = round(self.random.uniform(-2, 2), 2)
        return form.format(a=self.vector(), b=self.vector(), s=self.scalar(), u=self.random.choice(UNARY), k=number)

    def new(self) -> str:
        self.made += 1
        return f"v{self.made}"

    def block(self, depth: int, size: int) -> list[str]:
        """Statements; what they define is forgotten at the end, for another course may not define it."""
        kept = list(self.vectors)
        lines = [line for _ in range(size) for line in self.statement(depth)]
        self.vectors = kept
        return lines or ["pass"]

    def statement(self, depth: int) -> list[str]:
        kinds = ["assign"] * 5 + ["update"] * 2
        if depth < 3:
            kinds += ["if", "if", "while", "for", "try", "return"]
        if self.writes:
            kinds += ["write", "write", "outside"]
        return getattr(self, f"_{self.random.choice(kinds)}")(depth)

    def _assign(self, depth: int) -> list[str]:
        text, name = self.expression(), self.new()
        self.vectors.append(name)
        return [f"{name} = {text}"]

    def _update(self, depth: int) -> list[str]:
        names = [n for n in self.vectors if n.startswith("v")]
        if not names:
            return self._assign(depth)
        return [f"{self.random.choice(names)} = {self.expression()}"]

    def _if(self, depth: int) -> list[str]:
        lines = [f"if {self.condition()}:", *indented(self.block(depth + 1, 2))]
        if self.random.random() < 0.3:
            lines += [f"elif {self.condition()}:", *indented(self.block(depth + 1, 1))]
        if self.random.random() < 0.6:
            lines += ["else:", *indented(self.block(depth + 1, 2))]
        return lines

    def _while(self, depth: int) -> list[str]:
        name, count = self.new(), self.new().replace("v", "n")
        lines = [f"{name} = {self.expression()}", f"{count} = 0"]
        body = [f"{count} += 1", f"{name} = {name} * 0.6 + {self.vector()} * 0.1", *self.block(depth + 1, 1)]
        if self.random.random() < 0.3:
            body += [f"if {self.condition()}:", f"    {self.random.choice(['break', 'continue'])}"]
        limit = self.random.choice([0.5, 1.0, 2.0])
        lines += [f"while {name}.norm() > {limit} and {count} < 6:", *indented(body)]
        self.vectors.append(name)
        return lines

    def _for(self, depth: int) -> list[str]:
        what = self.random.choice(
            [f"range(int({self.scalar()}.abs().clamp(max=3)))", f"range({self.vector()}.shape[0])", f"{self.vector()}"]
        )
        first, name = self.expression(), self.new()
        item = f"{name} = {name} + i" if what.startswith("range") else f"{name} = {name} + i * {self.vector()}"
        self.vectors.append(name)
        return [f"{name} = {first}", f"for i in {what}:", *indented([item, *self.block(depth + 1, 1)])]

    def _try(self, depth: int) -> list[str]:
        inside = [f"if {self.condition()}:", '    raise ValueError("too far")', *self.block(depth + 1, 1)]
        last = ["finally:", *indented(self.block(depth + 1, 1))] if self.random.random() < 0.3 else []
        return ["try:", *indented(inside), "except ValueError:", *indented(self.block(depth + 1, 1)), *last]

    def _return(self, depth: int) -> list[str]:
        return [f"if {self.condition()}:", f"    return {self.vector()}, {self.scalar()}"]

    def _write(self, depth: int) -> list[str]:
        name = self.new()
        value = f"{self.vector()}.detach()"
        forms = [
            f"{name}[0] = {value}.sum()",
            f"{name}[1:] *= 2",
            f"{name}.add_({value})",
            f"{name}[{name}.detach() > 1] = 0.5",
            f"{name}.view(-1)[:2].mul_({value}[:2])",
            f"{name} += {value}",
        ]
        lines = [f"{name} = {self.vector()} * 1.5", self.random.choice(forms)]
        self.vectors.append(name)
        return lines

    def _outside(self, depth: int) -> list[str]:
        value = f"{self.vector()}.detach()"
        return [self.random.choice([f"t.add_({value}.mean())", f"t[0] = {value}.max()", "t.mul_(0.5)"])]

    def text(self) -> str:
        lines = self.block(0, self.random.randint(3, 6))
        names = [line.split(" = ")[0] for line in lines if line.startswith("v") and " = " in line]
        results = [self.random.choice([*names, "(x * 2)"]) for _ in range(2)]
        return "\n".join(["def f(x, y):", *indented([*lines, f"return {results[0]}, {results[1]}.sum(), t * 1"])])


def indented(lines: list[str]) -> list[str]:
    """The lines four columns further right."""
    return ["    " + line for line in lines]


def built(text: str, seed: int, order: int) -> Any:
    """The builder of a program with this text, called with six pairs of vectors and then the first two again."""

    def build(torch: Any, compile: Any) -> Case:
        w, t = f64(torch, [0.5, -1.0, 2.0], True), f64(torch, [0.1, 0.2, 0.3])
        scope: dict[str, Any] = {"torch": torch, "w": w, "t": t}
        exec(text, scope)
        source = np.random.default_rng(seed)
        vectors = [f64(torch, source.normal(size=3).round(3) * 2, True) for _ in range(12)]
        calls = [(vectors[2 * i], vectors[2 * i + 1]) for i in range(6)]
        return Case(compile(scope["f"]), calls, order=order, wrt=[w], state=lambda: t, may_warn=False)

    return build


def random_program(seed: int, writes: bool = True, order: int = 2) -> tuple[str, Program]:
    """A text and its program."""
    text = Writer(seed, writes).text()
    return text, Program(built(text, seed, order), False, False, False)


def judged(tracegrad: Any, program: Program, options: argparse.Namespace) -> Judged:
    """The judgement that the options ask for."""
    try:
        if options.torch:
            return judge_by_torch(tracegrad, importlib.import_module("torch"), program)
        return judge(tracegrad, program, options.backend, options.joint)
    except Exception as error:
        return Judged("error", f"{type(error).__name__}: {error}", error)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--order", type=int, default=2)
    parser.add_argument("--backend", default="numpy", choices=list(SECONDS))
    parser.add_argument("--joint", action="store_true")
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--no-writes", action="store_true")
    parser.add_argument("-v", action="store_true", help="show the text of every program that fails")
    options = parser.parse_args()
    tracegrad = importlib.import_module("tracegrad")
    counts: Counter[str] = Counter()
    for seed in range(options.seed, options.seed + options.count):
        text, program = random_program(seed, not options.no_writes, options.order)
        found = judged(tracegrad, program, options)
        counts[found.status] += 1
        if not found.passed:
            print(f"seed {seed}: {found.status}: {' '.join(found.text.split())[:300]}", flush=True)
            if options.v:
                print(textwrap.indent(text, "    "), flush=True)
    print(", ".join(f"{count} {status}" for status, count in counts.items()))


if __name__ == "__main__":
    main()
