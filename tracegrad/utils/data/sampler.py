"""Samplers: the positions of a dataset in the order in which they are asked for."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from tracegrad import dtypes
from tracegrad.eager import creation
from tracegrad.errors import ArgumentError, ArgumentValueError, explain

Item = TypeVar("Item", covariant=True)


class Sampler(Generic[Item]):
    """Positions of a dataset in the order in which they are asked for: a subclass defines `__iter__` and `__len__`."""

    def __iter__(self) -> Iterator[Item]:
        raise NotImplementedError


class SequentialSampler(Sampler[int]):
    """0, 1, 2, ..."""

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """A new random order at every iteration; with replacement=True every position is drawn for itself.

    Raises ValueError unless num_samples is a positive integer, TypeError unless replacement is a bool.
    """

    def __init__(
        self, data_source: Any, replacement: bool = False, num_samples: int | None = None, generator: Any = None
    ) -> None:
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = num_samples
        if not isinstance(replacement, bool):
            raise ArgumentError(explain("RandomSampler", f"replacement should be a bool, got {replacement!r}"))
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ArgumentValueError(
                explain("RandomSampler", "num_samples should be a positive integer value", num_samples=self.num_samples)
            )

    @property
    def num_samples(self) -> int:
        """How many positions one iteration gives; the length of the data unless it was set."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        count, wanted = len(self.data_source), self.num_samples
        if self.replacement:
            yield from creation.randint(0, count, (wanted,), generator=self.generator).tolist()
            return
        for start in range(0, wanted, count):
            yield from creation.randperm(count, generator=self.generator).tolist()[: wanted - start]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given positions in a new random order at every iteration."""

    def __init__(self, indices: Sequence[int], generator: Any = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        for i in creation.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Positions drawn with the given weights, which need not add up to 1."""

    def __init__(self, weights: Any, num_samples: int, replacement: bool = True, generator: Any = None) -> None:
        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            raise ArgumentValueError(
                explain("WeightedRandomSampler", f"num_samples should be a positive integer value, got {num_samples!r}")
            )
        self.weights = np.asarray([float(w) for w in weights], np.float64)
        if self.weights.ndim != 1 or (self.weights < 0).any() or not self.weights.sum() > 0:
            raise ArgumentValueError(explain("WeightedRandomSampler", "weights must be >= 0 and not all 0"))
        if not replacement and num_samples > np.count_nonzero(self.weights):
            raise ArgumentValueError(
                explain("WeightedRandomSampler", "cannot draw so many without replacement", num_samples=num_samples)
            )
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        drawn = creation.rand(
            self.num_samples if self.replacement else len(self.weights), dtype=dtypes.float64, generator=self.generator
        )._data
        if self.replacement:
            sums = np.cumsum(self.weights)
            return iter(np.searchsorted(sums, drawn * sums[-1], side="right").tolist())
        keys = np.log(np.maximum(drawn, 1e-300)) / np.maximum(self.weights, 1e-300)  # the largest keys win
        return iter(np.argsort(-keys, kind="stable")[: self.num_samples].tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of batch_size positions of another sampler; the last one may be shorter, or is left out with drop_last."""

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ArgumentValueError(
                explain(
                    "BatchSampler", f"batch_size should be a positive integer value, but got batch_size={batch_size}"
                )
            )
        if not isinstance(drop_last, bool):
            raise ArgumentValueError(explain("BatchSampler", f"drop_last should be a boolean value, got {drop_last!r}"))
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        return groups_of(iter(self.sampler), self.batch_size, self.drop_last)

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


def groups_of(items: Iterator[Any], size: int, drop_last: bool) -> Iterator[list[Any]]:
    """Lists of `size` items in a row; the last one may be shorter, or is left out with drop_last."""
    while group := list(itertools.islice(items, size)):
        if len(group) == size or not drop_last:
            yield group
