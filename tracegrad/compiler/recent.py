"""A table that keeps what was used lately."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """At most `limit` entries: where another one comes, the one that was not used for the longest time goes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._entries: dict[Key, Value] = {}
        self._lock = threading.Lock()

    def use(self, key: Key, make: Callable[[], Value]) -> Value:
        """The entry, made where there is none.  Raises TypeError for a key without hash."""
        entries = self._entries
        with self._lock:
            found = entries.pop(key, None)
            if found is None:
                found = make()
                while len(entries) >= self.limit:
                    del entries[next(iter(entries))]
            entries[key] = found
        return found

    def get(self, key: Key) -> Value | None:
        """The entry, or None."""
        return self._entries.get(key)

    def put(self, key: Key, value: Value) -> None:
        """Set an entry."""
        with self._lock:
            self._entries.pop(key, None)
            while len(self._entries) >= self.limit:
                del self._entries[next(iter(self._entries))]
            self._entries[key] = value

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def values(self) -> list[Value]:
        """All entries, the oldest first."""
        return list(self._entries.values())
