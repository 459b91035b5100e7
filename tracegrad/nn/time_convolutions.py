"""A convolution over time of values whose channels come last."""

from __future__ import annotations

from typing import Any

from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ShapeError, explain
from tracegrad.nn.conv_functions import check_tensors, conv1d


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Any:  # noqa: A002
    """A convolution over time of (time, batch, channels).  Shapes: (t, b, i), (k, i, o), (o,) -> (t + 2 pad - k + 1, b, o)."""
    check_tensors("conv_tbc", input=input, weight=weight, bias=bias)
    if input.ndim != 3 or weight.ndim != 3 or bias.ndim != 1:
        raise ShapeError(explain("conv_tbc", "Input and weight must have 3 dims, bias must have 1 dim"))
    x, w = T.permute(input, dims=(1, 2, 0)), T.permute(weight, dims=(2, 1, 0))
    made = T.permute(conv1d(x, w, bias, padding=pad), dims=(2, 0, 1))
    return T.named(T.row_major(made), called="ConvTbcBackward0")


__all__ = ["conv_tbc"]
