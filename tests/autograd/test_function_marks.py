"""What a Function may mark as dirty, and what save_for_backward gives back for an argument that forward returned."""

import pytest

import tracegrad as tg


class Square(tg.autograd.Function):
    """Gives its argument; backward multiplies by it."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * x


class Raise(tg.autograd.Function):
    """Adds 1 in place."""

    @staticmethod
    def forward(ctx, x):
        x.add_(1)
        ctx.mark_dirty(x)
        return x

    @staticmethod
    def backward(ctx, g):
        return g


class MarkOwn(tg.autograd.Function):
    """Marks a Tensor of its own, a view if `view`."""

    @staticmethod
    def forward(ctx, x, view):
        made = (x * 3).view_as(x) if view else x * 3
        ctx.mark_dirty(made)
        return made

    @staticmethod
    def backward(ctx, g):
        return 3 * g, None


def test_an_argument_that_is_saved_and_returned_is_saved_as_the_argument():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = Square.apply(x)
    assert y.grad_fn.saved_tensors[0].grad_fn is None
    (g,) = tg.autograd.grad(y.sum(), x, create_graph=True)
    (second,) = tg.autograd.grad(g.sum(), x)
    assert (g.tolist(), second.tolist()) == ([1.0, 2.0], [1.0, 1.0])


@pytest.mark.parametrize(
    "use",
    [
        lambda leaf: leaf,
        lambda leaf: leaf.view_as(leaf),
        lambda leaf: leaf[:1],
        lambda leaf: leaf.clone().split([1, 1])[0],
    ],
    ids=["a leaf", "a view of a leaf", "a part of a leaf", "one of several views"],
)
def test_a_function_may_not_write_where_autograd_cannot_follow(use):
    with pytest.raises(RuntimeError):
        Raise.apply(use(tg.ones(2, requires_grad=True)))


def test_a_leaf_keeps_its_place_after_a_refused_write_to_its_view():
    leaf = tg.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="view of a leaf"):
        Raise.apply(leaf.view_as(leaf))
    assert leaf.is_leaf


def test_a_mark_on_what_is_no_argument_warns():
    x = tg.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="not an input"):
        y = MarkOwn.apply(x.clone(), False)
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_a_mark_on_a_view_that_is_no_argument_is_refused():
    with pytest.raises(RuntimeError, match="not an input"):
        MarkOwn.apply(tg.ones(2, requires_grad=True).clone(), True)


def test_forward_may_be_a_classmethod_with_defaults():
    class Power(tg.autograd.Function):
        @classmethod
        def forward(cls, x, n=3):
            return x**n

        @classmethod
        def setup_context(cls, ctx, inputs, output):
            ctx.save_for_backward(inputs[0])
            ctx.n = inputs[1]

        @classmethod
        def backward(cls, ctx, g):
            return g * ctx.n * ctx.saved_tensors[0] ** (ctx.n - 1), None

    x = tg.tensor(2.0, requires_grad=True)
    assert tg.autograd.grad(Power.apply(x), x)[0].item() == 12.0


def test_a_boxed_backward_is_given_one_list():
    class Both(tg.autograd.Function):
        boxed_grads_call = True

        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, grads):
            a, b = grads
            grads.clear()
            return a * 2 + b * 3

    x = tg.ones(2, requires_grad=True)
    a, b = Both.apply(x)
    (a + b).sum().backward()
    assert x.grad.tolist() == [5.0, 5.0]


def test_the_ctx_of_a_function_is_a_step_of_the_graph():
    seen = []

    class Seen(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            seen.append(isinstance(ctx, tg.autograd.graph.Node))
            return x * 1

        @staticmethod
        def backward(ctx, g):
            seen.append(isinstance(ctx, tg.autograd.graph.Node))
            return g

    y = Seen.apply(tg.ones(2, requires_grad=True))
    y.sum().backward()
    assert seen == [True, True]
    assert isinstance(y.grad_fn, tg.autograd.graph.Node)
    assert not isinstance(seen, tg.autograd.graph.Node)
