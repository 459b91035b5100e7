"""Function transforms under torch.func's names: grad, value_and_grad, vjp, jvp, vmap and the Jacobians."""

from tracegrad.func.forward import hessian, jacfwd, jacrev, jvp, linearize
from tracegrad.func.functional_call import functional_call
from tracegrad.func.mapping import vmap
from tracegrad.func.module_state import functionalize, stack_module_state
from tracegrad.func.reverse import grad, grad_and_value, value_and_grad, vjp

__all__ = [
    "functional_call",
    "functionalize",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "stack_module_state",
    "value_and_grad",
    "vjp",
    "vmap",
]
