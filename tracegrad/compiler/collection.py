"""Python's collector of cycles, which stands still while functions are recorded and programs are made: of the many nodes that live for a moment it would look at all,
again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """No search for cycles inside; what was made there is looked at when the old objects are."""
    before = gc.isenabled()
    if before:
        gc.disable()
    try:
        yield
    finally:
        if before:
            if not gc.get_freeze_count():  # otherwise somebody's objects would thaw
                gc.freeze()
                gc.unfreeze()
            gc.enable()
