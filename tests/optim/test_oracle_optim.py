"""SGD and Adam take torch's steps."""

import numpy as np
import pytest

import tracegrad

torch = pytest.importorskip("torch")

METHODS = {
    "sgd": lambda o, p: o.SGD(p, lr=0.1),
    "momentum": lambda o, p: o.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01),
    "dampened": lambda o, p: o.SGD(p, lr=0.05, momentum=0.9, dampening=0.3),
    "nesterov": lambda o, p: o.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "adam": lambda o, p: o.Adam(p, lr=0.1),
    "adam with decay": lambda o, p: o.Adam(p, lr=0.1, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.1),
    "groups": lambda o, p: o.SGD([{"params": p[:1], "lr": 0.2}, {"params": p[1:]}], lr=0.01),
    "maximize": lambda o, p: o.SGD(p, lr=1e-3, maximize=True),
}


def path(library, method):
    a = library.tensor([1.0, -2.0], dtype=library.float64, requires_grad=True)
    b = library.tensor(0.5, dtype=library.float64, requires_grad=True)
    optimizer = method(library.optim, [a, b])
    for _ in range(20):
        optimizer.zero_grad()
        loss = ((a * a).sum() - b) ** 2 + (a * b).sum()
        loss.backward()
        optimizer.step()
    return [*a.tolist(), b.item()]


@pytest.mark.parametrize("name", METHODS)
def test_twenty_steps_end_where_torch_s_end(name):
    np.testing.assert_allclose(path(tracegrad, METHODS[name]), path(torch, METHODS[name]), rtol=1e-10)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("options", [{"lr": 0.1}, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}])
def test_a_step_in_half_precision_is_rounded_once(options, dtype):
    def after(library):
        kind = getattr(library, dtype)
        p = library.arange(64.0).sub(30).div(7).to(kind).requires_grad_()
        optimizer = library.optim.SGD([p], **options)
        for i in range(3):
            p.grad = (library.arange(64.0) * (i + 1) / 13).to(kind)
            optimizer.step()
        return p.tolist()

    assert after(tracegrad) == after(torch)
