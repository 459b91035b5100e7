"""The state of a Module: state_dict, load_state_dict, what a module adds to them, and the hooks around them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tracegrad.autograd.hooks import RemovableHandle
from tracegrad.autograd.modes import no_grad
from tracegrad.eager import late
from tracegrad.errors import ArgumentError, DataError, explain

EXTRA = "_extra_state"


class IncompatibleKeys(NamedTuple):
    """What load_state_dict did not find, and what it found too much."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class ModuleState:
    """What Module inherits of its state: parameters, persistent buffers, and what get_extra_state adds."""

    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _not_saved: set[str]
    _state_hooks: dict[str, dict[int, Any]]
    named_modules: Any

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Let calls of this module run compiled, in place; the arguments are those of `tracegrad.compile`."""
        forward = type(self).forward.__get__(self)  # type: ignore[attr-defined]
        self.__dict__["forward"] = late.part("tracegrad.compiler").compile(forward, *args, **kwargs)

    def state_dict(self, *, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> dict[str, Any]:
        """Parameters and persistent buffers by dotted name: detached, on the same memory, unless keep_vars."""
        found: dict[str, Any] = OrderedDict() if destination is None else destination
        self._call_state_hooks("before saving", prefix, keep_vars)
        for name, value in self._saved():
            found[prefix + name] = value if keep_vars else value.detach()
        if _has_extra(self):
            found[prefix + EXTRA] = self.get_extra_state()
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=found, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        self._call_state_hooks("after saving", found, prefix, {})
        return found

    def _saved(self) -> list[tuple[str, Any]]:
        """This module's own parameters and persistent buffers."""
        both = (*self._parameters.items(), *self._buffers.items())
        return [(name, value) for name, value in both if value is not None and name not in self._not_saved]

    def get_extra_state(self) -> Any:
        """What a subclass adds to its state_dict; only subclasses have it."""
        raise DataError(
            explain("get_extra_state", "Reached a code path in Module.get_extra_state() that should never be called")
        )

    def set_extra_state(self, state: Any) -> None:
        """Take back what get_extra_state gave."""
        raise DataError(
            explain("set_extra_state", "Reached a code path in Module.set_extra_state() that should never be called")
        )

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before state_dict collects."""
        return self._register_state_hook("before saving", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, metadata)` behind state_dict; it may change the state_dict."""
        return self._register_state_hook("after saving", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, metadata, strict, missing, unexpected, errors)` before load_state_dict looks at the module."""
        return self._register_state_hook("before loading", hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` behind load_state_dict; it may change the lists of keys."""
        return self._register_state_hook("after loading", hook)

    def _register_state_hook(self, when: str, hook: Callable[..., Any]) -> RemovableHandle:
        table = self._state_hooks.setdefault(when, {})
        handle = RemovableHandle(table)
        table[handle.id] = hook
        return handle

    def _call_state_hooks(self, when: str, *given: Any) -> None:
        for hook in list(self._state_hooks.get(when, {}).values()):
            hook(self, *given)

    def _before_load(self, state_dict: Mapping[str, Any], prefix: str) -> None:
        """What a module does before values are copied into it; lazy ones take the shapes."""

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy the values of a state_dict into the parameters and buffers.  Raises RuntimeError, with everything that does not fit, before any is changed."""
        if not isinstance(state_dict, Mapping):
            raise ArgumentError(
                explain("load_state_dict", f"Expected state_dict to be dict-like, got {type(state_dict).__name__}")
            )
        state_dict = OrderedDict(state_dict)
        missing: list[str] = []
        unexpected: list[str] = []
        problems: list[str] = []
        modules = [(f"{name}." if name else "", module) for name, module in self.named_modules(remove_duplicate=False)]
        for prefix, module in modules:
            module._call_state_hooks("before loading", state_dict, prefix, {}, strict, missing, unexpected, problems)
            module._before_load(state_dict, prefix)
        own = {prefix + name: value for prefix, module in modules for name, value in module._saved()}
        extra = {prefix + EXTRA: module for prefix, module in modules if _has_extra(module)}
        missing += [k for k in (*own, *extra) if k not in state_dict]
        unexpected += [k for k in state_dict if k not in own and k not in extra]
        fitting = [k for k in own if k in state_dict and not _both_unknown(own[k], state_dict[k])]
        for k in fitting:
            if tuple(state_dict[k].shape) != tuple(own[k].shape):
                have, want = (list(t.shape) for t in (state_dict[k], own[k]))
                problem = f"size mismatch for {k}: copying a param with shape {have} from checkpoint, the shape in current model is {want}."
                problems.append(problem)
        if not problems and not (strict and (missing or unexpected)):
            _put(own, fitting, state_dict, assign)
            for k, module in extra.items():
                if k in state_dict:
                    module.set_extra_state(state_dict[k])
        found = IncompatibleKeys(missing, unexpected)
        for _, module in reversed(modules):
            module._call_state_hooks("after loading", found)
        if strict:
            problems = [*_absent("Missing", missing), *_absent("Unexpected", unexpected), *problems]
        if problems:
            text = f"load_state_dict: Error(s) in loading state_dict for {type(self).__name__}:\n\t"
            raise DataError(text + "\n\t".join(problems))
        return found


def _has_extra(module: Any) -> bool:
    return type(module).get_extra_state is not ModuleState.get_extra_state


def _absent(word: str, keys: list[str]) -> list[str]:
    return [f"{word} key(s) in state_dict: " + ", ".join(f'"{k}"' for k in keys) + ". "] if keys else []


def _both_unknown(own: Any, given: Any) -> bool:
    """Whether neither a parameter nor what is loaded into it has a shape yet."""
    return getattr(own, "is_unknown", False) and getattr(given, "is_unknown", False)


def _put(own: dict[str, Any], keys: list[str], state_dict: Mapping[str, Any], assign: bool) -> None:
    with no_grad():
        for k in keys:
            if assign:
                own[k].data = state_dict[k].detach()
            else:
                own[k].copy_(state_dict[k])


__all__ = ["IncompatibleKeys", "ModuleState"]
