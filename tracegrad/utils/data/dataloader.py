"""DataLoader: batches of a dataset, made in the calling process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from tracegrad.errors import ArgumentValueError, NotSupportedError, explain
from tracegrad.utils.data.collate import default_collate, default_convert
from tracegrad.utils.data.dataset import IterableDataset
from tracegrad.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler, groups_of

Item = TypeVar("Item", covariant=True)


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
                items if self.batch_size is None else groups_of(items, self.batch_size, self.drop_last)
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
