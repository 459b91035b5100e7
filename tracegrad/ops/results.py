"""Tuples of several results with names, printed as torch's: torch.return_types.max(values=..., indices=...)."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable
from typing import Any

_CLASSES: dict[tuple[str, tuple[str, ...]], Any] = {}


def named_result(name: str, fields: tuple[str, ...], values: Iterable[Any]) -> Any:
    """The values as the named tuple of the operator `name`."""
    found = _CLASSES.get((name, fields))
    if found is None:
        base = namedtuple(name, fields)  # type: ignore[misc]  # noqa: PYI024
        found = _CLASSES[name, fields] = type(
            name,
            (base,),
            {"__slots__": (), "__repr__": _shown, "__reduce__": _reduced, "__module__": "torch.return_types"},
        )
    return found(*values)


def _shown(self: Any) -> str:
    shown = ",\n".join(f"{field}={value!r}" for field, value in zip(self._fields, self, strict=True))
    return f"torch.return_types.{type(self).__name__}(\n{shown})"


def _reduced(self: Any) -> tuple[Any, ...]:
    return named_result, (type(self).__name__, self._fields, tuple(self))
