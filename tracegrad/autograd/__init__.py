"""torch.autograd: the engine, grad modes, Function and its checks.  What few programs use is loaded on first use."""

import importlib
import sys
from types import ModuleType
from typing import Any

from tracegrad.autograd import grad_fn, hooks
from tracegrad.autograd.anomaly import detect_anomaly, set_detect_anomaly
from tracegrad.autograd.engine import backward, grad
from tracegrad.autograd.modes import (
    _force_original_view_tracking,
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    is_multithreading_enabled,
    is_view_replay_enabled,
    no_grad,
    set_grad_enabled,
    set_multithreading_enabled,
)

# what is loaded on first use, by the module that has it
_LATE = {
    **dict.fromkeys(("GradcheckError", "gradcheck", "gradgradcheck"), "gradcheck"),
    **dict.fromkeys(("Variable", "_unsafe_preserve_version_counter"), "variable"),
    "Function": "function",
}
_MODULES = ("forward_ad", "function", "functional", "grad_mode", "graph", "profiler", "variable")


class _Package(ModuleType):
    """This package: when its module `gradcheck` is loaded, the function keeps the name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "gradcheck" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"tracegrad.autograd.{name}")
    if name not in _LATE:
        raise AttributeError(f"module 'tracegrad.autograd' has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(f"tracegrad.autograd.{_LATE[name]}"), name)
    return found


__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "function",
    "functional",
    "grad",
    "grad_fn",
    "grad_mode",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "hooks",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "is_multithreading_enabled",
    "is_view_replay_enabled",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_multithreading_enabled",
    "variable",
    "_force_original_view_tracking",
    "_unsafe_preserve_version_counter",
]
