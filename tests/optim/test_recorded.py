"""A step as tensor operators alone, which is what a recording sees: one program for all steps."""

import pytest

import tracegrad as tg
from tracegrad import optim
from tracegrad.optim.method import _setting

METHODS = {
    "SGD": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    "Adam": {"amsgrad": True, "weight_decay": 0.1},
    "AdamW": {"betas": (0.3, 0.9)},
    "Adagrad": {"lr_decay": 0.1, "initial_accumulator_value": 0.1},
    "Adadelta": {"weight_decay": 0.1},
    "Adamax": {},
    "NAdam": {"weight_decay": 0.1, "decoupled_weight_decay": True},
    "RAdam": {"betas": (0.5, 0.7)},
    "RMSprop": {"centered": True, "momentum": 0.5},
    "Rprop": {},
    "ASGD": {"t0": 3.0, "lambd": 0.1},
}


def compiled_step(method, names, rate, backend):
    @tg.compile(backend=backend)
    def step(p, g, lr, *kept):
        with tg.no_grad():
            p, state = p.clone(), {name: t.clone() for name, t in zip(names, kept, strict=True)}
            settings = {k: _setting(v, True, False) for k, v in method.param_groups[0].items() if k != "params"}
            if rate:
                settings["lr"] = lr
            method._update_tensors(p, g, state, 2, settings)
            return p, list(state.values())

    return step


@pytest.mark.parametrize("rate", [False, True])
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dtype", [tg.float64, tg.float32])
def test_a_recorded_step_is_the_eager_step_every_time(name, rate, dtype):
    check_path(name, rate, dtype, "numpy")


def check_path(name, rate, dtype, backend):
    p = tg.tensor([[1.0, -2.0], [0.3, 0.7]], dtype=dtype, requires_grad=True)
    method = getattr(optim, name)([p], lr=0.02, **METHODS[name])
    method.start_state()
    names = list(method.state[p])
    q, kept = p.detach().clone(), [t.clone() for t in method.state[p].values()]
    step = compiled_step(method, names, rate, backend)
    for _ in range(8):
        g = (q**3 - q / 3).detach()
        q, kept = step(q, g, tg.tensor(0.02, dtype=tg.float64), *kept)
        p.grad = (p.detach() ** 3 - p.detach() / 3).detach()
        method.step()
    assert step.compilations == 1
    tolerance = 1e-12 if dtype == tg.float64 else 1e-5
    tg.testing.assert_close(q, p.detach(), rtol=tolerance, atol=tolerance)
    for value, name in zip(kept, names, strict=True):
        tg.testing.assert_close(value, method.state[p][name], rtol=tolerance * 10, atol=tolerance)


def test_a_state_is_made_of_tensors_that_no_recording_has_made():
    p = tg.ones(2, requires_grad=True)
    method = optim.Adam([p])

    @tg.compile
    def started(x):
        kept = method._start(p, method.param_groups[0])
        assert all(t._node is None for t in kept.values())
        return x * 2

    started(tg.ones(2))


def training_losses(name, compiled, **options):
    """The losses of a few steps of a small network, what its optimizer keeps then, and how many programs were made."""
    tg.manual_seed(0)
    network = tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.Tanh(), tg.nn.Linear(4, 1)).double()
    method = getattr(optim, name)(network.parameters(), **options)

    def step(x, y):
        method.zero_grad()
        loss = ((network(x) - y) ** 2).mean()
        loss.backward()
        method.step()
        return loss

    run = tg.compile(step) if compiled else step
    losses = []
    for _ in range(7):
        x = tg.randn(5, 3, dtype=tg.float64)
        losses.append(run(x, x.sum(1, keepdim=True)).item())
    return losses, method.state_dict()["state"], run.compilations if compiled else 0


@pytest.mark.parametrize("name", METHODS)
def test_a_whole_training_step_is_one_program(name):
    expected, state, _ = training_losses(name, False, lr=0.05, **METHODS[name])
    losses, compiled_state, count = training_losses(name, True, lr=0.05, **METHODS[name])
    assert count == 1
    assert losses == pytest.approx(expected, rel=1e-10)
    assert list(compiled_state) == list(state)
    for number, kept in state.items():
        for key, value in kept.items():
            tg.testing.assert_close(compiled_state[number][key], value, rtol=1e-9, atol=1e-12)


def test_a_first_step_that_differs_is_no_program_to_keep():
    options = {"lr": 0.05, "momentum": 0.9, "dampening": 0.5}
    losses, _, count = training_losses("SGD", True, **options)
    assert count == 1  # of the later steps: the first one made the state
    assert losses == pytest.approx(training_losses("SGD", False, **options)[0], rel=1e-10)


def test_a_rate_that_is_a_tensor_follows_its_schedule_in_one_program():
    def after(compiled):
        p = tg.tensor([1.0, -2.0], dtype=tg.float64, requires_grad=True)
        method = optim.Adam([p], lr=tg.tensor(0.1, dtype=tg.float64))
        schedule = optim.lr_scheduler.ExponentialLR(method, 0.5)

        def step(x):
            method.zero_grad()
            (p * x).square().sum().backward()
            method.step()

        run = tg.compile(step) if compiled else step
        for i in range(5):
            run(tg.tensor([1.0, i + 1.0], dtype=tg.float64))
            schedule.step()
        return p.tolist(), run.compilations if compiled else 1

    (found, count), (expected, _) = after(True), after(False)
    assert count == 1
    assert found == pytest.approx(expected, rel=1e-12)
