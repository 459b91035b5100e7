import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap, grad


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(3, 4)
        self.bn = nn.BatchNorm1d(4, track_running_stats=False)
        self.fc2 = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


models = [MLP() for _ in range(3)]
for j, m in enumerate(models):
    for i, p in enumerate(m.parameters()):
        p.data = torch.sin(torch.arange(p.numel()) * 0.5 + i + j).view(p.shape)
params, buffers = stack_module_state(models)
print({k: tuple(v.shape) for k, v in params.items()}, buffers, params["fc1.weight"].requires_grad)
base = models[0]
X = torch.cos(torch.arange(15.0)).reshape(5, 3)
t = torch.tensor([0, 1, 1, 0, 1])


def one(p, b, x):
    return functional_call(base, (p, b), (x,))


out = vmap(one, in_dims=(0, 0, None))(params, buffers, X)
print(out.shape, out[:, 0], torch.allclose(out[1], models[1](X), atol=1e-6))
probs = out.softmax(-1).mean(0)
print(probs, torch.special.entr(probs).sum(-1), out.softmax(-1).var(0).mean())


def loss(p, x, t):
    return nn.functional.cross_entropy(functional_call(base, p, x.unsqueeze(0)), t.unsqueeze(0))


gs = vmap(vmap(grad(loss), in_dims=(None, 0, 0)), in_dims=(0, None, None))(
    {k: v.detach() for k, v in params.items()}, X, t
)
print(gs["fc2.weight"].shape, gs["fc2.weight"][0, 0])
norms = torch.stack([v.flatten(2).norm(dim=2) for k, v in gs.items() if "bn" not in k]).norm(dim=0)
clip = (1.0 / norms).clamp(max=1.0)
print(norms, torch.einsum("eb,ebij->eij", clip, gs["fc2.weight"])[0])
dots = vmap(torch.dot)(X, X)
print(
    dots,
    vmap(torch.outer, in_dims=(0, None))(X, X[0]).shape,
    vmap(lambda x: x.sort().values, out_dims=1)(X)[0],
)
print(vmap(lambda a: torch.where(a > 0, a, a * 0.1).sum(), chunk_size=2)(X))
try:
    vmap(lambda x: x.item())(torch.ones(2))
except RuntimeError:
    print("RuntimeError")


def f(x):
    return vmap(one, in_dims=(0, 0, None))(params, buffers, x)
