"""The seeds' programs print under tracegrad exactly what they print under torch."""

import pytest

from tests.examples.seeds import EXPECTED, NAMES, printed

torch = pytest.importorskip("torch")
# some of torch's own modules use it when they are imported first
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script. is deprecated:DeprecationWarning")


@pytest.mark.parametrize("name", NAMES)
def test_a_program_prints_what_torch_prints(name):
    assert printed(name, "tracegrad") == printed(name, "torch")


@pytest.mark.parametrize("name", NAMES)
def test_the_stored_output_is_torch_s(name):
    assert (EXPECTED / f"{name}.txt").read_text() == printed(name, "torch")
