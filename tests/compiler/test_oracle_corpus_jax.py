"""Every program of the corpus does the same compiled for JAX as eagerly."""

import pytest

pytest.importorskip("jax")

import tracegrad  # noqa: E402
from tests.compiler.corpus.base import PROGRAMS  # noqa: E402
from tests.compiler.corpus.runner import is_pending, judge  # noqa: E402


@pytest.mark.parametrize("name", [p.name for p in PROGRAMS.values() if not p.only_numpy])
def test_a_program_does_the_same_when_compiled_for_jax(name):
    found = judge(tracegrad, PROGRAMS[name], "jax")
    if not found.passed and is_pending(PROGRAMS[name], "jax", False):
        pytest.xfail(found.text)
    assert found.passed, f"{found.status}: {found.text}"
