"""Hooks and rules that decide by the values of cotangents: compiled with the decisions of every backward, inside a step and outside, to any order."""

from __future__ import annotations

import warnings

import pytest

import tracegrad as tg

X = tg.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=tg.float64)
SCALES = (-0.5, 0.0, 0.5, 1.0, 2.0, -0.5, 1.0)


def leaf():
    """A parameter."""
    return tg.tensor([1.0, 2.0], dtype=tg.float64, requires_grad=True)


def layer(inputs=2):
    """A layer with known parameters."""
    made = tg.nn.Linear(inputs, 1).double()
    with tg.no_grad():
        made.weight.copy_(tg.linspace(-0.5, 0.7, inputs))
        made.bias.fill_(0.1)
    return made


class Clipped(tg.autograd.Function):
    """The identity with bounded gradients."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return g / g.norm() if g.norm() > 1 else g


class Product(tg.autograd.Function):
    """x * y and x + y, with a backward that reads saved tensors, a result and what is on ctx."""

    @staticmethod
    def forward(ctx, x, y, bound):
        ctx.save_for_backward(x, y, x * y)
        ctx.bound, ctx.mean = bound, x.mean()
        return x * y, x + y

    @staticmethod
    def backward(ctx, a, b):
        x, y, z = ctx.saved_tensors
        if a.sum() > ctx.bound:
            return a * y + b, a * x + b * ctx.mean, None
        return a * y * 2 + z * 0, b, None


class Refuses(tg.autograd.Function):
    """Raises for large gradients."""

    @staticmethod
    def forward(ctx, x):
        return x * 1

    @staticmethod
    def backward(ctx, g):
        if g.norm() > 5:
            raise ValueError("too large")
        return g


def hook(w, x):
    h = w * x
    h.register_hook(lambda g: g / g.norm() if g.norm() > 5 else g)
    return (h * h).sum()


def two_hooks(w, x):
    h = w * x
    h.register_hook(lambda g: g * 2 if g.norm() > 5 else g)
    h.register_hook(lambda g: g + 1)
    return (h * h).sum()


def removed_hook(w, x):
    h = w * x
    removable = h.register_hook(lambda g: g * 2)
    y = (h * h).sum()
    removable.remove()
    return y


def hook_with_a_value(w, x):
    h, size = w * x, x.abs().mean()
    h.register_hook(lambda g: g * size if g.norm() > 5 else g)
    return (h * h).sum()


def rule(w, x):
    return (Clipped.apply(w * x) ** 2).sum()


def rule_with_saved_values(w, x):
    p, q = Product.apply(w * x, w + x, 3.0)
    return p.sum() + (q**2).sum()


def rule_behind_a_decision(w, x):
    h = Clipped.apply(w * x)
    return (h * 2).sum() if h.sum() > 3 else (h.sin() * w).sum()


def rule_with_random_numbers(w, x):
    return ((Clipped.apply(w * x) * tg.rand_like(x)) ** 2).sum()


MODEL = tg.nn.Sequential(layer(), tg.nn.Tanh(), layer(1))
for part in MODEL:
    part.register_full_backward_hook(
        lambda module, given, got: tuple(None if g is None else g * 2 if g.abs().max() > 0.1 else g for g in given)
    )
MODEL[0].register_full_backward_pre_hook(lambda module, got: (got[0] * 0.5,) if got[0].sum() > 0 else None)


def modules_with_hooks(w, x):
    return (MODEL(w * x) ** 2).sum()


CASES = [
    hook, two_hooks, removed_hook, hook_with_a_value, rule, rule_with_saved_values, rule_behind_a_decision, rule_with_random_numbers, modules_with_hooks,
]  # fmt: skip


def numbers(tensors):
    """Their values, rounded far behind what decides."""
    return [None if t is None else [round(v, 9) for v in t.flatten().tolist()] for t in tensors]


@pytest.mark.parametrize("function", CASES)
def test_a_backward_outside_decides_at_every_call(function):
    found = []
    for compile in (lambda f: f, tg.compile):
        tg.manual_seed(0)
        w, results = leaf(), []
        fast = compile(function)
        for scale in SCALES:
            y = fast(w, X * scale)
            (first,) = tg.autograd.grad(y, w, create_graph=True)
            second = tg.autograd.grad((first**2).sum(), w, allow_unused=True) if first.requires_grad else [None]
            results += numbers([y, first, *second])
            fast(w, X * scale).backward()
            results += numbers([w.grad])
            w.grad = None
        found.append(results)
    assert found[0] == found[1]
    assert fast.compilations <= 4


@pytest.mark.parametrize("function", CASES)
def test_a_backward_inside_decides_at_every_call(function):
    found = []
    for compile in (lambda f: f, tg.compile):
        tg.manual_seed(0)
        w = leaf()
        opt = tg.optim.SGD([w], lr=0.01, momentum=0.9)

        def step(x, w=w, opt=opt):
            opt.zero_grad()
            loss = function(w, x)
            loss.backward()
            opt.step()
            return loss

        fast = compile(step)
        found.append([numbers([fast(X * scale), w, w.grad]) for scale in SCALES])
    assert found[0] == found[1]


def test_a_backward_with_side_effects_runs_as_it_is_with_one_warning():
    def f(w, x):
        h = w * x
        h.register_hook(lambda g: seen.append(g.norm().item()))
        return (h * h).sum()

    outcomes = []
    for compile in (lambda f: f, tg.compile):
        w, seen = leaf(), []
        fast = compile(f)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for scale in SCALES:
                fast(w, X * scale).backward()
        outcomes.append((seen, w.grad.tolist()))
    assert outcomes[0] == outcomes[1]
    assert len(caught) <= 1


def test_what_a_hook_reads_outside_is_read_at_the_backward():
    bound, v = {"norm": 5.0}, leaf()

    def f(w, x):
        h = w * x
        h.register_hook(lambda g: g * v.detach() if g.norm() > bound["norm"] else g)
        return (h * h).sum()

    outcomes = []
    for compile in (lambda f: f, tg.compile):
        w, found = leaf(), []
        bound["norm"], v.data = 5.0, tg.tensor([1.0, 2.0], dtype=tg.float64)
        fast = compile(f)
        for scale in SCALES:
            y = fast(w, X * scale)
            with tg.no_grad():
                v.mul_(1.5)
            found += numbers(tg.autograd.grad(y, w))
            bound["norm"] *= 0.5
        outcomes.append(found)
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("inside", [False, True])
def test_an_error_of_a_rule_is_the_users_at_the_users_line(inside):
    w = leaf()

    def f(x):
        y = (Refuses.apply(w * x) ** 2).sum()
        if inside:
            y.backward()
        return y

    fast = tg.compile(f)
    for scale in (0.1, 2.0, 0.1, 2.0):
        before = None if w.grad is None else w.grad.tolist()
        if scale == 0.1:
            y = fast(X * scale)
            if not inside:
                y.backward()
            continue
        with pytest.raises(ValueError, match="too large") as caught:
            y = fast(X * scale)
            y.backward()
        assert caught.traceback[-1].path.name == "test_late_rules.py"
        assert (None if w.grad is None else w.grad.tolist()) == before


@pytest.mark.parametrize("way", ["used before", "of a step"])
def test_hooks_that_no_program_has_run_as_they_are_with_one_warning(way):
    def f(w, x):
        h = w * x
        y = (h * h).sum()
        if way == "used before":
            h.register_hook(lambda g: g * 2)
        else:
            h.grad_fn.register_hook(lambda given, got: tuple(None if g is None else g * 2 for g in given))
        return y

    fast, found = tg.compile(f), []
    with pytest.warns(
        RuntimeWarning, match=r"registers a hook .* at .*test_late_rules.py:\d+; it runs uncompiled"
    ) as caught:
        for function in (f, fast):
            w = leaf()
            for scale in SCALES[:3]:
                function(w, X * scale).backward()
            found.append(w.grad.tolist())
    assert found[0] == found[1]
    assert len(caught) == 1


def test_a_decision_by_the_result_of_a_function_is_one_course():
    def f(w, x):
        y = Clipped.apply(w * x).sum()
        return y * 2 if y > 3 else y

    fast, w = tg.compile(f), leaf()
    for scale in SCALES:
        assert fast(w, X * scale).item() == f(w, X * scale).item()
    assert fast.compilations <= 3
