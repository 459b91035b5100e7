import torch

edge = torch.tensor([[0, 0, 1, 2, 3, 3, 4], [1, 2, 2, 3, 0, 4, 4]])
x = torch.sin(torch.arange(15.0)).reshape(5, 3).requires_grad_()
W = torch.cos(torch.arange(9.0)).reshape(3, 3).requires_grad_()


def gcn(x, W):
    src, dst = edge
    deg = torch.zeros(5).index_add(0, dst, torch.ones(dst.shape[0])).clamp(min=1)
    msg = (x @ W)[src] * deg[src].rsqrt()[:, None] * deg[dst].rsqrt()[:, None]
    return torch.zeros(5, 3).index_add_(0, dst, msg).relu()


def segment_softmax(score, index, n):
    m = torch.full((n,), -torch.inf).scatter_reduce(0, index, score, reduce="amax", include_self=False)
    e = (score - m[index]).exp()
    z = torch.zeros(n).scatter_add(0, index, e)
    return e / z[index]


def gat(x, W):
    src, dst = edge[0], edge[1]
    h = x @ W
    a = torch.nn.functional.leaky_relu((h[src] * h[dst]).sum(-1), 0.2)
    w = segment_softmax(a, dst, 5)
    return torch.zeros_like(h).index_add(0, dst, w[:, None] * h[src]), w


h = gcn(x, W)
print(h)
print(torch.autograd.grad(h.sum(), (x, W)))
o, w = gat(x, W)
print(o, w)
g = torch.autograd.grad(o.pow(2).sum(), (x, W), create_graph=True)
print(g[1])
print(torch.autograd.grad(g[1].sum(), x)[0])
for red in ("sum", "prod", "mean", "amax", "amin"):
    z = torch.ones(3, requires_grad=True)
    s = torch.tensor([1.0, 2.0, 2.0, -1.0, 3.0], requires_grad=True)
    y = z.scatter_reduce(0, torch.tensor([0, 1, 1, 0, 2]), s, reduce=red)
    gz, gs = torch.autograd.grad(y @ torch.tensor([1.0, 2.0, 3.0]), (z, s))
    print(red, y.detach(), gz, gs)
adj = torch.zeros(5, 5).index_put((edge[0], edge[1]), torch.tensor(1.0))
L = torch.diag(adj.sum(1)) - adj
print(adj, torch.linalg.matrix_power(adj, 2).trace(), L.sum())
print(torch.zeros(5).index_reduce(0, edge[1], torch.arange(7.0), "mean", include_self=False))
