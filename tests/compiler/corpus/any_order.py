"""Any order of derivatives through compiled code: create_graph, hooks, nesting with func's transforms, Functions and checkpoints."""

from tests.compiler.corpus.base import Case, f64, program

VECTORS = ([0.5, 1.0], [1.5, -0.3], [0.1, 0.2], [-2.0, 0.7])


def vectors(torch, grad=True):
    return [(f64(torch, v, grad),) for v in VECTORS]


@program
def third_order(torch, compile):
    return Case(compile(lambda x: (x.sin() * x.exp()).sum()), vectors(torch), order=3, at_most=1)


@program
def third_order_of_a_network(torch, compile):
    w = [f64(torch, [[0.5, -1.0], [1.5, 0.3], [0.2, 0.8]], True), f64(torch, [[1.0, 0.2, -0.4]], True)]

    @compile
    def net(x):
        return torch.tanh(w[1] @ torch.nn.functional.softplus(w[0] @ x)).sum()

    return Case(net, vectors(torch), order=3, wrt=w, at_most=1)


@program
def third_order_by_hand(torch, compile):
    fast = compile(lambda x: (x**5).sum())

    def f(x):
        (a,) = torch.autograd.grad(fast(x), x, create_graph=True)
        (b,) = torch.autograd.grad(a.sum(), x, create_graph=True)
        (c,) = torch.autograd.grad(b.sum(), x, create_graph=True)
        return a, b, c

    return Case(f, vectors(torch), order=1)


@program
def several_outputs_of_different_needs(torch, compile):
    @compile
    def f(x, y):
        return x.sin(), (x * y).sum(), y * 2, x.detach() * y.detach(), (x > 0)

    y = [f64(torch, [1.0, 2.0]), f64(torch, [3.0, 4.0], True)]
    calls = [(x[0], y[i % 2]) for i, x in enumerate(vectors(torch))]
    return Case(f, calls, order=2)


@program
def one_output_used(torch, compile):
    fast = compile(lambda x: (x.sin().sum(), (x * x).sum(), x.exp()))

    def f(x):
        a, b, c = fast(x)
        (g,) = torch.autograd.grad(b, x, retain_graph=True)
        (h,) = torch.autograd.grad(c[0], x, create_graph=True)
        return g, h, a

    return Case(f, vectors(torch), order=2)


@program
def hook_on_an_input_and_an_output(torch, compile):
    fast = compile(lambda x: (x**3).sum())

    def f(x):
        seen = []
        y = x * 1
        y.register_hook(lambda g: (seen.append(g.detach().clone()), g * 2)[1])
        out = fast(y)
        out.register_hook(lambda g: g + 1)
        (g,) = torch.autograd.grad(out, x, create_graph=True)
        return g, seen

    return Case(f, vectors(torch), order=1, joint=False)


@program
def hook_inside(torch, compile):
    @compile
    def f(x):
        y = x.sin()
        y.register_hook(lambda g: g * 3)
        return (y * x).sum()

    return Case(f, vectors(torch), order=2, may_refuse=True)


@program
def hooks_that_observe_inside(torch, compile):
    @compile
    def f(x):
        seen = []
        y = x * x
        y.register_hook(seen.append)
        (g,) = torch.autograd.grad((y * x).sum(), x, create_graph=True)
        return g, seen[0]

    return Case(f, vectors(torch), order=1, may_refuse=True, may_warn=True)


@program
def retained_graph_twice(torch, compile):
    fast = compile(lambda x: (x**3).sin().sum())

    def f(x):
        out = fast(x)
        a = torch.autograd.grad(out, x, retain_graph=True)[0]
        b = torch.autograd.grad(out, x, retain_graph=True)[0]
        c = torch.autograd.grad(out, x)[0]
        return a + b + c

    return Case(f, vectors(torch), joint=False)


@program
def second_backward_without_retaining(torch, compile):
    fast = compile(lambda x: (x**3).sin().sum())

    def f(x):
        out = fast(x)
        torch.autograd.grad(out, x)
        return torch.autograd.grad(out, x)

    return Case(f, vectors(torch), joint=False)


@program
def accumulated_by_backward(torch, compile):
    fast = compile(lambda x, w: (x * w).cos().sum())
    w = f64(torch, [1.0, 2.0], True)

    def f(x):
        fast(x, w).backward()
        fast(x, w).backward()
        return w.grad.clone()

    return Case(f, vectors(torch), state=lambda: w, order=0, joint=False)


@program
def compile_of_grad_of_compile_of_grad(torch, compile):
    grad = torch.func.grad
    inner = compile(grad(lambda x: (x**4).sum()))
    return Case(compile(grad(lambda x: inner(x).sin().sum())), vectors(torch), order=1, at_most=2)


@program
def grad_of_compiled(torch, compile):
    fast = compile(lambda x, y: (x * y.exp()).sum())

    def f(x):
        return torch.func.grad(fast, argnums=(0, 1))(x, x * 2)

    return Case(f, vectors(torch), order=1)


@program
def value_and_grad_with_aux(torch, compile):
    def loss(w, x):
        y = (w * x).tanh()
        return y.sum(), {"y": y, "norm": y.norm()}

    w = f64(torch, [0.3, 0.4], True)
    fast = compile(torch.func.grad_and_value(loss, has_aux=True))
    return Case(lambda x: fast(w, x), vectors(torch), order=1, wrt=[w])


@program
def jvp_over_compiled(torch, compile):
    fast = compile(lambda x: x.sin() * x.sum())
    t = f64(torch, [1.0, -2.0])
    return Case(lambda x: torch.func.jvp(fast, (x,), (t,)), vectors(torch, False), order=0)


@program
def vmap_over_compiled(torch, compile):
    fast = compile(lambda x: (x.sin() * x.sum()).sum())
    xs = [f64(torch, [v, VECTORS[0], VECTORS[1]], True) for v in VECTORS]
    return Case(lambda x: torch.func.vmap(fast)(x), [(x,) for x in xs], order=2)


@program
def per_example_gradients(torch, compile):
    w = f64(torch, [0.3, 0.4], True)
    each = compile(torch.func.vmap(torch.func.grad(lambda w, x: (w * x).sin().sum()), in_dims=(None, 0)))
    xs = [f64(torch, [v, VECTORS[0]]) for v in VECTORS]
    return Case(lambda x: each(w, x), [(x,) for x in xs], order=2, wrt=[w], at_most=1)


@program
def compiled_inside_vmap_inside_compile(torch, compile):
    inner = compile(lambda x: x.exp().sum())
    outer = compile(lambda x: torch.func.vmap(lambda r: inner(r) * r)(x).sum())
    xs = [f64(torch, [v, VECTORS[2]], True) for v in VECTORS]
    return Case(outer, [(x,) for x in xs], order=3)


@program
def hessian_of_compiled(torch, compile):
    fast = compile(lambda x: (x[0] ** 2 * x[1]).sin())
    return Case(lambda x: torch.func.hessian(fast)(x), vectors(torch, False), order=0)


@program
def compiled_hessian(torch, compile):
    fast = compile(torch.func.hessian(lambda x: (x[0] ** 2 * x[1]).sin()))
    return Case(fast, vectors(torch), order=1, at_most=1)


@program
def jacobians_both_ways(torch, compile):
    fast = compile(lambda x: torch.stack([x[0] * x[1], x[0].exp(), x.sum()]))

    def f(x):
        return torch.func.jacrev(fast)(x), torch.func.jacfwd(fast)(x), torch.autograd.functional.jacobian(fast, x)

    return Case(f, vectors(torch, False), order=0)


@program
def hessian_vector_product(torch, compile):
    @compile
    def hvp(x, v):
        return torch.func.jvp(torch.func.grad(lambda x: (x**3 * x.flip(0)).sum()), (x,), (v,))[1]

    v = f64(torch, [1.0, 2.0])
    return Case(lambda x: hvp(x, v), vectors(torch), order=2)


@program
def laplacian(torch, compile):
    @compile
    def f(x):
        u = (x[0] ** 3 * x[1] ** 2).sin()
        (g,) = torch.autograd.grad(u, x, create_graph=True)
        return sum(torch.autograd.grad(g[i], x, create_graph=True)[0][i] for i in range(2))

    return Case(f, vectors(torch), order=1)


def straight_through(torch):
    class Round(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, scale):
            ctx.save_for_backward(x)
            ctx.scale = scale
            return (x * scale).round() / scale

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * (x.abs() < ctx.scale), None

    return Round


@program
def function_inside_compile(torch, compile):
    rounded = straight_through(torch)
    return Case(compile(lambda x: (rounded.apply(x, 1.2) * x).sum()), vectors(torch), order=2)


@program
def differentiable_function_inside(torch, compile):
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 3 * x**2 * g

    return Case(compile(lambda x: Cube.apply(x.sin()).sum()), vectors(torch), order=3)


@program
def function_with_numpy_inside(torch, compile):
    class Host(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.from_numpy(x.detach().numpy() ** 2)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g

    return Case(compile(lambda x: (Host.apply(x) * x).sum()), vectors(torch), order=2, may_warn=True)


@program
def function_with_a_branch_in_backward(torch, compile):
    class Clipped(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g / g.norm() if g.norm() > 3 else g

    @compile
    def f(x):
        return (Clipped.apply(x) ** 2).sum()

    return Case(f, vectors(torch), order=1, may_warn=True)  # the backward decides, which no program of the forward can


@program
def compile_inside_function(torch, compile):
    fast = compile(lambda x: x.sin() * x)
    fast_backward = compile(lambda x, g: (x.cos() * x + x.sin()) * g)

    class Wrapped(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return fast(x)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return fast_backward(x, g)

    return Case(lambda x: Wrapped.apply(x).sum(), vectors(torch), order=3)


@program
def checkpoint_inside(torch, compile):
    checkpoint = torch.utils.checkpoint.checkpoint

    @compile
    def f(x):
        y = checkpoint(lambda v: (v.sin() * v).exp(), x, use_reentrant=False)
        return checkpoint(lambda v: v.tanh(), y, use_reentrant=False).sum()

    return Case(f, vectors(torch), order=2)


@program
def compiled_inside_checkpoint(torch, compile):
    fast = compile(lambda v: (v.sin() * v).exp())
    checkpoint = torch.utils.checkpoint.checkpoint
    return Case(lambda x: checkpoint(fast, x, use_reentrant=False).sum(), vectors(torch), order=2)


@program
def chain_of_compiled_functions(torch, compile):
    a, b, c = compile(lambda x: x.sin()), compile(lambda x: x * x), compile(lambda x: x.exp().sum())
    return Case(lambda x: c(b(a(x))) + a(x).sum(), vectors(torch), order=3, at_most=3)


@program
def compiled_inside_compiled(torch, compile):
    inner = compile(lambda x, k: (x * k).sin())
    outer = compile(lambda x: inner(x, 2.0) + inner(x, 3.0) * inner(x, 2.0))
    return Case(outer, vectors(torch), order=3)


@program
def branch_in_a_nested_compiled_function(torch, compile):
    inner = compile(lambda x: x * 2 if x.sum() > 1 else x.sin())
    outer = compile(lambda x: inner(x) + inner(x - 1))
    return Case(outer, vectors(torch), order=2)


@program
def detach_and_no_grad_inside(torch, compile):
    @compile
    def f(x):
        with torch.no_grad():
            scale = x.norm()
        return (x / scale).sin().sum() + (x.detach() * x).sum()

    return Case(f, vectors(torch), order=2)


@program
def gradient_of_a_loop_with_values(torch, compile):
    @compile
    def f(x):
        y = x
        while y.abs().sum() < 20:
            y = y * y.abs().sum().clamp(min=1.3)
        return (y * x).sum()

    return Case(f, vectors(torch), order=3)


@program
def implicit_derivative(torch, compile):
    class Solve(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            x = torch.ones_like(a)
            for _ in range(60):
                new = 0.5 * (x + a / x)
                if (new - x).abs().max() < 1e-9:
                    break
                x = new
            ctx.save_for_backward(new)
            return new

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g / (2 * x)

    solve = compile(lambda a: Solve.apply(a.abs() + 0.5).sum())
    return Case(solve, vectors(torch), order=1)


@program
def backward_with_inputs(torch, compile):
    fast = compile(lambda x, w: ((x * w) ** 2).sum())
    w = f64(torch, [1.0, 2.0], True)

    def f(x):
        x.grad = w.grad = None
        fast(x, w).backward(inputs=[w])
        return x.grad is None, w.grad

    return Case(f, vectors(torch), order=0, state=lambda: w, joint=False)


@program
def retained_grad_of_an_intermediate(torch, compile):
    fast = compile(lambda x: (x.sin(), (x**2).sum()))

    def f(x):
        a, b = fast(x)
        a.retain_grad()
        (a.sum() * b).backward()
        found = a.grad.clone()
        x.grad = None
        return found

    return Case(f, vectors(torch), order=0, joint=False)
