import math

import numpy as np
import torch

rng = np.random.default_rng(7)
B, T, C, heads = 2, 4, 6, 2
x = torch.tensor(rng.normal(size=(B, T, C)), dtype=torch.float64)
Wq, Wk, Wv = [torch.tensor(rng.normal(size=(C, C)) / 3, requires_grad=True) for _ in range(3)]


def attention(Wq, Wk, Wv, mask_kind="fill"):
    q = (x @ Wq).view(B, T, heads, C // heads).transpose(1, 2)
    k = (x @ Wk).view(B, T, heads, C // heads).transpose(1, 2)
    v = (x @ Wv).view(B, T, heads, C // heads).transpose(1, 2)
    att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
    causal = torch.tril(torch.ones(T, T))
    if mask_kind == "fill":
        att = att.masked_fill(causal == 0, float("-inf"))
    else:
        att = torch.where(causal.bool(), att, torch.tensor(-1e30, dtype=att.dtype))
    att = torch.softmax(att, dim=-1)
    y = att @ v
    return y.transpose(1, 2).contiguous().view(B, T, C), att


y, att = attention(Wq, Wk, Wv)
y2, _ = attention(Wq, Wk, Wv, "where")
print(y.shape, torch.allclose(y, y2))
print(att[0, 1])
print(y[0])
loss = y.pow(2).mean()
print(loss)
loss.backward()
print(Wq.grad)
print(Wv.grad.norm(), Wk.grad.abs().max())
print(y.grad_fn, att.grad_fn, y.stride(), y.is_contiguous())
