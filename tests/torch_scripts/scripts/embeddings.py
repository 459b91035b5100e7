import torch
from torch import nn

emb = nn.Embedding(6, 3, padding_idx=0)
print(emb, emb.weight[0])
with torch.no_grad():
    emb.weight.copy_(torch.sin(torch.arange(18.0)).view(6, 3))
    emb.weight[0] = 0
idx = torch.tensor([[1, 2, 0], [5, 5, 1]])
out = emb(idx)
out.cos().sum().backward()
print(out.shape, emb.weight.grad)
bag = nn.EmbeddingBag(6, 3, mode="mean")
bag.load_state_dict({"weight": emb.weight.detach()})
flat, offsets = torch.tensor([1, 2, 5, 5, 1]), torch.tensor([0, 2, 2])
for mode in ("sum", "mean", "max"):
    w = emb.weight.detach().clone().requires_grad_()
    o = nn.functional.embedding_bag(flat, w, offsets, mode=mode)
    o.square().sum().backward()
    print(mode, o, w.grad)
w = emb.weight.detach().clone().requires_grad_()
s = torch.linspace(0.1, 1, 5, requires_grad=True)
nn.functional.embedding_bag(flat, w, offsets, mode="sum", per_sample_weights=s).prod().backward()
print(s.grad, w.grad.abs().sum())
e2 = nn.Embedding.from_pretrained(torch.eye(4)[:, :2], freeze=True)
print(
    e2(torch.tensor([3, 0])),
    e2.weight.requires_grad,
    nn.functional.embedding(torch.tensor(2), torch.arange(8.0).view(4, 2), max_norm=1.0),
)
oh = nn.functional.one_hot(torch.tensor([0, 2, 1]), num_classes=4)
print(oh, oh.dtype, oh.float() @ emb.weight.detach()[:4])


def skipgram(w, c):
    centre, ctx, neg = w[torch.tensor([0, 1])], c[torch.tensor([2, 3])], c[torch.tensor([[4, 5], [0, 1]])]
    pos = nn.functional.logsigmoid((centre * ctx).sum(-1))
    negs = nn.functional.logsigmoid(-torch.bmm(neg, centre.unsqueeze(-1)).squeeze(-1)).sum(-1)
    return -(pos + negs).mean()


w, c = torch.sin(torch.arange(18.0)).view(6, 3), torch.cos(torch.arange(18.0)).view(6, 3)
print(torch.func.grad_and_value(skipgram, argnums=(0, 1))(w, c))
for bad in (torch.tensor([6]), torch.tensor([1.0])):
    try:
        emb(bad)
    except Exception as e:
        print(
            [
                k
                for k in ("IndexError", "RuntimeError", "TypeError")
                if k in [m.__name__ for m in type(e).__mro__]
            ]
        )
