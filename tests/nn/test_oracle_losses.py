"""Losses and layers: values and gradients equal torch's for every reduction, weight and shape."""

import numpy as np
import pytest

import tracegrad

torch = pytest.importorskip("torch")


def draw(seed, *shape, low=-3.0, high=3.0):
    return np.random.default_rng(seed).uniform(low, high, shape)


def value_and_gradients(library, loss, arrays, followed):
    """The loss as an array, and the gradients of the first `followed` arguments under weights that are not all equal."""
    tensors = [
        library.tensor(a.tolist(), dtype=library.float64 if a.dtype.kind == "f" else library.int64) for a in arrays
    ]
    for t in tensors[:followed]:
        t.requires_grad_()
    out = loss(library.nn.functional, *tensors)
    weights = library.tensor(draw(99, *out.shape).tolist(), dtype=library.float64)
    first = library.autograd.grad(out, tensors[:followed], weights, create_graph=True)
    second = library.autograd.grad(sum((g * g).sum() for g in first), tensors[:followed], allow_unused=True)
    return [np.array(t.detach().numpy()) for t in (out, *first, *(s for s in second if s is not None))]


REDUCTIONS = ("none", "sum", "mean")
CLASSES = np.array([2, 0, 1, 1])
CASES = {
    **{
        f"mse {r}": (lambda F, x, y, r=r: F.mse_loss(x, y, reduction=r), [draw(0, 4, 3), draw(1, 4, 3)], 2)
        for r in REDUCTIONS
    },
    **{
        f"bce {r}": (
            lambda F, x, y, r=r: F.binary_cross_entropy_with_logits(x, y, reduction=r),
            [draw(0, 4, 3, high=90.0), draw(1, 4, 3, low=0.0, high=1.0)],
            2,
        )
        for r in REDUCTIONS
    },
    **{
        f"weighted bce {r}": (
            lambda F, x, y, w, p, r=r: F.binary_cross_entropy_with_logits(x, y, w, reduction=r, pos_weight=p),
            [draw(0, 4, 3), draw(1, 4, 3, low=0.0, high=1.0), draw(2, 3, low=0.5), draw(3, 3, low=0.5)],
            2,
        )
        for r in REDUCTIONS
    },
    **{
        f"cross entropy {r}": (lambda F, x, t, r=r: F.cross_entropy(x, t, reduction=r), [draw(0, 4, 3), CLASSES], 1)
        for r in REDUCTIONS
    },
    **{
        f"weighted cross entropy {r} {s}": (
            lambda F, x, t, w, r=r, s=s: F.cross_entropy(x, t, w, reduction=r, label_smoothing=s, ignore_index=2),
            [draw(0, 4, 3), CLASSES, draw(1, 3, low=0.5)],
            1,
        )
        for r in REDUCTIONS
        for s in (0.0, 0.2)
    },
    **{
        f"cross entropy of probabilities {r} {s}": (
            lambda F, x, y, w, r=r, s=s: F.cross_entropy(x, y, w, reduction=r, label_smoothing=s),
            [draw(0, 4, 3), draw(1, 4, 3, low=0.0, high=1.0), draw(2, 3, low=0.5)],
            1,
        )
        for r in REDUCTIONS
        for s in (0.0, 0.2)
    },
    **{
        f"spatial cross entropy {r}": (
            lambda F, x, t, r=r: F.cross_entropy(x, t, reduction=r),
            [draw(0, 2, 3, 2), np.array([[0, 2], [1, 1]])],
            1,
        )
        for r in REDUCTIONS
    },
    "one position": (lambda F, x, t: F.cross_entropy(x, t), [draw(0, 3), np.array(1)], 1),
    **{
        f"linear {shape}": (lambda F, x, w, b: F.linear(x, w, b), [draw(0, *shape), draw(1, 4, 3), draw(2, 4)], 3)
        for shape in ((3,), (2, 3), (2, 5, 3))
    },
    "linear with one row": (lambda F, x, w: F.linear(x, w), [draw(0, 2, 3), draw(1, 3)], 2),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_derivatives_are_torch_s(name):
    loss, arrays, followed = CASES[name]
    ours, theirs = (value_and_gradients(library, loss, arrays, followed) for library in (tracegrad, torch))
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
