"""torch.autograd: the engine, grad modes, Function and its checks."""

from tracegrad.autograd import function, functional, grad_fn, graph, hooks
from tracegrad.autograd import modes as grad_mode
from tracegrad.autograd.anomaly import detect_anomaly, set_detect_anomaly
from tracegrad.autograd.engine import backward, grad
from tracegrad.autograd.function import Function
from tracegrad.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from tracegrad.autograd.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
    set_multithreading_enabled,
)
from tracegrad.eager.tensor import Tensor as Variable

__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
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
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_multithreading_enabled",
]
