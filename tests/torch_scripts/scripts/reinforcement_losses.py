"""Actor-critic and target-network losses with detached parts."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

theta = torch.tensor([[0.1, -0.2, 0.3], [0.0, 0.2, -0.1]], requires_grad=True)
v = torch.zeros(2, requires_grad=True)
S = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
A = torch.tensor([0, 2, 1])
R = torch.tensor([1.0, -1.0, 0.5])
logp = F.log_softmax(S @ theta, -1)
chosen = logp.gather(1, A.unsqueeze(1)).squeeze(1)
val = S @ v
adv = R - val.detach()
ent = -(logp.exp() * logp).sum(-1).mean()
l = -(chosen * adv).mean() + F.mse_loss(val, R) - 0.01 * ent
l.backward()
print(l, theta.grad, v.grad)
R2 = []
g = 0.0
for r in [1.0, 0.0, 2.0][::-1]:
    g = r + 0.9 * g
    R2.insert(0, g)
t = torch.tensor(R2)
print((t - t.mean()) / (t.std() + 1e-08))

q = nn.Linear(2, 2)
with torch.no_grad():
    q.weight.copy_(torch.tensor([[0.1, 0.2], [0.3, 0.4]]))
    q.bias.zero_()
t = copy.deepcopy(q)
t.load_state_dict(q.state_dict())
t.eval()
s, a, r, s2 = (
    torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
    torch.tensor([[0], [1]]),
    torch.tensor([[1.0], [0.0]]),
    torch.tensor([[1.0, 1.0], [0.5, 0.5]]),
)
with torch.no_grad():
    y = r + 0.9 * t(s2).max(1, keepdim=True)[0]
l = nn.functional.mse_loss(q(s).gather(1, a), y)
l.backward()
print(l, q.weight.grad, [p.grad for p in t.parameters()])
with torch.no_grad():
    for a_, b_ in zip(t.parameters(), q.parameters()):
        a_.data.copy_(0.99 * a_.data + 0.01 * b_.data)
print(t.weight)
