"""The normalisations and distances of torch.nn.functional."""

from __future__ import annotations

from typing import Any

from tracegrad.autograd.modes import no_grad
from tracegrad.config import local
from tracegrad.dtypes import F32, finfo
from tracegrad.eager.argument_types import with_typed_arguments
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, DTypeError, NotSupportedError, ShapeError, explain
from tracegrad.ir.types import broadcast, one_axis, size_of
from tracegrad.nn.conv_functions import check_tensors
from tracegrad.ops.checks import not_for


def _floating(operation: str, x: Any) -> None:
    check_tensors(operation, input=x)
    if x._data.dtype.kind not in "fV":
        raise NotSupportedError(explain(operation, "not implemented for integers", input=T.type(x)))


def _wide(x: Any) -> Any:
    """A floating-point value with half precision as float32."""
    return T.promote(x, dtype=F32) if x._data.itemsize == 2 else x


def _scaled(x: Any, weight: Any, bias: Any, shape: tuple[int, ...] | None, called: str, like: Any) -> Any:
    """x * weight + bias, both brought to `shape`, as torch's one step; rounded to `like`'s dtype if that is of half precision."""
    d = like._data.dtype
    for value in (weight, bias):
        if value is not None and value._data.dtype is not d and not _goes_with(value._data.dtype, d):
            problem = f"mixed dtype (CPU): expect parameter to have scalar type of {like.dtype}, but got {value.dtype}"
            raise DTypeError(explain("normalisation", problem, "Convert one with .to(dtype)"))
    if weight is not None:
        x = T.mul(x, weight if shape is None else T.reshape(weight, shape=shape))
    if bias is not None:
        x = T.add(x, bias if shape is None else T.reshape(bias, shape=shape))
    made = T.row_major(T.named(x, called=called))
    return T.promote(made, dtype=like._data.dtype) if like._data.itemsize == 2 else made


def _goes_with(own: Any, d: Any) -> bool:
    """Whether weights of the dtype `own` go with inputs of the dtype d: float32 goes with half precision."""
    return own == d or (d.itemsize == 2 and own == F32)


def _trailing(operation: str, input: Any, normalized_shape: Any, *given: Any) -> tuple[int, ...]:  # noqa: A002
    if isinstance(normalized_shape, int):
        raise ArgumentError(explain(operation, "argument 'normalized_shape' must be tuple of ints, not int"))
    shape = tuple(normalized_shape)
    if not shape:
        problem = "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element"
        raise ShapeError(explain(operation, problem))
    for value in given:
        if value is not None and tuple(value.shape) != shape:
            problem = f"Expected weight and bias to be of same shape as normalized_shape, but got {list(value.shape)} and normalized_shape = {list(shape)}"
            raise ShapeError(explain(operation, problem))
    if tuple(input.shape[input.ndim - len(shape) :]) != shape or input.ndim < len(shape):
        problem = f"Given normalized_shape={list(shape)}, expected input with shape [*, {', '.join(map(str, shape))}], but got input of size {list(input.shape)}"
        raise ShapeError(explain(operation, problem))
    return tuple(range(input.ndim - len(shape), input.ndim))


@with_typed_arguments
def layer_norm(
    input: Tensor,  # noqa: A002
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    """input with mean 0 and variance 1 over its last axes, times weight, plus bias.  Raises RuntimeError for shapes that do not fit."""
    _floating("layer_norm", input)
    dim = _trailing("layer_norm", input, normalized_shape, weight, bias)
    return _scaled(
        T.standardise(_wide(input), dim=dim, eps=float(eps)), weight, bias, None, "NativeLayerNormBackward0", input
    )


@with_typed_arguments
def rms_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None) -> Any:  # noqa: A002
    """input divided by the root of its mean square over the last axes, times weight.  eps None: the dtype's epsilon."""
    if not T.is_complex(input):
        _floating("rms_norm", input)
    dim = _trailing("rms_norm", input, normalized_shape, weight)
    small = finfo(input.dtype).eps if eps is None else float(eps)
    x = _wide(input)
    made = T.mul(x, T.rsqrt(T.add(T.mean(T.square(x), dim=dim, keepdim=True), small)))
    made = T.row_major(made if weight is None else T.mul(made, weight))
    return T.promote(made, dtype=input._data.dtype) if input._data.itemsize == 2 else made


@with_typed_arguments
def batch_norm(
    input: Tensor,  # noqa: A002
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """input with mean 0 and variance 1 for every channel (axis 1): of the batch in training, which updates the running statistics, else of those.

    Raises ValueError for one value per channel in training, RuntimeError for statistics or weights of another size.
    """
    _floating("batch_norm", input)
    channels = input.shape[1] if input.ndim > 1 else 0
    if training:
        _check_counts("batch_norm", channels, input)
        if eps <= 0:
            problem = f"batch_norm eps must be positive during training, but got {eps}"
            raise ArgumentValueError(explain("batch_norm", problem))
    given = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, value in given.items():
        if value is not None and (value._data.size != channels or value._data.ndim != 1):
            problem = f"{name} should contain {channels} elements not {value._data.size}"
            raise ShapeError(explain("batch_norm", problem))
        if value is not None and not _goes_with(value._data.dtype, input._data.dtype):
            problem = f"expected scalar type {input.dtype} but found {value.dtype}"
            raise DTypeError(explain("batch_norm", problem, f"Convert {name} with .to(dtype)"))
    if not input._data.size:
        return _nothing_normalised(input, weight, bias)
    if input.ndim < 2:
        raise ShapeError(explain("batch_norm", "expected input with at least 2 dimensions", input=T.type(input)))
    x, dim = _wide(input), (0, *range(2, input.ndim))
    shape = (1, channels, *(1,) * (input.ndim - 2))
    if training:
        if running_mean is not None and running_var is not None:
            _update(x, running_mean, running_var, dim, momentum)
        made = T.standardise(x, dim=dim, eps=float(eps))
        return _scaled(made, weight, bias, shape, "NativeBatchNormBackward0", input)
    if running_mean is None or running_var is None:
        raise ShapeError(
            explain("batch_norm", "Expected running_mean and running_var to be defined when training=False")
        )
    mean, var = (T.reshape(v, shape=shape) for v in (running_mean, running_var))
    made = T.mul(T.sub(x, mean), T.rsqrt(T.add(_wide(var), float(eps))))
    return _scaled(made, weight, bias, shape, "NativeBatchNormBackward0", input)


def _nothing_normalised(x: Any, weight: Any, bias: Any) -> Any:
    """An empty batch, which leaves the running statistics as they are."""
    made = T.clone(x)
    for value, step in ((weight, T.mul), (bias, T.add)):
        if value is not None:
            made = step(made, T.as_dtype(T.reshape(value, shape=(-1, *(1,) * (x.ndim - 2))), x._data.dtype))
    return made


def _check_counts(operation: str, channels: int, input: Any) -> None:  # noqa: A002
    if channels and input._data.size // channels == 1:
        problem = f"Expected more than 1 value per channel when training, got input size {list(input.shape)}"
        raise ArgumentValueError(explain(operation, problem))


def _update(input: Any, running_mean: Any, running_var: Any, dim: tuple[int, ...], momentum: float) -> None:  # noqa: A002
    """Moving averages of mean and unbiased variance, written in place."""
    with no_grad():
        now = input.detach()
        mean, var = T.mean(now, dim=dim, keepdim=False), T.var(now, dim=dim, keepdim=False, correction=1)
        _blend(running_mean, mean, momentum)
        _blend(running_var, var, momentum)


def put_aside(kept: Tensor, value: Tensor) -> bool:
    """Give a running statistic its new value inside of jvp, vmap and their like; False where it has to be written as any other tensor."""
    trace = local.trace
    return trace is not None and not trace.owns(kept) and trace.put_aside(kept, value)


def _blend(kept: Any, new: Any, momentum: float) -> None:
    if local.trace is not None:
        made = T.add(T.mul(_wide(kept.detach()), 1 - momentum), T.mul(new, momentum))
        if put_aside(kept, T.as_dtype(made, kept._data.dtype)):
            return
    if kept._data.itemsize == 2:
        kept.copy_(T.add(T.mul(_wide(kept), 1 - momentum), T.mul(new, momentum)))
    else:
        kept.mul_(1 - momentum).add_(T.as_dtype(new, kept._data.dtype), alpha=momentum)


@with_typed_arguments
def instance_norm(
    input: Tensor,  # noqa: A002
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """input with mean 0 and variance 1 for every channel of every example, or by the running statistics."""
    _floating("instance_norm", input)
    if not use_input_stats:
        return T.named(batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps), called="ViewBackward0")  # fmt: skip
    if size_of(tuple(input.shape[2:])) == 1:
        problem = f"Expected more than 1 spatial element when training, got input size {list(input.shape)}"
        raise ArgumentValueError(explain("instance_norm", problem))
    x, dim = _wide(input), tuple(range(2, input.ndim))
    shape = (1, input.shape[1], *(1,) * (input.ndim - 2))
    if (running_mean is None) != (running_var is None):
        problem = "running_mean and running_var must either both be None or neither be None"
        raise ArgumentValueError(explain("instance_norm", problem))
    for value in (weight, bias):
        if value is not None and tuple(value.shape) != (input.shape[1],):
            problem = (
                f"weight and bias should contain {input.shape[1]} elements, but their shape is {list(value.shape)}"
            )
            raise ShapeError(explain("instance_norm", problem))
    for value in (running_mean, running_var):
        if value is not None and tuple(value.shape) != (input.shape[1],):
            problem = (
                f"running statistics should contain {input.shape[1]} elements, but their shape is {list(value.shape)}"
            )
            raise ShapeError(explain("instance_norm", problem))
    if running_mean is not None and running_var is not None:
        with no_grad():
            now = x.detach()
            mean, var = T.mean(now, dim=dim, keepdim=False), T.var(now, dim=dim, keepdim=False, correction=1)
            _blend(running_mean, T.mean(mean, dim=(0,), keepdim=False), momentum)
            _blend(running_var, T.mean(var, dim=(0,), keepdim=False), momentum)
    return _scaled(T.standardise(x, dim=dim, eps=float(eps)), weight, bias, shape, "ViewBackward0", input)


@with_typed_arguments
def group_norm(
    input: Tensor,  # noqa: A002
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    """input with mean 0 and variance 1 over each of num_groups groups of channels, times weight, plus bias, for every channel."""
    _floating("group_norm", input)
    if input.ndim < 2:
        raise ShapeError(explain("group_norm", f"Expected at least 2 dimensions for input tensor but received {input.ndim}"))  # fmt: skip
    n, c, *rest = input.shape
    if num_groups <= 0 or c % num_groups:
        problem = f"Expected number of channels in input to be divisible by num_groups, but got input of shape {list(input.shape)} and num_groups={num_groups}"
        raise ShapeError(explain("group_norm", problem))
    if n * (c // num_groups) * size_of(tuple(rest)) == 1:
        problem = f"Expected more than 1 value per channel when training, got input size {list(input.shape)}"
        raise ArgumentValueError(explain("group_norm", problem))
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and tuple(value.shape) != (c,):
            problem = f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of shape {list(value.shape)} and input of shape {list(input.shape)}"
            raise ShapeError(explain("group_norm", problem))
    x = T.reshape(_wide(input), shape=(n, num_groups, c // num_groups * size_of(tuple(rest))))
    x = T.reshape(T.standardise(x, dim=(2,), eps=float(eps)), shape=tuple(input.shape))
    return _scaled(x, weight, bias, (1, c, *(1,) * len(rest)), "NativeGroupNormBackward0", input)


@with_typed_arguments
def local_response_norm(
    input: Tensor,  # noqa: A002
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
) -> Any:
    """input / (k + alpha * mean of squares over `size` neighbouring channels) ** beta."""
    check_tensors("local_response_norm", input=input)
    if input.ndim < 3:
        problem = f"Expected 3D or higher dimensionality input (got {input.ndim} dimensions)"
        raise ArgumentValueError(explain("local_response_norm", problem))
    if not input._data.size:
        return input
    if size <= 0:
        raise ShapeError(explain("local_response_norm", "kernel size should be greater than zero", size=size))
    not_for("avg_pool2d", T.type(input), "bc")
    channels = input.shape[1]
    squares = T.transpose(T.square(input), dim0=1, dim1=input.ndim - 1)
    sums = T.sum_pool(squares, kernel=(size,), stride=(1,), padding=(size // 2,), sizes=(channels,))
    means = T.div(T.transpose(sums, dim0=1, dim1=input.ndim - 1), float(size))
    return T.div(input, T.pow(T.add(T.mul(means, float(alpha)), float(k)), float(beta)))


@with_typed_arguments
def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None) -> Any:  # noqa: A002
    """input divided by its p-norm along dim, or by eps where that is larger."""
    length = input.norm(p, dim, keepdim=True).clamp_min(eps).expand_as(input)  # type: ignore[attr-defined]
    made = T.div(input, length)
    return made if out is None else out.copy_(made)


@with_typed_arguments
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Any:
    """The products of x1 and x2 over dim, divided by their lengths, each at least eps."""
    check_tensors("cosine_similarity", x1=x1, x2=x2)
    x1, x2 = (v if T.is_floating(v) or not T.is_floating(w) else T.as_dtype(v, w._data.dtype) for v, w in ((x1, x2), (x2, x1)))  # fmt: skip
    if x1._data.dtype.kind not in "fV" or x2._data.dtype.kind not in "fV":
        problem = "expected common dtype to be floating point, yet common dtype is Long"
        raise ShapeError(explain("cosine_similarity", problem))
    shape = broadcast("cosine_similarity", tuple(x1.shape), tuple(x2.shape))
    a, b = x1.expand(shape), x2.expand(shape)  # type: ignore[attr-defined]
    if not eps >= 0:
        raise ShapeError(explain("cosine_similarity", f"eps must be non-negative, got: {eps}"))
    axis = (one_axis("cosine_similarity", a.ndim or 1, dim),)[: a.ndim]
    lengths = [T.linalg_vector_norm(v, ord=2.0, dim=axis, keepdim=True) for v in (a, b)]
    scaled = [T.div(v, T.clamp_min(n, min=eps, max=None)) for v, n in zip((a, b), lengths, strict=True)]
    return T.sum(T.mul(*scaled), dim=axis, keepdim=False)


@with_typed_arguments
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """The p-norm of x1 - x2 + eps along the last axis."""
    check_tensors("pairwise_distance", x1=x1, x2=x2)
    difference: Any = T.add(T.sub(x1, x2), float(eps))
    return T.named(difference.norm(p, -1, keepdim), called="NormBackward1")


@with_typed_arguments
def pdist(input: Tensor, p: float = 2.0) -> Any:  # noqa: A002
    """The p-norms between all rows of a matrix: those of rows (0, 1), (0, 2), ..., (1, 2), ..."""
    check_tensors("pdist", input=input)
    if input.ndim != 2:
        raise ShapeError(explain("pdist", f"pdist only supports 2D tensors, got: {input.ndim}D"))
    if p < 0:
        raise ShapeError(explain("pdist", "pdist only supports non-negative p values"))
    if T.is_complex(input):
        raise ShapeError(explain("pdist", "pdist only supports floating-point dtypes", input=input))
    if p in (1, 2) and input.shape[1] and T.is_floating(input):
        return T.pair_distances(input, ord=float(p))
    difference: Any = T.pair_differences(input)
    return T.named(difference.norm(p, -1), called="PdistBackward0")


__all__ = [
    "batch_norm",
    "cosine_similarity",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "normalize",
    "pairwise_distance",
    "pdist",
    "rms_norm",
]
