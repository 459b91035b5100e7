"""torch.special: special functions of elements, from SciPy and jax.scipy.  Loaded on first use; each is an operator or is made of operators."""

from __future__ import annotations

from tracegrad.eager.generate import exported_function as _exported

_OWN = (
    "airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 entr erfcx i0e i1 i1e log_ndtr modified_bessel_i0 modified_bessel_i1 modified_bessel_k0 modified_bessel_k1 "
    "chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w hermite_polynomial_h hermite_polynomial_he "
    "laguerre_polynomial_l legendre_polynomial_p shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v "
    "shifted_chebyshev_polynomial_w ndtr ndtri scaled_modified_bessel_k0 scaled_modified_bessel_k1 spherical_bessel_j0 xlog1py zeta"
)
_SHARED = "digamma erf erfc erfinv exp2 expm1 i0 log1p log_softmax logit logsumexp polygamma round sinc softmax xlogy"
_RENAMED = {
    "expit": "sigmoid",
    "gammaln": "lgamma",
    "psi": "digamma",
    "gammainc": "igamma",
    "gammaincc": "igammac",
    "multigammaln": "mvlgamma",
}

globals().update({name: _exported(f"special_{name}") for name in _OWN.split()})
globals().update({name: _exported(name) for name in _SHARED.split()})
globals().update({name: _exported(operator) for name, operator in _RENAMED.items()})

__all__ = sorted([*_OWN.split(), *_SHARED.split(), *_RENAMED])
