"""Checkpoints inside checkpoints and around gradients, stopping early or not."""

import torch
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop


def kept(f):
    return lambda *args: checkpoint(f, *args, use_reentrant=False)


def derivative(f):
    def run(x):
        with torch.enable_grad():
            return torch.autograd.grad(f(x), x, create_graph=True)[0]

    return run


def f(x):
    return x.sin().exp().sin()


x = torch.tensor(0.7, requires_grad=True)
FORMS = {
    "f": (f, kept(f), kept(kept(f))),
    "f'": (derivative(f), derivative(kept(f)), derivative(kept(kept(f)))),
    "f''": (derivative(derivative(f)), derivative(kept(derivative(f))), kept(derivative(derivative(kept(f))))),
    "f'''": (
        derivative(kept(derivative(derivative(kept(f))))),
        derivative(kept(derivative(kept(derivative(kept(f)))))),
    ),
}
for early in (True, False):
    with set_checkpoint_early_stop(early):
        for name, forms in FORMS.items():
            print(early, name, [f"{form(x).item():.4f}" for form in forms])

runs = []


def counted(x):
    y = x.sin().cos()
    runs.append("clone")
    return y.clone()


for options in ({}, dict(early_stop=False), dict(early_stop=True)):
    runs.clear()
    a = torch.tensor(1.0, requires_grad=True)
    checkpoint(counted, a, use_reentrant=False, **options).backward()
    print(options, len(runs), a.grad)
runs.clear()
with set_checkpoint_early_stop(False):
    out = checkpoint(counted, a, use_reentrant=False)
out.backward()
print(len(runs))


def several(k, a, b, g, factor=None):
    return g(k * a * b.exp()) * factor, 1, "text"


a, b = torch.tensor(2.0, requires_grad=True), torch.tensor(3.0, requires_grad=True)
out = checkpoint(several, 3, a, b, lambda v: v.sin(), factor=a, use_reentrant=False)
print(out)
print(
    torch.autograd.grad(out[0], (a, b)), torch.autograd.grad(several(3, a, b, lambda v: v.sin(), factor=a)[0], (a, b))
)
times = []


def unstable(x):
    times.append(1)
    return x.sin().exp() if len(times) == 1 else x.sin()


try:
    checkpoint(unstable, x, use_reentrant=False).backward()
except RuntimeError as e:
    print("RuntimeError", "number of tensors" in str(e))
