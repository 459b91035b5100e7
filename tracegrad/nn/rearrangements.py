"""Paddings, windows as columns and other rearrangements as modules."""

from __future__ import annotations

from typing import Any, ClassVar

from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, explain
from tracegrad.nn import functional
from tracegrad.nn.module import Module


class _Pad(Module):
    """functional.pad in one mode over `axes` axes."""

    axes: ClassVar[int]
    mode: ClassVar[str]

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = tuple(padding) if isinstance(padding, (tuple, list)) else (padding,) * (2 * self.axes)

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """input with elements around its last axes."""
        return functional.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        """What the repr shows."""
        return f"{self.padding}"


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """input with the value around its last axes."""
        return functional.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """What the repr shows."""
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """What the repr shows."""
        return f"{self.padding}"


class ReflectionPad1d(_Pad):
    """functional.pad in mode 'reflect' over an axis."""

    axes, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """functional.pad in mode 'reflect' over two axes."""

    axes, mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """functional.pad in mode 'reflect' over three axes."""

    axes, mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """functional.pad in mode 'replicate' over an axis."""

    axes, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """functional.pad in mode 'replicate' over two axes."""

    axes, mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """functional.pad in mode 'replicate' over three axes."""

    axes, mode = 3, "replicate"


class _CircularPad(_Pad):
    mode = "circular"

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """input with elements around its last axes.  Raises ValueError for other numbers of axes."""
        d = self.axes
        if input.ndim not in (d + 1, d + 2):
            problem = f"expected {d + 1}D or {d + 2}D input (got {input.ndim}D input)"
            raise ArgumentValueError(explain(type(self).__name__, problem))
        return super().forward(input)


class CircularPad1d(_CircularPad):
    """functional.pad in mode 'circular' over an axis."""

    axes = 1


class CircularPad2d(_CircularPad):
    """functional.pad in mode 'circular' over two axes."""

    axes = 2


class CircularPad3d(_CircularPad):
    """functional.pad in mode 'circular' over three axes."""

    axes = 3


class ConstantPad1d(_ConstantPad):
    """functional.pad with a value over an axis."""

    axes = 1


class ConstantPad2d(_ConstantPad):
    """functional.pad with a value over two axes."""

    axes = 2


class ConstantPad3d(_ConstantPad):
    """functional.pad with a value over three axes."""

    axes = 3


class ZeroPad1d(_ZeroPad, ConstantPad1d):
    """functional.pad with zeros over an axis."""


class ZeroPad2d(_ZeroPad, ConstantPad2d):
    """functional.pad with zeros over two axes."""


class ZeroPad3d(_ZeroPad, ConstantPad3d):
    """functional.pad with zeros over three axes."""


class Unfold(Module):
    """The windows of images as columns."""

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Shape: (n, c, h, w) -> (n, c * prod(kernel_size), windows)."""
        return functional.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """What the repr shows."""
        names = ("kernel_size", "dilation", "padding", "stride")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)


class Fold(Module):
    """Columns added at the places of their windows."""

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Shape: (n, c * prod(kernel_size), windows) -> (n, c, *output_size)."""
        return functional.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """What the repr shows."""
        names = ("output_size", "kernel_size", "dilation", "padding", "stride")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)


class PixelShuffle(Module):
    """(*p, c * r * r, h, w) -> (*p, c, h * r, w * r)."""

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Channels moved into the plane."""
        return functional.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """What the repr shows."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """(*p, c, h * r, w * r) -> (*p, c * r * r, h, w)."""

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """The plane moved into channels."""
        return functional.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """What the repr shows."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """Channels of groups taken in turn."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Shape: (n, c, *s) -> (n, c, *s)."""
        return functional.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """What the repr shows."""
        return f"groups={self.groups}"


class Unflatten(Module):
    """One axis as several."""

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input: Any) -> Any:  # noqa: A002
        """Shape: (*a, prod(s), *b) -> (*a, *s, *b)."""
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        """What the repr shows."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


__all__ = [
    "ChannelShuffle",
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "Fold",
    "PixelShuffle",
    "PixelUnshuffle",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "Unflatten",
    "Unfold",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]
