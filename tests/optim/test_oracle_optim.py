"""Optimizers take torch's steps, keep torch's state and print as torch's."""

import copy
import warnings
from importlib import import_module

import numpy as np
import pytest

import tracegrad

torch = pytest.importorskip("torch")

METHODS = {
    "SGD": [
        {"lr": 0.1},
        {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01},
        {"lr": 0.05, "momentum": 0.9, "dampening": 0.3},
        {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        {"lr": 1e-3, "maximize": True},
        {"lr": 0.02, "foreach": True, "momentum": 0.5},
        {"lr": 0.02, "fused": True},
    ],
    "Adam": [
        {},
        {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-6, "weight_decay": 0.1},
        {"lr": 0.1, "amsgrad": True, "maximize": True},
        {"lr": 0.1, "betas": (0.4, 0.9), "decoupled_weight_decay": True, "weight_decay": 0.2},
        {"lr": 0.05, "foreach": True},
    ],
    "AdamW": [{}, {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True}],
    "Adagrad": [
        {},
        {"lr": 0.3, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5},
        {"maximize": True},
    ],
    "Adadelta": [{}, {"lr": 0.5, "rho": 0.8, "weight_decay": 0.1}],
    "Adamax": [{}, {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.1, "maximize": True}],
    "NAdam": [
        {},
        {"lr": 0.05, "momentum_decay": 0.01, "weight_decay": 0.1},
        {"lr": 0.05, "decoupled_weight_decay": True, "weight_decay": 0.1},
    ],
    "RAdam": [
        {},
        {"lr": 0.05, "betas": (0.8, 0.9), "weight_decay": 0.1},
        {"lr": 0.05, "decoupled_weight_decay": True, "weight_decay": 0.1},
    ],
    "RMSprop": [
        {},
        {"lr": 0.02, "momentum": 0.9, "centered": True, "weight_decay": 0.1},
        {"lr": 0.02, "alpha": 0.8, "centered": True, "maximize": True},
    ],
    "Rprop": [{}, {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (1e-3, 0.3)}, {"maximize": True}],
    "ASGD": [{}, {"lr": 0.05, "lambd": 1e-2, "t0": 10, "weight_decay": 0.1}],
    "LBFGS": [
        {"lr": 0.1, "max_iter": 4},
        {"max_iter": 6, "line_search_fn": "strong_wolfe"},
        {"lr": 0.5, "history_size": 2, "max_iter": 5, "max_eval": 4},
    ],
}
CASES = [(name, options) for name, several in METHODS.items() for options in several]
START = np.random.default_rng(0).normal(size=(3, 4))


def loss_of(library, a, b):
    def square(x):
        return (x * x.conj()).real.sum() if x.is_complex() else (x * x).sum()

    return square(a) / 2 + square(a.sum(1) - b) / 3 + square(a * a) / 4 + square(b * b) / 10


def path(library, name, options, dtype, steps=50, start=START):
    steps = min(steps, 5) if name == "LBFGS" else steps  # it has arrived by then
    kind = getattr(library, dtype)
    a = (
        library.tensor(start, dtype=library.complex128 if "complex" in dtype else library.float64)
        .to(kind)
        .requires_grad_()
    )
    b = library.tensor([0.5, -1.0, 2.0], dtype=library.float64).to(kind).requires_grad_()
    idle = library.ones(2, dtype=kind, requires_grad=True)
    method = getattr(library.optim, name)([a, idle, b], **options)

    def closure():
        method.zero_grad()
        loss = loss_of(library, a, b)
        loss.backward()
        return loss

    for _ in range(steps):
        method.step(closure)
    assert idle.tolist() == [1.0, 1.0]
    return method, [p.detach().double() if "float" in dtype else p.detach() for p in (a, b)]


def shown(value):
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {k: shown(v) for k, v in value.items()}
    return [shown(v) for v in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize(("name", "options"), CASES)
def test_fifty_steps_in_float64_end_where_torch_s_end(name, options):
    (_, ours), (_, theirs) = (path(library, name, options, "float64") for library in (tracegrad, torch))
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_fifty_steps_in_float32_end_where_torch_s_end(name, options):
    (_, ours), (_, theirs) = (path(library, name, options, "float32") for library in (tracegrad, torch))
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", [n for n in METHODS if n != "LBFGS"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_steps_in_half_precision_are_rounded_as_torch_s(name, dtype):
    def after(library):
        kind = getattr(library, dtype)
        p = library.arange(64.0).sub(30).div(7).to(kind).requires_grad_()
        method = getattr(library.optim, name)([p], **METHODS[name][1])
        for i in range(3):
            p.grad = (library.arange(64.0) * (i + 1) / 13 - 1).to(kind)
            method.step()
        return p.tolist()

    np.testing.assert_array_equal(after(tracegrad), after(torch))


@pytest.mark.parametrize(("name", "options"), [(n, several[1]) for n, several in METHODS.items()])
def test_complex_parameters_take_torch_s_steps(name, options):
    start = START + 1j * START[::-1]
    (_, ours), (_, theirs) = (path(library, name, options, "complex128", 20, start) for library in (tracegrad, torch))
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_the_saved_state_has_torch_s_form(name, options):
    ours, theirs = (path(library, name, options, "float64", 3)[0].state_dict() for library in (tracegrad, torch))
    assert ours["param_groups"] == theirs["param_groups"]
    assert list(ours["state"]) == list(theirs["state"])
    for number, kept in theirs["state"].items():
        mine = ours["state"][number]
        assert list(mine) == list(kept)
        for key, value in kept.items():
            if isinstance(value, torch.Tensor):
                assert (str(mine[key].dtype), tuple(mine[key].shape)) == (str(value.dtype), tuple(value.shape))
                np.testing.assert_allclose(mine[key].numpy(), value.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_method_prints_as_torch_s(name, options):
    def text(library):
        return repr(getattr(library.optim, name)([library.ones(2, requires_grad=True)], **options))

    assert text(tracegrad) == text(torch)


@pytest.mark.parametrize("name", [n for n in METHODS if n != "LBFGS"])
def test_groups_have_settings_of_their_own(name):
    def after(library):
        p, q = (library.tensor([1.0, -2.0], dtype=library.float64, requires_grad=True) for _ in range(2))
        method = getattr(library.optim, name)([{"params": p, "lr": 0.2}, {"params": [q]}], lr=0.01)
        method.add_param_group({"params": [r := library.ones(1, dtype=library.float64, requires_grad=True)], "lr": 0.5})
        for _ in range(5):
            method.zero_grad()
            ((p * q).sum() ** 2 + r.exp().sum()).backward()
            method.step()
        return shown([p, q, r]), repr(method)

    (ours, text), (theirs, expected) = after(tracegrad), after(torch)
    np.testing.assert_allclose(np.concatenate(ours), np.concatenate(theirs), rtol=1e-12)
    assert text == expected


@pytest.mark.parametrize("name", METHODS)
def test_a_rate_may_be_a_tensor(name):
    def after(library):
        p = library.tensor([1.0, -2.0], dtype=library.float64, requires_grad=True)
        method = getattr(library.optim, name)([p], lr=library.tensor(0.05))

        def closure():
            method.zero_grad()
            loss = (p**2).sum()
            loss.backward()
            return loss

        for _ in range(3):
            method.step(closure)
        return p.tolist()

    np.testing.assert_allclose(after(tracegrad), after(torch), rtol=1e-7)


def test_decay_rates_may_be_tensors():
    def after(library):
        p = library.tensor([1.0, -2.0], dtype=library.float64, requires_grad=True)
        betas = (library.tensor(0.8, dtype=library.float64), library.tensor([0.9], dtype=library.float64))
        method = library.optim.Adam([p], lr=library.tensor([0.05], dtype=library.float64), betas=betas)
        for _ in range(5):
            method.zero_grad()
            (p**2).sum().backward()
            method.step()
        return p.tolist()

    np.testing.assert_allclose(after(tracegrad), after(torch), rtol=1e-12)


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "Adagrad", "Adadelta", "ASGD"])
def test_derivatives_flow_through_the_steps_of_a_differentiable_method(name):
    def slopes(library):
        p = library.tensor([1.0, -2.0], dtype=library.float64, requires_grad=True)
        q = p.clone()
        options = {"momentum": 0.9} if name == "SGD" else {}
        method = getattr(library.optim, name)([q], lr=0.1, differentiable=True, **options)
        for i in range(3):
            q.grad = library.tensor([0.3, -0.2], dtype=library.float64) * (p * (i + 1)).sum()
            method.step()
        (q * q).sum().backward()
        return p.grad.tolist()

    np.testing.assert_allclose(
        slopes(tracegrad), slopes(torch), rtol=1e-5
    )  # torch corrects Adam's bias in float32 here


def test_the_derivative_of_a_rate_flows():
    def slope(library):
        p = library.tensor([1.0, -2.0], dtype=library.float64, requires_grad=True)
        lr = library.tensor(0.1, dtype=library.float64, requires_grad=True)
        q = p.clone()
        method = library.optim.SGD([q], lr=lr, differentiable=True)
        q.grad = library.ones(2, dtype=library.float64)
        method.step()
        (q * q).sum().backward()
        return lr.grad.item(), p.grad.tolist()

    np.testing.assert_allclose(np.hstack(slope(tracegrad)), np.hstack(slope(torch)), rtol=1e-12)


@pytest.mark.parametrize("name", [n for n in METHODS if n != "LBFGS"])
def test_a_state_of_torch_s_continues_here(name):
    options = METHODS[name][1]
    saved, (a, b) = path(torch, name, options, "float64", 3)

    def after(library):
        state = copy.deepcopy(saved.state_dict())
        for kept in state["state"].values():
            kept.update({k: library.tensor(v.numpy()) for k, v in kept.items() if isinstance(v, torch.Tensor)})
        p, q = (library.tensor(t.numpy()).requires_grad_() for t in (a, b))
        method = getattr(library.optim, name)([p, library.ones(2, requires_grad=True), q], lr=3.0)
        method.load_state_dict(state)
        loss_of(library, p, q).backward()
        method.step()
        return np.append(p.detach().numpy(), q.detach().numpy())

    np.testing.assert_allclose(after(tracegrad), after(torch), rtol=1e-11)


def leaf(library, *shape):
    return library.ones(*(shape or (2,)), requires_grad=True)


MISTAKES = {
    "no parameters": lambda o, t: o.SGD([]),
    "one tensor": lambda o, t: o.Adam(leaf(t)),
    "a number": lambda o, t: o.Adam([3]),
    "a set": lambda o, t: o.SGD([{"params": {leaf(t)}}]),
    "not a leaf": lambda o, t: o.SGD([leaf(t) * 2]),
    "negative rate": lambda o, t: o.SGD([leaf(t)], lr=-1),
    "negative rate of a tensor": lambda o, t: o.SGD([leaf(t)], lr=t.tensor(-1.0)),
    "rate of two elements": lambda o, t: o.SGD([leaf(t)], lr=t.tensor([0.1, 0.2])),
    "negative momentum": lambda o, t: o.SGD([leaf(t)], momentum=-1),
    "negative decay": lambda o, t: o.Adam([leaf(t)], weight_decay=-1),
    "negative eps": lambda o, t: o.Adam([leaf(t)], eps=-1),
    "nesterov alone": lambda o, t: o.SGD([leaf(t)], nesterov=True),
    "nesterov with dampening": lambda o, t: o.SGD([leaf(t)], momentum=0.9, dampening=0.1, nesterov=True),
    "beta of 1": lambda o, t: o.Adam([leaf(t)], betas=(1.0, 0.9)),
    "second beta": lambda o, t: o.NAdam([leaf(t)], betas=(0.9, -0.1)),
    "mixed betas": lambda o, t: o.Adam([leaf(t)], betas=(t.tensor(0.9), 0.9)),
    "integer beta": lambda o, t: o.Adam([leaf(t)], betas=(0, 0.9)),
    "foreach with a tensor rate": lambda o, t: o.Adam([leaf(t)], lr=t.tensor(0.1), foreach=True),
    "fused and foreach": lambda o, t: o.SGD([leaf(t)], fused=True, foreach=True),
    "fused and differentiable": lambda o, t: o.Adam([leaf(t)], fused=True, differentiable=True),
    "rho": lambda o, t: o.Adadelta([leaf(t)], rho=1.5),
    "etas": lambda o, t: o.Rprop([leaf(t)], etas=(1.5, 2.0)),
    "unknown setting": lambda o, t: o.SGD([leaf(t)], learning_rate=0.1),
    "two groups of LBFGS": lambda o, t: o.LBFGS([{"params": [leaf(t)]}, {"params": [leaf(t)]}]),
    "LBFGS without closure": lambda o, t: o.LBFGS([leaf(t)]).step(),
    "unknown line search": lambda o, t: o.LBFGS([p := leaf(t)], line_search_fn="armijo").step(lambda: ((p * p).sum() * p.requires_grad, (p * p).sum().backward())[0]),
    "no dict": lambda o, t: o.SGD([leaf(t)], lr=1).add_param_group([leaf(t)]),
    "group without params": lambda o, t: o.SGD([{"lr": 0.1}]),
    "the same parameter in two groups": lambda o, t: o.SGD([p := leaf(t)], lr=1).add_param_group({"params": p}),
    "names on some": lambda o, t: o.SGD([("a", leaf(t)), leaf(t)], lr=1),
    "a group without names": lambda o, t: o.SGD([("a", leaf(t))], lr=1).add_param_group({"params": leaf(t)}),
    "other number of groups": lambda o, t: o.SGD([leaf(t)], lr=1).load_state_dict({"state": {}, "param_groups": []}),
    "other sizes": lambda o, t: o.SGD([leaf(t)], lr=1).load_state_dict(o.SGD([leaf(t), leaf(t)], lr=1).state_dict()),
    "required": lambda o, t: o.Optimizer([{"params": [leaf(t)]}], {"lr": import_module(f"{t.__name__}.optim.optimizer").required}),
    "no step": lambda o, t: o.Optimizer([leaf(t)], {}).step(),
    "pre hook's answer": lambda o, t: (m := o.SGD([leaf(t)]), m.register_step_pre_hook(lambda *_: 3), m.step()),
    "zero_grad of nothing": lambda o, t: o.SGD.zero_grad(),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_raise_torch_s_class(name):
    kinds = []
    for library in (torch, tracegrad):
        with pytest.raises(Exception) as caught:  # noqa: PT011  (the class is compared)
            MISTAKES[name](library.optim, library)
        kinds.append(caught.type)
    assert issubclass(kinds[1], kinds[0]), kinds


def test_duplicate_parameters_warn():
    for library in (torch, tracegrad):
        p = leaf(library)
        with pytest.warns(UserWarning, match="duplicate parameters"):
            library.optim.SGD([p, p])


SCRIPTS = {
    "hooks": """
p = torch.ones(1, requires_grad=True)
p.grad = torch.ones(1)
o = torch.optim.SGD([p], lr=0.5)
seen = []
a = o.register_step_pre_hook(lambda opt, args, kwargs: seen.append(("pre", opt is o, len(args), kwargs)))
b = o.register_step_post_hook(lambda opt, args, kwargs: seen.append(("post", p.item())))
c = register_optimizer_step_post_hook(lambda opt, args, kwargs: seen.append(("every", type(opt).__name__)))
o.step()
a.remove(); c.remove()
o.step()
b.remove()
o.step()
print(seen, p)
""",
    "state dict hooks": """
p = torch.ones(1, requires_grad=True)
o = torch.optim.SGD([p], lr=0.5, momentum=0.9)
seen = []
o.register_state_dict_pre_hook(lambda opt: seen.append("before"))
o.register_state_dict_post_hook(lambda opt, d: {**d, "more": 1})
o.register_load_state_dict_pre_hook(lambda opt, d: (seen.append(sorted(d)), d)[1])
o.register_load_state_dict_post_hook(lambda opt: seen.append("loaded"))
o.register_load_state_dict_post_hook(lambda opt: seen.append("first"), prepend=True)
d = o.state_dict()
o.load_state_dict(d)
print(d, seen)
""",
    "own method": """
class Sign(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1):
        super().__init__(params, dict(lr=lr))
    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if len(state) == 0:
                    state["count"] = 0
                    state["total"] = torch.zeros_like(p)
                state["count"] += 1
                state["total"].add_(p.grad)
                p.add_(p.grad.sign(), alpha=-group["lr"])
        return loss
p = torch.tensor([1.0, -2.0], requires_grad=True)
o = Sign([p], lr=0.25)
s = torch.optim.lr_scheduler.StepLR(o, 1, gamma=0.5)
for _ in range(3):
    o.zero_grad()
    (p * p).sum().backward()
    print(o.step(lambda: (p * p).sum()), p)
    s.step()
print(o, o.state_dict(), o.state[p])
""",
    "zeroing": """
p = torch.ones(2, requires_grad=True)
o = torch.optim.SGD([p, torch.ones(1, requires_grad=True)], lr=0.5)
(p * 3).sum().backward()
g = p.grad
o.zero_grad(set_to_none=False)
print(p.grad, g, p.grad is g)
o.zero_grad()
print(p.grad, g)
p.grad = torch.autograd.grad((p ** 3).sum(), p, create_graph=True)[0]
o.zero_grad(set_to_none=False)
print(p.grad)
""",
    "names": """
m = torch.nn.Linear(2, 1)
o = torch.optim.SGD(m.named_parameters(), lr=0.1)
print(o.state_dict())
print(o.param_groups[0]["param_names"])
""",
    "groups are the caller's dicts": """
p = torch.ones(2, requires_grad=True)
g = {"params": p, "lr": 0.5}
o = torch.optim.SGD([g], lr=0.1, momentum=0.25)
print(o.param_groups[0] is g, sorted(g), g["params"], o.defaults)
""",
    "copies": """
import copy, pickle
p = torch.ones(2, requires_grad=True)
p.grad = torch.ones(2)
o = torch.optim.Adam([p], lr=0.5)
o.step()
q = copy.deepcopy(o)
o.step()
print(q, p, q.param_groups[0]["params"], q.state[q.param_groups[0]["params"][0]])
q.param_groups[0]["params"][0].grad = torch.ones(2)
q.step()
print(q.param_groups[0]["params"])
""",
    "old checkpoints": """
p = torch.ones(2, requires_grad=True)
p.grad = torch.ones(2)
o = torch.optim.Adam([p], lr=0.5)
o.step()
d = o.state_dict()
d["state"][0]["step"] = 4
o.load_state_dict(d)
o.step()
print(o.state_dict()["state"][0]["step"], p)
""",
    "versions": """
p = torch.ones(2, requires_grad=True)
p.grad = torch.ones(2)
o = torch.optim.SGD([p], lr=0.5)
v = p._version
o.step()
print(p._version - v)
y = (p * p).sum()
o.step()
try:
    y.backward()
except RuntimeError as e:
    print("RuntimeError")
""",
    "a parameter is a view": """
base = torch.zeros(2, 3)
p = base[:, 1].requires_grad_() if False else base.t()[1].detach().requires_grad_()
p.grad = torch.ones(2)
torch.optim.Adam([p], lr=0.5).step()
print(base, p)
""",
    "state by parameter": """
p = torch.ones(2, requires_grad=True)
p.grad = torch.tensor([1.0, 2.0])
o = torch.optim.AdamW([p])
print(dict(o.state), o.state_dict()["state"])
o.step()
print(o.state[p]["step"], o.state[p]["exp_avg"], sorted(o.state[p]), p in o.state, len(o.state))
""",
    "the default dtype is float64": """
torch.set_default_dtype(torch.float64)
p = torch.ones(2, requires_grad=True)
p.grad = torch.ones(2)
o = torch.optim.Adam([p])
o.step()
print(o.state_dict())
torch.set_default_dtype(torch.float32)
""",
}  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_prints_what_it_prints_with_torch(name):
    said = []
    for library in (torch, tracegrad):
        lines = []
        library.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            after_every = import_module(f"{library.__name__}.optim.optimizer").register_optimizer_step_post_hook
            names = {"torch": library, "register_optimizer_step_post_hook": after_every}
            exec(SCRIPTS[name], {**names, "print": lambda *a, lines=lines: lines.append(" ".join(map(str, a)))})  # noqa: S102
        said.append(lines)
    assert said[1] == said[0]


@pytest.mark.parametrize(
    "make",
    [
        lambda s, o: s.StepLR(o, 2, gamma=0.5),
        lambda s, o: s.ExponentialLR(o, 0.5),
        lambda s, o: s.LambdaLR(o, lambda epoch: 1 / (epoch + 1)),
        lambda s, o: s.MultiStepLR(o, [1, 3], gamma=0.5),
        lambda s, o: s.CosineAnnealingLR(o, 4),
        lambda s, o: s.LinearLR(o, 0.5, total_iters=3),
        lambda s, o: s.ConstantLR(o, 0.5, total_iters=2),
        lambda s, o: s.ReduceLROnPlateau(o, patience=0, factor=0.5),
    ],
)
def test_a_schedule_writes_a_rate_that_is_a_tensor_in_place(make):
    def rates(library):
        p = leaf(library)
        rate = library.tensor(0.5)
        method = library.optim.SGD([p], lr=rate)
        schedule = make(library.optim.lr_scheduler, method)
        found = [rate.item()]
        for _ in range(5):
            method.step()
            schedule.step(*([1.0] if hasattr(schedule, "patience") else []))
            found += [rate.item(), float(schedule.get_last_lr()[0])]
        assert method.param_groups[0]["lr"] is rate
        return found

    np.testing.assert_allclose(rates(tracegrad), rates(torch), rtol=1e-6)
