"""The random generator: a seed and a counter.  What a key gives is in kernels/random.py."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np

from tracegrad.config import local
from tracegrad.devices import CPU
from tracegrad.devices import device as torch_device
from tracegrad.dtypes import TorchClass
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentError, ArgumentValueError, DataError, explain

Array = np.ndarray[Any, Any]


_STATE_BYTES = 5056  # as many as torch's; all but the first 16 are zero
_BLANK = np.zeros(_STATE_BYTES, np.uint8)


class Generator(metaclass=TorchClass):
    """A seed and a counter of draws; every draw has a key of its own, so that its numbers are a pure function of the key."""

    _shown = "torch._C.Generator"

    def __init__(self, device: Any = None) -> None:
        if device is not None and torch_device(device).type != "cpu":
            raise DataError(explain("Generator", f"there are generators for the CPU only, not for {device}"))
        self._lock = threading.Lock()
        self._seed, self._counter = 67280421310721, 0

    @property
    def device(self) -> Any:
        """The CPU."""
        return CPU

    def manual_seed(self, seed: Any) -> Generator:
        """Start anew from `seed`.  Raises ValueError for one that does not fit into 64 bits."""
        _refuse_recorded("manual_seed changes")
        value = int(seed)
        if not -(2**63) <= value < 2**64:
            raise ArgumentValueError(explain("manual_seed", f"Overflow: the seed {value} does not fit into 64 bits"))
        with self._lock:
            self._seed, self._counter = value % 2**64, 0
        return self

    def seed(self) -> int:
        """Start anew from a seed of the operating system, and return it."""
        value = int.from_bytes(os.urandom(8), "little")
        self.manual_seed(value)
        return value

    def initial_seed(self) -> int:
        """The seed from which the generator started."""
        return self._seed

    def next_key(self) -> Array:
        """The key of the next draw: int64 (seed, counter)."""
        with self._lock:
            key = np.array((self._seed, self._counter), np.uint64).view(np.int64)
            self._counter += 1
        return key

    def get_state(self) -> Tensor:
        """The state as a tensor of 5056 bytes."""
        _refuse_recorded("get_state reads")
        return self.state()

    def state(self) -> Tensor:
        """The same for what puts it back within one operation, as checkpoint does: also while a function is recorded."""
        state = _BLANK.copy()
        state[:16].view(np.uint64)[:] = (self._seed, self._counter)
        return handle(state, None)

    def clone_state(self) -> Generator:
        """Another generator in the same state."""
        return _restored(self._seed, self._counter)

    def __repr__(self) -> str:
        return f"<torch._C.Generator object at {hex(id(self))}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._seed, self._counter)

    def set_state(self, new_state: Tensor) -> Generator:
        """Continue from a state that get_state gave.  Raises TypeError for what is no tensor of bytes, RuntimeError for one of another size."""
        if not isinstance(new_state, Tensor) or new_state._data.dtype != np.uint8:
            raise ArgumentError(explain("set_state", "RNG state must be a torch.ByteTensor"))
        if new_state._data.shape != (_STATE_BYTES,):
            raise DataError(explain("set_state", f"the state must have {_STATE_BYTES} elements"))
        seed, counter = np.ascontiguousarray(new_state._data[:16]).view(np.uint64).tolist()
        with self._lock:
            self._seed, self._counter = seed, counter
        return self


class Rewinding:
    """The states of generators before they were drawn from, to which they can be set back."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[Generator, int, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._before)

    def note(self, generator: Generator) -> None:
        """Remember the state of a generator that is about to be drawn from; the first one counts."""
        self._before.setdefault(id(generator), (generator, generator._seed, generator._counter))

    def rewind(self) -> None:
        """Let the generators draw the same keys again."""
        for generator, seed, counter in self._before.values():
            generator._seed, generator._counter = seed, counter


def _refuse_recorded(operation: str) -> None:
    """Raises TraceError where a replay would not seed again; compile() then runs the function as it is."""
    if local.trace is not None and not local.trace.reads:
        local.trace.refuse(f"{operation} the random generator, which a replay would not")


def _restored(seed: int, counter: int) -> Generator:
    made = Generator()
    made._seed, made._counter = seed, counter
    return made


default_generator = Generator()


def manual_seed(seed: Any) -> Generator:
    """Start the global random generator anew from `seed`."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Start the global random generator anew from a seed of the operating system, and return it."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed from which the global random generator started."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the global random generator."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Continue the global random generator from a state that get_rng_state gave."""
    _refuse_recorded("set_rng_state changes")
    default_generator.set_state(new_state)
