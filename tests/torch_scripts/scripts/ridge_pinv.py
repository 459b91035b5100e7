import torch

torch.set_default_dtype(torch.float64)
t = torch.linspace(0, 1, 20)
A = torch.stack([t**k for k in range(5)], dim=1)
b = torch.exp(t) + 0.05 * torch.sin(30 * t)
sol = torch.linalg.lstsq(A, b.unsqueeze(1))
print(sol.solution.squeeze(), sol.residuals, sol.rank, sol.singular_values)
print(torch.linalg.pinv(A) @ b)
lam = torch.tensor(0.01, requires_grad=True)


def ridge(lam):
    return torch.linalg.solve(A.T @ A + lam * torch.eye(5), A.T @ b)


w = ridge(lam)
print(w)
loss = (A @ w - b).square().mean()
(g,) = torch.autograd.grad(loss, lam, create_graph=True)
(g2,) = torch.autograd.grad(g, lam)
print(loss, g, g2)
U, S, Vh = torch.linalg.svd(A, full_matrices=False)
print(S, U.shape, Vh.shape)
trunc = (U[:, :3] * S[:3]) @ Vh[:3]
print(torch.linalg.matrix_norm(A - trunc, 2), S[3])
print(torch.linalg.cond(A), torch.linalg.matrix_rank(A), torch.linalg.matrix_rank(trunc, tol=1e-8))
Q, R = torch.linalg.qr(A)
print(torch.linalg.solve_triangular(R, Q.mT @ b[:, None], upper=True).squeeze())
A2 = A.clone().requires_grad_()
torch.linalg.lstsq(A2, b[:, None]).solution.sum().backward()
print(A2.grad[:3])
A3 = A.clone().requires_grad_()
(torch.linalg.pinv(A3) @ b).sum().backward()
print(torch.allclose(A2.grad, A3.grad), torch.linalg.pinv(A3).grad_fn is not None)
torch.set_default_dtype(torch.float32)
