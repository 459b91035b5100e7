"""torch.autograd: the engine, grad modes, Function and its checks."""

from tracegrad.autograd import function, grad_fn, hooks
from tracegrad.autograd.engine import backward, grad
from tracegrad.autograd.function import Function
from tracegrad.autograd.modes import enable_grad, inference_mode, is_grad_enabled, is_inference_mode_enabled, no_grad, set_grad_enabled
from tracegrad.eager.tensor import Tensor as Variable

__all__ = [
    "Function",
    "Variable",
    "backward",
    "enable_grad",
    "function",
    "grad",
    "grad_fn",
    "hooks",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_grad_enabled",
]
