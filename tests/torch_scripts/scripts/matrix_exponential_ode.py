import torch

A = torch.tensor([[0.0, 1.0], [-4.0, -0.4]], dtype=torch.float64, requires_grad=True)
x0 = torch.tensor([1.0, 0.0], dtype=torch.float64)
ts = torch.linspace(0, 2, 5, dtype=torch.float64)


def trajectory(A, x0):
    return torch.matrix_exp(ts[:, None, None] * A) @ x0


X = trajectory(A, x0)
print(X)
X[-1, 0].backward()
print(A.grad)
E = torch.linalg.matrix_exp(A.detach())
print(E, torch.linalg.det(E), torch.exp(torch.trace(A)).detach())
lam, V = torch.linalg.eig(A.detach())
print(lam.real, lam.imag.abs().sort().values)
print((V @ torch.diag(torch.exp(lam)) @ torch.linalg.inv(V)).real)
print(torch.linalg.matrix_power(A, 3), torch.linalg.matrix_power(A, -1) @ A)
J = torch.autograd.functional.jacobian(lambda a: trajectory(a, x0)[-1], A.detach())
print(J.shape, J.reshape(2, 4))
H = torch.autograd.functional.hessian(lambda a: torch.matrix_exp(a)[0, 0], A.detach())
print(H.reshape(4, 4))
B = torch.block_diag(torch.tensor([[0.0, 1.0], [-1.0, 0.0]]), torch.tensor(2.0), torch.eye(1))
print(torch.matrix_exp(B))
