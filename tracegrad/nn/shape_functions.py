"""Functions of torch.nn.functional that move elements: padding, windows as columns, shuffles of channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.dtypes import I64
from tracegrad.eager.argument_types import with_typed_arguments
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, NotSupportedError, ShapeError, explain
from tracegrad.ir.types import size_of
from tracegrad.nn.conv_functions import check_tensors, tuple_of
from tracegrad.ops.checks import not_for
from tracegrad.ops.masks import number_of
from tracegrad.ops.pools import padded

_MODES = {"reflect": "ReflectionPad", "replicate": "ReplicationPad", "circular": ""}


@with_typed_arguments
def pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Any:  # noqa: A002
    """input with elements in front of and behind its last axes; `pad` lists (front, behind) from the last axis on, negative to cut.

    mode: "constant" (value, 0 by default), "reflect", "replicate" or "circular".  Raises RuntimeError for sizes that do not fit, NotImplementedError for other modes.
    """
    check_tensors("pad", input=input)
    if len(pad) % 2:
        raise ShapeError(explain("pad", "Padding length must be divisible by 2", pad=tuple(pad)))
    if len(pad) // 2 > input.ndim:
        problem = f"Padding length should be less than or equal to two times the input dimension but got padding length {len(pad)} and input of dimension {input.ndim}"
        raise ShapeError(explain("pad", problem))
    if any(isinstance(n, float) for n in pad):
        raise ArgumentError(explain("pad", f"argument 'pad' must be tuple of ints, got {tuple(pad)}"))
    amounts = [(int(pad[2 * i]), int(pad[2 * i + 1])) for i in range(len(pad) // 2)]
    if mode == "constant":
        if input._data.dtype.kind in "iu" and value:
            value = number_of(input._data.dtype, float(value))
        return _constant(input, amounts, 0 if value is None else value)
    if value is not None and value != 0:
        raise ShapeError(explain("pad", f'Padding mode "{mode}" doesn\'t take in value argument'))
    if mode not in _MODES or not 1 <= len(amounts) <= 3 or input.ndim not in (len(amounts) + 1, len(amounts) + 2):
        problem = "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now"
        raise NotSupportedError(explain("pad", problem if mode in _MODES else f"Unrecognised padding mode {mode}"))
    if mode != "circular":
        not_for("pad", T.type(input), "b")
        if 0 in input.shape[-len(amounts) - 1 :]:
            problem = "Expected a tensor with possibly 0 batch size and other non-zero dimensions for input"
            raise ShapeError(explain("pad", problem, input=T.type(input)))
    return _repeated(input, amounts, mode)


def _constant(input: Any, amounts: list[tuple[int, int]], value: Any) -> Any:  # noqa: A002
    x = input
    for i, (front, behind) in enumerate(amounts):
        axis = x.ndim - 1 - i
        size = x.shape[axis]
        if size + front + behind < 0:
            problem = f"The input size {size}, plus negative padding {front} and {behind} resulted in a negative output size, which is invalid"
            raise ShapeError(explain("pad", problem))
        if front < 0 or behind < 0:
            start, stop = max(-front, 0), size + min(behind, 0)
            x = T.slice(x, dim=axis, start=start, stop=max(stop, start), step=1)
        x = padded(T, x, axis, max(front, 0), x.shape[axis] + max(front, 0) + max(behind, 0), value)
    return T.named(T.clone(input) if x is input else x, called="ConstantPadNdBackward0")


def _repeated(input: Any, amounts: list[tuple[int, int]], mode: str) -> Any:  # noqa: A002
    x = input
    for i, (front, behind) in enumerate(amounts):
        axis = x.ndim - 1 - i
        size = x.shape[axis]
        if mode == "circular" and min(front, behind) < 0:  # torch cuts first: what is cut off is not repeated
            start, size = max(-front, 0), size + min(front, 0) + min(behind, 0)
            x = T.slice(x, dim=axis, start=start, stop=start + max(size, 0), step=1)
            front, behind = max(front, 0), max(behind, 0)
        limit = {"reflect": size - 1, "circular": size, "replicate": max(front, behind, 0)}[mode]
        if max(front, behind) > limit:
            problem = f"Padding size should be less than the corresponding input dimension, but got: padding ({front}, {behind}) at dimension {axis} of input {list(x.shape)}"
            raise ShapeError(explain("pad", problem))
        at = np.arange(-front, size + behind)
        if mode == "reflect":
            at = np.where(at < 0, -at, np.where(at >= size, 2 * (size - 1) - at, at))
        else:
            at = at % size if mode == "circular" else np.clip(at, 0, size - 1)
        if len(at) < 1:
            raise ShapeError(explain("pad", "the output is too small", input=T.type(x)))
        x = T.index_select(x, T.literal(values=tuple(at.tolist()), shape=(len(at),), dtype=I64), dim=axis)
    kind = _MODES[mode]
    return T.named(x, called=f"{kind}{len(amounts)}DBackward0" if kind else "CopySlices")


@with_typed_arguments
def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:  # noqa: A002
    """The windows of images as columns.  Shape: (n, c, h, w) -> (n, c * prod(kernel_size), number of windows); without n too."""
    check_tensors("unfold", input=input)
    not_for("im2col", T.type(input), "iu")
    kernel, w, p, t = _windows(kernel_size, dilation, padding, stride)
    if input.ndim not in (3, 4) or 0 in input.shape[-3:]:
        problem = f"Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, but got: {list(input.shape)}"
        raise ShapeError(explain("unfold", problem))
    x = input if input.ndim == 4 else T.unsqueeze(input, dim=0)
    n, c, *own = x.shape
    for i in range(2):
        x = padded(T, x, 2 + i, p[i], own[i] + 2 * p[i], 0)
    for i in range(2):
        reach = w[i] * (kernel[i] - 1) + 1
        if x.shape[2 + i] < reach:
            problem = f"Given input with spatial size ({own[0]}, {own[1]}), kernel_size={kernel}, dilation={w}, padding={p}, calculated shape of the array of sliding blocks is too small"
            raise ShapeError(explain("unfold", problem))
        if i:  # the images' rows stay last among the axes of images, so that whole rows are added in the derivative
            x = T.permute(x, dims=(0, 1, 4, 2, 3))
        x = T.unfold(x, dim=2 + 2 * i, length=reach, step=t[i])
        if w[i] > 1:
            x = T.slice(x, dim=x.ndim - 1, start=0, stop=reach, step=w[i])
    count = x.shape[3] * x.shape[4]
    x = T.reshape(T.permute(x, dims=(0, 1, 2, 5, 3, 4)), shape=(n, c * size_of(kernel), count))
    return T.named(x if input.ndim == 4 else T.squeeze(x, dim=0), called="Im2ColBackward0")


@with_typed_arguments
def fold(
    input: Tensor,  # noqa: A002
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Any:
    """Columns added at the places of their windows: the transpose of unfold.  Shape: (n, c * prod(kernel_size), windows) -> (n, c, *output_size)."""
    check_tensors("fold", input=input)
    kernel, w, p, t = _windows(kernel_size, dilation, padding, stride)
    sizes = tuple_of("fold", "output_size", output_size, 2)
    x = input if input.ndim == 3 else T.unsqueeze(input, dim=0)
    if x.ndim != 3 or x.shape[1] % size_of(kernel):
        problem = f"Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input of sizes {list(input.shape)} and kernel_size={kernel}"
        raise ShapeError(explain("fold", problem))
    reach = tuple(a * (k - 1) + 1 for a, k in zip(w, kernel, strict=True))
    counts = tuple((s + 2 * q - r) // u + 1 for s, q, r, u in zip(sizes, p, reach, t, strict=True))
    if min(counts) < 1 or counts[0] * counts[1] != x.shape[2]:
        problem = f"Given output_size={sizes}, kernel_size={kernel}, expected size of input's dimension 2 to match the calculated number of sliding blocks {counts[0]} * {counts[1]} = {counts[0] * counts[1]}, but got {x.shape[2]}"
        raise ShapeError(explain("fold", problem))
    n, c = x.shape[0], x.shape[1] // size_of(kernel)
    x = T.permute(T.reshape(x, shape=(n, c, *kernel, *counts)), dims=(0, 1, 2, 4, 5, 3))
    for i, dim in ((1, 4), (0, 2)):
        if not i:
            x = T.permute(x, dims=(0, 1, 3, 4, 2))
        shape = tuple(x.shape)
        if w[i] > 1:
            x = T.place(x, shape=(*shape[:-1], reach[i]), dim=len(shape) - 1, starts=(0,), steps=(w[i],))
        total = sizes[i] + 2 * p[i]
        x = T.put_unfolded(x, shape=(*shape[:dim], total, *shape[dim + 1 : -1]), dim=dim, length=reach[i], step=t[i])
        if p[i]:
            x = T.slice(x, dim=dim, start=p[i], stop=total - p[i], step=1)
    x = T.clone(x) if p[0] or p[1] else x
    return T.named(x if input.ndim == 3 else T.squeeze(x, dim=0), called="Col2ImBackward0")


def _windows(kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> list[tuple[int, ...]]:
    given = {"kernel_size": kernel_size, "dilation": dilation, "padding": padding, "stride": stride}
    for name, value in given.items():
        if isinstance(value, (tuple, list)) and len(value) != 2:
            problem = f"It is expected {name} equals to 2, but got size {len(value)}"
            raise ShapeError(explain("unfold", problem))
    found = [tuple_of("unfold", name, value, 2) for name, value in given.items()]
    if min((*found[0], *found[1], *found[3])) < 1 or min(found[2]) < 0:
        raise ShapeError(explain("unfold", "kernel size, dilation and stride should be greater than zero", **given))
    return found


@with_typed_arguments
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Any:  # noqa: A002
    """Shape: (*p, c * r * r, h, w) -> (*p, c, h * r, w * r) for r = upscale_factor."""
    check_tensors("pixel_shuffle", input=input)
    r = upscale_factor
    if input.ndim < 3:
        problem = (
            f"pixel_shuffle expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)"
        )
        raise ShapeError(explain("pixel_shuffle", problem))
    if r <= 0:
        raise ShapeError(explain("pixel_shuffle", f"pixel_shuffle expects a positive upscale_factor, but got {r}"))
    *lead, c, h, w = input.shape
    if c % (r * r):
        problem = f"pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but input.size(-3)={c} is not divisible by {r * r}"
        raise ShapeError(explain("pixel_shuffle", problem))
    x = T.reshape(input, shape=(*lead, c // (r * r), r, r, h, w))
    k = len(lead)
    x = T.permute(x, dims=(*range(k + 1), k + 3, k + 1, k + 4, k + 2))
    return T.named(T.reshape(x, shape=(*lead, c // (r * r), h * r, w * r)), called="PixelShuffleBackward0")


@with_typed_arguments
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Any:  # noqa: A002
    """Shape: (*p, c, h * r, w * r) -> (*p, c * r * r, h, w) for r = downscale_factor."""
    check_tensors("pixel_unshuffle", input=input)
    r = downscale_factor
    if input.ndim < 3:
        problem = (
            f"pixel_unshuffle expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)"
        )
        raise ShapeError(explain("pixel_unshuffle", problem))
    if r <= 0:
        raise ShapeError(
            explain("pixel_unshuffle", f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
        )
    *lead, c, h, w = input.shape
    if h % r or w % r:
        problem = f"pixel_unshuffle expects height and width to be divisible by downscale_factor, but got {h} and {w}"
        raise ShapeError(explain("pixel_unshuffle", problem))
    x = T.reshape(input, shape=(*lead, c, h // r, r, w // r, r))
    k = len(lead)
    x = T.permute(x, dims=(*range(k + 1), k + 2, k + 4, k + 1, k + 3))
    return T.named(T.reshape(x, shape=(*lead, c * r * r, h // r, w // r)), called="PixelUnshuffleBackward0")


@with_typed_arguments
def channel_shuffle(input: Tensor, groups: int) -> Any:  # noqa: A002
    """Channels of `groups` groups taken in turn.  Shape: (n, c, *s) -> (n, c, *s)."""
    check_tensors("channel_shuffle", input=input)
    if input.ndim < 3:
        problem = f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(input.shape)}"
        raise ShapeError(explain("channel_shuffle", problem))
    n, c, *rest = input.shape
    if groups <= 0 or c % groups:
        raise ShapeError(explain("channel_shuffle", "Number of channels must be divisible by groups", channels=c))
    x = T.transpose(T.reshape(input, shape=(n, groups, c // groups, *rest)), dim0=1, dim1=2)
    return T.named(T.reshape(x, shape=tuple(input.shape)), called="ChannelShuffleBackward0")


__all__ = ["channel_shuffle", "fold", "pad", "pixel_shuffle", "pixel_unshuffle", "unfold"]
