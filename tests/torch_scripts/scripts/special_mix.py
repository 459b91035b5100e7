import torch

torch.set_default_dtype(torch.float64)
sp = torch.special
x = torch.tensor([0.1, 0.5, 0.9])
big = torch.tensor([-2.5, 0.7, 3.2])
for name in "digamma psi erf erfc erfcx erfinv exp2 expit expm1 gammaln i0 i0e i1 i1e log1p log_ndtr logit ndtr ndtri entr sinc bessel_j0 bessel_j1 round".split():
    a = x if name in ("erfinv", "logit", "ndtri", "entr", "digamma", "psi", "gammaln", "log1p") else big
    v = a.clone().requires_grad_()
    y = getattr(sp, name)(v)
    try:
        (g,) = torch.autograd.grad(y.sum(), v, create_graph=True)
        (h,) = torch.autograd.grad(g.sum(), v, allow_unused=True) if g.requires_grad else (None,)
    except RuntimeError:
        g = h = "RuntimeError"
    print(name, y.detach(), g if isinstance(g, str) else g.detach(), h)
print(
    sp.xlogy(torch.tensor([0.0, 2.0]), torch.tensor([0.0, 3.0])),
    sp.xlog1py(0.0, torch.tensor(-1.0)),
    sp.zeta(torch.tensor(2.0), 3.0),
    sp.polygamma(3, x),
    sp.multigammaln(big[2:], 2),
    sp.gammainc(big[1:], x[1:]),
    sp.gammaincc(big[1:], x[1:]),
    sp.logsumexp(torch.stack([x, big]), 0),
    sp.softmax(x, 0),
    sp.log_softmax(x, 0),
    torch.i0(x),
    torch.lgamma(big),
    torch.sigmoid(big),
    torch.sinc(big),
    torch.xlogy(x, 2.0),
)
for f in (
    sp.modified_bessel_i0,
    sp.modified_bessel_k0,
    sp.spherical_bessel_j0,
    sp.scaled_modified_bessel_k1,
    sp.airy_ai,
):
    print(f(x))
for n, f in (
    ("t", sp.chebyshev_polynomial_t),
    ("u", sp.chebyshev_polynomial_u),
    ("p", sp.legendre_polynomial_p),
    ("h", sp.hermite_polynomial_h),
    ("he", sp.hermite_polynomial_he),
    ("l", sp.laguerre_polynomial_l),
    ("v", sp.chebyshev_polynomial_v),
    ("w", sp.chebyshev_polynomial_w),
    ("st", sp.shifted_chebyshev_polynomial_t),
):
    print(n, f(x, 3), f(x, torch.tensor([0, 1, 2])))


def stirling(z):
    return torch.lgamma(z) - ((z - 0.5) * z.log() - z + 0.5 * torch.log(torch.tensor(2 * torch.pi)))


print(stirling(torch.tensor([1.0, 10.0, 100.0])), torch.func.grad(stirling)(torch.tensor(5.0)))
print(
    torch.erf(torch.tensor(1, dtype=torch.int64)),
    torch.special.expm1(torch.tensor(True)),
    torch.logit(torch.tensor([-0.1, 0.0, 1.0]), eps=1e-3),
    torch.lgamma(torch.tensor([0.0, -1.0])),
    torch.digamma(torch.tensor(0.0)),
    torch.polygamma(1, torch.tensor(0.0)),
)
torch.set_default_dtype(torch.float32)


def bundle(x):
    return (
        sp.erfcx(x),
        sp.log_ndtr(-x * 5),
        sp.i1e(x),
        sp.bessel_j1(x),
        torch.polygamma(2, x),
        torch.special.entr(x),
        sp.ndtri(x),
    )
