"""Every program of the corpus does eagerly what it does under torch: the outcomes by which compiled code is judged are torch's."""

import pytest

torch = pytest.importorskip("torch")

import tracegrad  # noqa: E402
from tests.compiler.corpus.base import PROGRAMS  # noqa: E402
from tests.compiler.corpus.pending import EAGER_DIFFERS  # noqa: E402
from tests.compiler.corpus.runner import judge_by_torch  # noqa: E402

COMPARED = [p.name for p in PROGRAMS.values() if not p.random and not p.only_tracegrad]


@pytest.mark.parametrize("name", COMPARED)
def test_an_eager_outcome_is_that_of_torch(name):
    found = judge_by_torch(tracegrad, torch, PROGRAMS[name])
    if name in EAGER_DIFFERS:
        assert not found.passed, f"{name} agrees with torch now: remove it from EAGER_DIFFERS"
        return
    assert found.passed, found.text
