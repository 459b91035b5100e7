"""Random programs of views and in-place writes against torch: the same values and gradients, or RuntimeError in both."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tracegrad as tg  # noqa: E402


def random_view(rng, v):
    """A view of v, chosen by rng in the same way for both libraries."""
    choice, n = rng.integers(7), len(v.shape)
    if n and choice == 0 and v.shape[0] > 1:
        return v[int(rng.integers(v.shape[0]))]
    if n and choice == 1 and v.shape[0] > 1:
        return v[1:]
    if n and choice == 2:
        return v[..., :: int(rng.integers(1, 3))]
    if n > 1 and choice == 3:
        return v.transpose(0, 1)
    if choice == 4 and v.is_contiguous():
        return v.view(-1)
    if choice == 5:
        return v.unsqueeze(0)
    return v.detach() if choice == 6 and rng.random() < 0.2 else v[...]


def random_write(rng, v, x):
    choice = rng.integers(8)
    assert v.grad_fn is None or v.requires_grad  # torch gives a view its new history only when it is asked for
    if choice == 0:
        v.mul_(float(rng.uniform(0.5, 2)))
    elif choice == 1:
        v.add_(x.sum())
    elif choice == 2:
        v.copy_(x[0, 0] * 2)
    elif choice == 3:
        v.mul_(v)
    elif choice == 4:
        v.zero_()
    elif choice == 5:
        v.sub_(v.detach().clone() * 0.5)
    elif choice == 6:
        v.fill_(1.5)
    else:
        v.sin_()


def program(t, seed):
    rng = np.random.default_rng(seed)
    x = t.tensor(rng.uniform(-1, 1, (3, 4)).tolist(), dtype=t.float64, requires_grad=True)
    base = (x.t() * 1 if seed % 5 == 0 else x * 2) if seed % 3 else t.ones(3, 4, dtype=t.float64)
    names, read = [base], []
    for _ in range(int(rng.integers(3, 12))):
        v = names[rng.integers(len(names))]
        kind = rng.integers(4)
        if kind < 2:
            names.append(random_view(rng, v))
        elif kind == 2:
            random_write(rng, v, x)
        else:
            read.append((v * 3 if rng.random() < 0.5 else v * v).sum())
    total = x.sum() * 0
    for part in [*read, *((v * v).sum() for v in names)]:
        total = total + part
    total.backward()
    return [v.detach().numpy().copy() for v in names], x.grad.numpy(), [v.requires_grad for v in names]


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
