"""What is as large as values say: only how large decides, so a handful of programs serves all masks."""

from __future__ import annotations

import warnings

import pytest

import tracegrad as tg

F64 = tg.float64


def whole(x):
    """Small counts that follow from x."""
    return (x.detach() * 3).abs().long()


def scattered(x):
    values, kinds, counts = tg.unique(whole(x), return_inverse=True, return_counts=True)
    return (tg.zeros(len(values), dtype=F64).index_add(0, kinds, x) / counts).sum(), values


def narrowed(x):
    for _ in range(3):
        x = x[x < x.mean()]
    return x.sum()


def written(x):
    z = x.reshape(8, 5).clone()
    rows = z[:, 0] > 0
    z[rows, 1] = 3.0
    z[rows, 2:] += z[rows, :3]
    return (z * z).sum()


def largest(x):
    y = x[x > 1.0]
    return x.sum() if len(y) == 0 else y.max()


FUNCTIONS = {
    "mean": lambda x: x[x > 0].mean(),
    "two masks": lambda x: x[x > 0].sum() * x[x <= 0].mean(),
    "masks in turn": narrowed,
    "writes": written,
    "decides by the count": largest,
    "unique": scattered,
    "nonzero": lambda x: x[tg.nonzero(x > 0).squeeze(1)].prod(),
    "where": lambda x: tg.where(x.reshape(8, 5) > 0.5),
    "masked_select": lambda x: tg.masked_select(x.reshape(8, 5), x.reshape(8, 5) > 0.3).cumsum(0),
    "masked_scatter": lambda x: tg.zeros_like(x).masked_scatter(x > 0, x[x > 0] * 2),
    "bincount": lambda x: tg.bincount(whole(x), minlength=3),
    "repeat_interleave": lambda x: x.repeat_interleave(whole(x)),
    "unique_consecutive": lambda x: tg.unique_consecutive((x > 0).long(), return_counts=True),
    "rows and columns": lambda x: x.reshape(8, 5)[x.reshape(8, 5).sum(1) > 0][:, x[:5] > 0],
    "mask and number": lambda x: x.reshape(8, 5)[x.reshape(8, 5).sum(1) > 0, 1],
    "number of elements": lambda x: (x[x > 0] / len(x[x > 0]) * (x > 0).sum()).sum(),
    "item": lambda x: x[x > 0].sum().item(),
}


def parts(result):
    return list(result) if isinstance(result, tuple) else [result]


def check_alike(found, wanted, x):
    """Values, and derivatives to third order."""
    for a, b in zip(parts(found), parts(wanted), strict=True):
        if not isinstance(a, tg.Tensor):
            assert a == pytest.approx(b, rel=1e-12)
            continue
        tg.testing.assert_close(a, b)
        assert a.requires_grad == b.requires_grad
        for _ in range(3 if a.requires_grad else 0):
            (a,) = tg.autograd.grad(a.sin().sum(), x, create_graph=True)
            (b,) = tg.autograd.grad(b.sin().sum(), x, create_graph=True)
            tg.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_masks_select_is_right_for_every_count(name):
    function, fast = FUNCTIONS[name], tg.compile(FUNCTIONS[name])
    tg.manual_seed(0)
    for k in range(30):
        x = tg.randn(40, dtype=F64).requires_grad_(k % 2 == 1)
        check_alike(fast(x), function(x), x)


def test_a_thousand_masks_need_a_handful_of_programs_and_no_warning():
    function = FUNCTIONS["mean"]
    fast = tg.compile(function)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(1000):
            x = tg.randn(1000, dtype=F64)
            assert fast(x).item() == pytest.approx(function(x).item(), rel=1e-12)
    assert fast.compilations <= 4


def test_ever_new_counts_keep_the_memory_bounded():
    fast = tg.compile(lambda x: x[x > 0].sum())
    for n in range(2, 700):
        x = tg.ones(1000, dtype=F64)
        x[n:] = -1.0
        assert fast(x).item() == n
        assert fast.tree.paths <= 256
    assert fast.compilations <= 12


@pytest.mark.filterwarnings("ignore:.*it runs uncompiled")
def test_decisions_behind_ever_new_counts_are_still_limited():
    fast = tg.compile(lambda x: x[x > 0] * float(x.sum()))
    for n in range(2, 200):
        x = tg.ones(300, dtype=F64)
        x[n:] = -1.0
        assert fast(x).shape == (n,)
    assert fast._uncompiled


def test_a_count_that_ends_a_loop_is_no_course_of_its_own():
    def trimmed(x):
        while (keep := x.abs() < x.abs().max()).sum() > 3:
            x = x[keep]
        return x.sum()

    fast = tg.compile(trimmed)
    for k in range(20):
        x = tg.randn(6 + k % 5, dtype=F64)
        tg.testing.assert_close(fast(x), trimmed(x))


@pytest.mark.parametrize(
    ("function", "good", "bad"),
    [
        (lambda n: tg.bincount(n), [0, 2, 1], [0, -2, 1]),
        (lambda n: tg.ones(3).repeat_interleave(n), [0, 2, 1], [0, -2, 1]),
        (lambda n: tg.ones(3).repeat_interleave(n, output_size=3), [0, 2, 1], [1, 1, 2]),
    ],
    ids=["bincount", "repeat_interleave", "output_size"],
)
def test_values_that_are_wrong_raise_the_class_of_eager_code(function, good, bad):
    fast = tg.compile(function)
    assert fast(tg.tensor(good)).tolist() == function(tg.tensor(good)).tolist()
    for _ in range(2):
        with pytest.raises(RuntimeError):
            fast(tg.tensor(bad))
    assert fast(tg.tensor(good)).tolist() == function(tg.tensor(good)).tolist()


def test_the_text_shows_the_shapes_that_were_seen():
    fast = tg.compile(lambda x: x[x > 0].sum())
    fast(tg.tensor([1.0, -1.0, 2.0]))
    assert ".shape == (2, 1):" in fast.source
    (guard,) = fast.explain(tg.tensor([1.0, -1.0, 2.0])).guards
    assert (guard.kind, guard.values) == ("count", ((2, 1),))


def scattered_squares(x):
    values, kinds = tg.unique((x * 2).long(), return_inverse=True)
    return (tg.zeros(len(values), dtype=F64).index_add(0, kinds, x) ** 2).sum()


TRANSFORMS = {
    "grad": tg.func.grad,
    "grad of grad": lambda f: tg.func.grad(lambda x: (tg.func.grad(f)(x) ** 2).sum()),
    "jvp": lambda f: lambda x: tg.func.jvp(f, (x,), (tg.ones_like(x),)),
    "hessian": tg.func.hessian,
    "jacrev": tg.func.jacrev,
    "checkpoint": lambda f: lambda x: tg.utils.checkpoint.checkpoint(f, x, use_reentrant=False),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("function", [FUNCTIONS["two masks"], scattered_squares], ids=["masks", "unique"])
def test_masks_are_counted_inside_transforms(function, name):
    plain = TRANSFORMS[name](function)
    fast = tg.compile(plain)
    tg.manual_seed(0)
    for _ in range(20):
        x = tg.randn(12, dtype=F64)
        for a, b in zip(parts(fast(x)), parts(plain(x)), strict=True):
            tg.testing.assert_close(a, b)
    assert len(fast.tree.courses) == 1
