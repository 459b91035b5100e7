"""torch.utils.data in one process: datasets, samplers, and a DataLoader that makes batches of them."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from tracegrad import dtypes
from tracegrad.eager import creation, generator
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, IndexingError, NotSupportedError, explain
from tracegrad.utils.collate import default_collate, default_convert

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
        return _groups(iter(self.sampler), self.batch_size, self.drop_last)

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


def _groups(items: Iterator[Any], size: int, drop_last: bool) -> Iterator[list[Any]]:
    while group := list(itertools.islice(items, size)):
        if len(group) == size or not drop_last:
            yield group


class DataLoader(Generic[Item]):
    """Batches of a dataset: `for batch in DataLoader(dataset, batch_size=32, shuffle=True): ...`.

    Items are put together by collate_fn (default_collate); batch_size=None gives single items.  The order of shuffle=True comes from `generator`, or else from
    the global generator that manual_seed sets.  All work is done in the calling process: pin_memory, timeout, worker_init_fn and prefetching are accepted and
    have no effect; num_workers > 0 is refused with NotImplementedError.  Raises ValueError for options that exclude each other.
    """

    def __init__(
        self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = None, sampler: Any = None,
        batch_sampler: Any = None, num_workers: int = 0, collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False, drop_last: bool = False, timeout: float = 0, worker_init_fn: Any = None,
        multiprocessing_context: Any = None, generator: Any = None, *, prefetch_factor: int | None = None,
        persistent_workers: bool = False, pin_memory_device: str = "", in_order: bool = True,
    ) -> None:  # fmt: skip
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        iterable = isinstance(dataset, IterableDataset)
        if iterable and (shuffle or sampler is not None or batch_sampler is not None):
            raise _refused(
                "an IterableDataset has an order of its own: shuffle, sampler and batch_sampler are not for it"
            )
        if sampler is not None and shuffle:
            raise _refused("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise _refused(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise _refused("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if sampler is None and not iterable:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(() if iterable else sampler, batch_size, drop_last)
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.sampler, self.batch_sampler, self.generator = sampler, batch_sampler, generator
        self.num_workers, self.pin_memory, self.timeout, self.worker_init_fn = (
            num_workers,
            pin_memory,
            timeout,
            worker_init_fn,
        )
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self.dataset, IterableDataset):
            items = iter(self.dataset)
            groups: Iterator[Any] = (
                items if self.batch_size is None else _groups(items, self.batch_size, self.drop_last)
            )
            return map(self.collate_fn, groups)
        if self.batch_sampler is None:
            return (self.collate_fn(self.dataset[i]) for i in self.sampler)
        return (self.collate_fn(self._items(positions)) for positions in self.batch_sampler)

    def _items(self, positions: list[int]) -> Any:
        if hasattr(self.dataset, "__getitems__"):
            return self.dataset.__getitems__(positions)
        return [self.dataset[i] for i in positions]

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)
        count = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


def _refused(problem: str) -> ArgumentValueError:
    return ArgumentValueError(explain("DataLoader", problem))


def _check_workers(num_workers: int, timeout: float, prefetch_factor: int | None, persistent_workers: bool) -> None:
    if num_workers < 0:
        raise _refused("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing")
    if num_workers:
        raise NotSupportedError(explain("DataLoader", "batches are made in the calling process", "Pass num_workers=0", num_workers=num_workers))  # fmt: skip
    if timeout < 0:
        raise _refused("timeout option should be non-negative")
    if prefetch_factor is not None:
        raise _refused("prefetch_factor option could only be specified in multiprocessing, which needs num_workers > 0")
    if persistent_workers:
        raise _refused("persistent_workers option needs num_workers > 0")


def get_worker_info() -> None:
    """None: no other process loads data."""
