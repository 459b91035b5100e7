"""Resampling, fractional max pooling and normalisation across channels as modules."""

from __future__ import annotations

from typing import Any, ClassVar

from tracegrad.dtypes import I64
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, explain
from tracegrad.nn import functional
from tracegrad.nn.module import Module
from tracegrad.nn.pools import _LPPool


class Upsample(Module):
    """Signals, images or volumes at another size, given as such or as a factor."""

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        many = isinstance(scale_factor, (tuple, list))
        self.name, self.size = type(self).__name__, size
        self.scale_factor: Any = tuple(float(f) for f in scale_factor) if many else scale_factor and float(scale_factor)
        self.mode, self.align_corners, self.recompute_scale_factor = mode, align_corners, recompute_scale_factor

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Shape: (n, c, *s) -> (n, c, *t)."""
        options = (self.mode, self.align_corners, self.recompute_scale_factor)
        return functional.interpolate(input, self.size, self.scale_factor, *options)

    def extra_repr(self) -> str:
        """What the repr shows."""
        what = "size" if self.scale_factor is None else "scale_factor"
        return f"{what}={getattr(self, what)!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Images at another size by the nearest pixels."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Images at another size by weighted sums of four pixels, corners kept."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


class _FractionalMaxPool(Module):
    axes: ClassVar[int]

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.output_size, self.return_indices = kernel_size, output_size, return_indices
        self.register_buffer("_random_samples", _random_samples)
        many = isinstance(output_ratio, (tuple, list)) or output_ratio is None
        self.output_ratio = output_ratio if many else (output_ratio,) * self.axes
        if output_size is None and output_ratio is None:
            problem = "requires specifying either an output size, or a pooling ratio"
            raise ArgumentValueError(explain(type(self).__name__, problem))
        if output_size is not None and output_ratio is not None:
            problem = "only one of output_size and output_ratio may be specified"
            raise ArgumentValueError(explain(type(self).__name__, problem))
        if any(not 0 < ratio < 1 for ratio in self.output_ratio or ()):
            problem = f"output_ratio must be between 0 and 1 (got {output_ratio})"
            raise ArgumentValueError(explain(type(self).__name__, problem))

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Shape: (n, c, *s) -> (n, c, *t); the positions as well if return_indices."""
        function = getattr(functional, f"fractional_max_pool{self.axes}d")
        options = (self.output_size, self.output_ratio, self.return_indices)
        return function(input, self.kernel_size, *options, _random_samples=self._random_samples)


class FractionalMaxPool2d(_FractionalMaxPool):
    """Maxima of windows of images whose distances are drawn at random."""

    axes = 2


class FractionalMaxPool3d(_FractionalMaxPool):
    """Maxima of windows of volumes whose distances are drawn at random."""

    axes = 3


class LPPool3d(_LPPool):
    """Norms of windows of volumes."""

    axes = 3


class CrossMapLRN2d(Module):
    """x / (k + alpha times the mean square of the neighbouring channels)^beta; as in torch, the first channel is a neighbour of all behind it."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Shape: (n, c, h, w) -> (n, c, h, w).  Raises ValueError for other numbers of axes."""
        if input.ndim != 4:
            problem = f"CrossMapLRN2d: Expected input to be 4D, got {input.ndim}D instead."
            raise ArgumentValueError(explain("CrossMapLRN2d", problem))
        reach = min((self.size - 1) // 2, input.shape[1])
        squares = functional.pad(T.square(input), (0, 0, 0, 0, reach, reach))
        windows = T.unfold(squares, dim=1, length=2 * reach + 1, step=1)
        total = T.sum(windows, dim=(4,), keepdim=False)
        first = T.slice(T.square(input), dim=1, start=0, stop=1, step=1)
        left = T.gt(
            T.arange(start=0, step=1, count=input.shape[1], dtype=I64), reach
        )  # where the first one is not in the window
        total = T.add(total, T.where(T.reshape(left, shape=(1, input.shape[1], 1, 1)), first, 0.0))
        scale = T.add(T.mul(total, self.alpha / self.size), self.k)
        return T.named(T.mul(input, T.pow(scale, -self.beta)), called="CrossMapLRN2dBackward")

    def extra_repr(self) -> str:
        """What the repr shows."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


__all__ = [
    "CrossMapLRN2d",
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",
    "LPPool3d",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
]
