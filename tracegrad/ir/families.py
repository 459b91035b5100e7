"""Families of operators: what elementwise operators, comparisons, reductions, movements and creations have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from tracegrad.dtypes import BOOL, NumpyDType, default, default_complex, kind_rank
from tracegrad.errors import DTypeError, explain
from tracegrad.ir.op import Op
from tracegrad.ir.types import Type, broadcast, reduced

FLOATING = 2  # dtypes.kind_rank of floating types


def common_dtype(operation: str, types: tuple[Type, ...]) -> NumpyDType:
    """The one dtype of the strong operands; Python numbers follow it.  Raises DTypeError when two operands differ."""
    strong = [t.dtype for t in types if not t.weak]
    if not strong:
        best = max((t.dtype for t in types), key=kind_rank)
        return default.float if best.kind in "fV" else default_complex() if best.kind == "c" else best
    for d in strong[1:]:
        if d != strong[0]:
            shown = ", ".join(map(str, types))
            raise DTypeError(
                explain(operation, f"operands have different dtypes ({shown})", "Convert one with .to(dtype)")
            )
    return strong[0]


class Elementwise(Op, family=True):
    """Broadcasts its operands; one element of the result depends on one element of each.

    The Jacobian is diagonal, so grad_<operand>(F, t, ...) is both the VJP (summed to the operand's shape by the machinery) and the JVP.

    promotion says what the eager layer does with dtypes before it calls the operator:
        "arithmetic"  operands get torch's result type
        "float"       the same, and integers and booleans become the default floating dtype
        "number"      the same, and booleans become int64
        "compare"     operands get the result type, the result is bool
        "none"        operands are taken as they are
    promoted names the operands that take part; all of them by default.
    """

    elementwise: ClassVar[bool] = True
    promotion: ClassVar[str] = "arithmetic"

    @classmethod
    def infer(cls, *types: Type) -> Type:
        """Broadcast shape; dtype of the promoted operands, or bool for a comparison."""
        shape, taking_part = broadcast(cls.name, *[t.shape for t in types]), types
        if cls.promoted:
            taking_part = tuple(t for name, t in zip(cls.operands, types, strict=True) if name in cls.promoted)
        if cls.promotion == "none":
            return Type(shape, BOOL)
        d = common_dtype(cls.name, taking_part)
        if cls.promotion == "compare":
            return Type(shape, BOOL)
        if cls.promotion == "float" and kind_rank(d) < FLOATING:
            raise DTypeError(explain(cls.name, f"needs floating-point operands, got {', '.join(map(str, types))}"))
        return Type(shape, d)


class Comparison(Elementwise, family=True):
    """An elementwise test: the result is bool and has no derivative."""

    promotion: ClassVar[str] = "compare"
    nondiff_outputs: ClassVar[tuple[str, ...]] = ("out",)
    quiet: ClassVar[bool] = True
    stored: ClassVar[bool] = True
    tensor_first: ClassVar[bool] = True


class Reduction(Op, family=True):
    """Folds the axes dim: None (all axes) or sorted non-negative axes.  Shape: (*a) -> a without dim, or with 1s there if keepdim."""

    attrs: ClassVar[tuple[str, ...]] = ("dim", "keepdim")

    @classmethod
    def infer(cls, x: Type, dim: tuple[int, ...] | None, keepdim: bool) -> Type:
        """The reduced shape; x's dtype."""
        return Type(reduced(x.shape, dim, keepdim), x.dtype)

    @classmethod
    def batch(
        cls, F: Any, size: int, batched: tuple[bool, ...], x: Any, dim: tuple[int, ...] | None, keepdim: bool
    ) -> Any:
        """The same reduction one axis further in."""
        ndim = len(F.shape(x)) - 1
        axes = range(ndim) if dim is None else dim
        return getattr(F, cls.name)(x, dim=tuple(d + 1 for d in axes), keepdim=keepdim)


class Movement(Op, family=True):
    """Rearranges or repeats elements: linear, keeps the dtype, reads no values in its derivative."""

    linear: ClassVar[tuple[str, ...]] = ("x",)
    quiet: ClassVar[bool] = True
    stored: ClassVar[bool] = True


class Creation(Op, family=True):
    """Makes a value from attributes alone."""

    inputs: ClassVar[tuple[str, ...]] = ()
    quiet: ClassVar[bool] = True
    stored: ClassVar[bool] = True


class Composite(Op, family=True):
    """A public function made of other operators: only call(F, ...), a docstring and samples.  Never a node of its own."""

    composite: ClassVar[bool] = True
