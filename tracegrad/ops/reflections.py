"""QR factorizations as products of Householder reflections 1 - tau v v^H in LAPACK's packed form: v below the diagonal, its first element 1."""

from __future__ import annotations

from typing import Any

from tracegrad.dtypes import BOOL
from tracegrad.errors import DTypeError, NotSupportedError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type
from tracegrad.ops.checks import is_floating
from tracegrad.ops.factors import columns
from tracegrad.ops.matrices import MatrixFunction, mH, needs_matrices, over_matrices
from tracegrad.ops.results import named_result


class GeqrfNode(MatrixFunction):
    """(R and the reflections in one matrix, their factors tau).  Shape: (*p, n, m) -> (*p, n, m), (*p, min(n, m)).  As in torch there is no derivative."""

    outputs, holomorphic, torch_name = ("a", "tau"), False, "GeqrfBackward0"
    numpy, jax = "K.reflections({x})", "K.reflections({x})"
    samples = ([A(0, 3)], [A(0, 0)])

    @staticmethod
    def infer(x: Type) -> tuple[Type, Type]:
        """x's type and dtype."""
        if len(x.shape) < 2:
            raise ShapeError(explain("torch.geqrf", "input must have at least 2 dimensions", input=x))
        if not is_floating(x.dtype) or x.dtype.itemsize < 4:
            raise NotSupportedError(explain("geqrf", '"geqrf_cpu" not implemented for this dtype', input=x))
        return x, Type((*x.shape[:-2], min(x.shape[-2:])), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g_a: Value, g_tau: Value) -> Value:
        problem = "the derivative for 'geqrf' is not implemented"
        raise NotSupportedError(explain("geqrf", problem, "Use linalg.qr, which has one"))


class Geqrf(Composite):
    """(a, tau) of a QR factorization: R and the reflections in one matrix.  Shape: (*p, n, m) -> (*p, n, m), (*p, min(n, m))."""

    samples = ([A(3, 2)], [A(2, 3, 3)])

    @staticmethod
    def call(F: Ops, input: Any) -> Any:  # noqa: A002
        """LAPACK's form of the factors; orgqr and ormqr take it."""
        return named_result("geqrf", ("a", "tau"), F.geqrf_node(input))


def _packed(F: Ops, packed: Any) -> Value:
    """The vectors of the reflections as columns."""
    m, n = F.shape(packed)[-2:]
    return F.add(F.tril(packed, diagonal=-1), F.eye(n=m, m=n, dtype=F.type(packed).dtype))


def _reflected(F: Ops, vectors: Value, tau: Value, other: Value, order: Any, conjugated: bool) -> Value:
    """other, multiplied from the left by the reflections in this order, or by their adjoints."""
    last = len(F.shape(tau)) - 1
    for i in order:
        v = columns(F, vectors, i, i + 1)
        scale = F.unsqueeze(F.slice(tau, dim=last, start=i, stop=i + 1, step=1), dim=last + 1)
        scale = F.conj(scale) if conjugated and F.is_complex(scale) else scale
        other = F.sub(other, F.mul(scale, F.matmul(v, F.matmul(mH(F, v), other))))
    return other


def _check_tau(operation: str, a: Type, tau: Type) -> None:
    """Raise RuntimeError unless tau belongs to the stack of matrices a."""
    if len(tau.shape) != len(a.shape) - 1:
        problem = f"Expected tau to have one dimension less than input, but got tau.ndim equal to {len(tau.shape)} and input.ndim is equal to {len(a.shape)}"
        raise ShapeError(explain(operation, problem))
    if tau.shape[:-1] != a.shape[:-2]:
        raise ShapeError(explain(operation, "Expected batch dimensions of tau to be equal to those of input", tau=tau))
    if tau.dtype != a.dtype:
        raise DTypeError(explain(operation, "tau and input must have the same dtype", tau=tau, input=a))


class LinalgHouseholderProduct(Composite):
    """The first columns of the product of reflections 1 - tau v v^H, v below the diagonal of A.  Shapes: (*p, n, m), (*p, k) -> (*p, n, m)."""

    function, method = False, False
    samples = ([A(3, 2), A(2)], [A(2, 3, 2), A(2, 1)])

    @staticmethod
    def call(F: Ops, A: Any, tau: Any) -> Value:  # noqa: N803
        """The matrix Q of a QR factorization in LAPACK's form."""
        operation, t = "torch.linalg.householder_product", F.type(A)
        needs_matrices(operation, t, "input", NotSupportedError)
        m, n = t.shape[-2:]
        if m < n:
            problem = "input.shape[-2] must be greater than or equal to input.shape[-1]"
            raise ShapeError(explain(operation, problem))
        _check_tau(operation, t, F.type(tau))
        count = F.shape(tau)[-1]
        if n < count:
            problem = "input.shape[-1] must be greater than or equal to tau.shape[-1]"
            raise ShapeError(explain(operation, problem))
        eye = F.expand(F.eye(n=m, m=n, dtype=t.dtype), shape=t.shape)
        if count:
            result = _reflected(F, _packed(F, A), tau, eye, reversed(range(count)), False)
        else:  # the identity, which depends on both with derivative 0
            nothing = over_matrices(F, F.sum(tau, dim=(len(F.shape(tau)) - 1,), keepdim=False))
            result = F.add(F.where(F.full(shape=(), value=False, dtype=BOOL), A, eye), nothing)
        return F.named(result, called="LinalgHouseholderProductBackward0")


class Orgqr(Composite):
    """linalg.householder_product under LAPACK's name.  Shapes: (*p, n, m), (*p, k) -> (*p, n, m)."""

    samples = ([A(3, 2), A(2)],)

    @staticmethod
    def call(F: Ops, input: Any, input2: Any) -> Value:  # noqa: A002
        """The matrix Q of a QR factorization in LAPACK's form."""
        return F.linalg_householder_product(input, input2)


class Ormqr(Composite):
    """The product of the square Q of a QR factorization with a matrix.  Shapes: (*p, q, r), (*p, k), (*p, n, m) -> (*p, n, m), q = n or m."""

    samples = ([A(3, 2), A(2), A(3, 2)], [A(3, 2), A(2), A(2, 3), False, True])

    @staticmethod
    def call(F: Ops, input: Any, tau: Any, other: Any, left: bool = True, transpose: bool = False) -> Value:  # noqa: A002
        """Q other, or other Q unless left; with the adjoint of Q for transpose."""
        a, b = F.type(input), F.type(other)
        for name, t in (("input", a), ("other", b)):
            if len(t.shape) < 2:
                raise ShapeError(explain("torch.ormqr", f"{name} must have at least 2 dimensions", got=t))
        size, count = b.shape[-2 if left else -1], F.shape(tau)[-1]
        if count != min(size, a.shape[-1]):
            problem = f"tau.shape[-1] must be equal to min(other.shape[{-2 if left else -1}], input.shape[-1])"
            raise ShapeError(explain("torch.ormqr", problem, tau=F.type(tau)))
        if size != a.shape[-2]:
            problem = f"other.shape[{-2 if left else -1}] must be equal to input.shape[-2]"
            raise ShapeError(explain("torch.ormqr", problem, input=a, other=b))
        _check_tau("torch.ormqr", a, F.type(tau))
        if len(a.shape) != len(b.shape) or a.shape[:-2] != b.shape[:-2]:
            problem = "Expected other to have the same number of dimensions and the same batch as input"
            raise ShapeError(explain("torch.ormqr", problem, input=a, other=b))
        if a.dtype != b.dtype:
            problem = "Expected input and other to have the same dtype"
            raise DTypeError(explain("torch.ormqr", problem, input=a, other=b))
        needs_matrices("torch.ormqr", a, "input", NotSupportedError)
        adjoint = bool(transpose) == bool(left)  # from the right it is the adjoint of Q^H applied to the adjoint
        order: Any = range(count)
        vectors, right = _packed(F, input), other if left else mH(F, other)
        result = _reflected(F, vectors, tau, right, order if adjoint else reversed(order), adjoint)
        return F.named(result if left else mH(F, result), called="OrmqrBackward0")
