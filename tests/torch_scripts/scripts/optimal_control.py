import torch
from torch.func import grad, hessian, jacfwd, jacrev, vmap

A = torch.tensor([[1.0, 0.1], [0.0, 1.0]], dtype=torch.float64)
B = torch.tensor([[0.0], [0.1]], dtype=torch.float64)
Q, R = torch.eye(2, dtype=torch.float64), 0.1 * torch.eye(1, dtype=torch.float64)
P = Q.clone()
for _ in range(100):
    K = torch.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
    P = Q + A.T @ P @ (A - B @ K)
print(K, P, torch.linalg.eigvals(A - B @ K).abs().sort().values)


def dynamics(x, u):
    th, om = x.unbind(-1)
    return torch.stack([th + 0.1 * om, om + 0.1 * (torch.sin(th) - 0.1 * om + u[..., 0])], -1)


def rollout(us, x0):
    xs = [x0]
    for u in us:
        xs.append(dynamics(xs[-1], u))
    return torch.stack(xs)


def cost(us, x0):
    xs = rollout(us, x0)
    return (xs[:-1] ** 2).sum() + 10 * xs[-1].square().sum() + 0.1 * us.square().sum()


x0 = torch.tensor([1.0, 0.0], dtype=torch.float64)
us = torch.zeros(8, 1, dtype=torch.float64)
for _ in range(3):
    g = grad(cost)(us, x0).reshape(-1)
    H = hessian(cost)(us, x0).reshape(8, 8)
    us = us - torch.linalg.solve(H, g).reshape(8, 1)
    print(cost(us, x0))
print(us.squeeze())
Ax, Bu = jacfwd(dynamics, argnums=(0, 1))(x0, us[0])
print(Ax, Bu)
print(torch.allclose(jacrev(dynamics)(x0, us[0]), Ax))
starts = torch.stack([x0, -x0, 2 * x0])
print(vmap(cost, in_dims=(None, 0))(us, starts))
print(vmap(grad(cost, argnums=1), in_dims=(None, 0))(us, starts))
Wc = sum(torch.linalg.matrix_power(A, k) @ B @ B.T @ torch.linalg.matrix_power(A.T, k) for k in range(5))
print(Wc, torch.linalg.matrix_rank(torch.cat([B, A @ B], 1)))
X = torch.linalg.solve(torch.kron(A, A) - torch.eye(4, dtype=torch.float64) * 1.5, -Q.reshape(-1)).reshape(
    2, 2
)
print(X)
