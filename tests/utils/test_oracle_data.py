"""Datasets, loaders and collation: short programs print under tracegrad what they print under torch."""

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
pytest.importorskip("torch.utils.data")

PROGRAMS = Path(__file__).with_name("data_snippets.txt").read_text().split("\n---\n")
FROM_TORCH = re.compile(r"^from torch\b", re.M)


def printed(text, library):
    """What the program prints, with the built-in class of the error that ends it."""
    out = io.StringIO()
    names = {"torch": library, "np": np, "math": math, "nn": library.nn}
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(text, names)
        except Exception as error:
            print("error", next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins"))
    return re.sub(r"0x[0-9a-f]+", "0x", out.getvalue())


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_with_data_prints_what_torch_prints(program):
    assert printed(FROM_TORCH.sub("from tracegrad", program), tg) == printed(program, torch)
