"""ctc_loss: values, names, first derivatives and error classes are torch's; torch has no second derivative."""

import numpy as np
import pytest

import tracegrad as tg
from tests.ops.oracle import assert_same

torch = pytest.importorskip("torch")

LOSSES = """(x,t,(5,5),(2,1),reduction='none') (x,t,(5,5),(2,2),reduction='sum') (x,t,(5,4),(2,1)) (x,t,(5,5),(2,1),reduction='none',zero_infinity=True)
(x[:,0],t[0],(5,),(2,),reduction='none') (x[:,0],t[0],T.tensor(5),T.tensor(2)) (x,t,T.tensor([5,5]),T.tensor([2,1]),reduction='none')
(x,t.reshape(-1),(5,4),(2,2)) (x,t.reshape(-1),(5,4),(3,1)) (x,t.reshape(-1),(5,4),(4,0)) (x,t.reshape(-1),(5,4),(0,4),reduction='none')
(x,t,(5,0),(2,1),reduction='none') (x,t,(5,0),(2,0),reduction='none') (x,t+9,(5,5),(0,0),reduction='none') (x,t.int(),(5,5),(2,1)) (x,t.float(),(5,5),(2,1))
(x,t,(1,5),(2,1),reduction='none') (x,t,(1,4),(2,1),zero_infinity=True) (x,t,(2,2),(2,2),reduction='none') (x,t-1,(5,5),(2,1),blank=3)""".split()
REFUSED = """(x,t,(5,6),(2,1)) (x,t,(5,5),(3,1)) (x,t,(5,),(2,1)) (x,t,(5,5),(2,)) (x,t,(5,5),(2,1),blank=4) (x,t,(5,5),(2,1),blank=-1) (x,t.reshape(-1),(5,5),(2,1))
(x,t,(5,5),(2,-1)) (x,t,(5,-1),(2,1)) (x.half(),t,(5,5),(2,1)) (x.long(),t,(5,5),(2,1)) (x,t,(5,5),(2,1),reduction='foo') (x[0,0],t,(5,0),(2,0)) (x[:0],t,(0,0),(2,0))
(x,t.reshape(2,2,1),(5,5),(2,1)) (x,t,T.tensor([5.,5]),T.tensor([2,1])) (x,t,T.tensor([5,5]),(2,1)) (x,t[:1],(5,5),(2,1))""".split()


def evaluated(text, name="F.ctc_loss"):
    def function(t, x):
        return eval(name + text, {"F": t.nn.functional, "T": t, "x": x, "t": t.tensor([[1, 2], [3, 3]])})

    return function


@pytest.mark.parametrize("text", LOSSES)
def test_the_loss_is_that_of_torch(text):
    x = np.random.default_rng(0).normal(size=(5, 2, 4))
    assert_same(torch, evaluated(text), x - np.log(np.exp(x).sum(2, keepdims=True)), orders=1)


@pytest.mark.parametrize("text", REFUSED)
def test_what_torch_refuses_is_refused_by_an_error_of_the_same_class(text):
    assert_same(torch, evaluated(text), np.zeros((5, 2, 4)))


@pytest.mark.parametrize("text", ["(x,t,[5,5],[2,1])", "(x,t,(5,5),(2,1),0,2,True)", "(x,t,(5,5),(2,1),0,1)"])
def test_the_function_at_the_top_takes_numbers_for_reductions(text):
    assert_same(torch, evaluated(text, "T.ctc_loss"), np.zeros((5, 2, 4)) - np.log(4), orders=1)


def test_the_module_has_the_arguments_of_torch():
    def function(t, x):
        return t.nn.CTCLoss(blank=1, zero_infinity=True)(x, t.tensor([[2, 2], [3, 0]]), (5, 2), (2, 2))

    assert_same(torch, function, np.zeros((5, 2, 4)) - np.log(4), orders=1)


def test_long_sequences_in_single_precision_agree():
    def function(t, x):
        targets = t.tensor(np.random.default_rng(1).integers(1, 12, (3, 25)))
        return t.nn.functional.ctc_loss(x.log_softmax(2), targets, (120, 90, 60), (25, 20, 0))

    x = np.random.default_rng(0).normal(size=(120, 3, 12))
    assert_same(torch, function, x, orders=1, names=False)


def test_the_loss_of_logits_passes_the_check_of_second_derivatives():
    x = tg.tensor(np.random.default_rng(0).normal(size=(6, 2, 4)), requires_grad=True)
    targets = tg.tensor([[1, 2, 2], [3, 3, 1]])
    assert tg.autograd.gradgradcheck(
        lambda x: tg.nn.functional.ctc_loss(x.log_softmax(2), targets, (6, 5), (3, 2), reduction="none"), x
    )


def test_logarithms_of_zero_leave_the_derivative_finite():
    x = np.random.default_rng(0).normal(size=(5, 1, 4))
    x[1, 0, 0] = x[3, 0, 2] = -np.inf
    p = tg.tensor(x - np.log(np.exp(x).sum(2, keepdims=True)), requires_grad=True)
    loss = tg.nn.functional.ctc_loss(p, tg.tensor([[1, 2]]), (5,), (2,))
    (g,) = tg.autograd.grad(loss, [p])
    assert np.isfinite(loss.item())
    assert np.isfinite(g.numpy()).all()


def test_a_batched_loss_is_a_loop_of_losses():
    generator = np.random.default_rng(0)
    x, targets = tg.tensor(generator.normal(size=(3, 5, 2, 4))), tg.tensor(generator.integers(1, 4, (3, 2, 2)))
    lengths = tg.tensor([[5, 5], [4, 5], [5, 3]]), tg.tensor([[2, 1], [0, 2], [1, 1]])
    made = tg.func.vmap(tg.nn.functional.ctc_loss)(x, targets, *lengths)
    loop = [tg.nn.functional.ctc_loss(x[i], targets[i], lengths[0][i], lengths[1][i]).item() for i in range(3)]
    np.testing.assert_allclose(made.numpy(), loop, rtol=1e-12)


@pytest.mark.parametrize("targets", [[[1, 2, 3], [1, 1, 0]], [1, 2, 3, 1, 1]])
def test_a_compiled_loss_sees_that_captured_lengths_have_changed(targets):
    x, t = tg.linspace(-1, 1, 48).reshape(6, 2, 4).sin().log_softmax(2), tg.tensor(targets)
    rows, columns = tg.tensor([6, 5]), tg.tensor([3, 2])

    def loss(x):
        return tg.nn.functional.ctc_loss(x, t, rows, columns)

    compiled = tg.compile(loss)
    for lengths in ([6, 5], [5, 4], [4, 4]):
        rows.copy_(tg.tensor(lengths))
        assert compiled(x).item() == pytest.approx(loss(x).item())


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_targets_in_a_row_are_compiled_with_constant_lengths(backend):
    if backend == "jax":
        pytest.importorskip("jax")
    x, t = tg.linspace(-1, 1, 48).reshape(6, 2, 4).sin().log_softmax(2), tg.tensor([1, 2, 3, 1, 1])

    def loss(x, t):
        return tg.nn.functional.ctc_loss(x, t, tg.tensor([6, 5]), tg.tensor([3, 2]))

    assert tg.compile(loss, backend=backend)(x, t).item() == pytest.approx(loss(x, t).item())
