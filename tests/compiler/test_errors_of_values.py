"""What the values of arguments make wrong: compiled code raises the class that eager code raises."""

from __future__ import annotations

import pytest

import tracegrad as tg

F = tg.nn.functional
BAD = tg.tensor([0, 5])
CASES = {
    "nll_loss": (lambda i: F.nll_loss(tg.zeros(2, 3), i), BAD),
    "cross_entropy": (lambda i: F.cross_entropy(tg.zeros(2, 3), i), BAD),
    "cross_entropy, smoothed": (lambda i: F.cross_entropy(tg.zeros(2, 3), i, label_smoothing=0.1), BAD),
    "scatter": (lambda i: tg.zeros(3).scatter(0, i, tg.ones(2)), BAD),
    "scatter, negative": (lambda i: tg.zeros(3).scatter(0, i, tg.ones(2)), tg.tensor([0, -1])),
    "scatter of a number": (lambda i: tg.zeros(3).scatter(0, i, 1.0), BAD),
    "scatter_add": (lambda i: tg.zeros(3).scatter_add(0, i, tg.ones(2)), BAD),
    "gather": (lambda i: tg.zeros(3).gather(0, i), BAD),
    "index_copy": (lambda i: tg.zeros(3).index_copy(0, i, tg.ones(2)), BAD),
    "max_unpool1d": (lambda i: F.max_unpool1d(tg.zeros(1, 1, 2), i.reshape(1, 1, 2), 2), BAD),
    "max_unpool2d": (lambda i: F.max_unpool2d(tg.zeros(1, 1, 1, 2), i.reshape(1, 1, 1, 2), 2), tg.tensor([0, 50])),
    "embedding": (lambda i: F.embedding(i, tg.zeros(3, 2)), BAD),
    "embedding_bag": (lambda i: F.embedding_bag(i.reshape(1, 2), tg.zeros(3, 2)), BAD),
}


def class_of(function, *arguments):
    """The builtin class among those of the error that a call raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  (its class is the result)
        function(*arguments)
    return next(c for c in type(caught.value).__mro__ if c.__module__ == "builtins")


@pytest.mark.parametrize("name", CASES)
def test_a_bad_position_raises_the_class_of_eager_code(name):
    function, bad = CASES[name]
    wanted, compiled = class_of(function, bad), tg.compile(function)
    assert class_of(compiled, bad) is wanted
    compiled(tg.tensor([0, 1]))
    assert class_of(compiled, bad) is wanted


@pytest.mark.filterwarnings("ignore:.*it runs uncompiled")
@pytest.mark.parametrize(
    "function",
    [
        lambda x: (tg.manual_seed(0), x + tg.rand(2))[1],
        lambda x: (x * 2).resize_(4),
        lambda x: tg.func.jvp(
            lambda v: F.batch_norm(v.reshape(2, 1), tg.zeros(1), tg.ones(1), training=True), (x,), (x,)
        )[1],
    ],
    ids=["seeds", "resizes", "running statistics in jvp"],
)
def test_what_no_recording_holds_runs_as_it_is(function):
    x = tg.tensor([1.0, 2.0])
    compiled = tg.compile(function)
    for _ in range(2):
        assert tg.equal(compiled(x), function(x))
