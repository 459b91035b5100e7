"""Hooks of all modules at once: those that every call runs, before a module's own, and those that see what is registered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracegrad.autograd.hooks import RemovableHandle

BEFORE_FORWARD: dict[int, Any] = {}
AFTER_FORWARD: dict[int, Any] = {}
BEFORE_BACKWARD: dict[int, Any] = {}
AFTER_BACKWARD: dict[int, Any] = {}
WITH_NAMED: set[int] = set()
ALWAYS_CALLED: set[int] = set()
REGISTERED: dict[str, dict[int, Any]] = {"parameter": {}, "buffer": {}, "module": {}}
CALLED = (BEFORE_FORWARD, AFTER_FORWARD, BEFORE_BACKWARD, AFTER_BACKWARD)


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, inputs)` before the forward of every module; what it returns replaces the inputs."""
    return _register(BEFORE_FORWARD, hook)


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call `hook(module, inputs, result)` after the forward of every module; what it returns replaces the result.

    with_kwargs: `hook(module, inputs, kwargs, result)`.  always_call: also when forward or another hook raises.
    """
    handle = _register(AFTER_FORWARD, hook)
    if with_kwargs:
        WITH_NAMED.add(handle.id)
    if always_call:
        ALWAYS_CALLED.add(handle.id)
    return handle


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_output)` for every module when the gradients of its results are known."""
    return _register(BEFORE_BACKWARD, hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` for every module when the gradients of its inputs are known."""
    return _register(AFTER_BACKWARD, hook)


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, name, parameter)` when a parameter is registered; what it returns takes its place."""
    return _register(REGISTERED["parameter"], hook)


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, name, buffer)` when a buffer is registered; what it returns takes its place."""
    return _register(REGISTERED["buffer"], hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, name, submodule)` when a module is registered; what it returns takes its place."""
    return _register(REGISTERED["module"], hook)


def registered(what: str, module: Any, name: str, value: Any) -> Any:
    """The value to register, after the hooks of its kind ("parameter", "buffer" or "module")."""
    for hook in list(REGISTERED[what].values()):
        changed = hook(module, name, value)
        value = value if changed is None else changed
    return value


def _register(table: dict[int, Any], hook: Callable[..., Any]) -> RemovableHandle:
    handle = RemovableHandle(table)
    table[handle.id] = hook
    return handle
