"""nn.utils: gradients clipped by norm and by value, parameters as one vector, inside a training loop."""
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_, parameters_to_vector, vector_to_parameters

a, b = nn.Parameter(torch.tensor([1.0, 2.0])), nn.Parameter(torch.tensor([[3.0]]))
for norm_type in (1, 2.0, float("inf")):
    a.grad = b.grad = None
    ((a**3).sum() + b.sum() * 100).backward()
    print(norm_type, clip_grad_norm_([a, b], 2.0, norm_type=norm_type), a.grad, b.grad)
a.grad = b.grad = None
((a**3).sum() + b.sum() * 100).backward()
clip_grad_value_([a, b], 5.0)
print(a.grad, b.grad)
a.grad.fill_(float("inf"))
try:
    clip_grad_norm_([a, b], 1.0, error_if_nonfinite=True)
except RuntimeError as e:
    print("non-finite" in str(e))
print(clip_grad_norm_([], 1.0), clip_grad_norm_(b, 0.1), b.grad)

vector = parameters_to_vector([a, b])
print(vector)
vector_to_parameters(torch.tensor([7.0, 8.0, 9.0]), [a, b])
print(a, b)

model = nn.Linear(2, 1)
with torch.no_grad():
    model.weight.fill_(3.0)
    model.bias.fill_(1.0)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
for epoch in range(4):
    optimizer.zero_grad()
    loss = model(x).pow(2).mean()
    loss.backward()
    norm = clip_grad_norm_(model.parameters(), max_norm=1.0)
    optimizer.step()
    print(epoch, f"{loss.item():.3f}", norm)
print(model.weight, model.bias)
