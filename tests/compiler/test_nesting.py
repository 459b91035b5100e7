"""compile, grad, vjp, jvp, vmap and the Jacobians in each other, with containers, numbers, arrays, modules and custom functions: the eager results."""

from __future__ import annotations

import time

import numpy as np
import pytest

import tracegrad as tg

X = np.linspace(0.2, 1.0, 4)
F64 = tg.float64


def same(got, want, rtol=1e-9):
    leaves, form = tg.pytree.flatten(got)
    expected, expected_form = tg.pytree.flatten(want)
    assert form == expected_form
    for a, b in zip(leaves, expected, strict=True):
        if isinstance(b, tg.Tensor):
            assert (a.dtype, a.shape, a.requires_grad) == (b.dtype, b.shape, b.requires_grad)
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=rtol, atol=rtol)
        else:
            assert a == b


class Cube(tg.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x**3

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x * x


def f(x):
    return (x.sin() * x * x).sum()


def layers():
    tg.manual_seed(0)
    return tg.nn.Sequential(tg.nn.Linear(4, 3), tg.nn.Tanh(), tg.nn.Linear(3, 1)).double()


NET = layers()

PROGRAMS = {
    "third order": lambda x: tg.func.grad(lambda x: tg.func.grad(lambda x: tg.func.grad(f)(x).sum())(x).sum())(x),
    "value_and_grad with aux": lambda x: tg.func.value_and_grad(lambda x: (f(x), {"n": x * 2, "k": 3}), has_aux=True)(x),
    "grad with aux inside grad": lambda x: tg.func.grad(lambda x: sum(tg.pytree.leaves(tg.func.grad(lambda u: (f(u), u.sum()), has_aux=True)(x)), tg.zeros(4, dtype=F64)).sum())(x),
    "nested containers in argnums": lambda x: tg.func.grad(lambda p, q: f(p["a"] * q[0]) + q[1][0].sum(), argnums=(0, 1))({"a": x}, [x * 2, (x,)]),
    "negative argnums": lambda x: tg.func.value_and_grad(lambda a, b: f(a * b), argnums=-1)(x, x + 1),
    "vjp used twice": lambda x: (lambda out, pull: (out, pull(x), pull(x * 2)))(*tg.func.vjp(lambda u: u.sin() * u, x)),
    "vjp of containers": lambda x: tg.func.vjp(lambda p: {"s": p["a"] * 2, "t": (p["b"].sum(),)}, {"a": x, "b": x})[1]({"s": x, "t": (x.sum(),)}),
    "vmap of grad": lambda x: tg.func.vmap(tg.func.grad(lambda s: s.sin() * s))(x),
    "vmap with in_dims and None": lambda x: tg.func.vmap(lambda a, b: (a * b).sum(), in_dims=(1, None))(tg.stack([x, x * 2]), x[:2]),
    "vmap of a dict": lambda x: tg.func.vmap(lambda d: {"y": d["a"] * d["b"].sum()})({"a": x, "b": tg.stack([x] * 4)}),
    "grad of vmap": lambda x: tg.func.grad(lambda x: tg.func.vmap(lambda s: s.tanh() * s)(x).sum())(x),
    "jvp of grad": lambda x: tg.func.jvp(tg.func.grad(f), (x,), (x * 2,)),
    "grad of jvp": lambda x: tg.func.grad(lambda x: tg.func.jvp(f, (x,), (x,))[1])(x),
    "hessian": lambda x: tg.func.hessian(f)(x),
    "jacrev of grad": lambda x: tg.func.jacrev(tg.func.grad(f))(x),
    "jacfwd of containers": lambda x: tg.func.jacfwd(lambda p: (p["a"] * p["b"], p["a"].sum()))({"a": x, "b": x}),
    "autograd.grad with create_graph": lambda x: tg.func.grad(lambda x: tg.autograd.grad(f(x), x, create_graph=True)[0].sum())(x),
    "a custom function": lambda x: tg.func.grad(lambda x: tg.func.grad(lambda x: Cube.apply(x).sum())(x).sum())(x),
    "a custom function under vmap": lambda x: tg.func.vmap(tg.func.grad(lambda s: Cube.apply(s) * s))(x),
    "a module": lambda x: tg.func.grad(lambda x: NET(x).sum())(x),
    "numbers as arguments": lambda x: tg.func.grad(lambda a, b: a * b * x.sum(), argnums=(0, 1))(2.0, 3.0),
    "an array as an argument": lambda x: tg.func.grad(lambda a: (a * x).sum())(np.arange(4.0)),
    "a compiled function inside": lambda x: tg.func.grad(tg.compile(f))(x),
    "empty": lambda x: tg.func.grad(lambda e: (e * 2).sum())(tg.zeros(0, 3, dtype=F64)),
    "0-d": lambda x: tg.func.hessian(lambda s: s**3 * x[0])(x[1]),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_nested_program_gives_the_eager_result(name):
    program = PROGRAMS[name]
    fast = tg.compile(program)
    fast(tg.tensor(X[::-1].copy()))
    same(fast(tg.tensor(X)), program(tg.tensor(X)))
    assert fast.compilations == 1


@pytest.mark.parametrize("name", PROGRAMS)
def test_gradients_flow_through_a_compiled_nested_program(name):
    program = PROGRAMS[name]
    found = []
    for run in (program, tg.compile(program)):
        x = tg.tensor(X, requires_grad=True)
        outputs = [t for t in tg.pytree.leaves(run(x)) if isinstance(t, tg.Tensor)]
        flags = [t.requires_grad for t in outputs]
        total = sum((t.tanh().sum() for t in outputs), x.sum() * 0)
        first = tg.autograd.grad(total, x, create_graph=True)[0]
        found.append((flags, first.detach(), tg.autograd.grad((first * first).sum() + x.sum() * 0, x)[0]))
    (flags, first, second), (got_flags, got_first, got_second) = found
    assert got_flags == flags
    same(got_first, first)
    same(got_second, second, 1e-7)


def test_arguments_may_be_arrays_and_numbers():
    fast = tg.compile(lambda a, s, n, flag: {"r": a * s + n} if flag else a)
    same(fast(X, 0.5, 3, True), {"r": tg.tensor(X * 0.5 + 3)})
    same(fast(X, 0.25, 3, True), {"r": tg.tensor(X * 0.25 + 3)})
    assert fast.compilations == 1


def test_parameters_of_a_captured_module_get_gradients_from_a_compiled_loss():
    net, reference = layers(), layers()
    fast = tg.compile(lambda x: (net(x) ** 2).sum())
    fast(tg.tensor(X)).backward()
    (reference(tg.tensor(X)) ** 2).sum().backward()
    same([p.grad for p in net.parameters()], [p.grad for p in reference.parameters()])


def test_five_thousand_operators_compile_in_linear_time():
    def chain(count):
        def long(x, y):
            for i in range(count):
                x = (x * y + 0.001 * i).sin()
                y = y - 0.01 * x if i % 10 else y[[1, 0, 2]]
            return x.sum()

        return long

    times = []
    for count in (250, 1000):
        fast = tg.compile(chain(count))
        started = time.perf_counter()
        fast(tg.ones(3), tg.ones(3))
        times.append(time.perf_counter() - started)
    assert len(fast.graph.nodes) > 4500
    assert times[1] < 10 * times[0]  # four times the work
