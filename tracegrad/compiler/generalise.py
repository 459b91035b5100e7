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
from tracegrad.compiler.sizes import Number
from tracegrad.ir.graph import Graph

SAMPLES = 12  # texts of one form that are kept; the oldest go
FAR = 32  # times the largest size that was compiled
ROUNDING = 1e-14  # relative difference by which formulas that mean the same may differ
NUMBER = re.compile(r"(?<![\w.])(\d+\.?\d*(?:e[+-]?\d+)?)(?![\w.])")
OURS = re.compile(r"\bn\d+\b")
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
    """All that was compiled from graphs of one form.

    counted   whether one of it has been counted as a compilation        taught  how many graphs of sizes that had not come it has
    """

    def __init__(self) -> None:
        self.counted, self.taught = False, 0
        self.samples: list[Sample] = []
        self.general: list[General] = []  # the most useful last
        self.failures = 0
        self._new: list[tuple[Sample, Any]] = []  # not looked at before other numbers come: no first call is to wait

    def learn(
        self, numbers: tuple[Number, ...], texts: Sequence[str], structure: Any = None, about: Any = None
    ) -> None:
        """Add what was compiled for these numbers; `about` is kept with the text that it has in common with others."""
        self._new = [*self._new, (Sample(numbers, tuple(texts), structure), about)][-SAMPLES:]

    def _lay_beside(self, sample: Sample, about: Any) -> None:
        """Make one text of a sample and of what is alike."""
        self.samples = [s for s in self.samples if s.numbers != sample.numbers][1 - SAMPLES :] + [sample]
        form = _form(sample)
        alike = [s for s in self.samples if _form(s) == form]
        found = general(alike, form, about)
        if found is not None:
            self.general = [*(g for g in self.general if g.form != form), found]

    def is_several(self) -> bool:
        """Whether something was compiled for more than one size."""
        return len({s.numbers for s in (*self.samples, *(s for s, _ in self._new))}) > 1

    def is_general(self, numbers: tuple[Number, ...]) -> bool:
        """Whether texts for several sizes tell that for these numbers."""
        self._look()
        return any(g.columns.count > 1 and g.values(numbers) is not None for g in self.general)

    def is_vague(self, numbers: tuple[Number, ...]) -> bool:
        """Whether there are texts for several sizes, which do not tell that for these numbers."""
        return self.is_several() and not self.is_general(numbers)

    def _look(self) -> None:
        """Lay what is new beside what was there."""
        new, self._new = self._new, []
        for sample, about in new:
            self._lay_beside(sample, about)

    def bound(self, numbers: tuple[Number, ...]) -> Bound | None:
        """Texts for these numbers, or None where they must be compiled."""
        if self.failures > 2:
            return None
        self._look()
        few = len(self.samples) < SAMPLES // 2 and not self.taught
        for candidate in reversed(self.general):
            made = None if few and candidate.is_far(numbers) else candidate.bind(numbers)
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
    columns, parameters = Columns([s.numbers for s in samples]), Parameters()
    templates = []
    for k in range(len(samples[0].texts)):
        texts = [s.texts[k] for s in samples]
        if any(OURS.search(text) for text in texts):
            return None
        words, _ = _pieces(texts[0])
        code = [words[0]]
        for word, tokens in zip(words[1:], zip(*[_pieces(text)[1] for text in texts], strict=True), strict=True):
            name = parameters.name(tokens, columns)
            if name is None:
                return None
            code += [name, word]
        templates.append(_commented("".join(code), texts, parameters, columns))
    return General(form, columns, parameters.formulas, templates, about)


class Parameters:
    """The parameters of a text: n0, n1, ... with the formulas that fit each of them."""

    def __init__(self) -> None:
        self.formulas: dict[str, list[Formula]] = {}
        self._names: dict[Any, str] = {}

    def name(self, tokens: Sequence[str], columns: Columns) -> str | None:
        """What to write for a number of the text that is so in each sample: the number, a parameter, or None where nothing gives it."""
        if all(t == tokens[0] for t in tokens):
            return tokens[0]
        numbers = tuple(map(_read, tokens))
        if len(set(map(type, numbers))) > 1:
            return None
        key = type(numbers[0]), numbers
        if key not in self._names:
            found = columns.formulas(numbers)
            if not found:
                return None
            self._names[key] = f"n{len(self._names)}"
            self.formulas[self._names[key]] = found
        return self._names[key]


def _commented(code: str, texts: Sequence[str], parameters: Parameters, columns: Columns) -> str:
    """The code with the comments of the first text, in which sizes have the parameters' names."""
    others = [t.splitlines() for t in texts]
    lines, given = [], iter(code.splitlines())
    for i, line in enumerate(others[0]):
        whole = line.startswith("    # ")
        comment = line if whole else "".join(line.partition("  # ")[1:])
        beside = [SIZES.findall(o[i]) if i < len(o) else [] for o in others]
        sizes = iter(list(zip(*beside, strict=True)) if len(set(map(len, beside))) == 1 else [])

        def named(found: re.Match[str], sizes: Any = sizes) -> str:
            parts = [p.split(",") for p in next(sizes, (found.group(),))]
            if len(set(map(len, parts))) > 1:
                return found.group()
            return ",".join(parameters.name(c, columns) or c[0] for c in zip(*parts, strict=True))

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

    def is_far(self, numbers: tuple[Number, ...]) -> bool:
        """Whether sizes are so much larger than those of the samples that another order of operators may be worth a compilation."""
        return any(
            abs(numbers[place]) > FAR * max(8, *map(abs, column)) for place, column in self.columns.varying.items()
        )

    def values(self, numbers: tuple[Number, ...]) -> dict[str, Number] | None:
        """The parameters for these numbers; None where the samples do not tell them."""
        if not self.columns.fits(numbers):
            return None
        found: dict[str, Number] = {}
        for name, formulas in self.parameters.items():
            try:
                first, *others = [f(numbers) for f in formulas]
            except ArithmeticError:
                return None
            if any(abs(other - first) > ROUNDING * abs(first) for other in others):
                return None
            found[name] = first
        return found

    def bind(self, numbers: tuple[Number, ...]) -> Bound | None:
        """The texts with the values for these numbers; None where the samples do not tell them."""
        values = self.values(numbers)
        if values is None:
            return None
        shown = f"# {', '.join(f'{n} = {v!r}' for n, v in values.items()) or 'one size'}\n"
        made = [
            make(shown + text, values) if make is not None else None
            for make, text in zip(self._makers, self.texts, strict=True)
        ]
        return Bound(tuple(made), self.about)


class Kin:
    """The families of graphs of one form: of their programs, and of the halves for each choice of what is differentiated.

    taught   how often recordings at other sizes have been tried        twins   graphs of this form that these gave, with their numbers
    """

    def __init__(self) -> None:
        self.family = Family()
        self.halves: dict[Any, Family] = {}
        self.taught = 0
        self.twins: list[tuple[Graph, tuple[Number, ...]]] = []


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

    def known(self, form: Any, static: Any = ()) -> Kin | None:
        """What is known of graphs of this form, with these sizes that are never other ones; None where there has been none."""
        return self._kin.get((form, static))

    def of(self, form: Any, numbers: tuple[Number, ...], static: Any = ()) -> Sizes:
        """What is known of graphs of this form, for the one with these numbers."""
        return Sizes(self._kin.use((form, static), Kin), numbers)
