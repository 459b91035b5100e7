"""torch.nn.grad: the derivatives of convolutions by their input and by their weight, as functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.nn.conv_functions import check_tensors, tuples_of


def _input(d: int) -> Callable[..., Any]:
    operation = f"conv{d}d_input"

    def function(
        input_size: Any,
        weight: Tensor,
        grad_output: Tensor,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        check_tensors(operation, weight=weight, grad_output=grad_output)
        t, p, w = tuples_of(operation, d, stride=stride, padding=padding, dilation=dilation)
        own = tuple(input_size)[-d:]
        made = [(n - 1) * s + e * (k - 1) + 1 - 2 * q for n, s, q, e, k in zip(grad_output.shape[2:], t, p, w, weight.shape[2:], strict=True)]  # fmt: skip
        more = tuple(n - m for n, m in zip(own, made, strict=True))
        return T.convolution(grad_output, weight, None, stride=t, padding=p, dilation=w, transposed=True, output_padding=more, groups=groups)  # fmt: skip

    function.__name__ = function.__qualname__ = operation
    function.__doc__ = f"The gradient of conv{d}d by its input of shape input_size, for the gradient grad_output of its result."  # fmt: skip
    return function


def _weight(d: int) -> Callable[..., Any]:
    operation = f"conv{d}d_weight"

    def function(
        input: Tensor,  # noqa: A002
        weight_size: Any,
        grad_output: Tensor,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        check_tensors(operation, input=input, grad_output=grad_output)
        t, p, w = tuples_of(operation, d, stride=stride, padding=padding, dilation=dilation)
        kernel = tuple(weight_size)[2:]
        return T.convolution_weight(input, grad_output, kernel=kernel, stride=t, padding=p, dilation=w, groups=groups)

    function.__name__ = function.__qualname__ = operation
    function.__doc__ = f"The gradient of conv{d}d by its weight of shape weight_size, for the gradient grad_output of its result."  # fmt: skip
    return function


conv1d_input, conv2d_input, conv3d_input = _input(1), _input(2), _input(3)
conv1d_weight, conv2d_weight, conv3d_weight = _weight(1), _weight(2), _weight(3)

__all__ = ["conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input", "conv3d_weight"]
