"""weight_norm and spectral_norm in their old form: a hook computes the weight before every forward."""

from __future__ import annotations

import warnings
from typing import Any

from tracegrad.autograd.modes import no_grad
from tracegrad.eager.creation import randn
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Parameter
from tracegrad.errors import ArgumentValueError, DataError, explain
from tracegrad.nn import functional
from tracegrad.nn.module import Module
from tracegrad.nn.native_functions import _weight_norm, norm_except_dim
from tracegrad.nn.utils.parametrizations import as_matrix, output_axis


class WeightNorm:
    """The hook of weight_norm for one parameter."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Any:
        """The weight of the module's lengths and directions."""
        return _weight_norm(getattr(module, f"{self.name}_v"), getattr(module, f"{self.name}_g"), self.dim)

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


class SpectralNorm:
    """The hook of spectral_norm for one parameter."""

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        if n_power_iterations <= 0:
            problem = f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            raise ArgumentValueError(explain("spectral_norm", problem))
        self.name, self.n_power_iterations, self.dim, self.eps = name, n_power_iterations, dim, eps

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Any:
        """The weight divided by its largest singular value."""
        weight = getattr(module, f"{self.name}_orig")
        u, v = getattr(module, f"{self.name}_u"), getattr(module, f"{self.name}_v")
        matrix = as_matrix(weight, self.dim)
        if do_power_iteration:
            with no_grad():
                plain = matrix.detach()
                for _ in range(self.n_power_iterations):
                    v.copy_(functional.normalize(T.matmul(T.mT(plain), u), dim=0, eps=self.eps))
                    u.copy_(functional.normalize(T.matmul(plain, v), dim=0, eps=self.eps))
            u, v = u.clone(), v.clone()
        return T.div(weight, T.sum(T.mul(u, T.matmul(matrix, v)), dim=None, keepdim=False))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, module.training))


def _hooks(module: Module, kind: type, name: str) -> list[tuple[int, Any]]:
    """The module's hooks of one kind for one parameter, with their keys."""
    return [(k, h) for k, h in module._before_forward.items() if type(h) is kind and h.name == name]


def _refuse_second(operation: str, module: Module, kind: type, name: str) -> None:
    if _hooks(module, kind, name):
        problem = f"Cannot register two {operation} hooks on the same parameter {name}"
        raise DataError(explain(operation, problem))


def _hook_of(operation: str, module: Module, kind: type, name: str) -> tuple[int, Any]:
    for found in _hooks(module, kind, name):
        return found
    raise ArgumentValueError(explain(f"remove_{operation}", f"{operation} of '{name}' not found in {module}"))


def weight_norm(module: Module, name: str = "weight", dim: int = 0) -> Module:
    """Split a weight in its lengths (name_g) and directions (name_v).  Raises RuntimeError the second time.  Source: Salimans and Kingma 2016."""
    text = "`torch.nn.utils.weight_norm` is deprecated in favor of `torch.nn.utils.parametrizations.weight_norm`."
    warnings.warn(text, FutureWarning, stacklevel=2)
    _refuse_second("weight_norm", module, WeightNorm, name)
    hook = WeightNorm(name, dim)
    weight = getattr(module, name)
    delattr(module, name)
    module.register_parameter(f"{name}_g", Parameter(norm_except_dim(weight.detach(), 2, hook.dim)))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    setattr(module, name, hook.compute_weight(module))
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make the weight a parameter again.  Raises ValueError where there is no weight_norm."""
    key, hook = _hook_of("weight_norm", module, WeightNorm, name)
    weight = hook.compute_weight(module).detach()
    del module._before_forward[key]
    for old in (name, f"{name}_g", f"{name}_v"):
        delattr(module, old)
    setattr(module, name, Parameter(weight))
    return module


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide a weight (name_orig) by its largest singular value.  Raises RuntimeError the second time.  Source: Miyato et al. 2018."""
    _refuse_second("spectral_norm", module, SpectralNorm, name)
    hook = SpectralNorm(name, n_power_iterations, output_axis(module) if dim is None else dim, eps)
    weight = getattr(module, name)
    rows, columns = as_matrix(weight.detach(), hook.dim).shape
    u, v = (functional.normalize(randn(n, dtype=weight.dtype), dim=0, eps=eps) for n in (rows, columns))
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    setattr(module, name, weight.detach())
    module.register_buffer(f"{name}_u", u)
    module.register_buffer(f"{name}_v", v)
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make the weight a parameter again.  Raises ValueError where there is no spectral_norm."""
    key, hook = _hook_of("spectral_norm", module, SpectralNorm, name)
    with no_grad():
        weight = hook.compute_weight(module, False).detach()
    del module._before_forward[key]
    for old in (name, f"{name}_u", f"{name}_v", f"{name}_orig"):
        delattr(module, old)
    module.register_parameter(name, Parameter(weight))
    return module


__all__ = ["SpectralNorm", "WeightNorm", "remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]
