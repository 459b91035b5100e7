"""Python's collector of cycles, which stands still while programs are made: of the many nodes that live for a moment it would look at all, again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """No search for cycles inside; none of the user's code may run there."""
    before = gc.isenabled()
    if before:
        gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
