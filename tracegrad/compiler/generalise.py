"""Texts for all sizes: emitted texts of one form are laid side by side, and numbers that differ become parameters.

Nothing is taken on trust.  A text is used for other numbers only where these have everything in common that the samples had, where all formulas that fit the samples agree,
and after its first results were compared with those of the operators (see sizes of `Program`); whatever fails is compiled by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from tracegrad.backends.numpy_backend import NumpyExecutable
from tracegrad.compiler.formulas import Columns, Formula
from tracegrad.compiler.recent import Recent
from tracegrad.compiler.sizes import Number, form_and_numbers
from tracegrad.ir.graph import Graph

SAMPLES = 12  # texts of one form that are kept; the oldest go
ROUNDING = 1e-15  # relative difference by which formulas that mean the same may differ
NUMBER = re.compile(r"(?<![\w.])(\d+\.?\d*(?:e[+-]?\d+)?)(?![\w.])")
SIZES = re.compile(r"(?<=\[)\d+(?:,\d+)*(?=\])")


class Sample(NamedTuple):
    """What was compiled for some numbers: texts, and whatever else must be equal."""

    numbers: tuple[Number, ...]
    texts: tuple[str, ...]
    structure: Any


class Bound(NamedTuple):
    """Texts with numbers put in; None for one without code."""

    executables: tuple[NumpyExecutable | None, ...]
    about: Any


class Family:
    """All that was compiled from graphs of one form."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.general: list[General] = []  # the most useful last
        self.failures = 0

    def learn(
        self, numbers: tuple[Number, ...], texts: Sequence[str], structure: Any = None, about: Any = None
    ) -> None:
        """Add what was compiled for these numbers, and lay it beside what is alike; `about` is kept with the common text."""
        sample = Sample(numbers, tuple(texts), structure)
        self.samples = [s for s in self.samples if s.numbers != numbers][1 - SAMPLES :] + [sample]
        form = _form(sample)
        alike = [s for s in self.samples if _form(s) == form]
        self.general = [g for g in self.general if g.form != form]
        found = general(alike, form, about)
        if found is not None:
            self.general.append(found)

    def bound(self, numbers: tuple[Number, ...]) -> Bound | None:
        """Texts for these numbers, or None where they must be compiled."""
        if self.failures > 2:
            return None
        for candidate in reversed(self.general):
            made = candidate.bind(numbers)
            if made is not None:
                return made
        return None


def _pieces(text: str) -> tuple[list[str], list[str]]:
    """The code of a text without its comments, cut into what is no number and the numbers."""
    code = "\n".join(line.partition("  # ")[0] for line in text.splitlines() if not line.startswith("    # "))
    cut = NUMBER.split(code)
    return cut[::2], cut[1::2]


def _form(sample: Sample) -> Any:
    cut = [_pieces(text) for text in sample.texts]
    return tuple(tuple(words) for words, _ in cut), sample.structure


def _read(token: str) -> Number:
    return int(token) if token.isdigit() else float(token)


def general(samples: Sequence[Sample], form: Any, about: Any) -> General | None:
    """The samples as one text with parameters; None where a number follows from nothing that is known."""
    columns = Columns([s.numbers for s in samples])
    parameters: dict[tuple[Number, ...], list[Formula]] = {}
    names: dict[Any, str] = {}
    templates = []
    for k, (words, _) in enumerate([_pieces(text) for text in samples[0].texts]):
        rows = [_pieces(s.texts[k])[1] for s in samples]
        code = [words[0]]
        for word, tokens in zip(words[1:], zip(*rows, strict=True), strict=True):
            if any(t != tokens[0] for t in tokens):
                wanted = tuple(map(_read, tokens))
                key = (type(wanted[0]), wanted)
                if key not in names:
                    found = [] if len(set(map(type, wanted))) > 1 else columns.formulas(wanted)
                    if not found:
                        return None
                    names[key] = f"n{len(names)}"
                    parameters[key] = found
                code.append(names[key])
            else:
                code.append(tokens[0])
            code.append(word)
        templates.append(_commented("".join(code), samples[0].texts[k], names, [s.texts[k] for s in samples]))
    if any(re.search(r"\bn\d+\b", text) for s in samples for text in s.texts):
        return None
    return General(form, columns, dict(zip(names.values(), parameters.values(), strict=True)), templates, about)


def _commented(code: str, text: str, names: dict[Any, str], texts: Sequence[str]) -> str:
    """The code with the comments of the sample's text, in which sizes have the parameters' names."""
    others = [t.splitlines() for t in texts]
    lines, given = [], iter(code.splitlines())
    for i, line in enumerate(text.splitlines()):
        whole = line.startswith("    # ")
        comment = line if whole else "".join(line.partition("  # ")[1:])
        beside = [SIZES.findall(o[i]) if i < len(o) else [] for o in others]
        sizes = iter(list(zip(*beside, strict=True)) if len(set(map(len, beside))) == 1 else [])

        def named(found: re.Match[str], sizes: Any = sizes) -> str:
            parts = [p.split(",") for p in next(sizes, (found.group(),))]
            if len(set(map(len, parts))) > 1:
                return found.group()
            return ",".join(names.get((int, tuple(map(int, c))), c[0]) for c in zip(*parts, strict=True))

        comment = SIZES.sub(named, comment)
        lines.append(comment if whole else next(given) + comment)
    return "\n".join(lines) + "\n"


class General:
    """Texts with parameters, and the formulas of these."""

    def __init__(
        self, form: Any, columns: Columns, parameters: dict[str, list[Formula]], texts: list[str], about: Any
    ) -> None:
        self.form, self.columns, self.parameters, self.texts, self.about = form, columns, parameters, texts, about
        self._makers = [NumpyExecutable.maker(text, list(parameters)) if text.strip() else None for text in texts]

    def bind(self, numbers: tuple[Number, ...]) -> Bound | None:
        """The texts with the values for these numbers; None where the samples do not tell them."""
        if not self.columns.fits(numbers):
            return None
        values: dict[str, Number] = {}
        for name, formulas in self.parameters.items():
            try:
                first, *others = [f(numbers) for f in formulas]
            except ArithmeticError:
                return None
            if any(abs(other - first) > ROUNDING * abs(first) for other in others):
                return None
            values[name] = first
        shown = f"# {', '.join(f'{n} = {v!r}' for n, v in values.items())}\n" if values else ""
        made = [
            make(shown + text, values) if make is not None else None
            for make, text in zip(self._makers, self.texts, strict=True)
        ]
        return Bound(tuple(made), self.about)


class Kin:
    """The families of graphs of one form: of their programs, and of the halves for each choice of what is differentiated."""

    def __init__(self) -> None:
        self.family = Family()
        self.halves: dict[Any, Family] = {}


class Sizes(NamedTuple):
    """What is known of graphs of one form, and the numbers of one of them."""

    kin: Kin
    numbers: tuple[Number, ...]

    @property
    def family(self) -> Family:
        """The programs."""
        return self.kin.family

    def halves(self, followed: tuple[int, ...], outputs: tuple[int, ...]) -> Family:
        """The backwards with respect to these leaves from these outputs, with their forwards."""
        return self.kin.halves.setdefault((followed, outputs), Family())


class Forms:
    """The forms of the graphs that a compiled function has met lately."""

    def __init__(self, limit: int) -> None:
        self._kin: Recent[Any, Kin] = Recent(limit)

    def of(self, graph: Graph) -> Sizes | None:
        """What is known of graphs like this one; None for a graph that must be compiled by itself."""
        found = form_and_numbers(graph)
        return None if found is None else Sizes(self._kin.use(found[0], Kin), found[1])
