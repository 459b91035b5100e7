import torch
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap


def f(x):
    return torch.sin(x) * x**2


x = torch.tensor([0.5, 1.0, 2.0])
value, tangent = jvp(f, (x,), (torch.ones_like(x),))
print(value, tangent)
print(torch.allclose(tangent, 2 * x * torch.sin(x) + x**2 * torch.cos(x)))
print(jvp(lambda a, b: (a * b).sum(), (x, x + 1), (torch.ones(3), torch.zeros(3))))
out, vjp_fn = vjp(f, x)
print(out, vjp_fn(torch.ones(3)))
print(jacrev(f)(x))
print(jacfwd(f)(x))
print(grad(lambda t: f(t).sum())(x), grad(grad(torch.sin))(torch.tensor(0.3)))
print(hessian(lambda t: (t**3).prod())(x))
A = torch.arange(6.0).reshape(2, 3)
print(jacrev(lambda v: A @ v)(x), torch.equal(jacrev(lambda v: A @ v)(x), A))
print(vmap(torch.dot)(A, A + 1))
print(vmap(lambda v: v * 2, in_dims=1, out_dims=1)(A))
print(jvp(grad(lambda t: (t**4).sum()), (x,), (torch.tensor([1.0, 0.0, 0.0]),))[1])
