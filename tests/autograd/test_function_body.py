"""Second derivatives through Tensors that a Function's forward computed and left on ctx, which torch takes for constants."""

from collections import deque
from functools import partial

import pytest

import tracegrad as tg
from tracegrad.autograd import forward_ad
from tracegrad.autograd.function import Function, once_differentiable


def function(forward, backward):
    return type("Made", (Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)})


def saved(ctx, x):
    e = x.exp()
    ctx.save_for_backward(e)
    return e * e


def saved_with_x(ctx, x):
    e = x.exp()
    ctx.save_for_backward(x, e)
    return e * e


def attribute(ctx, x):
    ctx.e = x.exp()
    return ctx.e * ctx.e


def in_a_list(ctx, x):
    ctx.kept = [None, x.exp()]
    return ctx.kept[1] ** 2


def in_a_dict(ctx, x):
    ctx.kept = {"e": x.exp(), "n": 2}
    return ctx.kept["e"] ** 2


def with_noise(ctx, x):
    noise = tg.rand(3, dtype=x.dtype)
    ctx.e = x.exp() + 0 * noise
    return ctx.e * ctx.e


def in_place(ctx, x):
    e = x * 0.5
    e.mul_(2)
    ctx.e = e.exp()
    return ctx.e**2


class Inner(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.e = x.exp()
        return ctx.e * 1

    @staticmethod
    def backward(ctx, g):
        return g * ctx.e


def nested(ctx, x):
    ctx.e = Inner.apply(x)
    return ctx.e * ctx.e


def in_slots(ctx, x):
    ctx.kept = Slots(x.exp())
    return ctx.kept.e**2


class Slots:
    __slots__ = ("e",)

    def __init__(self, e):
        self.e = e

    def back(self, g):
        return 2 * g * self.e**2


def in_a_partial(ctx, x):
    ctx.back = partial(lambda e, g: 2 * g * e**2, x.exp())
    return (2 * x).exp()


def in_a_default(ctx, x):
    e = x.exp()
    ctx.back = lambda g, e=e: 2 * g * e**2
    return (2 * x).exp()


def in_a_method(ctx, x):
    ctx.back = Slots(x.exp()).back
    return (2 * x).exp()


def in_a_deque(ctx, x):
    ctx.kept = deque([x.exp()])
    return ctx.kept[0] ** 2


def deep(ctx, x):
    ctx.kept = {"a": {"b": [{"c": [[x.exp()]]}]}}
    return (2 * x).exp()


CASES = [
    (saved, lambda ctx, g: 2 * g * ctx.saved_tensors[0] ** 2),
    (saved_with_x, lambda ctx, g: 2 * g * ctx.saved_tensors[1] * ctx.saved_tensors[0].exp()),
    (attribute, lambda ctx, g: 2 * g * ctx.e**2),
    (in_a_list, lambda ctx, g: 2 * g * ctx.kept[1] ** 2),
    (in_a_dict, lambda ctx, g: ctx.kept["n"] * g * ctx.kept["e"] ** 2),
    (with_noise, lambda ctx, g: 2 * g * ctx.e**2),
    (in_place, lambda ctx, g: 2 * g * ctx.e**2),
    (nested, lambda ctx, g: 2 * g * ctx.e**2),
    (in_slots, lambda ctx, g: 2 * g * ctx.kept.e**2),
    (in_a_partial, lambda ctx, g: ctx.back(g)),
    (in_a_default, lambda ctx, g: ctx.back(g)),
    (in_a_method, lambda ctx, g: ctx.back(g)),
    (in_a_deque, lambda ctx, g: 2 * g * ctx.kept[0] ** 2),
    (deep, lambda ctx, g: 2 * g * ctx.kept["a"]["b"][0]["c"][0][0] ** 2),
]


@pytest.mark.parametrize("forward, backward", CASES, ids=[f.__name__ for f, _ in CASES])
def test_derivatives_to_third_order_are_right(forward, backward):
    x = tg.tensor([0.1, 0.2, 0.3], dtype=tg.float64, requires_grad=True)
    y, expected = function(forward, backward).apply(x), (2 * x.detach()).exp()
    for order in range(1, 4):
        (y,) = tg.autograd.grad(y.sum(), x, create_graph=True)
        assert y.tolist() == pytest.approx((2**order * expected).tolist())


@pytest.mark.parametrize("forward, backward", CASES, ids=[f.__name__ for f, _ in CASES])
def test_derivatives_of_a_recording_are_right_too(forward, backward):
    def product(x):
        return (function(forward, backward).apply(x) * x).sum()

    x = tg.tensor([0.1, 0.2, 0.3], dtype=tg.float64, requires_grad=True)
    v, e = x.detach(), (2 * x.detach()).exp()
    (g,) = tg.autograd.grad(tg.compile(product)(x), x, create_graph=True)
    assert g.tolist() == pytest.approx((2 * v * e + e).tolist())
    assert tg.autograd.grad(g.sum(), x)[0].tolist() == pytest.approx((4 * v * e + 4 * e).tolist())


def test_a_recording_refuses_the_derivative_of_a_detached_value_by_name():
    x = tg.tensor([0.1, 0.2], dtype=tg.float64, requires_grad=True)
    run = tg.compile(lambda v: function(detached, lambda ctx, g: 2 * g * ctx.e**2).apply(v).sum())
    (g,) = tg.autograd.grad(run(x), x, create_graph=True)
    assert g.tolist() == pytest.approx((2 * (2 * x.detach()).exp()).tolist())
    with pytest.raises(RuntimeError, match=r"ctx\.e"):
        tg.autograd.grad(g.sum(), x)


def test_what_an_iterator_holds_is_refused():
    def forward(ctx, x):
        ctx.kept = iter([x.exp()])
        return (2 * x).exp()

    x = tg.tensor([0.1, 0.2], dtype=tg.float64, requires_grad=True)
    (g,) = tg.autograd.grad(
        function(forward, lambda ctx, g: 2 * g * next(ctx.kept) ** 2).apply(x).sum(), x, create_graph=True
    )
    with pytest.raises(RuntimeError, match=r"ctx\.kept"):
        tg.autograd.grad(g.sum(), x)


def test_separate_setup_context_works_too():
    class Separate(Function):
        @staticmethod
        def forward(x):
            e = x.exp()
            return e * e, e

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.half = output[1] * 0.5

        @staticmethod
        def backward(ctx, g, _):
            return 8 * g * ctx.half**2

    x = tg.tensor([0.5], dtype=tg.float64, requires_grad=True)
    assert tg.autograd.gradgradcheck(lambda v: Separate.apply(v)[0], x)


def detached(ctx, x):
    ctx.e = x.detach().exp()
    return ctx.e * ctx.e


def through_numpy(ctx, x):
    ctx.save_for_backward(x, tg.from_numpy(x.detach().numpy() * 2).exp())
    return x.exp() ** 2


@pytest.mark.parametrize(
    "forward, backward, name",
    [
        (detached, lambda ctx, g: 2 * g * ctx.e**2, "ctx.e"),
        (through_numpy, lambda ctx, g: 2 * g * ctx.saved_tensors[1], r"ctx.saved_tensors\[1\]"),
    ],
)
def test_a_broken_history_gives_first_derivatives_and_refuses_second_ones(forward, backward, name):
    x = tg.tensor([0.1, 0.2], dtype=tg.float64, requires_grad=True)
    (g,) = tg.autograd.grad(function(forward, backward).apply(x).sum(), x, create_graph=True)
    assert g.tolist() == pytest.approx((2 * (2 * x.detach()).exp()).tolist())
    with pytest.raises(RuntimeError, match=name):
        tg.autograd.grad(g.sum(), x)


def test_an_argument_written_since_is_reported_in_the_second_derivative():
    x = tg.tensor([0.1, 0.2], requires_grad=True)
    y = x * 1
    z = function(attribute, lambda ctx, g: 2 * g * ctx.e**2).apply(y)
    y.add_(1)
    (g,) = tg.autograd.grad(z.sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"ctx\.e"):
        tg.autograd.grad(g.sum(), x)


def test_tensors_that_do_not_depend_on_the_arguments_are_constants():
    def forward(ctx, x):
        ctx.weights = tg.arange(2.0, dtype=x.dtype) + 1
        ctx.count = tg.tensor(3)
        return x * x * ctx.weights * ctx.count

    x = tg.tensor([0.1, 0.2], dtype=tg.float64, requires_grad=True)

    def backward(ctx, g):
        return 2 * g * x * ctx.weights * ctx.count

    (g,) = tg.autograd.grad(function(forward, backward).apply(x).sum(), x, create_graph=True)
    (h,) = tg.autograd.grad(g.sum(), x)
    assert h.tolist() == pytest.approx([6.0, 12.0])


def test_a_backward_that_is_differentiable_once_runs_forward_once():
    runs = []

    def forward(ctx, x):
        runs.append(1)
        ctx.e = x.exp()
        return ctx.e * ctx.e

    x = tg.tensor([0.1], requires_grad=True)
    made = function(forward, once_differentiable(lambda ctx, g: 2 * g * ctx.e**2))
    (g,) = tg.autograd.grad((made.apply(x) ** 2).sum(), x, create_graph=True)
    assert runs == [1]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        tg.autograd.grad(g.sum(), x)


def test_a_first_order_backward_runs_forward_once():
    runs = []

    def forward(ctx, x):
        runs.append(1)
        ctx.e = x.exp()
        return ctx.e * ctx.e

    x = tg.tensor([0.1], requires_grad=True)
    function(forward, lambda ctx, g: 2 * g * ctx.e**2).apply(x).sum().backward()
    assert runs == [1]


def test_random_numbers_afterwards_are_those_without_a_second_run():
    tg.manual_seed(3)
    x = tg.tensor([0.1, 0.2, 0.3], requires_grad=True)
    y = function(with_noise, lambda ctx, g: 2 * g * ctx.e**2).apply(x).sum()
    state = tg.get_rng_state()
    expected = tg.rand(2).tolist()
    tg.set_rng_state(state)
    tg.autograd.grad(y, x, create_graph=True)
    assert tg.rand(2).tolist() == expected


class InSetup(Function):
    """exp(2 x) whose setup_context leaves exp(x) on ctx, for both modes."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return (2 * x).exp()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.e = inputs[0].exp()

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.e**2

    jvp = backward


def product(x):
    return (InSetup.apply(x) * x).sum()


def forward_over_reverse(x, v):
    with forward_ad.dual_level():
        (g,) = tg.autograd.grad(product(forward_ad.make_dual(x, v)), x, create_graph=True)
        return forward_ad.unpack_dual(g).tangent


def reverse_over_forward(x, v):
    with forward_ad.dual_level():
        return tg.autograd.grad(forward_ad.unpack_dual(product(forward_ad.make_dual(x, v))).tangent, x)[0]


@pytest.mark.parametrize(
    "times",
    [
        forward_over_reverse,
        reverse_over_forward,
        lambda x, v: tg.func.jvp(tg.func.grad(product), (x,), (v,))[1],
        lambda x, v: tg.autograd.grad(tg.func.jvp(product, (x,), (v,))[1], x)[0],
        lambda x, v: tg.func.hessian(product)(x) @ v,
    ],
    ids=["forward over reverse", "reverse over forward", "jvp of grad", "tape over jvp", "hessian"],
)
def test_products_with_the_hessian_see_what_setup_context_left(times):
    x, v = tg.tensor([0.1, 0.3], dtype=tg.float64, requires_grad=True), tg.tensor([1.0, 2.0], dtype=tg.float64)
    e = (2 * x.detach()).exp()
    assert times(x, v).tolist() == pytest.approx(((4 * e * x.detach() + 4 * e) * v).tolist())
