import math
import torch
from torch import nn
import torch.nn.functional as F


class Block(nn.Module):
    def __init__(self, d=8, heads=2):
        super().__init__()
        self.h = heads
        self.qkv = nn.Linear(d, 3 * d, bias=False)
        self.out = nn.Linear(d, d)
        self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.mlp = nn.Sequential(nn.Linear(d, 16), nn.GELU(), nn.Linear(16, d), nn.Dropout(0.0))
        self.register_buffer("mask", torch.ones(5, 5).tril().bool())

    def attend(self, x):
        B, T, D = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.h, D // self.h).permute(2, 0, 3, 1, 4)
        w = torch.einsum("bhid,bhjd->bhij", q, k) / math.sqrt(D // self.h)
        w = w.masked_fill(~self.mask[:T, :T], float("-inf")).softmax(-1)
        y = torch.einsum("bhij,bhjd->bhid", w, v)
        self.last = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(B, T, D)), y

    def forward(self, x):
        a, self.y = self.attend(self.ln1(x))
        x = x + a
        return x + self.mlp(self.ln2(x))


m = Block()
with torch.no_grad():
    for i, p in enumerate(m.parameters()):
        p.copy_(torch.sin(torch.arange(p.numel()) * 0.7 + i).reshape(p.shape) * 0.3)
print(m)
x = torch.cos(torch.arange(80.0)).view(2, 5, 8).requires_grad_()
y = m(x)
print(y.shape, y[0, :2], torch.allclose(m.y, m.last, atol=1e-6))
y.square().mean().backward()
print(x.grad[0, 0])
print({k: (tuple(v.shape), round(v.grad.norm().item(), 4)) for k, v in m.named_parameters()})
print(sum(p.numel() for p in m.parameters() if p.requires_grad), list(dict(m.named_buffers())))
J = torch.func.jacrev(lambda z: m(z[None])[0, :, 0])(x[0].detach())
print(J.shape, (J.abs().sum(-1) > 1e-7).int())


def f(x):
    return m(x)


def alibi(q, k):
    n = q.shape[-2]
    pos = torch.arange(n)
    bias = -(pos[:, None] - pos[None, :]).abs() * 0.5
    return torch.softmax(q @ k.transpose(-2, -1) + bias, dim=-1)


print(alibi(x[0], x[1])[0])
