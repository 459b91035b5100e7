"""Backward hooks of modules: what they see, in which order, and what they may replace."""
import torch
from torch import nn


class Two(nn.Module):
    def forward(self, x, y):
        return x * y, x + y


model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
with torch.no_grad():
    for i, p in enumerate(model.parameters()):
        p.copy_(torch.sin(torch.arange(p.numel()) + float(i)).view(p.shape))
activations, gradients = {}, {}


def keep(name):
    def hook(module, inputs, output):
        activations[name] = output.detach()
        output.register_hook(lambda g: gradients.__setitem__(name, g))

    return hook


handles = [layer.register_forward_hook(keep(name)) for name, layer in model.named_children()]


def shapes(module, grad_input, grad_output):
    print(type(module).__name__, [None if g is None else tuple(g.shape) for g in grad_input], grad_output)


handles += [layer.register_full_backward_hook(shapes) for layer in model]
x = torch.tensor([[1.0, -1.0], [0.5, 2.0]])
out = model(x)
print(out)
out.sum().backward()
for name in activations:
    print(name, activations[name], gradients[name])
for handle in handles:
    handle.remove()
activations.clear()
model(x)
print(activations)

two = Two()
two.register_full_backward_pre_hook(lambda m, g: (g[0] * 2, g[1]))
two.register_full_backward_hook(lambda m, gi, go: (gi[0] * 10, None))
a, b = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 4.0], requires_grad=True)
p, q = two(a, b)
(p + q).sum().backward()
print(a.grad, b.grad)
bad = nn.Linear(2, 1)
bad.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
try:
    bad(a).sum().backward()
except RuntimeError:
    print("RuntimeError")
criterion = nn.MSELoss()
counts = []
criterion.register_full_backward_hook(lambda m, gi, go: counts.append(len(gi)))
w = torch.tensor([1.0, 3.0], requires_grad=True)
(g,) = torch.autograd.grad(criterion(w, torch.zeros(2)), w, create_graph=True)
print(g.detach(), counts)
print(torch.autograd.grad(g.sum(), w), counts)
