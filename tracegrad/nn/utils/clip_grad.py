"""torch.nn.utils.clip_grad: gradients held within bounds."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import Any

from tracegrad.autograd.modes import no_grad
from tracegrad.eager.creation import tensor
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import DataError, explain

_EPSILON = 1e-6


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,  # noqa: ARG001  (torch's argument; there is one way here)
) -> Tensor:
    """The norm of the norms of the tensors, a 0-d tensor; 0 for none.  Raises RuntimeError if it is not finite and that is asked for."""
    listed = _listed(tensors)
    if not listed:
        return tensor(0.0)
    p = float(norm_type)
    total: Any = T.stack(*(t.norm(p) for t in listed), dim=0)  # type: ignore[attr-defined]
    total = total.norm(p)
    if error_if_nonfinite and not math.isfinite(total.item()):
        problem = f"The total norm of order {p} for gradients from `parameters` is non-finite, so it cannot be clipped"
        raise DataError(explain("clip_grad_norm_", problem, "Set error_if_nonfinite=False to scale by it all the same"))
    return total  # type: ignore[no-any-return]


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    total_norm: Tensor,
    foreach: bool | None = None,  # noqa: ARG001
) -> None:
    """Multiply the gradients in place by min(max_norm / (total_norm + 1e-6), 1)."""
    with no_grad():
        factor: Any = float(max_norm) / (total_norm + _EPSILON)  # type: ignore[operator]
        factor = factor.clamp(max=1.0)
        for g in _gradients(parameters):
            g.mul_(factor.to(g.dtype))


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients in place so that their total norm is at most max_norm.  Returns the norm they had, a 0-d tensor.

    Raises RuntimeError for a norm that is not finite, if error_if_nonfinite.
    """
    listed = _listed(parameters)
    with no_grad():
        total = get_total_norm(_gradients(listed), norm_type, error_if_nonfinite, foreach)
        clip_grads_with_norm_(listed, max_norm, total, foreach)
    return total


def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor],
    clip_value: float,
    foreach: bool | None = None,  # noqa: ARG001
) -> None:
    """Clamp every element of the gradients to [-clip_value, clip_value], in place."""
    bound = float(clip_value)
    with no_grad():
        for g in _gradients(parameters):
            g.clamp_(-bound, bound)


def _listed(tensors: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Any]:
    return [p.grad for p in _listed(parameters) if p.grad is not None]


def clip_grad_norm(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """clip_grad_norm_, under its old name."""
    text = "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`."
    warnings.warn(text, FutureWarning, stacklevel=2)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]
