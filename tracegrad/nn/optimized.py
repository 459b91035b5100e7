"""What tg.compile makes of a module: a module around it that runs compiled, as torch's OptimizedModule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tracegrad.errors import MissingAttributeError
from tracegrad.nn.module import Module
from tracegrad.slots import slots


class OptimizedModule(Module):
    """A module that runs `compiled`, which holds the user's module: its `_orig_mod`.

    Attributes are read and set on the user's module; names of parameters, as in state_dict(), begin with `_orig_mod.`.
    """

    def __init__(self, compiled: Any) -> None:
        super().__init__()
        self.__dict__["_compiled_form"] = compiled
        self.__dict__.pop("training", None)
        self._modules["_orig_mod"] = compiled.function

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The compiled call."""
        return self.__dict__["_compiled_form"](*inputs, **named)

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """The compiled call, with the hooks of this module around it."""
        if self._before_forward or self._after_forward or self._before_backward or self._after_backward:
            return super().__call__(*inputs, **named)
        return self.__dict__["_compiled_form"](*inputs, **named)

    def __getattr__(self, name: str) -> Any:
        """What the user's module has; then what a compiled function has, such as `source`."""
        original = self.__dict__.get("_modules", {}).get("_orig_mod")
        if original is None:  # while it is being copied
            raise MissingAttributeError(f"'OptimizedModule' object has no attribute {name!r}")
        if name == "_orig_mod":
            return original
        compiled = self.__dict__["_compiled_form"]
        if name[:1] != "_" and hasattr(type(compiled), name) and not hasattr(original, name):
            return getattr(compiled, name)
        return getattr(original, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__ or "_compiled_form" not in self.__dict__:
            object.__setattr__(self, name, value)
        else:
            setattr(self._modules["_orig_mod"], name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._modules["_orig_mod"], name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._modules["_orig_mod"])})

    def __len__(self) -> int:
        return len(self._modules["_orig_mod"])  # type: ignore[arg-type]

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules["_orig_mod"])  # type: ignore[arg-type]

    def __getitem__(self, index: Any) -> Any:
        return self._modules["_orig_mod"][index]  # type: ignore[index]


slots.optimized_module = Module, OptimizedModule

__all__ = ["OptimizedModule"]
