"""Layers and activations."""

from __future__ import annotations

import math
from typing import Any

from tracegrad.eager.creation import empty
from tracegrad.eager.tensor import Tensor
from tracegrad.nn import functional, init
from tracegrad.nn.module import Module
from tracegrad.nn.parameter import Parameter


class Linear(Module):
    """x @ weight^T + bias.  weight (out_features, in_features) and bias (out_features,) start uniform in +-1/sqrt(in_features)."""

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(empty((out_features, in_features), dtype=dtype, device=device))
        if bias:
            self.bias = Parameter(empty((out_features,), dtype=dtype, device=device))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0.0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Shapes: (*p, in_features) -> (*p, out_features)."""
        return functional.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """What the repr shows."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Identity(Module):
    """The input; takes and ignores any arguments."""

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:  # noqa: A002
        """The input itself."""
        return input


class Flatten(Module):
    """The axes start_dim to end_dim as one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Any) -> Tensor:  # noqa: A002
        """Shapes: (n, *p) -> (n, prod(p)) by default."""
        return input.flatten(self.start_dim, self.end_dim)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """What the repr shows."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class ReLU(Module):
    """max(x, 0)."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Shape: (*a) -> (*a)."""
        return functional.relu(input, self.inplace)

    def extra_repr(self) -> str:
        """What the repr shows."""
        return "inplace=True" if self.inplace else ""


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Shape: (*a) -> (*a)."""
        return functional.tanh(input)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Shape: (*a) -> (*a)."""
        return functional.sigmoid(input)


class Softplus(Module):
    """log(1 + exp(beta x)) / beta."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Shape: (*a) -> (*a)."""
        return functional.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """What the repr shows."""
        return f"beta={self.beta}, threshold={self.threshold}"


class _AlongAxis(Module):
    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        """What the repr shows."""
        return f"dim={self.dim}"


class Softmax(_AlongAxis):
    """exp(x) / sum(exp(x)) along dim."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Shape: (*a) -> (*a)."""
        return functional.softmax(input, self.dim, _stacklevel=5)


class LogSoftmax(_AlongAxis):
    """log(softmax(x)) along dim."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Shape: (*a) -> (*a)."""
        return functional.log_softmax(input, self.dim, _stacklevel=5)


__all__ = ["Flatten", "Identity", "Linear", "LogSoftmax", "ReLU", "Sigmoid", "Softmax", "Softplus", "Tanh"]
