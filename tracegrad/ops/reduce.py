"""Sums and other folds over axes."""

from __future__ import annotations

from typing import Any

from tracegrad import dtypes
from tracegrad.ir.families import Reduction
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type, many_axes


class Sum(Reduction):
    """Sum over the axes dim.  Shape: (*a) -> a without dim (1s there if keepdim).  No elements: 0; integers and bools are summed as int64."""

    linear, onnx = ("x",), "ReduceSum"
    numpy = "np.add.reduce({x}, axis={dim}, keepdims={keepdim})"
    jax = "jnp.sum({x}, axis={dim}, keepdims={keepdim})"
    samples = ([A(2, 3), (0,), False], [A(2, 3), (1,), True], [A(2, 3), None, False], [A(0, 3), (0,), False], [A(), None, False])

    @staticmethod
    def torch_name(dim: Any, keepdim: bool) -> str:
        return "SumBackward0" if dim is None and not keepdim else "SumBackward1"

    @staticmethod
    def call(F: Ops, input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Value:  # noqa: A002
        """Sum over dim (an int or a tuple; None for all), computed in dtype if given."""
        t = F.type(input)
        target = dtypes.to_numpy(dtype) if dtype is not None else t.dtype if t.dtype.kind in "fc" else dtypes.I64
        return F.sum(F.as_dtype(input, target), dim=many_axes("sum", len(t.shape), dim), keepdim=keepdim)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type, dim: Any) -> Value:
        return F.expand(F.unreduce(g, shape=x_type.shape, dim=dim), shape=x_type.shape)
