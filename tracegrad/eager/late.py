"""What few programs call: each function is a stand-in that loads its module of this folder on first use."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, explain

PLACES = {
    "reshaping": (
        "t_ transpose_ swapaxes_ swapdims_ unsqueeze_ squeeze_ as_strided_ resize_ resize_as_ set_ share_memory_"
    ),
    "fills": (
        "uniform_ normal_ log_normal_ bernoulli_ exponential_ cauchy_ geometric_ random_ fill_diagonal_ apply_ map_"
    ),
    "printing": "__repr__ __format__",
    "copying": "__copy__ __deepcopy__ __reduce_ex__",
    "rare": "dim_order is_pinned is_shared is_nonzero equal allclose as_subclass storage new new_empty_strided pin_memory bfloat16",
}


def late(module: str, name: str) -> Callable[..., Any]:
    """The function `name` of a module of this folder, which is loaded at the first call."""
    found: Any = None

    def function(*args: Any, **kwargs: Any) -> Any:
        nonlocal found
        if found is None:
            found = getattr(import_module(f"tracegrad.eager.{module}"), name)
        return found(*args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"See tracegrad.eager.{module}.{name}."
    return function


def function_of(method: Callable[..., Any]) -> Callable[..., Any]:
    """The function of the module for an in-place method: `tracegrad.exp_(x)`.  Raises TypeError for anything but a Tensor."""

    def function(input: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: A002  (torch's name)
        if not isinstance(input, Tensor):
            problem = f"argument 'input' (position 1) must be Tensor, not {type(input).__name__}"
            raise ArgumentError(explain(method.__name__, problem))
        return method(input, *args, **kwargs)

    function.__name__ = function.__qualname__ = method.__name__
    function.__doc__ = method.__doc__
    return function


METHODS = {name: late(module, name) for module, names in PLACES.items() for name in names.split()}
