"""Special functions without a derivative, as in torch: Bessel and Airy functions."""

from __future__ import annotations

from typing import Any, ClassVar

from tracegrad.ir.families import Elementwise
from tracegrad.ir.samples import A


class _Plain(Elementwise, family=True):
    """A function of real floating-point numbers that is computed by SciPy, and has no derivative here; integers become floating."""

    promotion: ClassVar[str] = "float"
    real_only: ClassVar[bool] = True
    nondiff_outputs: ClassVar[tuple[str, ...]] = ("out",)
    function: ClassVar[bool] = False
    method: ClassVar[bool] = False
    samples: ClassVar[Any] = ([A(2, 3, lo=0.3)], [A(lo=0.3)], [A(0, 4)])


class SpecialAiryAi(_Plain):
    """Airy's function Ai.  Shape: (*a) -> (*a)."""

    samples = ([A(2, 3)], [A()], [A(0, 4)], [A(3, lo=-20, hi=20)])
    numpy = jax = "K.airy_ai({x})"


class SpecialBesselJ0(_Plain):
    """Bessel function of the first kind, order 0.  Shape: (*a) -> (*a)."""

    name = "special_bessel_j0"
    numpy = jax = "K.special('j0', {x})"


class SpecialBesselJ1(_Plain):
    """Bessel function of the first kind, order 1.  Shape: (*a) -> (*a)."""

    name = "special_bessel_j1"
    numpy = jax = "K.special('j1', {x})"


class SpecialBesselY0(_Plain):
    """Bessel function of the second kind, order 0.  Shape: (*a) -> (*a)."""

    name = "special_bessel_y0"
    numpy = jax = "K.special('y0', {x})"


class SpecialBesselY1(_Plain):
    """Bessel function of the second kind, order 1.  Shape: (*a) -> (*a)."""

    name = "special_bessel_y1"
    numpy = jax = "K.special('y1', {x})"


class SpecialModifiedBesselI0(_Plain):
    """Modified Bessel function of the first kind, order 0.  Shape: (*a) -> (*a)."""

    name = "special_modified_bessel_i0"
    numpy = jax = "K.special('i0', {x})"


class SpecialModifiedBesselI1(_Plain):
    """Modified Bessel function of the first kind, order 1.  Shape: (*a) -> (*a)."""

    name = "special_modified_bessel_i1"
    numpy = jax = "K.special('i1', {x})"


class SpecialModifiedBesselK0(_Plain):
    """Modified Bessel function of the second kind, order 0.  Shape: (*a) -> (*a)."""

    name = "special_modified_bessel_k0"
    numpy = jax = "K.special('k0', {x})"


class SpecialModifiedBesselK1(_Plain):
    """Modified Bessel function of the second kind, order 1.  Shape: (*a) -> (*a)."""

    name = "special_modified_bessel_k1"
    numpy = jax = "K.special('k1', {x})"


class SpecialScaledModifiedBesselK0(_Plain):
    """modified_bessel_k0 times exp(x).  Shape: (*a) -> (*a)."""

    name = "special_scaled_modified_bessel_k0"
    numpy = jax = "K.special('k0e', {x})"


class SpecialScaledModifiedBesselK1(_Plain):
    """modified_bessel_k1 times exp(x).  Shape: (*a) -> (*a)."""

    name = "special_scaled_modified_bessel_k1"
    numpy = jax = "K.special('k1e', {x})"


class SpecialSphericalBesselJ0(_Plain):
    """sin(x) / x.  Shape: (*a) -> (*a)."""

    name = "special_spherical_bessel_j0"
    numpy = jax = "K.spherical_j0({x})"
