"""Creation functions, windows, spectra, histograms, copies of views, draws: expressions whose value, warnings or error class are torch's.

The files in expressions/ begin with lines that set up names; after an empty line every line is an expression.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import pytest

import tracegrad as tg

torch = pytest.importorskip("torch")

FILES = sorted((Path(__file__).parent / "expressions").glob("*.txt"))
PARTS = {file.stem: file.read_text().split("\n\n", 1) for file in FILES}
CASES = [(name, line) for name, (_, lines) in PARTS.items() for line in lines.strip().split("\n")]


def outcome(setup: str, expression: str, library) -> str:
    """The printed value, or the built-in class of the error; then the classes of the warnings."""
    names = {"torch": library, "math": math, "F": library.nn.functional}
    library.manual_seed(0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        exec(setup, names)
        del told[:]
        try:
            shown = repr(eval(expression, names))
        except Exception as error:
            shown = next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins")
    return "\n".join([shown, *(w.category.__name__ for w in told)])


@pytest.mark.parametrize(("name", "expression"), CASES)
def test_an_expression_has_torchs_outcome(name: str, expression: str):
    setup = PARTS[name][0]
    assert outcome(setup, expression, tg) == outcome(setup, expression, torch)
