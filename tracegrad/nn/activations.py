"""Activations and dropout as modules."""

from __future__ import annotations

from typing import Any, ClassVar

from tracegrad.eager.creation import full
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, OptionError, explain
from tracegrad.nn import functional, init
from tracegrad.nn.module import Module
from tracegrad.nn.parameter import Parameter


class _Pointwise(Module):
    """A function of functional.py with its arguments as attributes; `shown` of them appear in the repr, `inplace` only if it is true."""

    function: ClassVar[str] = ""
    arguments: ClassVar[tuple[str, ...]] = ()
    shown: ClassVar[tuple[str, ...]] = ()

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Shape: (*a) -> (*a)."""
        return getattr(functional, self.function)(input, **{name: getattr(self, name) for name in self.arguments})

    def extra_repr(self) -> str:
        """What the repr shows."""
        parts = [f"{name}={getattr(self, name)}" for name in self.shown]
        return ", ".join([*parts, "inplace=True"] if getattr(self, "inplace", False) else parts)


class ELU(_Pointwise):
    """x where it is positive, else alpha (exp(x) - 1)."""

    function, arguments, shown = "elu", ("alpha", "inplace"), ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace


class CELU(_Pointwise):
    """x where it is positive, else alpha (exp(x / alpha) - 1)."""

    function, arguments, shown = "celu", ("alpha", "inplace"), ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace


class _InPlace(_Pointwise):
    arguments = ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class SELU(_InPlace):
    """elu with the constants of Klambauer et al. 2017."""

    function = "selu"


class SiLU(_InPlace):
    """x sigmoid(x)."""

    function = "silu"


class Mish(_InPlace):
    """x tanh(softplus(x))."""

    function = "mish"


class _Silent(_InPlace):
    def extra_repr(self) -> str:
        """Nothing."""
        return ""


class Hardsigmoid(_Silent):
    """x / 6 + 1/2 within [0, 1]."""

    function = "hardsigmoid"


class Hardswish(_Silent):
    """x times hardsigmoid(x)."""

    function = "hardswish"


class GELU(_Pointwise):
    """x times the normal distribution function at x."""

    function, arguments = "gelu", ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def extra_repr(self) -> str:
        """What the repr shows."""
        return f"approximate={self.approximate!r}"


class GLU(_Pointwise):
    """The first half of an axis times the sigmoid of the second."""

    function, arguments, shown = "glu", ("dim",), ("dim",)

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim


class Hardtanh(_Pointwise):
    """x within [min_val, max_val]."""

    function, arguments, shown = "hardtanh", ("min_val", "max_val", "inplace"), ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace
        if min_val >= max_val:
            raise OptionError(explain("Hardtanh", f"max_val ({max_val}) must be greater than min_val ({min_val})"))


class ReLU6(Hardtanh):
    """x within [0, 6]."""

    shown = ()

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)


class LeakyReLU(_Pointwise):
    """x where it is positive, else negative_slope * x."""

    function, arguments, shown = "leaky_relu", ("negative_slope", "inplace"), ("negative_slope",)

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace


class RReLU(_Pointwise):
    """x where it is positive, else a random slope times x; the mean slope outside of training."""

    function, arguments, shown = "rrelu", ("lower", "upper", "training", "inplace"), ("lower", "upper")

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace


class Threshold(_Pointwise):
    """x where it is above threshold, else value."""

    function, arguments, shown = "threshold", ("threshold", "value", "inplace"), ("threshold", "value")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace


class _Shrink(_Pointwise):
    arguments = ("lambd",)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def extra_repr(self) -> str:
        """What the repr shows."""
        return f"{self.lambd}"


class Hardshrink(_Shrink):
    """x where |x| > lambd, else 0."""

    function = "hardshrink"


class Softshrink(_Shrink):
    """x moved toward 0 by lambd."""

    function = "softshrink"


class LogSigmoid(_Pointwise):
    """log(sigmoid(x))."""

    function = "logsigmoid"


class Softsign(_Pointwise):
    """x / (1 + |x|)."""

    function = "softsign"


class Tanhshrink(_Pointwise):
    """x - tanh(x)."""

    function = "tanhshrink"


class Softmin(_Pointwise):
    """softmax(-x) along dim."""

    function, shown = "softmin", ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Shape: (*a) -> (*a)."""
        return functional.softmin(input, self.dim, _stacklevel=5)


class Softmax2d(Module):
    """softmax over the channels of (n, c, h, w) or (c, h, w).  Raises ValueError for another number of axes."""

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Shape: (*a) -> (*a)."""
        if input.ndim not in (3, 4):
            problem = f"Softmax2d: expected input to be 3D or 4D, got {input.ndim}D instead"
            raise ArgumentValueError(explain("Softmax2d", problem))
        return functional.softmax(input, -3, _stacklevel=5)


class PReLU(Module):
    """x where it is positive, else weight * x with a learned weight, or one for each channel."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(full((num_parameters,), float(init), dtype=dtype, device=device))

    def reset_parameters(self) -> None:
        """Set every weight to its first value."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Shape: (*a) -> (*a)."""
        return functional.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """What the repr shows."""
        return f"num_parameters={self.num_parameters}"


class _Dropout(Module):
    """Dropout with probability p."""

    function: ClassVar[str] = ""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if p < 0 or p > 1:
            problem = f"dropout probability has to be between 0 and 1, but got {p}"
            raise ArgumentValueError(explain(type(self).__name__, problem))
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Any:  # noqa: A002
        """Shape: (*a) -> (*a)."""
        return getattr(functional, self.function)(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """What the repr shows."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Elements 0 with probability p in training, the others divided by 1 - p."""

    function = "dropout"


class Dropout1d(_Dropout):
    """Whole channels of (n, c, l) or (c, l) dropped in training."""

    function = "dropout1d"


class Dropout2d(_Dropout):
    """Whole channels of (n, c, h, w) dropped in training."""

    function = "dropout2d"


class Dropout3d(_Dropout):
    """Whole channels of (n, c, d, h, w) or (c, d, h, w) dropped in training."""

    function = "dropout3d"


class AlphaDropout(_Dropout):
    """Dropout that keeps mean and variance of selu's results."""

    function = "alpha_dropout"


class FeatureAlphaDropout(_Dropout):
    """AlphaDropout of whole channels."""

    function = "feature_alpha_dropout"


__all__ = [
    "AlphaDropout",
    "CELU",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "ELU",
    "FeatureAlphaDropout",
    "GELU",
    "GLU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU6",
    "SELU",
    "SiLU",
    "Softmax2d",
    "Softmin",
    "Softshrink",
    "Softsign",
    "Tanhshrink",
    "Threshold",
]
