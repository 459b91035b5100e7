"""The factorization L D L^T of symmetric matrices (L D L^H of Hermitian ones), in LAPACK's packed form.

J. R. Bunch and L. Kaufman, Some stable methods for calculating inertia and solving symmetric linear systems, 1977.
"""

from __future__ import annotations

from typing import Any

from tracegrad.dtypes import int32
from tracegrad.errors import AxisError, DifferentiationError, DTypeError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, I, S
from tracegrad.ir.types import Type, broadcast
from tracegrad.ops.matrices import MatrixFunction, needs_square
from tracegrad.ops.results import named_result


class LdlNode(MatrixFunction):
    """(L below the diagonal and D in one matrix, exchanges, info) of the lower triangle.  Shape: (*p, n, n) -> (*p, n, n), (*p, n), (*p,).

    A positive exchange k is with row k, a negative one belongs to a block of two rows.  As in torch there is no derivative: backward raises RuntimeError.
    """

    strict = True
    outputs, nondiff_outputs, attrs = ("LD", "pivots", "info"), ("pivots", "info"), ("hermitian", "check")
    torch_name, holomorphic = "torch::autograd::NotImplemented", False
    numpy, jax = "K.ldl_packed({x}, {hermitian}, {check})", "K.ldl_packed({x}, {hermitian}, {check})"
    samples = ([A(0, 0), False, False], [A(2, 0, 0), True, False])

    @staticmethod
    def infer(x: Type, hermitian: bool, check: bool) -> tuple[Type, Type, Type]:
        """x's type; int32; int32."""
        needs_square("torch.linalg.ldl_factor_ex", x)
        return x, Type(x.shape[:-1], int32.numpy), Type(x.shape[:-2], int32.numpy)

    @staticmethod
    def grad_x(F: Ops, g_LD: Value) -> Value:  # noqa: N803
        problem = "derivative for aten::linalg_ldl_factor_ex is not implemented"
        raise DifferentiationError(explain("linalg.ldl_factor", problem, "Use linalg.solve, which has one"))


class LinalgLdlFactor(Composite):
    """(LD, pivots) of symmetric or Hermitian matrices.  Shape: (*p, n, n) -> (*p, n, n), (*p, n).  Reads the lower triangle."""

    function, method = False, False
    samples = ([S(3, 3)], [S(2, 3, 3)])

    @staticmethod
    def call(F: Ops, A: Any, *, hermitian: bool = False) -> Any:  # noqa: N803
        """The factors of A = L D L^T, or of A = L D L^H if hermitian.  RuntimeError for a zero block of D."""
        pair = tuple(F.ldl_node(A, hermitian=bool(hermitian), check=True))[:2]
        return named_result("linalg_ldl_factor", ("LD", "pivots"), pair)


class LinalgLdlFactorEx(Composite):
    """(LD, pivots, info): info is 0 or the number of a zero block of D.  Shape: (*p, n, n) -> (*p, n, n), (*p, n), (*p,)."""

    function, method = False, False
    samples = ([S(3, 3)],)

    @staticmethod
    def call(F: Ops, A: Any, *, hermitian: bool = False, check_errors: bool = False) -> Any:  # noqa: N803
        """The factors and info; RuntimeError for a zero block if check_errors."""
        found = F.ldl_node(A, hermitian=bool(hermitian), check=bool(check_errors))
        return named_result("linalg_ldl_factor_ex", ("LD", "pivots", "info"), found)


class LdlSolveNode(MatrixFunction):
    """X with A X = b from the factors of A.  Shapes: (*p, n, n), (*p, n), (*q, n, k) -> (*broadcast(p, q), n, k)."""

    inputs, attrs, nondiff, linear = ("packed", "pivots", "b"), ("hermitian",), ("packed", "pivots"), ("b",)
    torch_name, pole, promotion = "torch::autograd::NotImplemented", "singular blocks of D", "none"
    numpy, jax = (
        "K.ldl_solved({packed}, {pivots}, {b}, {hermitian})",
        "K.ldl_solved({packed}, {pivots}, {b}, {hermitian})",
    )
    samples = ([A(0, 0), I(0, below=1), A(0, 2), False],)

    @staticmethod
    def infer(packed: Type, pivots: Type, b: Type, hermitian: bool) -> Type:
        """The type of b, its leading axes broadcast with those of the factors."""
        return Type((*broadcast("linalg.ldl_solve", packed.shape[:-2], b.shape[:-2]), *b.shape[-2:]), packed.dtype)

    @staticmethod
    def grad_b(F: Ops, g: Value, packed: Value, pivots: Value, b_type: Type, hermitian: bool) -> Value:
        turned = F.conj(packed) if hermitian and F.is_complex(packed) else packed  # the transpose of A is A or conj(A)
        return F.sum_to(F.ldl_solve_node(turned, pivots, g, hermitian=hermitian), shape=b_type.shape)

    @classmethod
    def batch(cls, F: Ops, size: int, batched: tuple[bool, ...], *given: Any) -> Any:
        """The same with one more leading axis."""
        packed, pivots, b = given[:3]
        columns = F.unsqueeze(pivots, dim=len(F.shape(pivots)))
        packed, columns, b = F.lift(size, batched, packed, columns, b)
        return F.ldl_solve_node(packed, F.squeeze(columns, dim=(len(F.shape(columns)) - 1,)), b, hermitian=given[3])


class LinalgLdlSolve(Composite):
    """The solutions of A X = B from ldl_factor(A).  Shapes: (*p, n, n), (*p, n), (*q, n, k) -> (*broadcast(p, q), n, k)."""

    function, method, samples = False, False, ()

    @staticmethod
    def call(F: Ops, LD: Any, pivots: Any, B: Any, *, hermitian: bool = False) -> Value:  # noqa: N803
        """X.  It has the derivative by B, which torch has not; the factors have none."""
        packed, exchanges, b = F.type(LD), F.type(pivots), F.type(B)
        needs_square("torch.linalg.ldl_solve", packed, "LD")
        if len(b.shape) < 2:
            raise AxisError(explain("torch.linalg.ldl_solve", "B must have at least 2 dimensions", B=b))
        if packed.dtype != b.dtype:
            problem = "Expected b and A to have the same dtype"
            raise DTypeError(explain("torch.linalg.ldl_solve", problem, b=b, A=packed))
        if packed.shape[-1] != b.shape[-2]:
            problem = f"Incompatible matrix sizes: each A matrix is {packed.shape[-1]} by {packed.shape[-1]} but each b matrix is {b.shape[-2]} by {b.shape[-1]}"
            raise ShapeError(explain("torch.linalg.ldl_solve", problem))
        if exchanges.shape != packed.shape[:-1]:
            problem = "Expected LD.shape[:-1] and pivots.shape to be the same"
            raise ShapeError(explain("torch.linalg.ldl_solve", problem, LD=packed, pivots=exchanges))
        if exchanges.dtype.kind not in "iu":
            raise DTypeError(explain("torch.linalg.ldl_solve", "Expected pivots to be integers", pivots=exchanges))
        return F.ldl_solve_node(LD, pivots, B, hermitian=bool(hermitian))
