import torch

torch.set_default_dtype(torch.double)
n = 10
h = 1.0 / n
x = torch.linspace(0, 1, n + 1)


def stiffness(k):
    K = torch.zeros(n + 1, n + 1)
    i = torch.arange(n)
    K = K.index_put((i, i), k / h, accumulate=True).index_put((i + 1, i + 1), k / h, accumulate=True)
    return K.index_put((i, i + 1), -k / h, accumulate=True).index_put((i + 1, i), -k / h, accumulate=True)


def solve(k, f):
    K = stiffness(k)[1:-1, 1:-1]
    return torch.nn.functional.pad(torch.linalg.solve(K, f[1:-1] * h), (1, 1))


k = torch.ones(n, requires_grad=True)
f = torch.sin(torch.pi * x)
u = solve(k, f)
print(u, (u - torch.sin(torch.pi * x) / torch.pi**2).abs().max())
J = u.square().sum() * h
(g,) = torch.autograd.grad(J, k, create_graph=True)
print(J, g, torch.autograd.grad(g.sum(), k))


def thomas(a, b, c, d):
    cs, ds = [c[0] / b[0]], [d[0] / b[0]]
    for i in range(1, len(b)):
        m = b[i] - a[i - 1] * cs[-1]
        if i < len(c):
            cs.append(c[i] / m)
        ds.append((d[i] - a[i - 1] * ds[-1]) / m)
    xs = [ds[-1]]
    for i in range(len(b) - 2, -1, -1):
        xs.append(ds[i] - cs[i] * xs[-1])
    return torch.stack(xs[::-1])


K = stiffness(k)[1:-1, 1:-1]
s = thomas(K.diagonal(-1), K.diagonal(), K.diagonal(1), f[1:-1] * h)
print(torch.allclose(s, u[1:-1]))


def jacobi(A, b, iters):
    D = A.diag()
    x = torch.zeros_like(b)
    for _ in range(iters):
        x = (b - (A - torch.diag(D)) @ x) / D
    return x


print(jacobi(K.detach() + torch.eye(n - 1) * 5, f[1:-1], 30))
lam, V = torch.linalg.eigh(K)
print(lam[:3], torch.autograd.grad(lam[0], k)[0])
LU, piv = torch.linalg.lu_factor(K.detach())
P, L, U = torch.lu_unpack(LU, piv)
print(
    torch.linalg.lu_solve(LU, piv, f[1:-1, None]).squeeze()[:3],
    torch.allclose(P @ L @ U, K),
    torch.linalg.lu(K.detach())[1][1, :3],
    piv,
)
u0 = torch.sin(torch.pi * x)
A = torch.eye(n + 1) + 0.001 / h**2 * (
    torch.diag(torch.full((n + 1,), 2.0)) - torch.diag(torch.ones(n), 1) - torch.diag(torch.ones(n), -1)
)
for _ in range(10):
    u0 = torch.linalg.solve(A, u0)
print(u0[:4], torch.linalg.inv(A).trace(), torch.tril(A, -1).sum(), torch.linalg.ldl_factor(A).pivots[:3])
print(
    torch.linalg.multi_dot([A, A, x]),
    torch.kron(torch.eye(2), torch.tensor([[1.0, 2.0]])),
    torch.tensordot(A, A, dims=2),
    torch.linalg.tensorsolve(torch.eye(6).reshape(2, 3, 2, 3), torch.ones(2, 3)).shape,
)
torch.set_default_dtype(torch.float32)
