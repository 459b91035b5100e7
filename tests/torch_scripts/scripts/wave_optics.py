import torch

N = 16
x = torch.linspace(-1, 1, N, dtype=torch.float64)
X, Y = torch.meshgrid(x, x, indexing="xy")
fx = torch.fft.fftfreq(N, d=2 / N).double()
FX, FY = torch.meshgrid(fx, fx, indexing="xy")
H = torch.exp(-1j * torch.pi * 0.05 * (FX**2 + FY**2))
aperture = ((X**2 + Y**2) < 0.5).to(torch.complex128)


def propagate(u):
    return torch.fft.ifft2(torch.fft.fft2(u) * H)


u = propagate(aperture)
print(u.dtype, u.shape, u[8, 6:10], u.abs().pow(2).sum(), aperture.abs().pow(2).sum())
phase = torch.zeros(N, N, dtype=torch.float64, requires_grad=True)
target = torch.exp(-((X - 0.3) ** 2 + Y**2) * 20)


def loss(phase):
    field = propagate(torch.polar(torch.ones_like(phase), phase) * aperture)
    I = field.abs().square()
    return -(I * target).sum() / I.sum()


for it in range(5):
    l = loss(phase)
    l.backward()
    with torch.no_grad():
        phase -= 50 * phase.grad
        phase.grad.zero_()
    print(it, l)
print(phase[8, 4:8], torch.angle(propagate(torch.polar(torch.ones_like(phase), phase)))[0, :3].detach())
z = torch.tensor([1 + 1j, -0.5 + 2j, 0.3 - 1j], dtype=torch.complex128, requires_grad=True)


def f(z):
    return (z**2 - torch.exp(1j * z)).abs().square().sum()


for _ in range(4):
    (g,) = torch.autograd.grad(f(z), z)
    z = (z - 0.02 * g).detach().requires_grad_()
    print(f(z), g[0])
print(
    z.conj().imag,
    torch.view_as_real(z),
    z.real + z.imag,
    z.abs(),
    z.angle(),
    torch.sgn(z),
    z.is_complex(),
    z.dtype,
)
w = torch.tensor([3 + 4j], requires_grad=True)
w.abs().sum().backward()
print(w.grad)
w.grad = None
(w * w.conj()).real.sum().backward()
print(w.grad)
try:
    (w * w).sum().backward()
except RuntimeError:
    print("RuntimeError")
print(
    torch.complex(torch.tensor(1.0), torch.tensor(-2.0)),
    torch.view_as_complex(torch.ones(2, 2)),
    torch.vdot(z, z),
    torch.outer(z, z.conj()).diagonal(),
)
