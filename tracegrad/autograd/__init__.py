"""torch.autograd: the engine, grad modes, Function and its checks.  `functional`, `graph`, `profiler` and `forward_ad` are loaded on first use."""

import importlib
from typing import Any

from tracegrad.autograd import function, grad_fn, hooks
from tracegrad.autograd import modes as grad_mode
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
from tracegrad.eager.tensor import Tensor as Variable


def __getattr__(name: str) -> Any:
    if name not in ("forward_ad", "functional", "graph", "profiler"):
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
    "_force_original_view_tracking",
]
