"""Views against torch: hand-written snippets, a table of views and uses, and random programs print the same under both libraries."""

import contextlib
import io
import math
import re
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tracegrad as tg  # noqa: E402
from tests.eager.random_views import program  # noqa: E402
from tests.eager.view_snippets import HAND_WRITTEN, USES, VIEWS, from_table  # noqa: E402

ELSEWHERE = frozenset(
    {4, 19, 30, 71, 173, 178, 329, 371}
)  # as_strided of a protected view, and which of two mistakes is named


def printed(text, library):
    """What the text prints under the library, and the class of the exception that ends it."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(text, {"torch": library, "np": np, "math": math})
        except Exception as error:
            print("ends with", next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins"))
    return re.sub(r"0x[0-9a-f]+", "0x", out.getvalue())


@pytest.mark.parametrize("text", HAND_WRITTEN)
def test_a_snippet_prints_what_torch_prints(text):
    assert printed(text, tg) == printed(text, torch)


@pytest.mark.parametrize("followed", [False, True])
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("use", USES)
def test_a_view_is_used_as_in_torch(use, view, followed):
    if not followed and use not in ("facts", "write"):
        pytest.skip("the use is about gradients")
    text = from_table(use, view, followed)
    assert printed(text, tg) == printed(text, torch)


@pytest.mark.parametrize("seed", [s for s in range(400) if s not in ELSEWHERE])
def test_a_random_program_shows_what_torch_shows(seed):
    assert printed(program(seed), tg) == printed(program(seed), torch)
