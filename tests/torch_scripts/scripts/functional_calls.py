"""torch.func.functional_call: per-sample gradients, tied weights, names that do not fit."""
import torch
from torch import nn
from torch.func import functional_call, grad, vmap

model = nn.Linear(3, 1)
with torch.no_grad():
    model.weight.copy_(torch.tensor([[0.1, 0.2, 0.3]]))
    model.bias.fill_(0.5)
x, y = torch.arange(12.0).view(4, 3) / 5, torch.tensor([[1.0], [0.0], [1.0], [0.0]])
values = {name: p.detach() for name, p in model.named_parameters()}


def loss(values, x, y):
    return nn.functional.mse_loss(functional_call(model, values, (x.unsqueeze(0),)), y.unsqueeze(0))


for name, g in vmap(grad(loss), in_dims=(None, 0, 0))(values, x, y).items():
    print(name, g)
print(functional_call(model, {"weight": torch.ones(1, 3)}, x[1]))
print(functional_call(model, [{"weight": torch.ones(1, 3)}, {"bias": torch.zeros(1)}], (x[1],)))
print(model.weight)
for given, options in [([values, values], {}), ({"nothing": x}, dict(strict=True)), ({"bias": y}, dict(strict=True))]:
    try:
        print(functional_call(model, given, (x,), **options))
    except (ValueError, RuntimeError) as e:
        print("ValueError" if isinstance(e, ValueError) else "RuntimeError")


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 2, bias=False)
        self.b = nn.Linear(2, 2, bias=False)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.b(self.a(x))


tied = Tied()
w = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
out = functional_call(tied, {"a.weight": w}, (torch.ones(2),))
print(out)
out.sum().backward()
print(w.grad, tied.a.weight.grad)
