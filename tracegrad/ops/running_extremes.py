"""The largest and the smallest elements up to each position of an axis."""

from __future__ import annotations

from typing import Any, ClassVar

from tracegrad.dtypes import I64
from tracegrad.ir.families import Composite
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type, one_axis
from tracegrad.ops.ordering import FIELDS, Chosen
from tracegrad.ops.results import named_result


class _RunningExtreme(Chosen, family=True):
    """The extreme of the elements up to each position of axis dim, and its last position."""

    attrs: ClassVar[tuple[str, ...]] = ("dim",)
    real_only: ClassVar[bool] = True
    samples: ClassVar[Any] = ([A(5), 0], [A(4, 3), 0], [A(2, 3), 1], [A(), 0], [A(0, 3), 1])

    @classmethod
    def infer(cls, x: Type, dim: int) -> tuple[Type, Type]:
        """x's type, and int64."""
        return x, Type(x.shape, I64)

    @staticmethod
    def grad_x(F: Ops, g_values: Value, indices: Value, x_type: Type, dim: int) -> Value:
        return F.scatter_add(F.zeros(x_type), indices, g_values, dim=dim)


class CummaxDim(_RunningExtreme):
    """The largest elements up to each position of axis dim, and their last positions.  Shape: (*a) -> twice (*a)."""

    torch_name = "CummaxBackward0"
    numpy = jax = "K.cummax({x}, {dim})"


class CumminDim(_RunningExtreme):
    """The smallest elements up to each position of axis dim, and their last positions.  Shape: (*a) -> twice (*a)."""

    torch_name = "CumminBackward0"
    numpy = jax = "K.cummin({x}, {dim})"


class Cummax(Composite):
    """The largest elements so far along an axis, and their positions.  Shape: (*a) -> twice (*a)."""

    samples = ([A(2, 3), 1],)

    @staticmethod
    def call(F: Ops, input: Any, dim: int) -> Any:  # noqa: A002
        """(values, indices) along dim."""
        axis = one_axis("cummax", len(F.shape(input)), dim)
        return named_result("cummax", FIELDS, F.cummax_dim(input, dim=axis))


class Cummin(Composite):
    """The smallest elements so far along an axis, and their positions.  Shape: (*a) -> twice (*a)."""

    samples = ([A(2, 3), 1],)

    @staticmethod
    def call(F: Ops, input: Any, dim: int) -> Any:  # noqa: A002
        """(values, indices) along dim."""
        axis = one_axis("cummin", len(F.shape(input)), dim)
        return named_result("cummin", FIELDS, F.cummin_dim(input, dim=axis))
