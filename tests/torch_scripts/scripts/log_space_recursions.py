"""Sinkhorn's iteration, a hidden Markov model's forward algorithm and a Kalman filter, differentiated."""

import torch

C = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]], requires_grad=True)
a = torch.tensor([0.2, 0.5, 0.3])
b = torch.tensor([0.4, 0.4, 0.2])
f = torch.zeros(3)
g = torch.zeros(3)
eps = 0.5
for _ in range(20):
    f = eps * (a.log() - torch.logsumexp((g[None] - C) / eps, 1))
    g = eps * (b.log() - torch.logsumexp((f[:, None] - C) / eps, 0))
P = torch.exp((f[:, None] + g[None] - C) / eps)
cost = (P * C).sum()
print(P, cost)
cost.backward()
print(C.grad)

T = torch.log_softmax(torch.tensor([[1.0, 0.2], [0.3, 0.9]], requires_grad=True), -1)
E = torch.tensor([[0.7, 0.3], [0.2, 0.8]]).log()
p = torch.tensor([0.5, 0.5]).log().requires_grad_()
al = p + E[:, 0]
for o in [1, 0, 1]:
    al = torch.logsumexp(al.unsqueeze(1) + T, 0) + E[:, o]
ll = torch.logsumexp(al, 0)
print(ll)
print(torch.autograd.grad(ll, p))

q = torch.tensor(0.1, requires_grad=True)
r = torch.tensor(0.5, requires_grad=True)
m, P = (torch.tensor(0.0), torch.tensor(1.0))
nll = 0
for y in [1.0, 1.2, 0.9, 1.4]:
    P = P + q
    S = P + r
    K = P / S
    e = y - m
    nll = nll + 0.5 * (torch.log(2 * torch.pi * S) + e**2 / S)
    m = m + K * e
    P = (1 - K) * P
print(nll, torch.autograd.grad(nll, (q, r), create_graph=True))
