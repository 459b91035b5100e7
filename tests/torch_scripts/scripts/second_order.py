import torch
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

net = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()
params = {
    k: torch.sin(torch.arange(v.numel(), dtype=torch.float64) + i).reshape(v.shape)
    for i, (k, v) in enumerate(net.named_parameters())
}
X = torch.stack([torch.linspace(-1, 1, 6), torch.linspace(0, 1, 6) ** 2], 1).double()
y = X[:, :1] * X[:, 1:]


def model(p, x):
    return functional_call(net, p, (x,))


def loss(p):
    return 0.5 * (model(p, X) - y).square().mean()


g = grad(loss)(params)
print({k: v.shape for k, v in g.items()}, g["0.weight"])
v = {k: torch.ones_like(t) for k, t in params.items()}
_, hv = jvp(grad(loss), (params,), (v,))
print(hv["2.weight"], hv["0.bias"])
out, Jv = jvp(lambda p: model(p, X), (params,), (v,))
_, pull = vjp(lambda p: model(p, X), params)
gnv = pull(Jv / X.shape[0])[0]
print(gnv["2.bias"], gnv["2.weight"])
per = vmap(grad(lambda p, a, b: 0.5 * (model(p, a) - b).square().mean()), in_dims=(None, 0, 0))(params, X, y)
print(per["0.weight"].shape, torch.allclose(per["0.weight"].mean(0), g["0.weight"]))
flat = torch.cat([per[k].reshape(6, -1) for k in params], 1)
fisher = flat.T @ flat / 6
nat = torch.linalg.solve(
    fisher + 0.1 * torch.eye(flat.shape[1], dtype=torch.float64), torch.cat([g[k].flatten() for k in params])
)
print(fisher.shape, nat[:5], torch.linalg.matrix_rank(fisher))
H = hessian(loss)(params)
print(H["2.bias"]["2.bias"], H["0.weight"]["2.weight"].shape)
J = jacrev(model, argnums=1)(params, X[0])
print(J, torch.allclose(J, jacfwd(model, argnums=1)(params, X[0])))
vec = torch.nn.utils.parameters_to_vector(params.values())
print(vec.shape, vec.sum())


def cg(A, b, iters=5):
    x, r = torch.zeros_like(b), b.clone()
    p = r
    for _ in range(iters):
        Ap = A(p)
        a = r.dot(r) / p.dot(Ap)
        x, rn = x + a * p, r - a * Ap
        p = rn + (rn.dot(rn) / r.dot(r)) * p
        r = rn
    return x


print(cg(lambda u: fisher @ u + u, vec)[:4])
opt_p = {k: t.clone() for k, t in params.items()}
for _ in range(10):
    gr = grad(loss)(opt_p)
    opt_p = {k: opt_p[k] - 0.3 * gr[k] for k in opt_p}
print(loss(params), loss(opt_p))


def f(w):
    return loss({**params, "0.weight": w})
