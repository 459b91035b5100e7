"""torch.nn.utils.parametrize: attributes of modules that are computed from other parameters each time they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tracegrad.autograd.modes import no_grad
from tracegrad.eager.tensor import Parameter, Tensor
from tracegrad.errors import ArgumentValueError, NotSupportedError, ShapeError, explain
from tracegrad.nn.containers import ModuleDict, ModuleList
from tracegrad.nn.module import Module

_cache: dict[tuple[int, str], Any] = {}
_caches = [0]  # how many cached() blocks are open


@contextmanager
def cached() -> Iterator[None]:
    """Within the block every parametrized attribute is computed once."""
    _caches[0] += 1
    try:
        yield
    finally:
        _caches[0] -= 1
        if not _caches[0]:
            _cache.clear()


class ParametrizationList(ModuleList):
    """The parametrizations of one attribute, and the parameter (or parameters) that they begin with: original, or original0, original1 and so on."""

    def __init__(self, modules: Sequence[Module], original: Any, unsafe: bool = False) -> None:
        if not modules:
            raise ArgumentValueError(explain("ParametrizationList", "requires one or more modules."))
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = tuple(original.shape), original.dtype
        with no_grad():
            new = original
            try:
                for module in reversed(list(self)):
                    if hasattr(module, "right_inverse"):
                        new = module.right_inverse(new)
            except NotImplementedError:
                new = original  # what cannot be inverted begins with the value itself
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            self._keep("original", original, new)
        else:
            for i, part in enumerate(new):
                fresh = Parameter(part.detach(), original.requires_grad)
                self._keep(f"original{i}", fresh if isinstance(original, Parameter) else part.detach(), None)
        if not unsafe:
            self._check(shape, dtype)

    def _keep(self, name: str, value: Any, new: Any) -> None:
        if new is not None and new is not value:
            value.data = new.detach().clone()
        if isinstance(value, Parameter):
            self.register_parameter(name, value)
        else:
            self.register_buffer(name, value)

    def _check(self, shape: tuple[int, ...], dtype: Any) -> None:
        made = self()
        if not isinstance(made, Tensor):
            problem = f"A parametrization must return a tensor. Got {type(made).__name__}."
            raise ArgumentValueError(explain("register_parametrization", problem))
        if made.dtype != dtype or tuple(made.shape) != shape:
            problem = "Registering a parametrization may not change the dtype or the shape of the tensor, unless `unsafe` is True"
            raise ArgumentValueError(explain("register_parametrization", problem, before=shape, after=list(made.shape)))

    @property
    def originals(self) -> list[Any]:
        """The parameters that the first parametrization takes."""
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Give the originals the values from which the parametrizations compute `value`.  Raises RuntimeError or NotImplementedError where they cannot."""
        with no_grad():
            new: Any = value
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    problem = f"parametrization {type(module).__name__} does not implement right_inverse."
                    raise ShapeError(explain("right_inverse", problem))
                new = module.right_inverse(new)
            parts = [new] if isinstance(new, Tensor) else list(new)
            for original, part in zip(self.originals, parts, strict=True):
                original.data = part.detach().clone()

    def forward(self) -> Any:
        """The attribute's value."""
        if not self.is_tensor and not len(self):
            raise NotSupportedError(explain("ParametrizationList", "there is no parametrization"))
        first, *rest = list(self)
        value = first(*self.originals)
        for module in rest:
            value = module(value)
        return value


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module, or one attribute of it, is parametrized."""
    tables = getattr(module, "parametrizations", None)
    if not isinstance(tables, ModuleDict):
        return False
    return len(tables) > 0 if tensor_name is None else tensor_name in tables


def type_before_parametrizations(module: Module) -> type:
    """The class that the module had before."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Compute the attribute by parametrization(original) from now on; what is assigned to it goes through right_inverse.

    Raises ValueError for a name that is neither a parameter nor a buffer, and, unless unsafe, for a value of another shape or dtype.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        found: Any = module.parametrizations[tensor_name]
        if hasattr(parametrization, "right_inverse"):
            value = getattr(module, tensor_name).detach()
            found.append(parametrization)
            found.right_inverse(value)
        else:
            found.append(parametrization)
        return module
    if tensor_name not in module._parameters and tensor_name not in module._buffers:
        problem = f"Module '{type(module).__name__}' does not have a parameter, a buffer, or a parametrized element with name '{tensor_name}'"
        raise ArgumentValueError(explain("register_parametrization", problem))
    made = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        own = type(module)
        module.__class__ = type(f"Parametrized{own.__name__}", (own,), {"__module__": __name__})
        module.parametrizations = ModuleDict()
    setattr(type(module), tensor_name, _property(tensor_name))
    module.parametrizations[tensor_name] = made
    return module


def _property(name: str) -> property:
    def read(self: Any) -> Any:
        if not _caches[0]:
            return self.parametrizations[name]()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = self.parametrizations[name]()
        return _cache[key]

    def write(self: Any, value: Any) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(read, write)


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make the attribute a parameter again: with the value that it shows, or with its original one.  Raises ValueError where there is nothing to remove."""
    if not is_parametrized(module, tensor_name):
        problem = f"Module {type(module).__name__} does not have a parametrization on {tensor_name}"
        raise ArgumentValueError(explain("remove_parametrizations", problem))
    found: Any = module.parametrizations[tensor_name]
    if not found.is_tensor and not leave_parametrized:
        problem = "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a sequence of tensors."
        raise ArgumentValueError(explain("remove_parametrizations", problem))
    first = found.originals[0]
    original = first
    if leave_parametrized:
        with no_grad():
            value = getattr(module, tensor_name).detach().clone()
        if found.is_tensor:
            original.data = value
        else:
            original = Parameter(value, first.requires_grad) if isinstance(first, Parameter) else value
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    if not is_parametrized(module):
        own = type(module).__bases__[0]
        delattr(module, "parametrizations")
        module.__class__ = own
    if isinstance(original, Parameter):
        module.register_parameter(tensor_name, original)
    else:
        module.register_buffer(tensor_name, original)
    return module


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Put the parametrizations of one module, and their originals, on another of the same kind."""
    names = list(from_module.parametrizations) if tensor_name is None else [tensor_name]
    for name in names:
        found: Any = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
        for parametrization in found:
            register_parametrization(to_module, name, parametrization, unsafe=True)
        made: Any = to_module.parametrizations[name]
        for theirs, ours in zip(found.originals, made.originals, strict=True):
            ours.data = theirs.detach().clone()
    return to_module


__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]
