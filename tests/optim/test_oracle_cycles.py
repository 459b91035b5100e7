"""Schedules of schedules, restarts and cycles have torch's rates and momenta."""

import warnings

import numpy as np
import pytest

import tracegrad

torch = pytest.importorskip("torch")

MAKE = {
    "times": lambda s, o: s.MultiplicativeLR(o, lambda epoch: 0.9),
    "powers": lambda s, o: s.PolynomialLR(o, total_iters=6, power=2.0),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3),
    "longer restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 2, T_mult=2, eta_min=0.01),
    "cycles": lambda s, o: s.CyclicLR(o, base_lr=0.01, max_lr=0.1, step_size_up=3),
    "halved cycles": lambda s, o: s.CyclicLR(o, 0.01, 0.1, step_size_up=2, step_size_down=1, mode="triangular2"),
    "fading cycles": lambda s, o: s.CyclicLR(
        o, 0.01, 0.1, step_size_up=2, mode="exp_range", gamma=0.9, cycle_momentum=False
    ),
    "own cycles": lambda s, o: s.CyclicLR(
        o, 0.01, 0.1, step_size_up=2, scale_fn=lambda x: 0.5**x, scale_mode="iterations"
    ),
    "one cycle": lambda s, o: s.OneCycleLR(o, max_lr=0.5, total_steps=12),
    "one line": lambda s, o: s.OneCycleLR(
        o, 0.5, epochs=4, steps_per_epoch=3, anneal_strategy="linear", cycle_momentum=False
    ),
    "three phases": lambda s, o: s.OneCycleLR(o, 0.5, total_steps=20, three_phase=True, pct_start=0.4),
    "warm-up": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, total_iters=4), s.CosineAnnealingLR(o, 6)], milestones=[4]
    ),
    "three in turn": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o, 0.1, total_iters=2), s.ExponentialLR(o, 0.9), s.StepLR(o, 2, gamma=0.5)], milestones=[2, 5]
    ),
    "restarts in turn": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, total_iters=3), s.CosineAnnealingWarmRestarts(o, 2)], [3]
    ),
    "together": lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, total_iters=2), s.ExponentialLR(o, 0.9)]),
    "two by hand": lambda s, o: (s.LinearLR(o, 0.1, total_iters=3), s.ExponentialLR(o, 0.9))[1],
}


def rates(library, make, method):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = method(library.optim, library.ones(2, requires_grad=True))
        schedule = make(library.optim.lr_scheduler, optimizer)
        found = []
        for _ in range(11):
            group = optimizer.param_groups[0]
            found.append(
                [group["lr"], schedule.get_last_lr()[0], group.get("momentum", 0) or group.get("betas", [0])[0]]
            )
            optimizer.step()
            schedule.step()
    return found


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize(
    "method", [lambda o, p: o.SGD([p], lr=0.2, momentum=0.5), lambda o, p: o.Adam([p], lr=0.2)], ids=["SGD", "Adam"]
)
def test_rates_and_momenta_are_torch_s(name, method):
    np.testing.assert_allclose(rates(tracegrad, MAKE[name], method), rates(torch, MAKE[name], method), rtol=1e-12)


MISTAKES = {
    "no schedule": lambda s, o: s.ChainedScheduler([]),
    "a plateau": lambda s, o: s.SequentialLR(o, [s.ReduceLROnPlateau(o)], []),
    "milestones": lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [1]),
    "no optimizer": lambda s, o: s.ChainedScheduler([3]),
    "length": lambda s, o: s.CosineAnnealingWarmRestarts(o, 0),
    "factor": lambda s, o: s.CosineAnnealingWarmRestarts(o, 2, 0),
    "mode": lambda s, o: s.CyclicLR(o, 0.1, 0.2, mode="square"),
    "no steps": lambda s, o: s.OneCycleLR(o, 0.1),
    "negative steps": lambda s, o: s.OneCycleLR(o, 0.1, total_steps=-1),
    "strategy": lambda s, o: s.OneCycleLR(o, 0.1, total_steps=5, anneal_strategy="square"),
    "start": lambda s, o: s.OneCycleLR(o, 0.1, total_steps=5, pct_start=2.0),
    "values": lambda s, o: s.OneCycleLR(o, [0.1, 0.2], total_steps=5),
    "beyond": lambda s, o: [x.step() for x in [s.OneCycleLR(o, 0.1, total_steps=2)] * 5],
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_raise_torch_s_class(name):
    kinds = []
    for library in (torch, tracegrad):
        optimizer = library.optim.SGD([library.ones(2, requires_grad=True)], lr=0.1, momentum=0.5)
        with warnings.catch_warnings(), pytest.raises(Exception) as caught:  # noqa: PT011
            warnings.simplefilter("ignore")
            MISTAKES[name](library.optim.lr_scheduler, optimizer)
        kinds.append(caught.type)
    assert issubclass(kinds[1], kinds[0]), kinds


def test_a_sequence_goes_on_from_its_state():
    def made():
        optimizer = tracegrad.optim.SGD([tracegrad.ones(2, requires_grad=True)], lr=0.2, momentum=0.5)
        return optimizer, MAKE["warm-up"](tracegrad.optim.lr_scheduler, optimizer)

    (first, one), (second, other) = made(), made()
    for _ in range(3):
        first.step()
        one.step()
    other.load_state_dict(one.state_dict())
    second.load_state_dict(first.state_dict())
    for optimizer, schedule in ((first, one), (second, other)):
        for _ in range(3):
            optimizer.step()
            schedule.step()
    assert first.param_groups[0]["lr"] == second.param_groups[0]["lr"]
