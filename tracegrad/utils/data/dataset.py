"""Datasets: items by position, or one after the other."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from tracegrad.eager import creation, generator
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, IndexingError, explain

Item = TypeVar("Item", covariant=True)


class Dataset(Generic[Item]):
    """Items by position: a subclass defines `__getitem__` and, for most samplers, `__len__`.  `a + b` is a ConcatDataset."""

    def __getitem__(self, index: Any) -> Item:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Any) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[Item]):
    """Items one after the other: a subclass defines `__iter__`."""

    def __iter__(self) -> Iterator[Item]:
        raise NotImplementedError("Subclasses of IterableDataset should implement __iter__.")


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Item i is the tuple of row i of every tensor.  Raises AssertionError when the tensors differ in their first size."""

    def __init__(self, *tensors: Tensor) -> None:
        if any(tensors[0].shape[0] != t.shape[0] for t in tensors):
            raise AssertionError(explain("TensorDataset", "Size mismatch between tensors",
                                         first_sizes=[t.shape[0] for t in tensors]))  # fmt: skip
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)  # type: ignore[index]

    def __len__(self) -> int:
        return int(self.tensors[0].shape[0])


class StackDataset(Dataset[Any]):
    """Item i is the tuple (or, of keyword arguments, the dict) of item i of every dataset."""

    def __init__(self, *datasets: Any, **named: Any) -> None:
        if bool(datasets) == bool(named):
            problem = "give either datasets or named datasets" if datasets else "At least one dataset should be passed"
            raise ArgumentValueError(explain("StackDataset", problem))
        self.datasets: Any = named or datasets
        self._length = len(next(iter(named.values())) if named else datasets[0])
        if any(len(one) != self._length for one in (named.values() if named else datasets)):
            raise ArgumentValueError(explain("StackDataset", "Size mismatch between datasets"))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: one[index] for name, one in self.datasets.items()}
        return tuple(one[index] for one in self.datasets)

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[Any]):
    """The items of several datasets in a row."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError(explain("ConcatDataset", "datasets should not be an empty iterable"))
        if any(isinstance(one, IterableDataset) for one in self.datasets):
            raise AssertionError(explain("ConcatDataset", "does not support IterableDataset"))
        self.cumulative_sizes = list(itertools.accumulate(len(one) for one in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if index < -len(self):
            problem = "absolute value of index should not exceed dataset length"
            raise ArgumentValueError(explain("ConcatDataset", problem, index=index, length=len(self)))
        if index >= len(self):
            raise IndexingError(explain("ConcatDataset", "index out of range", index=index, length=len(self)))
        position = index % len(self)
        which = bisect.bisect_right(self.cumulative_sizes, position)
        return self.datasets[which][position - (self.cumulative_sizes[which - 1] if which else 0)]


class Subset(Dataset[Any]):
    """The items of a dataset at some positions."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Any, lengths: Sequence[float], generator: Any = generator.default_generator) -> list[Subset]:
    """Subsets of the given lengths, or of the given fractions that add up to 1, of the items in random order.

    Raises ValueError when the lengths do not add up to that of the dataset.
    """
    count = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        if not all(0 <= part <= 1 for part in lengths):
            raise ArgumentValueError(explain("random_split", "fractions must lie between 0 and 1", lengths=lengths))
        sizes = [math.floor(count * part) for part in lengths]
        for i in range(count - sum(sizes)):
            sizes[i % len(sizes)] += 1
    else:
        sizes = [int(length) for length in lengths]
    if sum(sizes) != count:
        raise ArgumentValueError(
            explain(
                "random_split", "Sum of input lengths does not equal the length of the input dataset!", length=count
            )
        )
    order = creation.randperm(count, generator=generator).tolist()
    ends = list(itertools.accumulate(sizes))
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]
