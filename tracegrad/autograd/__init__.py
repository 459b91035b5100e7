"""torch.autograd: the engine, grad modes, Function and its checks.  What few programs use is loaded on first use."""

import importlib
from typing import Any

from tracegrad.autograd import function, grad_fn, hooks
from tracegrad.autograd.anomaly import detect_anomaly, set_detect_anomaly
from tracegrad.autograd.engine import backward, grad
from tracegrad.autograd.function import Function
from tracegrad.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
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


def __getattr__(name: str) -> Any:
    if name in ("Variable", "_unsafe_preserve_version_counter"):
        return getattr(importlib.import_module("tracegrad.autograd.variable"), name)
    if name not in ("forward_ad", "functional", "grad_mode", "graph", "profiler", "variable"):
        raise AttributeError(f"module 'tracegrad.autograd' has no attribute {name!r}")
    return importlib.import_module(f"tracegrad.autograd.{name}")


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
