"""Modules of settings under torch's names, which programs set and change for a while."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def patcher(name: str) -> Callable[..., Any]:
    """The `patch` of the module of this name: `with config.patch(setting=value):`, also as `patch("setting", value)`, with a dict, and as a decorator."""

    @contextmanager
    def patch(settings: Any = None, value: Any = None, **named: Any) -> Iterator[None]:
        """Change settings for a block or for the calls of a function."""
        table = vars(sys.modules[name])
        given = {settings: value} if isinstance(settings, str) else dict(settings or {})
        before = {k: table[k] for k in (*given, *named) if k in table}
        table.update(given, **named)
        try:
            yield
        finally:
            for k in (*given, *named):
                table.pop(k, None)
            table.update(before)

    return patch


__all__ = ["patcher"]
