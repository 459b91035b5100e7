"""torch.nn.init: values for parameters, drawn or constant, written in place and outside of autograd."""

from __future__ import annotations

import math
from typing import Any

from tracegrad.autograd.modes import no_grad
from tracegrad.eager.creation import eye as identity
from tracegrad.eager.creation import rand, randn
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, DataError, explain
from tracegrad.nn.more_init import dirac_, old_name, orthogonal_, sparse_, trunc_normal_

_GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0),
    "selu": 0.75,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which a nonlinearity shrinks a standard normal value.  Raises ValueError for an unknown name."""
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ArgumentValueError(explain("calculate_gain", f"Unsupported nonlinearity {nonlinearity}"))
    return _GAINS[nonlinearity]


def uniform_(tensor: Any, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Fill with values uniform in [a, b)."""
    return _write(tensor, _drawn(rand, tensor, generator) * (b - a) + a)


def normal_(tensor: Any, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Fill with normal values.  Raises RuntimeError for a negative std."""
    if std < 0:
        raise DataError(explain("normal_", f"normal expects std >= 0.0, but found std {std}"))
    return _write(tensor, _drawn(randn, tensor, generator) * std + mean)


def constant_(tensor: Any, val: float) -> Tensor:
    """Fill with one value."""
    with no_grad():
        made: Tensor = tensor.fill_(val)
    return made


def zeros_(tensor: Any) -> Tensor:
    """Fill with 0."""
    return constant_(tensor, 0.0)


def ones_(tensor: Any) -> Tensor:
    """Fill with 1."""
    return constant_(tensor, 1.0)


def eye_(tensor: Any) -> Tensor:
    """Fill a matrix with the identity.  Raises ValueError unless it has two axes."""
    if tensor.ndim != 2:
        raise ArgumentValueError(
            explain("eye_", "Only tensors with 2 dimensions are supported", shape=list(tensor.shape))
        )
    return _write(tensor, identity(*tensor.shape, dtype=tensor.dtype))


def xavier_uniform_(tensor: Any, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Fill uniformly with variance gain^2 2 / (fan_in + fan_out).  Source: Glorot and Bengio 2010."""
    bound = gain * math.sqrt(6.0 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Any, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Fill normally with variance gain^2 2 / (fan_in + fan_out).  Source: Glorot and Bengio 2010."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_fans(tensor))), generator)


def kaiming_uniform_(
    tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Fill uniformly with variance gain^2 / fan.  Source: He et al. 2015."""
    if 0 in tensor.shape:
        return tensor  # type: ignore[no-any-return]
    bound = math.sqrt(3.0) * calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Fill normally with variance gain^2 / fan.  Source: He et al. 2015."""
    if 0 in tensor.shape:
        return tensor  # type: ignore[no-any-return]
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)), generator)


def _drawn(draw: Any, tensor: Any, generator: Any) -> Any:
    options = {} if generator is None else {"generator": generator}
    return draw(tuple(tensor.shape), dtype=tensor.dtype, **options)


def _write(tensor: Any, values: Any) -> Tensor:
    with no_grad():
        made: Tensor = tensor.copy_(values)
    return made


def _fans(tensor: Any) -> tuple[int, int]:
    """(inputs, outputs) of one unit of a weight (out, in, *kernel).  Raises ValueError below two axes."""
    if tensor.ndim < 2:
        raise ArgumentValueError(
            explain(
                "init",
                "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions",
                shape=list(tensor.shape),
            )
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _fan(tensor: Any, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentValueError(explain("init", f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']"))
    return _fans(tensor)[mode == "fan_out"]


# the old names, which warn
uniform, normal, constant, eye, dirac = (old_name(f) for f in (uniform_, normal_, constant_, eye_, dirac_))
xavier_uniform, xavier_normal = old_name(xavier_uniform_), old_name(xavier_normal_)
kaiming_uniform, kaiming_normal = old_name(kaiming_uniform_), old_name(kaiming_normal_)
orthogonal, sparse = old_name(orthogonal_), old_name(sparse_)

__all__ = [
    "calculate_gain",
    "constant",
    "constant_",
    "dirac",
    "dirac_",
    "eye",
    "eye_",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "normal",
    "normal_",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "sparse",
    "sparse_",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros_",
]
