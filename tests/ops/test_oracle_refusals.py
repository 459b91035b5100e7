"""Wrong calls raise the class that torch raises, in the package's form, eagerly, compiled and inside vmap: never a number.

A line is an expression over t (torch or tracegrad), f (its nn.functional) and r(*shape), floating values; what a recording cannot hold is in EAGER.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tracegrad as tg

torch = pytest.importorskip("torch")

SHAPES = """
t.linalg.matrix_exp(r(2, 3))
t.linalg.ldl_factor(r(1, 5))
t.linalg.ldl_factor(r(2, 1, 5))
t.linalg.solve_triangular(r(1), r(3, 1), upper=True)
t.linalg.solve_triangular(r(1, 1), r(3, 0), upper=True, left=False)
t.linalg.vecdot(r(2), r(1))
t.linalg.vecdot(r(2), r(2).double())
t.linalg.cross(r(1, 3), r(5, 3).double())
t.cross(r(1, 3).bool(), r(5, 3).bool())
t.linalg.lu_solve(r(2, 2), t.ones(1, 2, dtype=t.int32), r(2, 2))
t.linalg.lu_solve(r(2, 2), t.ones(1, dtype=t.int32), r(2, 2))
t.cholesky_solve(r(0, 5), r(5, 5))
t.triangular_solve(r(0, 1), r(5, 5))
t.ormqr(r(2, 2), r(1), r(2, 2))
t.trace(r(2, 2, 2))
t.view_as_complex(r(5, 0))
r(5, 5).index_reduce(1, t.zeros(10, dtype=t.int64), r(1, 10), "mean")
r(1).index_reduce(0, t.zeros(1, dtype=t.int64), r(), "amax")
t.index_add(r(4, 3), 0, t.zeros(2, dtype=t.int64), r(1, 3))
t.gather(r(4, 3), 0, t.zeros(3, dtype=t.int64))
t.scatter_add(r(4, 3), 0, t.zeros(2, 3, dtype=t.int64), r(1, 3))
t.take_along_dim(r(5, 5), t.zeros(5, 2, dtype=t.uint8))
t.isin(r(3) > 0, r(3))
t.isin(r(3), t.complex(r(3), r(3)))
t.searchsorted(t.complex(r(3), r(3)), r(3))
t.bucketize(r(3), t.complex(r(3), r(3)))
t.isclose(r(2), r(2), rtol=float("nan"))
t.cdist(r(2, 2), r(2, 2), p=float("nan"))
t.cdist(r(2, 2), r(2, 2), compute_mode="fast")
t.renorm(r(2, 2), 2, 0, float("nan"))
t.vander(r(3), N=-1)
t.block_diag([r(2)])
t.narrow_copy(r(3), 5, 0, 1)
f.linear(r(3), r(1, 3), r(4))
f.linear(r(3), r(3), r(4))
f.linear(r(3), r(4, 3), r(2, 4))
f.linear(r(2, 3), r(1, 3), r(4))
f.bilinear(r(3), r(4), r(5, 3, 4), r(1))
f.bilinear(r(3), r(4), r(5, 3, 4), r(5).double())
f.conv1d(r(1, 4, 5), r(1, 4, 0))
f.conv2d(r(1, 2, 4, 3), r(4, 2, 0, 4), padding=1)
f.conv_transpose1d(r(1, 1, 0), r(1, 1, 4))
f.nll_loss(r(5, 3), t.zeros(4, dtype=t.int64))
f.nll_loss(r(4, 3), t.zeros(1, dtype=t.int64))
f.cross_entropy(r(4, 3), t.zeros(4, dtype=t.int64), weight=r(2))
f.soft_margin_loss(r(1), r(5))
f.soft_margin_loss(r(5), r(2, 5))
f.soft_margin_loss(t.ones(5, dtype=t.int64), r(5))
f.multi_margin_loss(r(5), t.zeros(1, dtype=t.int32))
f.multi_margin_loss(r(5), t.zeros(1, 1, dtype=t.int64))
f.multilabel_margin_loss(r(5), t.zeros(5, dtype=t.int32))
f.binary_cross_entropy(r(1), r(1), r(2))
f.binary_cross_entropy_with_logits(r(1), r(1), r(2))
f.binary_cross_entropy_with_logits(r(2), t.zeros(2, dtype=t.int64))
f.kl_div(t.complex(r(2), r(2)), r(2), reduction="sum")
f.huber_loss(t.complex(r(2), r(2)), r(2))
f.smooth_l1_loss(r(2), t.complex(r(2), r(2)))
f.layer_norm(r(2, 3), (3,), r(3).double())
f.layer_norm(r(2, 3), (3,), r(3), t.ones(3, dtype=t.int64))
f.group_norm(r(2, 4), 2, r(4).double())
f.batch_norm(r(3, 2), r(2), r(2), r(2), r(2).double())
f.batch_norm(r(3, 2), r(2), t.ones(2, dtype=t.int64))
f.batch_norm(r(3, 2), r(1, 2), r(2))
f.instance_norm(r(3, 2, 4), r(1, 2), r(2))
f.instance_norm(r(3, 2, 4), None, r(2))
f.instance_norm(r(3, 2, 4), weight=r(1, 2))
f.local_response_norm(r(1, 1, 2), 0)
f.cosine_similarity(r(5), r(5), 0, eps=-1.0)
f.pad(r(0, 3), (1, 2), "replicate")
f.pad(r(1, 0, 3), (1, 2), "reflect")
f.pad(r(1, 3) > 0, (1, 2), "reflect")
f.unfold(t.zeros(1, 1, 5, 5, dtype=t.int64), (3, 3))
f.unfold(r(1, 1, 5, 5), (3,))
f.fractional_max_pool2d(r(1, 1, 4, 4), 2, output_size=(2,))
f.max_unpool1d(r(1, 2, 1), t.zeros(1, 2, 1, dtype=t.int64), 3, 2, 0, (1, 2, 10))
f.max_unpool1d(r(1, 2, 1), t.zeros(1, 2, 1, dtype=t.int64), 3, 2, 0, (3, 3))
f.adaptive_max_pool2d(t.zeros(1, 2, 4, 4, dtype=t.int64), 2)
f.softshrink(r(2), lambd=float("nan"))
f.linear_cross_entropy(r(2, 3), r(3), t.zeros(2, dtype=t.int64))
f.linear_cross_entropy(r(2, 3), r(4, 3), t.zeros(2, dtype=t.int64), linear_bias=r(1, 4))
f.linear_cross_entropy(r(2, 3), r(4, 3), r(2, 4), ignore_index=1)
f.linear_cross_entropy(r(2, 3), r(4, 3), t.zeros(2, dtype=t.int64), label_smoothing=2.0)
f.linear_cross_entropy(r(1, 2, 3), r(4, 3), t.zeros(2, dtype=t.int64))
f.dropout(r(2), float("nan"))
f.dropout(r(2), 1.5)
t.sum(r(2, 2), (0, 0))
t.ormqr(r(2, 2), r(), r(2, 2))
t.trapezoid(r(), dx=3.0)
t.roll(r(2, 2), (1, 2), 0)
t.einsum("ij,jk->ik", r(2, 3), r(2, 3))
r(3).unfold(0, 2, 0)
"""
TYPES = """
r(3).repeat()
r(3).numpy(force=1)
f.max_pool1d(r(1, 1, 5), 2, ceil_mode=1)
f.max_pool2d(r(1, 1, 5, 5), 2, ceil_mode=None)
f.avg_pool2d(r(1, 1, 5, 5), 2, count_include_pad=1)
f.avg_pool2d(r(1, 1, 5, 5), 2, divisor_override=1.5)
f.lp_pool2d(r(1, 1, 5, 5), 2, 2, ceil_mode=1)
t.lerp(r(2).long(), r(2).long(), t.tensor([0.5]))
t.lerp(r(2), r(2), t.tensor([0.5], dtype=t.float64))
t.lerp(r(2).long(), r(2).long(), 0.5)
f.embedding_bag(t.tensor([[0, 1]]), t.ones(2, 2, dtype=t.int64))
f.embedding_bag(t.tensor([[0, 1]]), r(2, 2), per_sample_weights=t.ones(1, 2, dtype=t.int64), mode="sum")
f.gaussian_nll_loss(r(3), r(3), t.ones(3, dtype=t.int64))
f.gaussian_nll_loss(r(3), r(3), 2)
t.histogramdd(r(5, 2), bins=[2.5, 3])
t.histogramdd(r(5, 2), bins="a")
t.histogramdd(r(5, 2), bins=[True, 2])
t.chunk(r(3), "x")
t.diff(r(3), "x")
t.diff(r(3), prepend=3)
t.diff(r(3), 1.5)
r(3).sum_to_size(1.5)
f.linear(2, r(3, 4))
r(3).select(0, 1.5)
f.pad(r(1, 3), (1, 1.5))
t.cumsum(None, 0)
t.add(r(3), "x")
t.topk(r(3), 2.5)
t.isclose(r(3), r(3), rtol="x")
t.logit(r(3), "x")
t.tril(r(3, 3), "a")
t.cov(r(3), fweights=1.5)
r(3).sum(dim="x")
r(3).sum(keepdim=1)
t.cholesky(t.eye(2), upper=2)
t.sort(r(3), descending="x")
t.kaiser_window(3, beta=2.0)
f.cross_entropy(None, t.zeros(2, dtype=t.int64))
f.cross_entropy(r(2, 3), [0, 1])
f.huber_loss(r(2), r(2), delta="x")
f.kl_div(r(2), 2.0, reduction="sum")
f.multi_margin_loss(r(2, 3), None)
f.pad(r(1, 3), None)
f.layer_norm(r(2, 3), 1.5)
f.poisson_nll_loss(r(2), "x")
"""
EAGER = """
r(3).index_reduce(0, t.tensor([5]), r(1), "prod")
r(3, 2).index_reduce(1, t.tensor([-1]), r(3, 1), "amin")
f.multilabel_margin_loss(r(5), t.full((5,), -3))
f.multilabel_margin_loss(r(5), t.full((5,), 5))
f.binary_cross_entropy(r(2), t.tensor([0.5, -5.0]))
f.binary_cross_entropy(r(2), t.tensor([0.5, float("nan")]))
t.normal(r(3), t.tensor([1.0, float("nan"), 1.0]))
t.normal(0.0, float("nan"), (2,))
r(3).normal_(0.0, float("nan"))
t.allclose(r(2), r(2), atol=float("nan"))
f.cross_entropy(r(2, 3), t.tensor([0, 3]))
t.index_select(r(3), 0, t.tensor([3]))
t.index_select(r(3, 4), 1, t.tensor([9]))
t.index_select(r(3, 4), 0, t.tensor([9]))
t.index_add(r(3), 0, t.tensor([3]), r(1))
t.index_add(r(3, 2), 0, t.tensor([3]), r(1, 2))
t.linalg.lu_solve(r(2, 2), t.tensor([0, 1], dtype=t.int32), r(2, 1))
t.linalg.lu_solve(r(2, 2), t.tensor([3, 1], dtype=t.int32), r(2, 1))
t.gather(r(3), 0, t.tensor([-4]))
r(3).expand(2, 3).add_(1)
r(3).add_(r(2, 3))
t.ones(3, dtype=t.int64).add_(1.5)
t.add(r(3), 1, out=t.ones(3, dtype=t.int64))
r(3).requires_grad_().add_(1)
"""


def listed(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


def run(t, line, around=lambda call, x: call(x)):
    """What the line raises where every r(...) is made from an argument of a function that `around` calls; None if it gives a value."""

    def call(x):
        def r(*shape):
            count = int(np.prod(shape, dtype=int))
            return (x[:count] if count <= len(x) else x.repeat(count // len(x) + 1)[:count]).reshape(shape)

        return eval(line, {"t": t, "f": t.nn.functional, "r": r})

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            around(call, t.linspace(0.25, 0.75, 64))
        except Exception as error:
            return error
    return None


def builtin(error):
    """The first class of Python's own that the error is of."""
    return next(c for c in type(error).__mro__ if c.__module__ == "builtins")


@pytest.mark.parametrize("line", listed(SHAPES) + listed(TYPES) + listed(EAGER))
def test_a_wrong_call_raises_torchs_class_in_our_form(line):
    theirs, ours = run(torch, line), run(tg, line)
    assert theirs is not None
    assert isinstance(ours, tg.errors.TracegradError)
    assert builtin(ours) is builtin(theirs)


@pytest.mark.parametrize("line", listed(SHAPES) + listed(TYPES))
def test_a_wrong_call_gives_no_number_in_a_recording(line):
    assert run(tg, line, lambda call, x: tg.compile(call)(x)) is not None
    assert run(tg, line, lambda call, x: tg.func.vmap(call)(tg.stack([x, x]))) is not None
    assert run(tg, line, lambda call, x: tg.func.jvp(call, (x,), (x,))) is not None
