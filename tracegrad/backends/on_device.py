"""A value on an accelerator, or spread over a mesh of devices: NumPy's data are made of it only when something asks for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from tracegrad.backends.base import Array
from tracegrad.errors import BackendError, explain

_LOCK = threading.Lock()  # of two threads that ask for the data of one value both get the same memory


class Foreign:
    """What a backend says about arrays of its library.

    adopt  the OnDevice of an array that is not in the memory of the host, None for others; set by a backend that has such arrays
    """

    adopt: Callable[[Any], OnDevice | None] = staticmethod(lambda array: None)


class OnDevice:
    """Memory that several Tensors may show.  It lies on devices until somebody asks for NumPy's data, and on the host from then on.

    array  the backend's own array while the value is on devices, which nobody writes; None on the host       whole  its data where they have been fetched already
    place  the device in torch's words, "cuda:0"      shape, dtype  NumPy's      origin  of `now()`: the memory, and how often it had been replaced
    alone   whether no other value and nobody outside has the array, which may be given away then
    """

    __slots__ = (
        "__weakref__",
        "_fetch",
        "_host",
        "_replaced",
        "alone",
        "array",
        "dtype",
        "origin",
        "place",
        "shape",
        "whole",
    )

    def __init__(
        self,
        array: Any,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        place: str,
        fetch: Callable[[Any], Array],
        whole: Array | None = None,
        alone: bool = True,
    ) -> None:
        self.array, self.shape, self.dtype, self.place, self.whole = array, shape, dtype, place, whole
        self._fetch, self._replaced, self.alone = fetch, 0, alone
        self._host: Array | None = None
        self.origin: tuple[OnDevice, int] | None = None

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def data(self) -> Array:
        """The data as NumPy's memory, which can be written and is the value from now on.  Raises RuntimeError where a program has taken the memory."""
        with _LOCK:
            if self._host is None:
                self._host = self.copied() if self.whole is None else self.whole
                self.array = self.whole = None
            return self._host

    def copied(self) -> Array:
        """A copy of the data; the value stays where it is."""
        array = self.array
        if array is not None:
            return self._fetch(array) if self.whole is None else self.whole.copy()
        if self._host is None:
            problem = "the memory of a donated argument belongs to a result of the call that it was given to"
            raise BackendError(explain("jax", problem, "Use the result"))
        return self._host.copy()

    def becomes(self, other: OnDevice) -> bool:
        """Take the value of another one in the place of this; False where it is on the host, where it must be written instead."""
        with _LOCK:
            if self._host is not None:
                return False
            self.array, self.whole, self.place, self._fetch = other.array, other.whole, other.place, other._fetch
            self.alone = other.alone = False
            self._replaced += 1
            return True

    def replaced(self) -> bool:
        """Whether the memory has had another value since `now()` gave this one."""
        return self.origin is not None and self.origin[0]._replaced != self.origin[1]

    def host(self) -> Array | None:
        """The memory on the host, if it is there: of `now()` that of its origin."""
        return self._host if self.origin is None else self.origin[0]._host

    def now(self) -> Array | OnDevice:
        """The value as it is now, whatever is written later; memory on the host is given as it is."""
        with _LOCK:
            if self._host is not None:
                return self._host
            self.alone = False
            made = OnDevice(self.array, self.shape, self.dtype, self.place, self._fetch, self.whole, False)
            made.origin = self, self._replaced
            return made

    def give_away(self) -> None:
        """Forget the array, which the backend has donated."""
        self.array = self.whole = None


__all__ = ["Foreign", "OnDevice"]
