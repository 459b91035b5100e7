"""Random programs of views and in-place writes against torch: the same values and gradients, or RuntimeError in both."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tracegrad as tg  # noqa: E402
from tests.eager.random_writes import argument, scalar_of  # noqa: E402


def program(t, seed):
    x, rng = argument(t, seed)
    x.requires_grad_()
    names = []
    scalar_of(t, x, rng, seed, names).backward()
    return (
        [v.detach().numpy().copy() for v in names],
        x.grad.numpy(),
        [(v.requires_grad, v._version, v._is_view()) for v in names],
    )


def outcome(t, seed):
    try:
        return program(t, seed)
    except RuntimeError as error:
        return str(error)


@pytest.mark.parametrize("seed", range(400))
def test_random_program_gives_torchs_values_and_gradient(seed):
    ours, theirs = outcome(tg, seed), outcome(torch, seed)
    if isinstance(ours, str) or isinstance(theirs, str):
        if "modified by an inplace operation" in theirs and not isinstance(ours, str):
            return  # v.mul_(v) and the like: torch refuses, we keep the old value and differentiate
        assert isinstance(ours, str) and isinstance(theirs, str), (ours, theirs)
        return
    for a, b in zip(ours[0], theirs[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-10, atol=1e-12)
    assert ours[2] == theirs[2]
