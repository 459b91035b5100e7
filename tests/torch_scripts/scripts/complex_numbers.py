import torch
from torch.autograd import gradcheck, gradgradcheck


def error(function):
    try:
        function()
    except Exception as e:
        bases = ("NotImplementedError", "RuntimeError", "TypeError", "ValueError", "AttributeError")
        print(next(b for b in bases if b in [c.__name__ for c in type(e).__mro__]))


z = torch.tensor([1 + 2j, 3 - 1j], requires_grad=True)
print(z, z.dtype, z.real, z.imag)
print(z.abs(), z.angle(), z.sgn())
print(z.conj(), z.conj().is_conj(), z.conj().resolve_conj().is_conj())
print(torch.view_as_real(z))

loss = (z * z).abs().sum()
loss.backward()
print(loss, z.grad)

z.grad = None
((z - (2 - 1j)).abs() ** 2).sum().backward()
print(z.grad)

error(lambda: (z * z).sum().backward())
error(lambda: (z * z).backward(torch.ones(2)))
error(lambda: z > 0)
error(lambda: z.max())
error(lambda: torch.ones(2).imag)
print(torch.autograd.grad(z * z, z, torch.tensor([1j, 1])))

(first,) = torch.autograd.grad((z**3).real.sum(), z, create_graph=True)
(second,) = torch.autograd.grad(first.imag.sum(), z)
print(first.detach(), second)

# a real parameter in a complex computation
theta = torch.tensor([0.1, 0.2], requires_grad=True)
wave = torch.exp(1j * theta)
print(wave)
((wave - wave.mean()).abs() ** 2).mean().backward()
print(theta.grad)
r = torch.tensor([1.0, 2.0], requires_grad=True)
torch.polar(r, theta).imag.sum().backward()
print(r.grad)
torch.complex(r, r * r).real.sum().backward()
print(r.grad)

# writes through the parts
w = torch.zeros(2, dtype=torch.complex64)
w.real = torch.tensor([5.0, 6.0])
w.imag += 1
torch.view_as_real(w)[1, 0] = -1
print(w)
y = z * 1
y.imag[0] = 0.0
y.real.mul_(3)
print(y)
z.grad = None
(y * y).real.sum().backward()
print(z.grad)

# gradient descent on complex parameters
for make in (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), lambda p: torch.optim.Adam(p, lr=0.1)):
    u = torch.tensor([1 + 1j, 0.5j], requires_grad=True)
    optimiser = make([u])
    for _ in range(4):
        optimiser.zero_grad()
        distance = ((u - (2 - 1j)).abs() ** 2).sum()
        distance.backward()
        optimiser.step()
    print(u)

# matrices
m = torch.tensor([[1 + 2j, 3], [1j, 2]], requires_grad=True)
print(m.mH, m.H, m.adjoint())
(m @ m.mH).real.sum().backward()
print(m.grad)
print(torch.vdot(m[0], m[1]), torch.dot(m[0], m[1]))


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * g * x.conj()


class Forgetful(Square):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * g * x


p = torch.tensor([1 + 2j, 0.5 - 1j], dtype=torch.complex128, requires_grad=True)
print(gradcheck(Square.apply, (p,)), gradgradcheck(Square.apply, (p,)), gradcheck(Square.apply, (p,), fast_mode=True))
print(gradcheck(Forgetful.apply, (p,), raise_exception=False))
try:
    gradcheck(Forgetful.apply, (p,))
except RuntimeError as e:
    print("While considering the imaginary part of complex outputs only" in str(e))
    print("Jacobian mismatch for output 0 with respect to input 0" in str(e), "numerical:tensor(" in str(e))
print(gradcheck(lambda a: (a.abs(), a.conj() * a), (p,), check_forward_ad=True, check_batched_grad=True))

print(torch.func.jvp(lambda a: a * a.conj(), (torch.tensor([1 + 1j]),), (torch.tensor([1j]),)))
print(torch.func.grad(lambda a: (a * a).abs().sum())(torch.tensor([1 + 2j, 2])))
print(torch.func.vmap(lambda a: a.abs() * 1j)(torch.tensor([3 + 4j, 1])))
print(torch.tensor([-1 + 0j, -1 - 0.0j]).sqrt(), torch.tensor([0j, 1]).abs())
print(z.exp().grad_fn.name(), z.real.grad_fn.name(), z.abs().grad_fn.name(), torch.view_as_real(z).grad_fn.name())
