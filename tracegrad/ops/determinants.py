"""Determinants: det is a polynomial, its derivatives exist at singular matrices as well.

Derivatives: M. B. Giles, Collected matrix derivative results for forward and reverse mode algorithmic differentiation, 2008; at singular matrices by the singular
value decomposition: det(U S V^H) = det(U) det(S) det(V^H), and det(S + E) to second order for diagonal S.
"""

from __future__ import annotations

import math
from typing import Any

from tracegrad.ir.families import Composite
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type
from tracegrad.ops.checks import real_type
from tracegrad.ops.matrices import MatrixFunction, mH, needs_square, over_matrices
from tracegrad.ops.results import named_result


class LinalgDet(MatrixFunction):
    """The determinants of square matrices.  Shape: (*p, n, n) -> (*p,).  No elements: 1.  The derivative is right for singular ones, too."""

    public = ("A",)
    numpy, jax = "K.determinant({x})", "K.determinant({x})"
    samples = ([A(3, 3)], [A(2, 2, 2)], [A(1, 1)], [A(0, 0)])

    @staticmethod
    def infer(x: Type) -> Type:
        """One number per matrix."""
        needs_square("linalg.det", x)
        return Type(x.shape[:-2], x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(over_matrices(F, g), F.cofactors(x))


class Det(Composite):
    """The determinants of square matrices.  Shape: (*p, n, n) -> (*p,).  No elements: 1."""

    samples = ([A(3, 3)],)

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """det(input)."""
        return F.linalg_det(input)


class Cofactors(MatrixFunction):
    """The cofactor matrices, det(x) * inv(x) transposed: the derivative of det, also at singular x.  Shape: (*p, n, n) -> (*p, n, n)."""

    numpy, jax = "K.cofactors({x})", "K.cofactors({x})"
    samples = ([A(3, 3)], [A(2, 2, 2)], [A(2, 2)], [A(1, 1)], [A(0, 0)])

    @staticmethod
    def infer(x: Type) -> Type:
        """x's type."""
        needs_square("linalg.det", x)
        return x

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.cofactors_along(x, g)


class CofactorsAlong(MatrixFunction):
    """The change of the cofactor matrices of x along a direction: the second derivative of det, also at singular x.  Shapes: (*p, n, n) twice -> (*p, n, n)."""

    inputs, linear, pole = ("x", "direction"), ("direction",), "singular matrices (third derivative of det)"
    numpy, jax = "K.cofactors_along({x}, {direction})", "K.cofactors_along({x}, {direction})"
    samples = ([A(3, 3), A(3, 3)], [A(2, 2, 2), A(2, 2, 2)], [A(4, 4), A(4, 4)], [A(1, 1), A(1, 1)], [A(0, 0), A(0, 0)])

    @staticmethod
    def infer(x: Type, direction: Type) -> Type:
        """x's type."""
        needs_square("linalg.det", x)
        return x

    @staticmethod
    def grad_direction(F: Ops, g: Value, x: Value) -> Value:
        return F.cofactors_along(x, g)  # the second derivative is symmetric

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, direction: Value) -> Value:
        w, c = F.mT(F.linalg_inv_node(x, check=False)), F.cofactors(x)
        first, second = (F.matmul(w, F.matmul(F.mT(v), w)) for v in (direction, g))
        t, u = (_total(F, v, w) for v in (direction, g))
        mixed = F.matmul(first, F.matmul(F.mT(g), c))
        found = F.mul(F.sub(F.mul(t, u), _total(F, g, first)), c)
        size = F.unsqueeze(F.unsqueeze(F.linalg_det(x), dim=len(F.shape(x)) - 2), dim=len(F.shape(x)) - 1)
        outer = F.mul(F.add(F.mul(u, first), F.mul(t, second)), size)
        return F.add(F.sub(found, outer), F.add(mixed, F.matmul(second, F.matmul(F.mT(direction), c))))


def _total(F: Ops, a: Value, b: Value) -> Value:
    """The sum of the products of all elements of each matrix."""
    last = len(F.shape(a))
    return F.sum(F.mul(a, b), dim=(last - 2, last - 1), keepdim=True)


class LinalgSlogdetNode(MatrixFunction):
    """(sign, logarithm of the absolute value) of the determinants.  Shape: (*p, n, n) -> (*p,), (*p,).  Singular matrices: 0 and -inf."""

    outputs, holomorphic = ("sign", "logabsdet"), False
    torch_name, pole = "LinalgSlogdetBackward0", "singular matrices"
    numpy, jax = "K.slogdet({x})", "K.slogdet({x})"
    samples = ([A(3, 3)], [A(2, 2, 2)], [A(1, 1)], [A(0, 0)])

    @staticmethod
    def infer(x: Type) -> tuple[Type, Type]:
        """x's dtype, the dtype of its parts."""
        needs_square("linalg.slogdet", x)
        return Type(x.shape[:-2], x.dtype), Type(x.shape[:-2], real_type(x).dtype)

    @staticmethod
    def grad_x(F: Ops, g_sign: Value, g_logabsdet: Value, x: Value, sign: Value, x_type: Type) -> Value:
        inverse = mH(F, F.linalg_inv_node(x, check=False))
        if x_type.dtype.kind == "c":
            return F.mul(over_matrices(F, F.complex(g_logabsdet, F.imag(F.mul(g_sign, F.conj(sign))))), inverse)
        return F.mul(over_matrices(F, g_logabsdet), inverse)


class LinalgSlogdet(Composite):
    """(sign, logarithm of the absolute value) of the determinants.  Shape: (*p, n, n) -> (*p,), (*p,)."""

    function, method, samples = False, False, ([A(3, 3)],)

    @staticmethod
    def call(F: Ops, A: Any) -> Any:  # noqa: N803
        """(sign, logabsdet)."""
        return named_result("linalg_slogdet", ("sign", "logabsdet"), F.linalg_slogdet_node(A))


class Slogdet(Composite):
    """(sign, logarithm of the absolute value) of the determinants.  Shape: (*p, n, n) -> (*p,), (*p,)."""

    samples = ([A(3, 3)],)

    @staticmethod
    def call(F: Ops, input: Any) -> Any:  # noqa: A002
        """(sign, logabsdet)."""
        return named_result("slogdet", ("sign", "logabsdet"), F.linalg_slogdet_node(input))


class Logdet(Composite):
    """The logarithms of the determinants; nan for negative ones, -inf for 0.  Shape: (*p, n, n) -> (*p,)."""

    samples = ([A(3, 3)],)

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """log(det(input))."""
        needs_square("logdet", F.type(input), "input")
        sign, size = F.linalg_slogdet_node(input)
        if F.is_complex(sign):
            return F.add(F.log(sign), F.as_dtype(size, F.type(sign).dtype))
        return F.where(F.lt(sign, 0), math.nan, size)
