"""Hooks that a compiled function registers, or that the modules in it have, do what they do in eager code; what no program can keep runs uncompiled, with one warning."""

from __future__ import annotations

import warnings

import pytest

import tracegrad as tg


def step_hook(log):
    def f(x):
        y = x * 2
        y.grad_fn.register_hook(lambda inputs, outputs: log.append("step"))
        return y.sum()

    return f


def step_prehook(log):
    def f(x):
        y = x * 2
        y.grad_fn.register_prehook(lambda outputs: (outputs[0] * 3,))
        return y.sum()

    return f


def hook_of_several(log):
    def f(x):
        y = x * 2
        tg.autograd.graph.register_multi_grad_hook((y,), lambda g: log.append("several"))
        return (y * 3).sum()

    return f


def saved_values(log):
    def f(x):
        with tg.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t * 2):
            y = x**2
        return y.sum()

    return f


def removed_hook(log):
    def f(x):
        y = x * 2
        handle = y.register_hook(lambda g: g * 3)
        handle.remove()
        return y.sum()

    return f


def collecting_hook(log):
    def f(x):
        y = x * 2
        y.register_hook(lambda g: log.append(g.tolist()))
        return (y * y).sum()

    return f


def module_hook(log):
    module = tg.nn.Linear(2, 1)
    tg.nn.init.ones_(module.weight)
    module.register_full_backward_hook(lambda m, inputs, outputs: log.append("module") or (inputs[0] * 10,))
    return lambda x: module(x).sum()


def function_that_counts(log):
    class Doubled(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            log.append("backward")
            return g * 2

    return lambda x: Doubled.apply(x).sum()


@pytest.mark.parametrize(
    "make",
    [step_hook, step_prehook, hook_of_several, saved_values, removed_hook, collecting_hook, module_hook, function_that_counts],
    ids=lambda make: make.__name__,
)  # fmt: skip
def test_gradients_and_what_hooks_do_are_those_of_eager_code(make):
    found = []
    for compiled in (False, True):
        log: list[str] = []
        f = make(log)
        fast = tg.compile(f) if compiled else f
        x = tg.ones(2, requires_grad=True)
        with warnings.catch_warnings(record=True) as given:
            warnings.simplefilter("always")
            for _ in range(3):
                fast(x).backward()
        found.append((log, x.grad.tolist()))
        assert len(given) <= compiled
    assert found[0] == found[1]


def test_a_hook_that_stays_is_compiled():
    @tg.compile(fullgraph=True)
    def f(x):
        y = x * 2
        y.register_hook(lambda g: g * 3)
        return y.sum()

    x = tg.ones(2, requires_grad=True)
    f(x).backward()
    assert x.grad.tolist() == [6.0, 6.0]
