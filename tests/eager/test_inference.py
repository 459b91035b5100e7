"""Inference tensors: what inference_mode() makes, what is refused with them afterwards, what is not."""

import copy
import pickle
import threading

import pytest

import tracegrad as tg
from tracegrad import config
from tracegrad.eager.inference import InferenceTensor


@pytest.fixture
def made():
    with tg.inference_mode():
        return tg.ones(3)


@pytest.fixture(autouse=True)
def modes_are_restored():
    yield
    assert config.GENERATED["MODE"] == 0
    assert not config.local.inference
    assert config.local.watch is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: tg.tensor([1.0]),
        lambda: tg.zeros(2) + 1,
        lambda: tg.arange(3),
        lambda: tg.rand(2),
        lambda: tg.Tensor([1.0]),
        lambda: tg.as_tensor([1.0]),
        lambda: tg.ones(2, 2) @ tg.ones(2),
        lambda: tg.ones(2, 2)[0],
        lambda: tg.ones(4).view(2, 2).T,
        lambda: tg.ones(2, 2).max(1).values,
        lambda: tg.ones(2).detach(),
        lambda: copy.deepcopy(tg.ones(2)),
    ],
)
def test_what_the_mode_makes_is_an_inference_tensor(make):
    with tg.inference_mode():
        t = make()
    assert t.is_inference()
    assert tg.is_inference(t)
    assert not t.requires_grad


def test_the_class_is_tensor_to_the_program(made):
    assert made.__class__ is tg.Tensor
    assert type(made).__name__ == "Tensor"
    assert isinstance(made, tg.Tensor)
    assert repr(made) == "tensor([1., 1., 1.])"


def test_a_view_of_an_ordinary_tensor_is_ordinary():
    x = tg.ones(2, 2)
    with tg.inference_mode():
        assert not x[0].is_inference()
        assert not x.view(4).is_inference()
        assert x.clone().is_inference()


def test_outside_a_view_stays_an_inference_tensor_and_a_new_value_does_not(made):
    assert made.view(3).is_inference()
    assert made[:2].is_inference()
    assert made.detach().is_inference()
    assert not (made + 1).is_inference()
    assert not made.clone().is_inference()


REFUSED = {
    "saving for a product": (lambda a, x: x * a, "cannot be saved for backward"),
    "saving in a matmul": (lambda a, x: x @ a, "cannot be saved for backward"),
    "an update": (lambda a, x: a.add_(1), "Inplace update to inference tensor outside InferenceMode"),
    "an update of a view": (lambda a, x: a.view(3).mul_(2), "Inplace update to inference tensor"),
    "an assignment": (lambda a, x: a.__setitem__(0, 1.0), "Inplace update to inference tensor"),
    "zero_": (lambda a, x: a.zero_(), "Inplace update to inference tensor"),
    "copy_": (lambda a, x: a.copy_(x.detach()), "Inplace update to inference tensor"),
    "the version": (lambda a, x: a._version, "do not track version counter"),
    "requires_grad_": (lambda a, x: a.requires_grad_(), "Setting requires_grad=True on inference tensor"),
    "a Parameter": (lambda a, x: tg.nn.Parameter(a), "Setting requires_grad=True on inference tensor"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_inference_tensor_is_refused_outside_for(made, name):
    act, text = REFUSED[name]
    with pytest.raises(RuntimeError, match=text):
        act(made, tg.ones(3, requires_grad=True))
    assert made.tolist() == [1.0, 1.0, 1.0]


def test_under_no_grad_an_update_is_refused_too(made):
    with tg.no_grad(), pytest.raises(RuntimeError, match="Inplace update"):
        made += 1


@pytest.mark.parametrize("act", [lambda a, x: x + a, lambda a, x: tg.cat([x, a]), lambda a, x: x * a.clone()])
def test_what_saves_nothing_of_it_is_recorded(made, act):
    x = tg.ones(3, requires_grad=True)
    act(made, x).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


def test_save_for_backward_refuses_it(made):
    class Times(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x, a):
            ctx.save_for_backward(a)
            return x * a

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0], None

    with pytest.raises(RuntimeError, match="cannot be saved for backward"):
        Times.apply(tg.ones(3, requires_grad=True), made)


def test_inside_another_block_it_may_be_written(made):
    with tg.inference_mode():
        made.add_(1)
        made[0] = 5.0
        made.view(3).mul_(2)
    assert made.tolist() == [10.0, 4.0, 4.0]


def test_an_ordinary_tensor_may_be_written_inside_and_counts_it():
    x = tg.ones(2, requires_grad=True)
    with tg.inference_mode():
        x.mul_(3)
    assert x.tolist() == [3.0, 3.0]
    assert x._version == 1
    assert not x.is_inference()


def test_a_saved_value_that_the_mode_wrote_is_reported():
    x = tg.ones(2, requires_grad=True)
    y = x.exp()
    with tg.inference_mode():
        y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_enable_grad_has_no_effect_inside():
    x = tg.ones(2, requires_grad=True)
    with tg.inference_mode(), tg.enable_grad():
        y = x * 2
        assert tg.is_grad_enabled()
        assert tg.is_inference_mode_enabled()
    assert not y.requires_grad
    assert y.is_inference()


def test_inference_mode_false_makes_ordinary_tensors_inside():
    with tg.inference_mode(), tg.inference_mode(False):
        x = tg.ones(2, requires_grad=True)
        y = x * 2
        assert tg.is_grad_enabled()
    assert y.requires_grad
    assert not y.is_inference()


def test_a_decorated_generator_is_in_the_mode_while_it_runs():
    @tg.inference_mode()
    def steps():
        for i in range(2):
            yield tg.ones(1) * i

    for t in steps():
        assert t.is_inference()
        assert not tg.ones(1).is_inference()


def test_copies_and_pickles_are_ordinary(made):
    assert not copy.deepcopy(made).is_inference()
    assert not pickle.loads(pickle.dumps(made)).is_inference()


def test_the_mode_belongs_to_the_thread():
    seen = []
    with tg.inference_mode():
        thread = threading.Thread(target=lambda: seen.append(tg.ones(1).is_inference()))
        thread.start()
        thread.join()
    assert seen == [False]


def test_a_model_evaluated_in_the_mode_trains_afterwards():
    tg.manual_seed(0)
    model = tg.nn.Sequential(tg.nn.Linear(2, 3), tg.nn.ReLU(), tg.nn.Linear(3, 1))
    x = tg.ones(4, 2)
    with tg.inference_mode():
        before = model(x)
    assert before.is_inference()
    model(x).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert before.tolist() == model(x).tolist()


def test_a_compiled_function_runs_in_the_mode_and_on_its_tensors(made):
    f = tg.compile(lambda x: (x * 2).sum())
    with tg.inference_mode():
        assert f(tg.ones(3)).item() == 6.0
    assert f(made).item() == 6.0
    assert f(tg.ones(3)).item() == 6.0


def test_saved_tensor_hooks_may_lie_around_the_mode_and_inside():
    hooks = tg.autograd.graph.saved_tensors_hooks
    with hooks(lambda t: t, lambda t: t):
        with tg.inference_mode():
            assert (tg.ones(2) * 2).is_inference()
            with hooks(lambda t: t, lambda t: t):
                assert (tg.ones(2) * 2).is_inference()
            assert (tg.ones(2) * 2).is_inference()
        assert not (tg.ones(2) * 2).is_inference()


def test_ordinary_tensors_are_no_inference_tensors():
    assert type(tg.ones(1)) is tg.Tensor
    assert not issubclass(tg.Tensor, InferenceTensor)


def test_transformations_differentiate_inside_the_mode():
    a = tg.tensor([1.0, 2.0])
    with tg.inference_mode():
        assert tg.func.grad(lambda x: (x * x * x).sum())(tg.tensor([1.0, 2.0])).tolist() == [3.0, 12.0]
        assert tg.func.jacrev(lambda x: x * x)(a).tolist() == [[2.0, 0.0], [0.0, 4.0]]
        value, tangent = tg.func.jvp(lambda x: x * x, (a,), (tg.ones(2),))
    assert value.tolist() == [1.0, 4.0]
    assert tangent.tolist() == [2.0, 4.0]


def test_set_grad_enabled_inside_is_forgotten_with_the_mode():
    with tg.inference_mode():
        tg.set_grad_enabled(True)
        assert tg.is_grad_enabled()
        assert not (tg.ones(1, requires_grad=True) * 2).requires_grad
    assert tg.is_grad_enabled()
    with tg.no_grad():
        with tg.inference_mode():
            pass
        assert not tg.is_grad_enabled()
