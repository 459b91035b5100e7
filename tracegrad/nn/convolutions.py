"""Convolutions as modules."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from tracegrad.eager.creation import empty
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, explain
from tracegrad.nn import functional, init
from tracegrad.nn.module import Module
from tracegrad.nn.parameter import Parameter

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """weight and bias of a convolution over `axes` axes; both start uniform in +-1/sqrt(fan_in)."""

    axes: ClassVar[int]
    transposed: ClassVar[bool] = False

    def _set(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any, output_padding: Any,
        groups: int, bias: bool, padding_mode: str, device: Any, dtype: Any,
    ) -> None:  # fmt: skip
        _check(type(self).__name__, in_channels, out_channels, groups, padding, stride, padding_mode)
        self.in_channels, self.out_channels, self.groups, self.padding_mode = (
            in_channels,
            out_channels,
            groups,
            padding_mode,
        )
        self.kernel_size, self.stride = self._many(kernel_size), self._many(stride)
        self.padding = padding if isinstance(padding, str) else self._many(padding)
        self.dilation, self.output_padding = self._many(dilation), self._many(output_padding)
        a, b = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = Parameter(empty((a, b // groups, *self.kernel_size), dtype=dtype, device=device))
        if bias:
            self.bias = Parameter(empty((out_channels,), dtype=dtype, device=device))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _many(self, value: Any) -> tuple[int, ...]:
        return tuple(value) if isinstance(value, (tuple, list)) else (value,) * self.axes

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = self.weight.shape[1] * math.prod(self.weight.shape[2:])
            if fan_in:
                init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def extra_repr(self) -> str:
        """What the repr shows."""
        none, ones = (0,) * self.axes, (1,) * self.axes
        shown = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        shown += [f"padding={self.padding}"] if self.padding != none else []
        shown += [f"dilation={self.dilation}"] if self.dilation != ones else []
        shown += [f"output_padding={self.output_padding}"] if self.output_padding != none else []
        shown += [f"groups={self.groups}"] if self.groups != 1 else []
        shown += ["bias=False"] if self.bias is None else []
        shown += [f"padding_mode={self.padding_mode}"] if self.padding_mode != "zeros" else []
        return ", ".join(shown)


def _check(
    name: str, in_channels: int, out_channels: int, groups: int, padding: Any, stride: Any, padding_mode: str
) -> None:
    problem = ""
    if groups <= 0:
        problem = "groups must be a positive integer"
    elif in_channels % groups:
        problem = "in_channels must be divisible by groups"
    elif out_channels % groups:
        problem = "out_channels must be divisible by groups"
    elif isinstance(padding, str) and padding not in ("same", "valid"):
        problem = f"Invalid padding string {padding!r}, should be one of 'same', 'valid'"
    elif padding == "same" and any(s != 1 for s in (stride if isinstance(stride, (tuple, list)) else (stride,))):
        problem = "padding='same' is not supported for strided convolutions"
    elif padding_mode not in _PADDING_MODES:
        problem = f"padding_mode must be one of {_PADDING_MODES}, but got padding_mode={padding_mode!r}"
    if problem:
        raise ArgumentValueError(explain(name, problem))


class _Direct(_Convolution):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self._set(in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias, padding_mode, device, dtype)  # fmt: skip

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Shapes: (n, in_channels, *s) -> (n, out_channels, *t); without n too."""
        x, padding = input, self.padding
        if self.padding_mode != "zeros":
            x, padding = functional.pad(x, self._around(), mode=self.padding_mode), 0
        function = getattr(functional, f"conv{self.axes}d")
        return function(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _around(self) -> list[int]:
        """The padding as functional.pad takes it."""
        if not isinstance(self.padding, str):
            return [p for p in reversed(self.padding) for _ in range(2)]
        if self.padding == "valid":
            return [0] * (2 * self.axes)
        totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        return [part for total in reversed(totals) for part in (total // 2, total - total // 2)]


class Conv1d(_Direct):
    """The convolution of (n, in_channels, l) with weight (out_channels, in_channels // groups, k), plus bias."""

    axes = 1


class Conv2d(_Direct):
    """The convolution of (n, in_channels, h, w) with weight (out_channels, in_channels // groups, kh, kw), plus bias."""

    axes = 2


class Conv3d(_Direct):
    """The convolution of (n, in_channels, d, h, w) with weight (out_channels, in_channels // groups, kd, kh, kw), plus bias."""

    axes = 3


class _Transposed(_Convolution):
    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if padding_mode != "zeros":
            problem = f'Only "zeros" padding mode is supported for {type(self).__name__}'
            raise ArgumentValueError(explain(type(self).__name__, problem))
        self._set(in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding, groups, bias, padding_mode, device, dtype)  # fmt: skip

    def forward(self, input: Tensor, output_size: Any = None) -> Any:  # noqa: A002
        """Shapes: (n, in_channels, *s) -> (n, out_channels, *t); output_size chooses among the possible t."""
        more = self.output_padding if output_size is None else self._needed(input, tuple(output_size)[-self.axes :])
        function = getattr(functional, f"conv_transpose{self.axes}d")
        return function(input, self.weight, self.bias, self.stride, self.padding, more, self.groups, self.dilation)

    def _needed(self, input: Tensor, sizes: tuple[int, ...]) -> tuple[int, ...]:  # noqa: A002
        own = input.shape[input.ndim - self.axes :]
        parts = zip(own, self.stride, self.padding, self.dilation, self.kernel_size, strict=True)
        least = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in parts]
        more = tuple(size - low for size, low in zip(sizes, least, strict=True))
        if any(m < 0 or m > s - 1 for m, s in zip(more, self.stride, strict=True)):
            problem = f"requested an output size of {list(sizes)}, but valid sizes start at {least}"
            raise ArgumentValueError(explain(type(self).__name__, problem))
        return more


class ConvTranspose1d(_Transposed):
    """The transposed convolution of (n, in_channels, l) with weight (in_channels, out_channels // groups, k), plus bias."""

    axes = 1


class ConvTranspose2d(_Transposed):
    """The transposed convolution of (n, in_channels, h, w) with weight (in_channels, out_channels // groups, kh, kw), plus bias."""

    axes = 2


class ConvTranspose3d(_Transposed):
    """The transposed convolution of (n, in_channels, d, h, w) with weight (in_channels, out_channels // groups, kd, kh, kw), plus bias."""

    axes = 3


__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]
