"""Snippets of programs written for torch: tracegrad prints the same, and raises the same class of error.

snippets/<topic>.txt: lines that all snippets of the topic begin with, then the snippets, each behind a line of four dashes.
"""

import contextlib
import io
import math
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import tracegrad as tg

torch = pytest.importorskip("torch")
FOLDER = Path(__file__).parent / "snippets"
CLASSES = (
    NotImplementedError,
    RuntimeError,
    IndexError,
    TypeError,
    ValueError,
    AttributeError,
    KeyError,
    AssertionError,
)
IMPORT = re.compile(r"^(\s*)(from|import) torch\b", re.M)


def snippets():
    for path in sorted(FOLDER.glob("*.txt")):
        head, *texts = path.read_text().split("----\n")
        for number, text in enumerate(texts):
            yield pytest.param(head + text, id=f"{path.stem}-{number}")


def printed(text, library):
    """What the snippet prints, with the class of the error that ends it."""
    out = io.StringIO()
    names = {"torch": library, "np": np, "math": math, "F": library.nn.functional, "nn": library.nn}
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(text, names)
        except Exception as error:
            print(next((c.__name__ for c in CLASSES if isinstance(error, c)), type(error).__name__))
    return re.sub(r"0x[0-9a-f]+", "0x", out.getvalue())


@pytest.mark.parametrize("text", list(snippets()))
def test_a_snippet_prints_what_torch_prints(text):
    assert printed(IMPORT.sub(r"\1\2 tracegrad", text), tg) == printed(text, torch)
