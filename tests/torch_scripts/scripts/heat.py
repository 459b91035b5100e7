import torch

nx, nt, dx = 11, 30, 0.1
dt = 0.004


def solve(u0, alpha):
    u = u0.clone()
    for _ in range(nt):
        un = u.clone()
        un[1:-1] = u[1:-1] + alpha * dt / dx**2 * (u[2:] - 2 * u[1:-1] + u[:-2])
        un[0] = 0
        un[-1] = 0
        u = un
    return u


x = torch.linspace(0, 1, nx, dtype=torch.float64)
u0 = torch.sin(3.14159265 * x)
alpha = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
u0.requires_grad_()
u = solve(u0, alpha)
print(u)
loss = (u[3:8] ** 2).sum()
loss.backward()
print(alpha.grad, u0.grad)
print(u.grad_fn, u[1:-1].grad_fn)
grid = torch.zeros(5, 6)
grid[0, :] = 1
grid[:, -1] = 2.0
grid[2, 2:4] = torch.tensor([7.0, 8.0])
for _ in range(10):
    grid[1:-1, 1:-1] = 0.25 * (grid[:-2, 1:-1] + grid[2:, 1:-1] + grid[1:-1, :-2] + grid[1:-1, 2:])
print(grid)
grid[grid > 1] = -1
grid[..., 0] += 5
print(grid, grid[::2, 1::2])
