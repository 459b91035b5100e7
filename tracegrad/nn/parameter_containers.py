"""Parameters in a list and by name, found by the module that holds the container."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, IndexingError, MissingAttributeError, explain
from tracegrad.nn.module import Module, _framed
from tracegrad.nn.parameter import Parameter


def _kept(value: Any) -> Any:
    """Tensors become Parameters; other objects are held as they are."""
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def _line(key: Any, value: Any, kind: str) -> str:
    if not isinstance(value, Tensor):
        return f"  ({key}): Object of type: {type(value).__name__}"
    return f"  ({key}): Parameter containing: [{kind} of size {'x'.join(map(str, value.shape))}]"


def _shown(container: Module) -> str:
    lines = container.extra_repr().split("\n")
    return _framed(type(container).__name__, *(("", lines) if len(lines) > 1 else (lines[0], [])))


class ParameterList(Module):
    """A list of Parameters (of Tensors, Parameters are made) under the names "0", "1", ..."""

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._count = 0
        if values is not None:
            self.extend(values)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        return iter([getattr(self, str(i)) for i in range(self._count)])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, self._name(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        setattr(self, self._name(index), _kept(value))

    def __iadd__(self, values: Iterable[Any]) -> ParameterList:
        return self.extend(values)

    def _name(self, index: Any) -> str:
        position = operator.index(index)
        if not -self._count <= position < self._count:
            raise IndexingError(explain("ParameterList", f"index {position} is out of range", count=self._count))
        return str(position % self._count)

    def append(self, value: Any) -> ParameterList:
        """Add a value at the end; returns this container."""
        setattr(self, str(self._count), _kept(value))
        self._count += 1
        return self

    def extend(self, values: Iterable[Any]) -> ParameterList:
        """Add values at the end; returns this container.  Raises TypeError for a single Tensor or what is no iterable."""
        if isinstance(values, Tensor) or not isinstance(values, Iterable):
            problem = f"ParameterList.extend should be called with an iterable, but got {type(values).__name__}"
            raise ArgumentError(explain("ParameterList", problem))
        for value in list(values):
            self.append(value)
        return self

    def extra_repr(self) -> str:
        """A line for every value."""
        return "\n".join(_line(i, value, str(getattr(value, "dtype", ""))) for i, value in enumerate(self))

    def __repr__(self) -> str:
        return _shown(self)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Raises RuntimeError: a container of Parameters computes nothing."""
        raise RuntimeError("ParameterList should not be called.")


class ParameterDict(Module):
    """Parameters (of Tensors, Parameters are made) by name, in the order in which they were added."""

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise MissingAttributeError(explain("ParameterDict", f"there is no parameter {key!r}"))
        return getattr(self, _attribute(key))

    def __setitem__(self, key: str, value: Any) -> None:
        self._keys[key] = None
        setattr(self, _attribute(key), _kept(value))

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, _attribute(key))

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __or__(self, other: Any) -> ParameterDict:
        made = self.copy()
        made.update(other)
        return made

    def __ior__(self, other: Any) -> ParameterDict:
        self.update(other)
        return self

    def copy(self) -> ParameterDict:
        """A container of the same values."""
        return type(self)(dict(self.items()))

    def keys(self) -> Any:
        """The names."""
        return self._keys.keys()

    def values(self) -> Any:
        """The values."""
        return [self[key] for key in self._keys]

    def items(self) -> Any:
        """The names with the values."""
        return [(key, self[key]) for key in self._keys]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of this name, or default."""
        return self[key] if key in self._keys else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of this name, which becomes default where it was not there."""
        if key not in self._keys:
            self[key] = default
        return self[key]

    def pop(self, key: str) -> Any:
        """Take a value out and return it."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Take the last name and value out and return them."""
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def clear(self) -> None:
        """Take all values out."""
        for key in list(self._keys):
            del self[key]

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A container with the same value for all of the names."""
        return type(self)(dict.fromkeys(keys, default))

    def update(self, parameters: Any) -> None:
        """Add or replace values: a mapping, or pairs of names and values."""
        pairs = parameters.items() if isinstance(parameters, (Mapping, ParameterDict)) else parameters
        for key, value in pairs:
            self[key] = value

    def extra_repr(self) -> str:
        """A line for every value."""
        return "\n".join(_line(key, v, v.type() if isinstance(v, Tensor) else "") for key, v in self.items())

    def __repr__(self) -> str:
        return _shown(self)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Raises RuntimeError: a container of Parameters computes nothing."""
        raise RuntimeError("ParameterDict should not be called.")


def _attribute(key: Any) -> str:
    if not isinstance(key, str):
        raise ArgumentError(explain("ParameterDict", f"names must be str, got {type(key).__name__}"))
    return key


__all__ = ["ParameterDict", "ParameterList"]
