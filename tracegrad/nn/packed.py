"""Sequences of different lengths in one tensor: packed time by time, or padded.  torch.nn.utils.rnn has these names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tracegrad.dtypes import I64
from tracegrad.eager.creation import as_tensor, tensor
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, DataError, ShapeError, explain
from tracegrad.ir.types import size_of


class PackedSequence_(NamedTuple):  # noqa: N801  (torch's name)
    """The elements of all sequences time by time, how many sequences there are at each time, and the order of the sequences."""

    data: Any
    batch_sizes: Any
    sorted_indices: Any
    unsorted_indices: Any


class PackedSequence(PackedSequence_):
    """Sequences of different lengths, the longest first, packed time by time; made by pack_padded_sequence and pack_sequence."""

    def __new__(
        cls, data: Any, batch_sizes: Any = None, sorted_indices: Any = None, unsorted_indices: Any = None
    ) -> PackedSequence:
        """The parts; unsorted_indices undo sorted_indices and are found if not given."""
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            data, batch_sizes = data
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same with data.to(...)."""
        return self._with(self.data.to(*args, **kwargs))

    def _with(self, data: Any) -> PackedSequence:
        if data is self.data:
            return self
        return type(self)(data, self.batch_sizes, self.sorted_indices, self.unsorted_indices)

    def cpu(self) -> PackedSequence:
        """The sequences themselves: they are on the CPU."""
        return self

    def double(self) -> PackedSequence:
        """As float64."""
        return self._with(self.data.double())

    def float(self) -> PackedSequence:
        """As float32."""
        return self._with(self.data.float())

    def half(self) -> PackedSequence:
        """As float16."""
        return self._with(self.data.half())

    def long(self) -> PackedSequence:
        """As int64."""
        return self._with(self.data.long())

    def int(self) -> PackedSequence:
        """As int32."""
        return self._with(self.data.int())

    def short(self) -> PackedSequence:
        """As int16."""
        return self._with(self.data.short())

    def char(self) -> PackedSequence:
        """As int8."""
        return self._with(self.data.char())

    def byte(self) -> PackedSequence:
        """As uint8."""
        return self._with(self.data.byte())

    @property
    def is_cuda(self) -> bool:
        """False."""
        return False

    def is_pinned(self) -> bool:
        """False."""
        return False

    def pin_memory(self) -> PackedSequence:
        """The sequences themselves."""
        return self


def invert_permutation(permutation: Any) -> Any:
    """The positions that undo a permutation; None for None."""
    return None if permutation is None else tensor(np.argsort(permutation.numpy()))


def _positions(values: Any) -> Any:
    flat = np.asarray(values, np.int64).reshape(-1)
    return T.literal(values=tuple(flat.tolist()), shape=(flat.size,), dtype=I64)


def pack_padded_sequence(
    input: Tensor,  # noqa: A002
    lengths: Any,
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """The first lengths[i] elements of each sequence i.  Shape: (l, n, *f), or (n, l, *f) with batch_first.

    Raises RuntimeError for lengths that are not positive, too long, too many or, with enforce_sorted, not sorted.
    """
    counts = np.asarray(as_tensor(lengths).tolist()).astype(np.int64).reshape(-1)
    order = None if enforce_sorted else np.argsort(-counts, kind="stable")
    x: Any = T.transpose(input, dim0=0, dim1=1) if batch_first else input
    if len(counts) != x.shape[1]:
        problem = f"Expected `len(lengths)` to be equal to batch_size, but got {len(counts)} (batch_size={x.shape[1]})"
        raise ShapeError(explain("pack_padded_sequence", problem))
    if counts.min(initial=1) <= 0:
        problem = "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        raise DataError(explain("pack_padded_sequence", problem))
    if order is None and (np.diff(counts) > 0).any():
        problem = "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True"
        raise DataError(explain("pack_padded_sequence", problem, "Pass enforce_sorted=False"))
    own = counts if order is None else counts[order]
    sizes = [int((own > t).sum()) for t in range(int(own[0]))]
    if len(sizes) > x.shape[0]:
        problem = f"Expected sequences of at most {x.shape[0]} elements, but found a length of {len(sizes)}"
        raise ShapeError(explain("pack_padded_sequence", problem))
    columns = np.arange(len(own)) if order is None else order
    places = np.concatenate([t * len(own) + columns[:size] for t, size in enumerate(sizes)])
    flat = T.reshape(x, shape=(size_of(tuple(x.shape[:2])), *x.shape[2:]))
    data = T.named(T.index_select(flat, _positions(places), dim=0), called="PackPaddedSequenceBackward0")
    indices = None if order is None else tensor(order.astype(np.int64))
    return PackedSequence(data, tensor(np.array(sizes, np.int64)), indices, None)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Any, Any]:
    """The sequences in their first order, padded to one length, and their lengths.  Raises ValueError for a total_length below the longest."""
    sizes = sequence.batch_sizes.tolist()
    longest, count = len(sizes), sizes[0]
    if total_length is not None and total_length < longest:
        problem = f"Expected total_length to be at least the length of the longest sequence in input, but got total_length={total_length} and max sequence length being {longest}"
        raise ArgumentValueError(explain("pad_packed_sequence", problem))
    data = sequence.data
    places = np.full((longest if total_length is None else total_length, count), data.shape[0])
    start = 0
    for t, size in enumerate(sizes):
        places[t, :size] = np.arange(start, start + size)
        start += size
    lengths: Any = tensor(np.array([sum(size > i for size in sizes) for i in range(count)], np.int64))
    filler = T.full(shape=(1, *data.shape[1:]), value=padding_value, dtype=data._data.dtype)
    made = T.index_select(T.cat(data, filler, dim=0), _positions(places), dim=0)
    made = T.named(T.reshape(made, shape=(*places.shape, *data.shape[1:])), called="CopySlices")
    if batch_first:
        made = T.transpose(made, dim0=0, dim1=1)
    if sequence.unsorted_indices is not None:
        made = T.index_select(made, sequence.unsorted_indices, dim=0 if batch_first else 1)
        lengths = T.index_select(lengths, sequence.unsorted_indices, dim=0)
    return made, lengths


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Any:
    """Tensors of different lengths, padded to the longest and stacked.  Shapes: (l_i, *f) each -> (l, n, *f), or (n, l, *f) with batch_first."""
    if not isinstance(sequences, (Iterable, Tensor)):
        problem = f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        raise ShapeError(explain("pad_sequence", problem))
    listed = list(sequences.unbind(0) if isinstance(sequences, Tensor) else sequences)
    if not listed:
        raise ShapeError(explain("pad_sequence", "received an empty list of sequences"))
    if padding_side not in ("left", "right"):
        problem = f"Expected padding_side to be one of left or right, but got {padding_side}."
        raise ShapeError(explain("pad_sequence", problem))
    longest, rest = max(x.shape[0] for x in listed), tuple(listed[0].shape[1:])
    padded = []
    for x in listed:
        if tuple(x.shape[1:]) != rest:
            problem = "The sizes of the tensors must match except in their first axis"
            raise ShapeError(explain("pad_sequence", problem, first=list(listed[0].shape), other=list(x.shape)))
        if x.shape[0] < longest:
            filler = T.full(shape=(longest - x.shape[0], *rest), value=padding_value, dtype=x._data.dtype)
            x = T.cat(*((x, filler) if padding_side == "right" else (filler, x)), dim=0)  # noqa: PLW2901
        padded.append(x)
    return T.named(T.stack(*padded, dim=0 if batch_first else 1), called="CopySlices")


def unpad_sequence(padded_sequences: Tensor, lengths: Any, batch_first: bool = False) -> list[Any]:
    """The sequences of a padded tensor without their padding."""
    x: Any = padded_sequences if batch_first else T.transpose(padded_sequences, dim0=0, dim1=1)
    rows = zip(x.unbind(0), as_tensor(lengths).tolist(), strict=True)
    return [T.named(row[: int(n)], called="IndexBackward0") for row, n in rows]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Tensors of different lengths, packed."""
    lengths = [x.shape[0] for x in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Any]:
    """The tensors that pack_sequence was given."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]
