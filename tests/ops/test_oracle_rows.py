"""Results of folds and triangles of permuted tensors lie in rows as torch's do, so that view() takes them."""

from __future__ import annotations

import pytest

import tracegrad as tg

torch = pytest.importorskip("torch")

FOLDS = "sum prod amax amin all any nansum mean var logsumexp".split()


def permuted(t, dtype: str):
    """A tensor whose memory order is not that of its axes."""
    return t.arange(24.0).reshape(2, 3, 4).to(getattr(t, dtype)).permute(2, 0, 1)


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("name", FOLDS)
def test_a_fold_of_a_permuted_tensor_can_be_viewed(name: str, keepdim: bool):
    for dim in (0, 1, -1):
        ours = getattr(permuted(tg, "float32"), name)(dim=dim, keepdim=keepdim)
        theirs = getattr(permuted(torch, "float32"), name)(dim=dim, keepdim=keepdim)
        assert ours.is_contiguous() and (keepdim or ours.stride() == theirs.stride())
        assert ours.view(-1).tolist() == pytest.approx(theirs.view(-1).tolist(), rel=1e-6)


@pytest.mark.parametrize("name", ["sum", "prod", "all", "any", "amax"])
def test_a_fold_of_permuted_whole_numbers_can_be_viewed(name: str):
    ours, theirs = (getattr(permuted(t, "int32"), name)(dim=-1) for t in (tg, torch))
    assert ours.stride() == theirs.stride()
    assert ours.view(-1).tolist() == theirs.view(-1).tolist()


@pytest.mark.parametrize("name", ["max", "min", "median", "mode", "cummax"])
def test_the_values_found_along_an_axis_lie_in_rows(name: str):
    ours, theirs = (getattr(permuted(t, "float32"), name)(1) for t in (tg, torch))
    assert ours[0].stride() == theirs[0].stride()
    assert ours[0].view(-1).tolist() == theirs[0].view(-1).tolist()


@pytest.mark.parametrize("name", ["tril", "triu"])
def test_a_triangle_lies_in_rows(name: str):
    ours, theirs = (getattr(permuted(t, "float32"), name)() for t in (tg, torch))
    assert ours.stride() == theirs.stride()
    assert ours.view(-1).tolist() == theirs.view(-1).tolist()


def test_a_followed_fold_of_a_permuted_tensor_can_be_viewed():
    x = tg.arange(24.0).reshape(2, 3, 4).requires_grad_()
    x.permute(2, 0, 1).sum(-1).view(-1).square().sum().backward()
    y = torch.arange(24.0).reshape(2, 3, 4).requires_grad_()
    y.permute(2, 0, 1).sum(-1).view(-1).square().sum().backward()
    assert x.grad.tolist() == y.grad.tolist()
