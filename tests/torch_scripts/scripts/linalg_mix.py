import torch

torch.set_default_dtype(torch.float64)
A = torch.sin(torch.arange(16.0) ** 1.3).view(4, 4)
S = A @ A.T + torch.eye(4)
L = torch.linalg
print(
    L.det(A),
    L.slogdet(A),
    torch.logdet(S),
    L.inv(S)[0],
    L.pinv(A[:, :2]).shape,
    L.matrix_rank(A[:, :2]),
    L.cond(S),
    L.cond(S, 1),
    L.norm(A),
    L.norm(A, 1),
    L.norm(A, -2),
    L.matrix_norm(A, float("inf")),
    L.vector_norm(A, 3),
    L.vector_norm(A, dim=1),
)
print(
    L.eigvalsh(S),
    L.eigvals(A).abs().sort().values,
    L.svdvals(A),
    L.cholesky(S)[-1],
    L.qr(A).R.diagonal().abs(),
    L.householder_product(*torch.geqrf(A))[0].abs(),
    L.lu_factor(A).pivots,
    L.ldl_solve(*L.ldl_factor(S), torch.ones(4, 1)).T,
)
print(
    L.solve(S, torch.ones(4)),
    L.solve(S, torch.ones(2, 4), left=False),
    L.tensorinv(torch.eye(6).reshape(2, 3, 6), ind=2).shape,
    L.matrix_power(A, 0),
    L.multi_dot([A, S, torch.ones(4)]),
    L.vecdot(A, S),
    L.cross(A[:3, :3], S[:3, :3])[0],
    L.diagonal(A, offset=1),
    L.matrix_exp(0.1 * A)[0],
)
print(
    torch.cholesky_inverse(L.cholesky(S))[0],
    torch.cholesky_solve(torch.ones(4, 1), L.cholesky(S)).T,
    torch.triangular_solve(torch.ones(4, 1), L.cholesky(S), upper=False).solution.T,
    torch.addmm(A, S, A, beta=0.5)[0],
    torch.baddbmm(A[None], S[None], A[None])[0, 0],
    torch.addmv(torch.ones(4), A, torch.ones(4)),
    torch.addr(A, torch.ones(4), torch.ones(4))[0],
    torch.chain_matmul(A, A, A)[0],
    torch.outer(A[0], A[1])[0],
    torch.trace(A),
    torch.einsum("ii->i", A),
    torch.einsum("ij,jk,kl->il", A, S, A)[0],
    torch.bmm(A[None], S[None])[0, 0],
    torch.inner(A, S)[0],
    torch.kron(A[:2, :2], torch.eye(2))[0],
    torch.dot(A[0], A[1]),
    torch.mv(A, A[0]),
)
for f in (
    lambda X: L.det(X),
    lambda X: L.inv(X).sum(),
    lambda X: L.svdvals(X).prod(),
    lambda X: L.eigvalsh(X + X.T)[0],
    lambda X: L.cholesky(X @ X.T + torch.eye(4)).sum(),
    lambda X: L.qr(X).R.diagonal().abs().log().sum(),
    lambda X: L.matrix_exp(X).trace(),
    lambda X: L.lu(X)[2].diagonal().abs().log().sum(),
    lambda X: L.pinv(X[:, :2]).square().sum(),
    lambda X: L.eigvals(X).abs().sum(),
    lambda X: L.norm(X, "nuc"),
    lambda X: L.norm(X, 2),
    lambda X: L.solve(X, torch.ones(4)).sum(),
    lambda X: L.lstsq(X, torch.ones(4, 1)).solution.sum(),
    lambda X: L.matrix_power(X, 3).sum(),
    lambda X: L.slogdet(X)[1],
    lambda X: L.cond(X),
):
    X = A.clone().requires_grad_()
    v = f(X)
    (g,) = torch.autograd.grad(v, X, create_graph=True)
    h = torch.autograd.grad((g * torch.ones_like(g).cumsum(1)).sum(), X, allow_unused=True)[0]
    jv = torch.func.jvp(f, (A,), (torch.ones_like(A),))[1]
    print(v.detach(), g[0].detach(), h[0] if h is not None else None, jv)
batch = torch.stack([A, S, A + S])
print(
    L.det(batch),
    torch.vmap(L.inv)(batch)[:, 0],
    L.eigvalsh(batch @ batch.mT)[:, 0],
    torch.vmap(torch.func.grad(L.det))(batch)[2, 0],
    L.solve(batch, torch.ones(3, 4, 1))[1].T,
)
torch.set_default_dtype(torch.float32)


def f(A):
    S = A @ A.mT + torch.eye(4, dtype=A.dtype)
    w, V = torch.linalg.eigh(S)
    return (
        torch.linalg.cholesky(S),
        w,
        torch.linalg.solve(S, A),
        torch.linalg.qr(A).R.abs(),
        torch.linalg.svdvals(A),
        torch.linalg.slogdet(A)[1],
    )
