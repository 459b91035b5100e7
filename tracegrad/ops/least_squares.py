"""Pseudoinverses and least squares.

Derivatives: G. H. Golub and V. Pereyra, The differentiation of pseudo-inverses and nonlinear least squares problems whose variables separate, 1973.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.dtypes import I64
from tracegrad.errors import DTypeError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type, broadcast
from tracegrad.ops.checks import real_type
from tracegrad.ops.factors import no_elements
from tracegrad.ops.matrices import MatrixFunction, check_equation, mH, needs_matrices
from tracegrad.ops.results import named_result
from tracegrad.ops.spectral_values import hermitian_eigenvalues, singular_values


class LinalgPinvNode(MatrixFunction):
    """Moore-Penrose inverses; singular values up to max(atol, rtol * largest) count as 0.  Shape: (*p, n, m) -> (*p, m, n).  The rank must not change."""

    attrs, holomorphic = ("atol", "rtol", "hermitian"), False
    torch_name, pole = "LinalgPinvBackward0", "where the rank changes"
    numpy, jax = "K.pinv({x}, {atol}, {rtol}, {hermitian})", "K.pinv({x}, {atol}, {rtol}, {hermitian})"
    samples = (
        [A(3, 3), 0.0, 1e-15, False],
        [A(4, 2), 0.0, 1e-15, False],
        [A(2, 4), 0.0, 1e-15, False],
        [A(2, 3, 2), 0.0, 1e-15, False],
        [A(0, 2), 0.0, 1e-15, False],
    )

    @staticmethod
    def infer(x: Type, atol: float, rtol: float, hermitian: bool) -> Type:
        """The last two axes exchanged."""
        needs_matrices("linalg.pinv", x)
        return Type((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value) -> Value:
        return pinv_cotangent(F, x, out, g)


def pinv_cotangent(F: Ops, x: Value, p: Value, g: Value) -> Value:
    """The cotangent of x from g, that of its pseudoinverse p (Golub and Pereyra 1973)."""
    turned, back = mH(F, p), mH(F, g)
    first = F.matmul(turned, F.matmul(g, turned))
    inner = F.matmul(back, F.matmul(p, turned))
    second = F.sub(inner, F.matmul(x, F.matmul(p, inner)))
    outer = F.matmul(turned, F.matmul(p, back))
    third = F.sub(outer, F.matmul(F.matmul(outer, p), x))
    return F.add(F.sub(second, first), third)


class LinalgPinvLimited(LinalgPinvNode):
    """Moore-Penrose inverses; singular values up to `limit` count as 0.  Shapes: (*p, n, m), (*p) -> (*p, m, n).  The rank must not change."""

    strict = True
    inputs, attrs, nondiff, promotion = ("x", "limit"), ("hermitian",), ("limit",), "none"
    numpy, jax = (
        "K.pinv({x}, {limit}[..., None], 0.0, {hermitian})",
        "K.pinv({x}, {limit}[..., None], 0.0, {hermitian})",
    )
    samples = ([A(3, 3), A(lo=0.0, hi=1e-9), False], [A(2, 3, 2), A(2, lo=0.0, hi=1e-9), False])

    @staticmethod
    def infer(x: Type, limit: Type, hermitian: bool) -> Type:
        """The last two axes exchanged."""
        lead = broadcast("linalg.pinv", x.shape[:-2], limit.shape)
        if lead != x.shape[:-2]:
            raise ShapeError(
                explain("linalg.pinv", "the tolerances have more axes than the matrices", x=x, limit=limit)
            )
        return Type((*lead, x.shape[-1], x.shape[-2]), x.dtype)

    @classmethod
    def batch(cls, F: Ops, size: int, batched: tuple[bool, ...], *given: Any) -> Any:
        """The same with one more leading axis."""
        x, limit = (
            v if yes else F.expand(v, shape=(size, *F.shape(v))) for v, yes in zip(given, batched, strict=False)
        )
        lead = F.shape(x)[:-2]
        ones = (1,) * (len(lead) - len(F.shape(limit)))
        limit = F.reshape(limit, shape=(size, *ones, *F.shape(limit)[1:]))
        return F.linalg_pinv_limited(x, F.expand(limit, shape=lead), hermitian=given[2])


def matrix_sizes(F: Ops, x: Any, hermitian: bool) -> Value:
    """The singular values, for hermitian the sizes of the eigenvalues, without a derivative.  Shape: (*p, n, m) -> (*p, k)."""
    x = F.detach(x)
    return F.abs(hermitian_eigenvalues(F, x, False)) if hermitian else singular_values(F, x)


def is_number(value: Any) -> bool:
    """Whether a tolerance is None or a number, and no tensor."""
    return value is None or isinstance(value, (int, float))


def tolerances(x: Type, atol: Any, rtol: Any) -> tuple[float, float]:
    """Both tolerances: without either, rtol is the larger size times the epsilon of the dtype."""
    if rtol is None:
        rtol = 0.0 if atol is not None and float(atol) > 0 else max(x.shape[-2:]) * float(np.finfo(x.dtype).eps)
    return 0.0 if atol is None else float(atol), float(rtol)


def check_tolerances(F: Ops, operation: str, atol: Any, rtol: Any) -> None:
    """Raise RuntimeError for a complex tensor."""
    for name, value in (("atol", atol), ("rtol", rtol)):
        if not is_number(value) and F.type(value).dtype.kind == "c":
            raise DTypeError(explain(operation, f"{name} tensor of complex type is not supported"))


def size_limit(F: Ops, values: Value, x: Type, atol: Any, rtol: Any) -> Value:
    """max(atol, rtol * largest value) for the values of each matrix, where the tolerances are numbers or tensors.  Shape: (*p, k) -> (*p,)."""
    d = F.type(values).dtype
    low, relative = tolerances(x, atol if is_number(atol) else 0.0, None if rtol is None else 0.0)
    small = low if is_number(atol) else F.as_dtype(atol, d)
    if rtol is None and not is_number(atol):
        factor: Any = F.where(F.gt(small, 0), 0.0, F.full(shape=(), value=relative, dtype=d))
    else:
        factor = relative if rtol is None else float(rtol) if is_number(rtol) else F.as_dtype(rtol, d)
    largest = F.amax(values, dim=(len(F.shape(values)) - 1,), keepdim=False)
    size = F.mul(largest, factor)
    return F.where(F.lt(size, small), small, size)


class LinalgPinv(Composite):
    """Moore-Penrose inverses.  Shape: (*p, n, m) -> (*p, m, n)."""

    function, method = False, False
    samples = ([A(3, 2)], [A(2, 2, 3)])

    @staticmethod
    def call(
        F: Ops, input: Any, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
    ) -> Value:  # noqa: A002
        """Singular values up to max(atol, rtol * largest) count as 0; rcond is another name of rtol."""
        t = F.type(input)
        needs_matrices("linalg.pinv", t)
        rtol = rtol if rcond is None else rcond
        if not is_number(atol) or not is_number(rtol):
            check_tolerances(F, "torch.linalg.pinv", atol, rtol)
            if 0 in t.shape[-2:]:
                return F.linalg_pinv_node(input, atol=0.0, rtol=0.0, hermitian=bool(hermitian))
            limit = size_limit(F, matrix_sizes(F, input, bool(hermitian)), t, atol, rtol)
            return F.linalg_pinv_limited(input, limit, hermitian=bool(hermitian))
        low, relative = tolerances(t, atol, rtol)
        return F.linalg_pinv_node(input, atol=low, rtol=relative, hermitian=bool(hermitian))


class Pinverse(Composite):
    """Moore-Penrose inverses.  Shape: (*p, n, m) -> (*p, m, n)."""

    samples = ([A(3, 2)],)

    @staticmethod
    def call(F: Ops, input: Any, rcond: float = 1e-15) -> Value:  # noqa: A002
        """Singular values up to rcond * largest count as 0."""
        needs_matrices("linalg.pinv", F.type(input))
        return F.linalg_pinv_node(input, atol=0.0, rtol=float(rcond), hermitian=False)


class LeastSquares(MatrixFunction):
    """(shortest X that minimises |a @ X - b|, ranks, singular values or zeros).  Shapes: (*p, n, m), (*p, n, k) -> (*p, m, k), (*p,), (*p, min(n, m))."""

    inputs, outputs, attrs = ("a", "b"), ("solution", "rank", "singular_values"), ("rcond", "values")
    nondiff_outputs, holomorphic, linear = ("rank", "singular_values"), False, ("b",)
    torch_name, pole = "LinalgLstsqBackward0", "where the rank changes"
    numpy, jax = "K.least_squares({a}, {b}, {rcond}, {values})", "K.least_squares({a}, {b}, {rcond}, {values})"
    samples = (
        [A(4, 2), A(4, 3), 1e-15, True],
        [A(2, 4), A(2, 1), 1e-15, True],
        [A(3, 3), A(3, 2), 1e-15, True],
        [A(2, 3, 2), A(2, 3, 1), 1e-15, True],
    )

    @staticmethod
    def infer(a: Type, b: Type, rcond: float, values: bool) -> tuple[Type, Type, Type]:
        """The dtype of a; int64; the dtype of a's parts."""
        lead, (m, n) = a.shape[:-2], a.shape[-2:]
        sizes = Type((*lead, min(m, n)), real_type(a).dtype)
        return Type((*lead, n, b.shape[-1]), a.dtype), Type(lead, I64), sizes

    @staticmethod
    def grad_a(F: Ops, g_solution: Value, a: Value, b: Value, rcond: float) -> Value:
        p = F.linalg_pinv_node(a, atol=0.0, rtol=rcond, hermitian=False)
        return pinv_cotangent(F, a, p, F.matmul(g_solution, mH(F, b)))

    @staticmethod
    def grad_b(F: Ops, g_solution: Value, a: Value, rcond: float) -> Value:
        return F.matmul(mH(F, F.linalg_pinv_node(a, atol=0.0, rtol=rcond, hermitian=False)), g_solution)


def _together(F: Ops, A: Any, B: Any) -> tuple[Any, Any]:  # noqa: N803
    """A and B with equal leading axes.  As in torch a B with one axis less, that is no stack of vectors, is repeated along its own first axes."""
    a, b = F.type(A), F.type(B)
    missing = len(a.shape) - len(b.shape)
    if missing not in (0, 1):
        problem = "input.dim() must be greater or equal to other.dim() and (input.dim() - other.dim()) <= 1"
        raise ShapeError(explain("torch.linalg.lstsq", problem, input=a, other=b))
    if len(b.shape) < 2 or b.shape[-2] != a.shape[-2]:
        raise ShapeError(explain("torch.linalg.lstsq", "input.size(-2) should match other.size(-2)", input=a, other=b))
    lead = broadcast("torch.linalg.lstsq", a.shape[:-2], b.shape[:-1] if missing else b.shape[:-2])
    whole = [(*lead, *t.shape[-2:]) for t in (a, b)]
    return tuple(x if F.shape(x) == s else F.expand(x, shape=s) for x, s in zip((A, B), whole, strict=True))


class LinalgLstsq(Composite):
    """(solution, residuals, rank, singular_values) of min |A @ X - B|.  Shapes: (*p, n, m), (*p, n, k) or (*p, n) -> as A+ @ B, (*p, k), (*p,), (*p, l)."""

    function, method = False, False
    samples = ([A(4, 2), A(4, 3)], [A(2, 4, 2), A(2, 4, 1)])

    @staticmethod
    def call(F: Ops, A: Any, B: Any, rcond: Any = None, *, driver: Any = None) -> Any:  # noqa: N803
        """The residuals are given for n > m, the singular values for the drivers gelsd and gelss."""
        a, b = F.type(A), F.type(B)
        needs_matrices("torch.linalg.lstsq", a, "input")
        if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
            raise ShapeError(
                explain("torch.linalg.lstsq", "parameter `driver` should be one of (gels, gelsy, gelsd, gelss)")
            )
        vector = b.shape == a.shape[:-1]
        A, right = _together(F, A, F.unsqueeze(B, dim=len(b.shape)) if vector else B)  # noqa: N806
        a, shape = F.type(A), F.shape(right)
        check_equation("torch.linalg.lstsq", Type((*a.shape[:-1], a.shape[-2]), a.dtype), F.type(right), True)
        m, n = a.shape[-2:]
        limit = max(m, n) * float(np.finfo(a.dtype).eps) if rcond is None else float(rcond)
        solution, rank, values = F.least_squares(A, right, rcond=limit, values=driver in ("gelsd", "gelss"))
        nothing = F.zeros(Type((0,), F.type(values).dtype))
        residuals = no_elements(F, solution)
        residuals = F.named(F.abs(residuals) if a.dtype.kind == "c" else residuals, called="LinalgLstsqBackward0")
        if m > n and driver not in (None, "gelsy"):
            difference = F.abs(F.sub(F.matmul(A, solution), right))
            residuals = F.named(
                F.sum(F.square(difference), dim=(len(shape) - 2,), keepdim=False), called="LinalgLstsqBackward0"
            )
        fields = ("solution", "residuals", "rank", "singular_values")
        if vector:
            solution = F.named(F.reshape(solution, shape=F.shape(solution)[:-1]), called="LinalgLstsqBackward0")
        ranks = rank if driver != "gels" else F.zeros(Type((0,), I64))
        return named_result(
            "linalg_lstsq", fields, (solution, residuals, ranks, values if driver in ("gelsd", "gelss") else nothing)
        )
