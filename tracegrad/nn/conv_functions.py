"""The convolutions of torch.nn.functional."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracegrad.eager.argument_types import refuse_flag
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ShapeError, explain
from tracegrad.ops.convolutions import check_convolution


def tuple_of(operation: str, name: str, value: Any, count: int) -> tuple[int, ...]:
    """One number for every axis, or as many numbers as there are axes.  Raises TypeError for other values, RuntimeError for another count."""
    if isinstance(value, bool) or not isinstance(value, (int, tuple, list)):
        problem = f"argument {name!r} must be tuple of ints, but found {type(value).__name__}"
        raise ArgumentError(explain(operation, problem))
    if isinstance(value, int):
        return (value,) * count
    if any(not hasattr(v, "__index__") for v in value):
        raise ArgumentError(explain(operation, f"argument {name!r} must be tuple of ints, got {value}"))
    found = tuple(int(v) for v in value)
    if len(found) not in (1, count):
        problem = f"expected {name} to be a single integer value or a list of {count} values to match the convolution dimensions, but got {name}={list(found)}"
        raise ShapeError(explain(operation, problem))
    return found * count if len(found) == 1 else found


def tuples_of(operation: str, count: int, **values: Any) -> list[tuple[int, ...]]:
    """tuple_of for several arguments, by their names."""
    return [tuple_of(operation, name, value, count) for name, value in values.items()]


def check_tensors(operation: str, **values: Any) -> None:
    """Raise TypeError for an argument that is no Tensor."""
    for name, value in values.items():
        if not isinstance(value, Tensor):
            problem = f"argument {name!r} must be Tensor, not {type(value).__name__}"
            raise ArgumentError(explain(operation, problem))


def check_flags(operation: str, **flags: Any) -> None:
    """Raise TypeError for a flag that is neither True nor False."""
    for name, value in flags.items():
        if value is not False and value is not True:
            refuse_flag(operation, name, value)


def _with_batch(operation: str, input: Any, weight: Any, d: int) -> tuple[Any, bool]:  # noqa: A002
    check_tensors(operation, input=input, weight=weight)
    if weight.ndim != d + 2:
        problem = f"Expected {d + 2}-dimensional weight, but got {weight.ndim}-dimensional weight of size {list(weight.shape)}"
        raise ShapeError(explain(operation, problem))
    if input.ndim not in (d + 1, d + 2):
        problem = f"Expected {d + 1}D (unbatched) or {d + 2}D (batched) input to {operation}, but got input of size: {list(input.shape)}"
        raise ShapeError(explain(operation, problem))
    return (input, True) if input.ndim == d + 2 else (T.unsqueeze(input, dim=0), False)


def _same_padding(operation: str, input: Any, kernel: Any, stride: Any, dilation: Any, word: str) -> Any:
    """The input padded by what padding='same' adds on one side only, and the padding of both sides."""
    if word == "valid":
        return input, (0,) * len(kernel)
    if word != "same":
        problem = f"Invalid padding string: {word!r}"
        raise ShapeError(explain(operation, problem, "Use 'valid' or 'same'"))
    if any(s != 1 for s in stride):
        raise ShapeError(explain(operation, "padding='same' is not supported for strided convolutions"))
    padding = []
    for i, (k, d) in enumerate(zip(kernel, dilation, strict=True)):
        total = d * (k - 1)
        padding.append(total // 2)
        if total % 2:
            shape = tuple(input.shape)
            wide = (*shape[: i + 2], shape[i + 2] + 1, *shape[i + 3 :])
            input = T.place(input, shape=wide, dim=i + 2, starts=(0,), steps=(1,))
    return input, tuple(padding)


def _conv(d: int) -> Callable[..., Any]:
    operation = f"conv{d}d"

    def function(
        input: Tensor,  # noqa: A002
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        x, is_batched = _with_batch(operation, input, weight, d)
        strides, dilations = tuple_of(operation, "stride", stride, d), tuple_of(operation, "dilation", dilation, d)
        if isinstance(padding, str):
            x, pads = _same_padding(operation, x, weight.shape[2:], strides, dilations, padding)
        else:
            pads = tuple_of(operation, "padding", padding, d)
        return _convolved(x, weight, bias, is_batched, (strides, pads, dilations, False, (0,) * d, groups))

    function.__name__ = function.__qualname__ = operation
    function.__doc__ = (
        f"input (n, c, *s) convolved with weight (m, c // groups, *k) over {d} axes, plus bias; without the axis n too."
    )
    return function


def _conv_transpose(d: int) -> Callable[..., Any]:
    operation = f"conv_transpose{d}d"

    def function(
        input: Tensor,  # noqa: A002
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Any:
        x, is_batched = _with_batch(operation, input, weight, d)
        given = {"stride": stride, "padding": padding, "dilation": dilation, "output_padding": output_padding}
        strides, pads, dilations, more = tuples_of(operation, d, **given)
        return _convolved(x, weight, bias, is_batched, (strides, pads, dilations, True, more, groups))

    function.__name__ = function.__qualname__ = operation
    function.__doc__ = (
        f"The transposed convolution of input (n, c, *s) with weight (c, m // groups, *k) over {d} axes, plus bias."
    )
    return function


def _convolved(x: Any, weight: Any, bias: Any, is_batched: bool, attrs: tuple[Any, ...]) -> Any:
    types = (T.type(x), T.type(weight), None if bias is None else T.type(bias))
    check_convolution(*types, *attrs)
    names = ("stride", "padding", "dilation", "transposed", "output_padding", "groups")
    chosen = dict(zip(names, attrs, strict=True))
    if x._data.dtype.kind == "c":
        out = _complex_convolution(x, weight, bias, chosen)
    else:
        out = T.convolution(x, weight, bias, **chosen)
    return out if is_batched else T.squeeze(out, dim=0)


def _complex_convolution(x: Any, weight: Any, bias: Any, attrs: dict[str, Any]) -> Any:
    """A convolution of complex values as four of real ones."""
    a, b, v, w = T.real(x), T.imag(x), T.real(weight), T.imag(weight)

    def product(p: Any, q: Any) -> Any:
        return T.convolution(p, q, None, **attrs)

    out = T.complex(T.sub(product(a, v), product(b, w)), T.add(product(a, w), product(b, v)))
    if bias is not None:
        out = T.add(out, T.reshape(bias, shape=(bias.shape[0], *(1,) * (x.ndim - 2))))
    return T.named(out, called="ConvolutionBackward0")


conv1d, conv2d, conv3d = _conv(1), _conv(2), _conv(3)
conv_transpose1d, conv_transpose2d, conv_transpose3d = _conv_transpose(1), _conv_transpose(2), _conv_transpose(3)

__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]
