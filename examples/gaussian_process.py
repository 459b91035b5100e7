"""Gaussian process regression: the kernel's parameters by Newton's method, with first and second derivatives through a Cholesky factorization."""

import math

import tracegrad as torch
from tracegrad.func import grad, hessian

points = torch.linspace(0, 6, 25, dtype=torch.float64).unsqueeze(1)
values = torch.sin(1.5 * points) + 0.1 * torch.cos(9 * points)


def covariance(x, y, scale, size):
    """The squared exponential kernel between two sets of points."""
    return size**2 * torch.exp(-0.5 * (torch.cdist(x, y) / scale) ** 2)


def loss(parameters):
    """The negative log likelihood of the values; the parameters are logarithms of length scale, size and noise."""
    scale, size, noise = parameters.exp()
    matrix = covariance(points, points, scale, size) + noise**2 * torch.eye(len(points), dtype=points.dtype)
    factor = torch.linalg.cholesky(matrix)
    fit = (values * torch.cholesky_solve(values, factor)).sum() / 2
    return fit + factor.diagonal().log().sum() + len(points) / 2 * math.log(2 * math.pi)


parameters = torch.tensor([0.0, 0.0, -1.0], dtype=points.dtype)
for step in range(12):
    slope, curvature = grad(loss)(parameters), hessian(loss)(parameters)
    roots, axes = torch.linalg.eigh(curvature)
    newton = axes @ ((axes.T @ slope) / roots.abs().clamp(min=1e-2))  # downhill also where a curvature is negative
    parameters = parameters - newton / max(1.0, newton.norm().item() / 0.5)
    if step % 3 == 2:
        print(f"step {step + 1}: loss {loss(parameters).item():.6f}")

scale, size, noise = parameters.exp().tolist()
print(f"length scale {scale:.4f}, size {size:.4f}, noise {noise:.4f}")

new = torch.tensor([[1.05], [3.3], [7.0]], dtype=points.dtype)
matrix = covariance(points, points, scale, size) + noise**2 * torch.eye(len(points), dtype=points.dtype)
across = covariance(new, points, scale, size)
factor = torch.linalg.cholesky(matrix)
mean = (across @ torch.cholesky_solve(values, factor)).squeeze(1)
left = torch.linalg.solve_triangular(factor, across.T, upper=False)
deviation = (size**2 - left.square().sum(0)).sqrt()
for x, m, s in zip(new.flatten().tolist(), mean.tolist(), deviation.tolist(), strict=True):
    print(f"f({x:.2f}) = {m:.4f} +- {s:.4f}   (sin: {math.sin(1.5 * x):.4f})")
