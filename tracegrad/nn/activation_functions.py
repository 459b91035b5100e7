"""The activations of torch.nn.functional, and the functions that drop elements by chance."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from tracegrad import dtypes
from tracegrad.config import local
from tracegrad.eager.creation import rand
from tracegrad.eager.dispatch import T
from tracegrad.eager.generate import public_function
from tracegrad.eager.inplace import check_own_leaf, in_place, keep_saved, write
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, DataError, DTypeError, ShapeError, explain
from tracegrad.ir.node import tick
from tracegrad.ir.op import REGISTRY
from tracegrad.ops.activations import SELU_ALPHA, SELU_SCALE
from tracegrad.ops.checks import not_for


def in_place_as(name: str, called: str = "", operation: str = "") -> Callable[..., Any]:
    """The function that writes an operator's result into its input; `called` is torch's name for that step."""
    function, operation = public_function(name), operation or f"{name}_"
    plain = in_place(operation, REGISTRY[name])

    def method(input: Tensor, *args: Any) -> Any:  # noqa: A002
        if input._node is None or local.watch is not None or not called:
            return plain(input, *args)
        check_own_leaf(input, operation)
        start = tick()
        new = T.named(function(input, *args), called=called)
        keep_saved(input, new._node, start)
        return write(input, new, operation)

    method.__name__ = method.__qualname__ = operation
    method.__doc__ = plain.__doc__
    return method


threshold_ = in_place_as("threshold", "ThresholdBackward1")
leaky_relu_ = in_place_as("leaky_relu", "LeakyReluBackward1")
elu_ = in_place_as("elu", "EluBackward1")
selu_ = in_place_as("selu", "EluBackward1")
celu_ = in_place_as("celu", "CeluBackward1")
hardtanh_ = in_place_as("hardtanh")
relu6_ = in_place_as("relu6")
hardsigmoid_ = in_place_as("hardsigmoid")
hardswish_ = in_place_as("hardswish")
silu_ = in_place_as("silu")
mish_ = in_place_as("mish")
_rrelu_in_place = in_place_as("leaky_relu", "RreluWithNoiseBackward1", "rrelu_")
hardshrink = public_function("hardshrink")
softshrink = public_function("softshrink")
prelu = public_function("prelu")
gelu = public_function("gelu")
glu = public_function("glu")
tanhshrink = public_function("tanhshrink")
softsign = public_function("softsign")
logsigmoid = public_function("log_sigmoid")

_threshold = public_function("threshold")
_leaky_relu = public_function("leaky_relu")
_elu = public_function("elu")
_selu = public_function("selu")
_celu = public_function("celu")
_hardtanh = public_function("hardtanh")
_relu6 = public_function("relu6")
_hardsigmoid = public_function("hardsigmoid")
_hardswish = public_function("hardswish")
_silu = public_function("silu")
_mish = public_function("mish")


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Any:  # noqa: A002
    """input where it is above threshold, else value."""
    return threshold_(input, threshold, value) if inplace else _threshold(input, threshold, value)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Any:  # noqa: A002
    """input where it is positive, else negative_slope * input."""
    return leaky_relu_(input, negative_slope) if inplace else _leaky_relu(input, negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Any:  # noqa: A002
    """input where it is positive, else alpha (exp(input) - 1)."""
    return elu_(input, alpha) if inplace else _elu(input, alpha)


def selu(input: Tensor, inplace: bool = False) -> Any:  # noqa: A002
    """elu with the scale and alpha of Klambauer et al. 2017."""
    return selu_(input) if inplace else _selu(input)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Any:  # noqa: A002
    """input where it is positive, else alpha (exp(input / alpha) - 1)."""
    return celu_(input, alpha) if inplace else _celu(input, alpha)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:  # noqa: A002
    """input within [min_val, max_val].  Raises ValueError when they are in the wrong order."""
    if min_val > max_val:
        raise ArgumentValueError(explain("hardtanh", "min_val cannot be greater than max_val", min_val=min_val))
    return hardtanh_(input, min_val, max_val) if inplace else _hardtanh(input, min_val, max_val)


def relu6(input: Tensor, inplace: bool = False) -> Any:  # noqa: A002
    """input within [0, 6]."""
    return relu6_(input) if inplace else _relu6(input)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Any:  # noqa: A002
    """input / 6 + 1/2, within [0, 1]."""
    return hardsigmoid_(input) if inplace else _hardsigmoid(input)


def hardswish(input: Tensor, inplace: bool = False) -> Any:  # noqa: A002
    """input times hardsigmoid(input)."""
    return hardswish_(input) if inplace else _hardswish(input)


def silu(input: Tensor, inplace: bool = False) -> Any:  # noqa: A002
    """input times sigmoid(input)."""
    return silu_(input) if inplace else _silu(input)


def mish(input: Tensor, inplace: bool = False) -> Any:  # noqa: A002
    """input times tanh(softplus(input))."""
    return mish_(input) if inplace else _mish(input)


def rrelu(
    input: Tensor,  # noqa: A002
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Any:
    """input where it is positive, else a slope times input: drawn in [lower, upper) for every element in training, else their mean."""
    if lower > upper:
        raise DataError(explain("rrelu", "Lower bound should be less than or equal to the upper bound", lower=lower))
    if not training:
        slope = (lower + upper) / 2
        made = (
            _rrelu_in_place(input, slope)
            if inplace
            else T.named(_leaky_relu(input, slope), called="RreluWithNoiseBackward0")
        )
        return made
    not_for("rrelu_with_noise", T.type(input), "biuc")
    noise = T.add(T.mul(rand(input.shape, dtype=input.dtype), upper - lower), lower)
    if not inplace:
        return T.rrelu_with_noise(input, noise)
    new = T.named(T.rrelu_with_noise(T.clone(input), noise), called="RreluWithNoiseBackward1")
    return write(input, new, "rrelu_")


def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Any:  # noqa: A002
    """rrelu in input's memory."""
    return rrelu(input, lower, upper, training, inplace=True)


# --- dropout


def _check_tensor(operation: str, value: Any) -> None:
    if not isinstance(value, Tensor):
        raise ArgumentError(explain(operation, f"argument 'input' must be Tensor, not {type(value).__name__}"))


def _check_probability(operation: str, p: float) -> None:
    if p < 0.0 or p > 1.0:
        raise ArgumentValueError(explain(operation, f"dropout probability has to be between 0 and 1, but got {p}"))
    if p != p:
        raise DataError(explain(operation, "dropout probability has to be between 0 and 1, but got nan"))


def _kept(input: Any, shape: tuple[int, ...], p: float) -> Any:
    """A mask of this shape that is true with probability 1 - p."""
    return T.ge(rand(shape, dtype=dtypes.from_numpy(_wide(input))), p)


def _wide(input: Any) -> Any:
    d = input._data.dtype
    if d.kind not in "fcV":
        raise DTypeError(explain("dropout", "result type Float can't be cast to the input's dtype", input=input))
    return d if d.itemsize >= 4 and d.kind in "fV" else dtypes.F32


def _dropped(operation: str, input: Any, shape: tuple[int, ...], p: float, training: bool, inplace: bool) -> Any:
    _check_probability(operation, p)
    if not training or p == 0.0 or not input._data.size:
        return input
    if p == 1.0:
        factor = T.full(shape=(), value=0, dtype=input._data.dtype)
    else:
        factor = T.div(T.cast(_kept(input, shape, p), dtype=input._data.dtype), 1.0 - p)
    return input.mul_(factor) if inplace else T.mul(input, factor)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:  # noqa: A002
    """Every element 0 with probability p, the others divided by 1 - p; input itself outside of training.  Raises ValueError unless 0 <= p <= 1."""
    _check_tensor("dropout", input)
    return _dropped("dropout", input, input._data.shape, p, training, inplace)


def _channels(operation: str, input: Tensor, p: float, training: bool) -> tuple[int, ...]:  # noqa: A002
    """The shape of a mask for whole channels, which are along the second axis."""
    _check_tensor(operation, input)
    if input.ndim < 2 and training and 0 < p < 1:
        raise ShapeError(explain(operation, "Feature dropout requires at least 2 dimensions in the input"))
    return (*input.shape[:2], *(1,) * (input.ndim - 2))


def feature_dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:  # noqa: A002
    """Whole channels of an input (n, c, *s) 0 with probability p, the others divided by 1 - p."""
    return _dropped("feature_dropout", input, _channels("feature_dropout", input, p, training), p, training, inplace)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:  # noqa: A002
    """Whole channels of an input (n, c, l) or (c, l) 0 with probability p, the others divided by 1 - p.  Raises RuntimeError for other ranks."""
    _check_probability("dropout1d", p)
    if input.ndim not in (2, 3):
        problem = f"Expected 2D or 3D input, but received a {input.ndim}D input"
        raise ShapeError(explain("dropout1d", problem, "dropout1d works on channels with exactly 1 spatial dimension"))
    return _unbatched(input, p, training, inplace) if input.ndim == 2 else feature_dropout(input, p, training, inplace)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:  # noqa: A002
    """Whole channels of an input (n, c, h, w) 0 with probability p, the others divided by 1 - p.  Warns for other ranks: the second axis is that of the channels."""
    _check_probability("dropout2d", p)
    if input.ndim != 4:
        text = f"dropout2d: Received a {input.ndim}D input: the second axis is taken for the channels. Use dropout1d for 3D input"
        warnings.warn(text, UserWarning, stacklevel=2)
    return feature_dropout(input, p, training, inplace)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:  # noqa: A002
    """Whole channels of an input (n, c, d, h, w) or (c, d, h, w) 0 with probability p, the others divided by 1 - p.  Warns for other ranks."""
    _check_probability("dropout3d", p)
    if input.ndim not in (4, 5):
        text = f"dropout3d: Received a {input.ndim}D input, which is deprecated. Expected 4D or 5D input"
        warnings.warn(text, UserWarning, stacklevel=2)
    return feature_dropout(input, p, training, inplace) if input.ndim == 5 else _unbatched(input, p, training, inplace)


def _unbatched(input: Tensor, p: float, training: bool, inplace: bool) -> Any:  # noqa: A002
    """feature_dropout of one example without an axis for the batch."""
    made = feature_dropout(T.unsqueeze(input, dim=0), p, training, inplace)
    return made.squeeze_(0) if inplace else public_function("squeeze")(made, 0)


def _alpha_dropped(operation: str, input: Any, shape: tuple[int, ...], p: float, training: bool, inplace: bool) -> Any:
    _check_probability(operation, p)
    if not training or p == 0.0 or not input._data.size:
        return input
    low = -SELU_ALPHA * SELU_SCALE
    if p == 1.0:
        return input.mul_(0.0) if inplace else T.mul(input, T.full(shape=(), value=0, dtype=input._data.dtype))
    a = ((1 - p) * (1 + p * low**2)) ** -0.5
    d = input._data.dtype
    kept = T.cast(_kept(input, shape, p), dtype=d)
    shift = T.add(T.mul(T.sub(kept, 1.0), a * -low), -a * low * p)
    if inplace:
        return input.mul_(T.mul(kept, a)).add_(shift)
    return T.add(T.mul(input, T.mul(kept, a)), shift)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:  # noqa: A002
    """Dropout that keeps mean and variance of selu's results.  Source: Klambauer et al. 2017."""
    _check_tensor("alpha_dropout", input)
    return _alpha_dropped("alpha_dropout", input, input._data.shape, p, training, inplace)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:  # noqa: A002
    """alpha_dropout of whole channels."""
    shape = _channels("feature_alpha_dropout", input, p, training)
    return _alpha_dropped("feature_alpha_dropout", input, shape, p, training, inplace)


__all__ = [
    "alpha_dropout",
    "celu",
    "celu_",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "elu",
    "elu_",
    "feature_alpha_dropout",
    "gelu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "leaky_relu",
    "leaky_relu_",
    "logsigmoid",
    "mish",
    "prelu",
    "relu6",
    "rrelu",
    "rrelu_",
    "selu",
    "selu_",
    "silu",
    "softshrink",
    "softsign",
    "tanhshrink",
    "threshold",
    "threshold_",
]
