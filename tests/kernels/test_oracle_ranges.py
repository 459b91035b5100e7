"""arange and linspace hold the very numbers of torch 2.13: a middle that is -1.49e-08 there is not 0 here."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tracegrad as tg  # noqa: E402

DTYPES = ["float16", "bfloat16", "float32", "float64"]
BOUNDS = [(-1, 1), (0, 1), (0, 2 * np.pi), (0.1, 10), (-3, 8)]
COUNTS = [2, 3, 7, 15, 16, 17, 21, 32, 33, 100, 257]
STEPS = [(0, 0.1), (-1, 0.05), (0.1, 0.3), (1, -0.1), (-3.14, 0.25), (2.5, 1 / 3), (0, 3)]


def bits(made):
    """The numbers of a tensor, as Python's: equal only where every bit is."""
    return [float(v).hex() for v in made.tolist()]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("count", COUNTS)
def test_linspace_has_torchs_bits(count, bounds, dtype):
    theirs = torch.linspace(*bounds, count, dtype=getattr(torch, dtype))
    assert bits(tg.linspace(*bounds, count, dtype=getattr(tg, dtype))) == bits(theirs)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("start, step", STEPS)
@pytest.mark.parametrize("count", [1, 5, 8, 16, 17, 31, 33, 64, 100])
def test_arange_has_torchs_bits(count, start, step, dtype):
    end = start + step * (count - 0.5)
    theirs = torch.arange(start, end, step, dtype=getattr(torch, dtype))
    assert bits(tg.arange(start, end, step, dtype=getattr(tg, dtype))) == bits(theirs)


def test_linspace_prints_as_torchs():
    assert str(tg.linspace(-1, 1, 21)) == str(torch.linspace(-1, 1, 21))
