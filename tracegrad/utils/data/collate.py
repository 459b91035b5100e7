"""How a DataLoader puts the items of a batch together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.eager import creation
from tracegrad.eager.generate import exported_function
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, DataError, explain

stack = exported_function("stack")


def default_collate(batch: Any) -> Any:
    """A list of items as one: tensors and arrays are stacked, numbers become a tensor, containers are collated by position or key.

    Strings and bytes stay a list.  Python floats give float64.  Raises TypeError for items of another kind, RuntimeError for sequences of unequal lengths.
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch))
    if isinstance(first, np.ndarray) and first.dtype.kind not in "SUO":
        return stack([creation.as_tensor(item) for item in batch])
    if isinstance(first, np.generic) and first.dtype.kind not in "SUO":
        return creation.as_tensor(np.array(batch))
    if isinstance(first, float):
        return creation.tensor(batch, dtype=dtypes.float64)
    if isinstance(first, int):
        return creation.tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    return _collated_container(first, batch)


def _collated_container(first: Any, batch: Any) -> Any:
    kind: Any = type(first)
    if isinstance(first, Mapping):
        return _like(kind, {key: default_collate([item[key] for item in batch]) for key in first})
    if not isinstance(first, Sequence):
        problem = f"batch must contain tensors, numpy arrays, numbers, dicts or lists; found {kind}"
        raise ArgumentError(explain("default_collate", problem))
    if any(len(item) != len(first) for item in batch):
        raise DataError(explain("default_collate", "each element in list of batch should be of equal size"))
    columns = list(zip(*batch, strict=True))
    if isinstance(first, tuple):
        collated = [default_collate(column) for column in columns]
        return kind(*collated) if hasattr(first, "_fields") else collated  # a plain tuple becomes a list, as in torch
    return _like(kind, [default_collate(column) for column in columns])


def default_convert(data: Any) -> Any:
    """One item with its NumPy arrays as tensors; everything else stays as it is."""
    if isinstance(data, (np.ndarray, np.generic)) and data.dtype.kind not in "SUO":
        return creation.as_tensor(data)
    kind: Any = type(data)
    if isinstance(data, Mapping):
        return _like(kind, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple):
        converted = [default_convert(item) for item in data]
        return kind(*converted) if hasattr(data, "_fields") else converted
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _like(kind, [default_convert(item) for item in data])
    return data


def _like(kind: Any, made: Any) -> Any:
    """`made` as a container of this class where its constructor takes it."""
    try:
        return kind(made)
    except TypeError:
        return made
