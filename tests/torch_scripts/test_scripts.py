"""Scripts written for torch print under tracegrad what they printed under torch."""

import pytest

from tests.torch_scripts.runner import SCRIPTS, expected, printed


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_prints_what_torch_printed(name):
    assert printed(name, "tracegrad") == expected(name)
