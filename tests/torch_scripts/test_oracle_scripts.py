"""The stored outputs are what torch prints today."""

import pytest

pytest.importorskip("torch")

from tests.torch_scripts.runner import SCRIPTS, expected, printed  # noqa: E402


@pytest.mark.parametrize("name", SCRIPTS)
def test_stored_output_is_torchs(name):
    assert printed(name, "torch") == expected(name)


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_prints_the_same_under_both(name):
    assert printed(name, "tracegrad") == printed(name, "torch")
