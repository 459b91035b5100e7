"""autograd.Function inside compile and func: the user's backward is recorded, batched and differentiated."""

import pytest

import tracegrad as tg
from tracegrad.autograd import Function


class Marked(Function):
    """x^3 with a hundred times x^2 as its slope, so that the derivative tells whose rule was used.  Saves an argument, a result and an attribute."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, factor):
        return x * x * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0], output)
        ctx.save_for_forward(inputs[0])
        ctx.factor = inputs[1]

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return ctx.factor * y / x * g, None

    @staticmethod
    def jvp(ctx, t, _):
        (x,) = ctx.saved_tensors
        return 1000 * x * x * t


class Pair(Function):
    """Two results of two arguments."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, y):
        return x * y, (x + y).sum()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g, h):
        x, y = ctx.saved_tensors
        return 10 * g * y + h, 10 * g * x + h


def f(x):
    return Marked.apply(x, 100.0).sum()


X = tg.tensor([1.0, 2.0])


def test_a_compiled_function_uses_forward():
    assert tg.compile(f)(X).item() == 9.0


@pytest.mark.parametrize("compiled", [False, True])
def test_the_gradient_is_the_user_s(compiled):
    g = tg.func.grad(f)
    assert (tg.compile(g) if compiled else g)(X).tolist() == [100.0, 400.0]


def test_a_compiled_gradient_follows_its_argument():
    g = tg.compile(tg.func.grad(f))
    g(X)
    assert g(X * 2).tolist() == [400.0, 1600.0]


def test_the_second_derivative_differentiates_the_user_s_backward():
    def eager(x):
        (g,) = tg.autograd.grad(f(x), x, create_graph=True)
        return tg.autograd.grad(g.sum(), x)[0].tolist()

    expected = eager(X.clone().requires_grad_())
    assert tg.func.grad(lambda v: tg.func.grad(f)(v).sum())(X).tolist() == expected


def test_several_results_keep_the_user_s_derivative():
    def h(x, y):
        a, b = Pair.apply(x, y)
        return (a * a).sum() + b

    x, y = X.clone().requires_grad_(), tg.tensor([3.0, 4.0], requires_grad=True)
    h(x, y).backward()
    gx, gy = tg.compile(tg.func.grad(h, argnums=(0, 1)))(x.detach(), y.detach())
    assert gx.tolist() == x.grad.tolist()
    assert gy.tolist() == y.grad.tolist()


def test_vmap_keeps_the_user_s_derivative_inside_and_outside():
    rows = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    expected = (rows**2 * 100).tolist()
    assert tg.func.vmap(f)(rows).tolist() == [9.0, 91.0]
    assert tg.func.vmap(tg.func.grad(f))(rows).tolist() == expected
    assert tg.func.grad(lambda v: tg.func.vmap(f)(v).sum())(rows).tolist() == expected


def test_vmap_over_one_of_two_arguments_sums_for_the_other():
    rows = tg.tensor([[1.0, 2.0], [3.0, 4.0]])

    def h(x, y):
        return tg.func.vmap(lambda row: Pair.apply(row, y)[0])(x).sum()

    assert tg.func.grad(h, argnums=1)(rows, X).tolist() == [40.0, 60.0]


def test_forward_mode_uses_the_user_s_jvp():
    value, tangent = tg.func.jvp(f, (X,), (tg.ones(2),))
    assert (value.item(), tangent.item()) == (9.0, 5000.0)


def test_forward_mode_inside_vmap_uses_the_user_s_jvp():
    rows = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    tangents = tg.func.vmap(lambda row: tg.func.jvp(f, (row,), (tg.ones(2),))[1])(rows)
    assert tangents.tolist() == [5000.0, 25000.0]


def test_forward_mode_over_vmap_uses_the_user_s_jvp():
    rows = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    _, tangents = tg.func.jvp(tg.func.vmap(f), (rows,), (tg.ones(2, 2),))
    assert tangents.tolist() == [5000.0, 25000.0]


def test_the_hessian_takes_the_user_s_backward_and_then_the_jvp():
    assert tg.func.jacfwd(f)(X).tolist() == [1000.0, 4000.0]
    assert tg.func.jacrev(f)(X).tolist() == [100.0, 400.0]


class ByNumPy(Function):
    """x^3 by NumPy, with a rule for vmap; the rule adds 1 so that the result tells that it ran."""

    @staticmethod
    def forward(x):
        return tg.tensor(x.detach().numpy() ** 3)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 30 * x * x * g

    @staticmethod
    def vmap(info, in_dims, x):
        assert info.batch_size == 2
        return ByNumPy.apply(x) + 1, in_dims[0]


def test_the_user_s_vmap_runs_on_values():
    rows = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert tg.func.vmap(ByNumPy.apply)(rows).tolist() == [[2.0, 9.0], [28.0, 65.0]]
    assert tg.func.vmap(ByNumPy.apply, in_dims=1)(rows).tolist() == [[2.0, 28.0], [9.0, 65.0]]


def test_the_user_s_vmap_takes_part_in_derivatives():
    rows = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    expected = (30 * rows**2).tolist()
    assert tg.func.vmap(tg.func.grad(lambda v: ByNumPy.apply(v).sum()))(rows).tolist() == expected
    assert tg.func.grad(lambda r: tg.func.vmap(ByNumPy.apply)(r).sum())(rows).tolist() == expected


class Plain(Function):
    """2 x in the form without setup_context."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


class Separate(Function):
    """2 x without rules for vmap and forward mode."""

    @staticmethod
    def forward(x):
        return x * 2

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, g):
        return g * 2


@pytest.mark.parametrize(
    "transformed",
    [
        lambda f: tg.func.grad(lambda v: f(v).sum())(X),
        lambda f: tg.func.vmap(f)(X),
        lambda f: tg.func.jvp(f, (X,), (X,)),
        lambda f: tg.func.jacrev(f)(X),
    ],
)
def test_a_transform_wants_setup_context(transformed):
    with pytest.raises(RuntimeError, match="setup_context"):
        transformed(Plain.apply)


def test_vmap_wants_a_rule():
    with pytest.raises(RuntimeError, match="generate_vmap_rule=True"):
        tg.func.vmap(Separate.apply)(X)


def test_forward_mode_wants_a_jvp():
    with pytest.raises(NotImplementedError, match="jvp"):
        tg.func.jvp(Separate.apply, (X,), (X,))


def test_the_user_s_jvp_returns_one_tangent_per_result():
    class Wrong(Separate):
        @staticmethod
        def jvp(ctx, t):
            return t, t

    with pytest.raises(RuntimeError, match="expected 1, got 2"):
        tg.func.jvp(Wrong.apply, (X,), (X,))


def test_a_backward_that_reads_values_decides_at_every_call():
    class Choosing(Function):
        @staticmethod
        def forward(x):
            return x * 2

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def backward(ctx, g):
            return g * 2 if g.sum() > 0 else g * 3

    def h(x, sign=1.0):
        return Choosing.apply(x).sum() * sign

    assert tg.compile(h)(X).item() == 6.0
    fast = tg.compile(tg.func.grad(h))
    for sign in (1.0, -1.0, 1.0, -1.0):
        assert fast(X, sign).tolist() == tg.func.grad(h)(X, sign).tolist() == [2.0 if sign > 0 else -3.0] * len(X)
    assert fast.compilations <= 3


def test_autograd_grad_inside_a_compiled_function_runs_the_user_s_backward():
    w = tg.tensor([1.0, 1.0], requires_grad=True)

    def h(x):
        return tg.autograd.grad(f(w * x), w)[0]

    assert tg.compile(h)(X).tolist() == [100.0, 800.0]


def test_materialize_grads_is_a_bool():
    with pytest.raises(TypeError):
        tg.autograd.function.FunctionCtx().set_materialize_grads(3)


def test_a_keyword_only_argument_of_forward_cannot_be_passed():
    class Scaled(Function):
        @staticmethod
        def forward(ctx, x, *, k=2):
            return x * k

    assert Scaled.apply(X).tolist() == [2.0, 4.0]
    with pytest.raises(TypeError, match="'k'"):
        Scaled.apply(X, k=3)


class Third(Function):
    """x^3 whose jvp reads the result, so that the derivative of a tangent goes through it."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x**3

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs, output)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * g * x**2

    @staticmethod
    def jvp(ctx, t):
        x, y = ctx.saved_tensors
        return 3 * t * y / x


def slope(x):
    return tg.func.jvp(Third.apply, (x,), (tg.ones(2),))[1].sum()


@pytest.mark.parametrize("transform", [tg.func.grad, tg.func.jacrev, tg.func.jacfwd])
def test_the_derivative_of_a_tangent_goes_through_the_result_that_jvp_reads(transform):
    assert transform(slope)(tg.tensor([1.0, 2.0])).tolist() == [6.0, 12.0]


def test_the_tape_follows_a_result_that_jvp_reads():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    assert tg.autograd.grad(slope(x), x)[0].tolist() == [6.0, 12.0]


def test_the_user_s_vmap_is_told_where_the_caller_has_the_batch():
    class Placed(Third):
        generate_vmap_rule = False

        @staticmethod
        def vmap(info, in_dims, x):
            return Third.apply(x) + in_dims[0], in_dims[0]

    assert tg.func.vmap(Placed.apply, in_dims=1)(tg.ones(1, 3)).tolist() == [[2.0], [2.0], [2.0]]
    assert tg.func.vmap(Placed.apply)(tg.ones(1, 3)).tolist() == [[1.0, 1.0, 1.0]]
