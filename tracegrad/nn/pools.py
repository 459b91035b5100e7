"""Poolings as modules."""

from __future__ import annotations

from typing import Any, ClassVar

from tracegrad.eager.tensor import Tensor
from tracegrad.nn import functional
from tracegrad.nn.module import Module


class _Pool(Module):
    """A pooling of functional.py over `axes` axes."""

    axes: ClassVar[int]

    def extra_repr(self) -> str:
        """What the repr shows."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in self._shown())

    def _shown(self) -> tuple[str, ...]:
        return ("kernel_size", "stride", "padding")

    def _many(self, value: Any) -> Any:
        return tuple(value) if isinstance(value, (tuple, list)) else (value,) * self.axes


class _MaxPool(_Pool):
    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation, self.return_indices, self.ceil_mode = padding, dilation, return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Shapes: (n, c, *s) -> (n, c, *t); the positions as well if return_indices."""
        function = getattr(functional, f"max_pool{self.axes}d")
        options = {"ceil_mode": self.ceil_mode, "return_indices": self.return_indices}
        return function(input, self.kernel_size, self.stride, self.padding, self.dilation, **options)

    def _shown(self) -> tuple[str, ...]:
        return ("kernel_size", "stride", "padding", "dilation", "ceil_mode")


class _AvgPool(_Pool):
    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode, self.count_include_pad = padding, ceil_mode, count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Shapes: (n, c, *s) -> (n, c, *t)."""
        function = getattr(functional, f"avg_pool{self.axes}d")
        options = (self.ceil_mode, self.count_include_pad, self.divisor_override)
        return function(input, self.kernel_size, self.stride, self.padding, *options)


class AvgPool1d(_AvgPool):
    """Means of windows of an axis."""

    axes = 1

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        self.kernel_size, self.stride, self.padding = (
            self._many(v) for v in (self.kernel_size, self.stride, self.padding)
        )


class _Adaptive(_Pool):
    kind: ClassVar[str]

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Shapes: (n, c, *s) -> (n, c, *output_size)."""
        return getattr(functional, f"adaptive_{self.kind}_pool{self.axes}d")(input, self.output_size)

    def _shown(self) -> tuple[str, ...]:
        return ("output_size",)


class _AdaptiveMax(_Adaptive):
    kind = "max"

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Shapes: (n, c, *s) -> (n, c, *output_size); the positions as well if return_indices."""
        function = getattr(functional, f"adaptive_max_pool{self.axes}d")
        return function(input, self.output_size, self.return_indices)


class _MaxUnpool(_Pool):
    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size, self.padding = self._many(kernel_size), self._many(padding)
        self.stride = self._many(kernel_size if stride is None else stride)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Any:  # noqa: A002
        """Zeros in which input's elements stand at the positions indices."""
        function = getattr(functional, f"max_unpool{self.axes}d")
        return function(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class _LPPool(_Pool):
    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """The norms of windows."""
        function = getattr(functional, f"lp_pool{self.axes}d")
        return function(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def _shown(self) -> tuple[str, ...]:
        return ("norm_type", "kernel_size", "stride", "ceil_mode")


class MaxPool1d(_MaxPool):
    """Maxima of windows of an axis."""

    axes = 1


class MaxPool2d(_MaxPool):
    """Maxima of windows of two axes."""

    axes = 2


class MaxPool3d(_MaxPool):
    """Maxima of windows of three axes."""

    axes = 3


class AvgPool2d(_AvgPool):
    """Means of windows of two axes."""

    axes = 2


class AvgPool3d(_AvgPool):
    """Means of windows of three axes."""

    axes = 3


class AdaptiveAvgPool1d(_Adaptive):
    """Means of a given number of windows of an axis."""

    axes, kind = 1, "avg"


class AdaptiveAvgPool2d(_Adaptive):
    """Means of a given number of windows of two axes."""

    axes, kind = 2, "avg"


class AdaptiveAvgPool3d(_Adaptive):
    """Means of a given number of windows of three axes."""

    axes, kind = 3, "avg"


class AdaptiveMaxPool1d(_AdaptiveMax):
    """Maxima of a given number of windows of an axis."""

    axes = 1


class AdaptiveMaxPool2d(_AdaptiveMax):
    """Maxima of a given number of windows of two axes."""

    axes = 2


class AdaptiveMaxPool3d(_AdaptiveMax):
    """Maxima of a given number of windows of three axes."""

    axes = 3


class MaxUnpool1d(_MaxUnpool):
    """The partial inverse of MaxPool1d."""

    axes = 1


class MaxUnpool2d(_MaxUnpool):
    """The partial inverse of MaxPool2d."""

    axes = 2


class MaxUnpool3d(_MaxUnpool):
    """The partial inverse of MaxPool3d."""

    axes = 3


class LPPool1d(_LPPool):
    """Norms of windows of an axis."""

    axes = 1


class LPPool2d(_LPPool):
    """Norms of windows of two axes."""

    axes = 2


__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "LPPool1d",
    "LPPool2d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]
