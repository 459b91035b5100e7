"""Tensors as people use them: files, copies, text, NumPy, containers, conversions, switches; each program prints what torch prints."""

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
pytest.importorskip("torch.testing")

PROGRAMS = Path(__file__).with_name("tensor_snippets.txt").read_text().split("\n---\n")


@pytest.fixture(autouse=True)
def default_options():
    yield
    for library in (tg, torch):
        library.set_printoptions(profile="default")
        library.set_default_dtype(library.float32)


def printed(program, library):
    """What the program prints, with the built-in class of the error that ends it."""
    out = io.StringIO()
    names = {"torch": library, "np": np, "math": math, "nn": library.nn}
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(program, names)
        except Exception as error:
            print("error", next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins"))
    return re.sub(r"0x[0-9a-f]+", "0x", out.getvalue())


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_prints_what_torch_prints(program):
    assert printed(program, tg) == printed(program, torch)
