"""Methods that are compiled: each instance, or class, has a compiled function of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracegrad.compiler.recent import Recent

SLOTTED = 64  # instances without a __dict__ whose compiled methods are kept
_slotted: Recent[Any, Any] = Recent(SLOTTED)


def bound_to(compiled: Any, instance: Any, make: Callable[[], Any]) -> Any:
    """The compiled form of a bound method, kept on the instance (on the class, for a class method)."""
    table = getattr(instance, "__dict__", None)
    if table is None:
        key = (id(compiled), id(instance))
        found = _slotted.get(key)
        if found is None or getattr(found.function, "__self__", None) is not instance:
            found = make()
            _slotted.put(key, found)
        return found
    kind = compiled.function
    name = f"_compiled_{getattr(kind, '__qualname__', type(kind).__name__)}"  # super() may have a method of that name
    found = table.get(name)
    if found is None or found.origin is not compiled:
        found = make()
        found.origin = compiled
        (type if isinstance(instance, type) else object).__setattr__(instance, name, found)
    return found
