"""Named slots that higher layers fill when they are imported, so that a lower layer can call them without importing upward.

Layer 0: imports nothing of the package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _empty(*_args: Any, **_kwargs: Any) -> Any:
    raise RuntimeError("slots: this slot is filled by `import tracegrad`; import the package instead of a part of it")


class Slots:
    """One attribute per inversion; see the comments for who fills it."""

    backward: Callable[..., Any] = staticmethod(_empty)  # autograd/engine: Tensor.backward
    register_hook: Callable[..., Any] = staticmethod(_empty)  # autograd/hooks: Tensor.register_hook
    retain_grad: Callable[..., Any] = staticmethod(_empty)  # autograd/hooks: Tensor.retain_grad
    grad_fn: Callable[..., Any] = staticmethod(
        _empty
    )  # autograd/grad_fn: the view of a node that torch programs expect
    output_nr: Callable[..., Any] = staticmethod(_empty)  # autograd/grad_fn: which result of its step a tensor is
    tape_graph: Callable[..., Any] = staticmethod(_empty)  # eager/tape: Tensor.graph
    jvp: Callable[..., Any] = staticmethod(_empty)  # func/forward: forward-mode derivatives for gradcheck
    vmap: Callable[..., Any] = staticmethod(_empty)  # func/forward: many directions at once for gradcheck
    optimized_module: Any = None  # nn/optimized: the class of modules, and that of compiled ones
    inference_class: Any = None  # eager/inference: the class of what is made under inference_mode()
    jacfwd: Callable[..., Any] = staticmethod(_empty)  # func/forward: Jacobians in forward mode for autograd.functional
    batched_rows: Callable[..., Any] = staticmethod(_empty)  # func/rows: many gradients in one program
    batch_graph: Callable[..., Any] = staticmethod(
        _empty
    )  # passes/batch: the batching rule of a custom Function and of bodies
    vjp_graph: Callable[..., Any] = staticmethod(_empty)  # passes/differentiate: the reverse of a body
    jvp_graph: Callable[..., Any] = staticmethod(_empty)  # passes/jvp: the tangents of a body


slots = Slots()
