"""Every program of the corpus does the same compiled for NumPy as eagerly: results, derivatives, effects, errors."""

import pytest

import tracegrad
from tests.compiler.corpus.base import PROGRAMS
from tests.compiler.corpus.pending import EAGER_DIFFERS, PENDING
from tests.compiler.corpus.runner import CATEGORIES, Judged, chosen, is_pending, judge


def judged(program, backend="numpy", together=False) -> Judged:
    """The judgement of a program; a pending one that fails is an expected failure."""
    found = judge(tracegrad, program, backend, together)
    if not found.passed and is_pending(program, backend, together):
        pytest.xfail(found.text)
    return found


@pytest.mark.parametrize("together", [False, True], ids=["called", "with_derivatives"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_does_the_same_when_compiled(name, together):
    found = judged(PROGRAMS[name], together=together)
    assert found.passed, f"{found.status}: {found.text}"


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_category_has_programs(category):
    assert len(chosen([category])) >= 8


@pytest.mark.parametrize("name", sorted(n for n in [*PENDING, *EAGER_DIFFERS] if not n.startswith("fuzz.")))
def test_the_list_of_missing_things_names_programs(name):
    assert name.partition("@")[0].removesuffix("+joint") in PROGRAMS
