"""Random programs with decisions, loops, writes and numbers that leave do the same compiled as eagerly."""

import pytest

import tracegrad
from tests.compiler.corpus.fuzz import random_program
from tests.compiler.corpus.pending import PENDING
from tests.compiler.corpus.runner import judge


@pytest.mark.parametrize("together", [False, True], ids=["called", "with_derivatives"])
@pytest.mark.parametrize("seed", range(30))
def test_a_random_program_does_the_same_when_compiled(seed, together):
    text, program = random_program(seed)
    found = judge(tracegrad, program, "numpy", together)
    if not found.passed and f"fuzz.{seed}" in PENDING:
        pytest.xfail(found.text)
    assert found.passed, f"{found.status}: {found.text}\n{text}"


@pytest.mark.parametrize("seed", range(100, 120))
def test_a_random_program_without_writes_has_three_derivatives(seed):
    text, program = random_program(seed, writes=False, order=3)
    found = judge(tracegrad, program)
    assert found.passed, f"{found.status}: {found.text}\n{text}"
