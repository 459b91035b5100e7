"""Orthogonal polynomials of torch.special, without a derivative, as in torch."""

from __future__ import annotations

from typing import Any, ClassVar

from tracegrad.ir.families import Elementwise
from tracegrad.ir.samples import A


class _Polynomial(Elementwise, family=True):
    """A polynomial of a degree at x; degrees are numbers or tensors of any real dtype, cut to integers, and give 0 where negative."""

    promotion: ClassVar[str] = "float"
    numbers: ClassVar[tuple[str, ...]] = ("x",)
    real_only: ClassVar[bool] = True
    inputs: ClassVar[Any] = ("x", "n")
    public: ClassVar[Any] = ("x", "n")
    nondiff_outputs: ClassVar[tuple[str, ...]] = ("out",)
    function: ClassVar[bool] = False
    method: ClassVar[bool] = False
    samples: ClassVar[Any] = (
        [A(2, 3), A(2, 3, lo=0, hi=6)],
        [A(2, 1), A(3, lo=-2, hi=12)],
        [A(), A(lo=0, hi=4)],
        [A(0, 4), A(4)],
        [A(3), 3.0],
        [0.4, A(3, lo=0, hi=5)],
    )


def _kernel(family: str, shifted: bool = False) -> str:
    return f"K.polynomial({{x}}, {{n}}, {family!r}, {shifted})"


class SpecialChebyshevPolynomialT(_Polynomial):
    """Chebyshev polynomial of the first kind.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    numpy = jax = _kernel("t")


class SpecialChebyshevPolynomialU(_Polynomial):
    """Chebyshev polynomial of the second kind.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    numpy = jax = _kernel("u")


class SpecialChebyshevPolynomialV(_Polynomial):
    """Chebyshev polynomial of the third kind.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    numpy = jax = _kernel("v")


class SpecialChebyshevPolynomialW(_Polynomial):
    """Chebyshev polynomial of the fourth kind.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    numpy = jax = _kernel("w")


class SpecialShiftedChebyshevPolynomialT(_Polynomial):
    """Chebyshev polynomial of the first kind at 2 x - 1.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    numpy = jax = _kernel("t", True)


class SpecialShiftedChebyshevPolynomialU(_Polynomial):
    """Chebyshev polynomial of the second kind at 2 x - 1.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    numpy = jax = _kernel("u", True)


class SpecialShiftedChebyshevPolynomialV(_Polynomial):
    """Chebyshev polynomial of the third kind at 2 x - 1.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    numpy = jax = _kernel("v", True)


class SpecialShiftedChebyshevPolynomialW(_Polynomial):
    """Chebyshev polynomial of the fourth kind at 2 x - 1.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    numpy = jax = _kernel("w", True)


class SpecialHermitePolynomialH(_Polynomial):
    """Hermite polynomial of the physicists, orthogonal for exp(-x**2).  Shapes: (*a), (*b) -> broadcast(a, b)."""

    numpy = jax = _kernel("h")


class SpecialHermitePolynomialHe(_Polynomial):
    """Hermite polynomial of the probabilists, orthogonal for exp(-x**2 / 2).  Shapes: (*a), (*b) -> broadcast(a, b)."""

    numpy = jax = _kernel("he")


class SpecialLaguerrePolynomialL(_Polynomial):
    """Laguerre polynomial, orthogonal for exp(-x).  Shapes: (*a), (*b) -> broadcast(a, b)."""

    numpy = jax = _kernel("l")


class SpecialLegendrePolynomialP(_Polynomial):
    """Legendre polynomial.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    numpy = jax = _kernel("p")
