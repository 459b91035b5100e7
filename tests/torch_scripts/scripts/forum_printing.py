"""How tensors print."""

import torch

x = torch.tensor([1e-05, 1.0, 1000.0], requires_grad=True)
print(x, x * 1000000.0, x.sum(), torch.tensor([float("nan"), float("inf"), 1.0]))
print(torch.arange(2000.0).requires_grad_())
torch.set_printoptions(precision=2, sci_mode=False)
print(x)
torch.set_printoptions(profile="default")
print(
    torch.zeros(2, 0),
    torch.tensor(True),
    torch.tensor([1 + 2j]),
    torch.ones(2, dtype=torch.half),
    torch.ones(2, 2, 2, requires_grad=True) * 2,
)
print(f"{x.sum():.2f} {x[1].item()} {x[1]}", str(x.sum()), repr(torch.nn.Parameter(torch.ones(1))))
