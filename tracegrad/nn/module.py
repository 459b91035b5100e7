"""Module: parameters, buffers and other modules under one name.  Over 400 lines because it is one class with torch's methods."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from tracegrad import dtypes
from tracegrad.autograd.hooks import RemovableHandle
from tracegrad.autograd.modes import no_grad
from tracegrad.config import local
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import (
    ArgumentError,
    ArgumentValueError,
    DataError,
    MissingAttributeError,
    RegistrationError,
    explain,
)
from tracegrad.nn import global_hooks as everywhere
from tracegrad.nn.backward_hooks import BackwardHooks
from tracegrad.nn.global_hooks import (
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from tracegrad.nn.module_state import IncompatibleKeys, ModuleState
from tracegrad.nn.parameter import Buffer, Parameter

Self = TypeVar("Self", bound="Module")
_BEFORE, _AFTER, _BEFORE_BACKWARD, _AFTER_BACKWARD = everywhere.CALLED


class Module(ModuleState):
    """Base of all layers and models: assign Parameters and Modules as attributes in `__init__` (after `super().__init__()`), write `forward`."""

    training: bool
    _parameters: dict[str, Tensor | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]

    def __init__(self) -> None:
        tables = {
            "_parameters": {},
            "_buffers": {},
            "_modules": {},
            "_not_saved": set(),
            "_before_forward": {},
            "_with_named": set(),
            "_after_forward": {},
            "_always_called": set(),
            "_before_backward": {},
            "_after_backward": {},
            "_state_hooks": {},
            "training": True,
        }
        self.__dict__.update(tables)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The computation; every subclass writes its own."""
        raise NotImplementedError(
            explain("forward", f'Module [{type(self).__name__}] is missing the required "forward" function')
        )

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Run the forward hooks and forward."""
        if not (self._before_forward or self._after_forward or self._before_backward or self._after_backward) and not (
            _BEFORE or _AFTER or _BEFORE_BACKWARD or _AFTER_BACKWARD
        ):
            return self.forward(*inputs, **named)
        always = everywhere.ALWAYS_CALLED | self._always_called
        if not always:
            return self._run_with_hooks([inputs, named, None], {})
        call = [inputs, named, None]
        waiting = {key: hook for key, hook in (_AFTER | self._after_forward).items() if key in always}
        try:
            return self._run_with_hooks(call, waiting)
        except Exception:
            for key, hook in waiting.items():
                try:
                    changed = hook(self, *call) if self._takes_named(key) else hook(self, call[0], call[2])
                    call[2] = call[2] if changed is None else changed
                except Exception as error:
                    text = f"module forward hook with ``always_call=True`` raised an exception that was silenced as another error was raised in forward: {error}"
                    warnings.warn(text, UserWarning, stacklevel=2)
            raise

    def _run_with_hooks(self, call: list[Any], waiting: dict[int, Any]) -> Any:
        """Run the hooks and forward.  `call` holds inputs, named inputs and result so far, `waiting` the hooks that are called in any case until they are."""
        for key, hook in (_BEFORE | self._before_forward).items():
            changed = hook(self, call[0], call[1]) if key in self._with_named else hook(self, call[0])
            if changed is not None and key in self._with_named:
                call[:2] = _inputs_and_named(changed)
            elif changed is not None:
                call[0] = changed if isinstance(changed, tuple) else (changed,)
        around = None
        before, after = _BEFORE_BACKWARD | self._before_backward, _AFTER_BACKWARD | self._after_backward
        if before or after:
            around = BackwardHooks(self, list(before.values()), list(after.values()))
            call[0] = around.inputs(call[0])
        call[2] = self.forward(*call[0], **call[1])
        for key, hook in (_AFTER | self._after_forward).items():
            if waiting:
                waiting.pop(key, None)
            changed = hook(self, *call) if self._takes_named(key) else hook(self, call[0], call[2])
            call[2] = call[2] if changed is None else changed
        return call[2] if around is None else around.results(call[2])

    def _takes_named(self, key: int) -> bool:
        return key in self._with_named or key in everywhere.WITH_NAMED

    # --- attributes

    def __getattr__(self, name: str) -> Any:
        for table in ("_parameters", "_buffers", "_modules"):
            entries = self.__dict__.get(table, {})
            if name in entries:
                return entries[name]
        raise MissingAttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._table("_parameters", "parameters")
            self._forget(name, "_parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Buffer):
            self._forget(name, "_buffers")
            self.register_buffer(name, value, value.persistent)
        elif isinstance(value, Module):
            self._table("_modules", "module")[name] = everywhere.registered("module", self, name, value)
            self._forget(name, "_modules")
        elif name in self.__dict__.get("_parameters", {}):
            if value is not None:
                raise ArgumentError(
                    explain(
                        "module",
                        f"cannot assign {type(value).__name__!r} as parameter {name!r} (torch.nn.Parameter or None expected)",
                    )
                )
            self._parameters[name] = None
        elif name in self.__dict__.get("_modules", {}):
            if value is not None:
                raise ArgumentError(
                    explain(
                        "module",
                        f"cannot assign {type(value).__name__!r} as child module {name!r} (torch.nn.Module or None expected)",
                    )
                )
            self._modules[name] = None
        elif name in self.__dict__.get("_buffers", {}):
            if value is not None and not isinstance(value, Tensor):
                raise ArgumentError(
                    explain(
                        "module",
                        f"cannot assign {type(value).__name__!r} as buffer {name!r} (torch.Tensor or None expected)",
                    )
                )
            self._buffers[name] = value
        else:
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]  # type: ignore[attr-defined]
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *self._parameters, *self._buffers, *self._modules})

    def _table(self, table: str, what: str) -> dict[str, Any]:
        if table not in self.__dict__:
            raise MissingAttributeError(f"cannot assign {what} before Module.__init__() call")
        found: dict[str, Any] = self.__dict__[table]
        return found

    def _forget(self, name: str, keep: str = "") -> None:
        for table in ("_parameters", "_buffers", "_modules"):
            if table != keep:
                self.__dict__[table].pop(name, None)
        self.__dict__.pop(name, None)

    def _check_name(self, what: str, name: str, table: Mapping[str, Any]) -> None:
        if not isinstance(name, str):
            raise ArgumentError(explain(what, f"the name must be a string, got {type(name).__name__}"))
        if "." in name:
            raise RegistrationError(f'{what} name can\'t contain ".", got: {name!r}')
        if not name:
            raise RegistrationError(f'{what} name can\'t be empty string ""')
        if hasattr(self, name) and name not in table:
            raise RegistrationError(f"attribute {name!r} already exists")

    def register_parameter(self, name: str, param: Tensor | None) -> None:
        """Add a Parameter (or None, for one that is absent).  Raises KeyError for a bad or taken name, TypeError for another object."""
        table = self._table("_parameters", "parameters")
        self._check_name("parameter", name, table)
        if param is not None and not isinstance(param, Parameter):
            raise ArgumentError(
                explain(
                    "register_parameter",
                    f"cannot assign {type(param).__name__!r} object to parameter {name!r} (torch.nn.Parameter or None required)",
                )
            )
        if param is not None and not param.is_leaf:
            raise ArgumentError(explain("register_parameter", f"cannot assign non-leaf Tensor to parameter {name!r}"))
        table[name] = everywhere.registered("parameter", self, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a Tensor that is state but no parameter.  persistent says whether state_dict has it."""
        table = self._table("_buffers", "buffer")
        self._check_name("buffer", name, table)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise ArgumentError(
                explain(
                    "register_buffer",
                    f"cannot assign {type(tensor).__name__!r} object to buffer {name!r} (torch Tensor or None required)",
                )
            )
        table[name] = everywhere.registered("buffer", self, name, tensor)
        (self._not_saved.discard if persistent else self._not_saved.add)(name)

    def register_module(self, name: str, module: Module | None) -> None:
        """Add a module under a name.  Raises KeyError for a bad or taken name, TypeError for another object."""
        if module is not None and not isinstance(module, Module):
            raise ArgumentError(explain("register_module", f"{type(module).__name__} is not a Module subclass"))
        table = self._table("_modules", "module")
        self._check_name("module", name, table)
        table[name] = everywhere.registered("module", self, name, module)

    add_module = register_module

    # --- walks

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, with dotted names, each once."""
        seen = set() if memo is None else memo
        if self in seen:
            return
        if remove_duplicate:
            seen.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(seen, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below, with names, each once."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules directly below."""
        return (module for _, module in self.named_children())

    def _named(self, table: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Tensor]]:
        seen: set[int] = set()
        modules = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else iter([(prefix, self)])
        )
        for path, module in modules:
            for name, value in module.__dict__[table].items():
                if value is None or (remove_duplicate and id(value) in seen):
                    continue
                seen.add(id(value))
                yield f"{path}.{name}" if path else name, value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All parameters with dotted names, each once."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Tensor]:
        """All parameters."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers with dotted names, each once."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module of a dotted name; this one for "".  Raises AttributeError when there is none."""
        module: Any = self
        for name in target.split(".") if target else ():
            if not isinstance(module, Module) or not hasattr(module, name):
                raise MissingAttributeError(f"{type(module).__name__} has no attribute `{name}`")
            module = getattr(module, name)
        if not isinstance(module, Module):
            raise MissingAttributeError(f"`{target}` is not an nn.Module")
        return module

    def get_parameter(self, target: str) -> Tensor:
        """The parameter of a dotted name.  Raises AttributeError when there is none."""
        path, _, name = target.rpartition(".")
        value = getattr(self.get_submodule(path), name)
        if not isinstance(value, Parameter):
            raise MissingAttributeError(f"`{name}` is not an nn.Parameter")
        return value  # type: ignore[return-value]

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of a dotted name.  Raises AttributeError when there is none."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        value: Any = getattr(module, name)
        if name not in module._buffers:
            raise MissingAttributeError(f"`{name}` is not a buffer")
        return value  # type: ignore[no-any-return]

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module at a dotted name; there must be one if strict.  Raises ValueError for "" or another object, AttributeError for a name that is missing."""
        path, _, name = target.rpartition(".")
        if not target:
            raise ArgumentValueError(explain("set_submodule", "Cannot set the submodule without a target name!"))
        if not isinstance(module, Module):
            problem = f"`module` is not an nn.Module, found {type(module)}"
            raise ArgumentValueError(explain("set_submodule", problem))
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise MissingAttributeError(f"{type(parent).__name__} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise MissingAttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    # --- the whole tree at once

    def apply(self: Self, fn: Callable[[Module], Any]) -> Self:
        """Call fn on every module below and then on this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self: Self, mode: bool = True) -> Self:
        """Set `training` here and below.  Raises ValueError unless mode is a bool."""
        if not isinstance(mode, bool):
            raise ArgumentValueError(
                explain("train", "training mode is expected to be boolean", got=type(mode).__name__)
            )
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: Self) -> Self:
        """train(False)."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Whether the parameters require grad from now on."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set every parameter's .grad to None, or to zeros."""
        for p in self.parameters():
            if p.grad is None:
                continue
            p.grad = None if set_to_none else p.grad.detach() * 0

    def to(self: Self, *args: Any, **kwargs: Any) -> Self:
        """Convert floating parameters and buffers to a dtype, in place; a device is accepted and must be the CPU.  Returns this module."""
        probe = [a for a in (*args, *kwargs.values()) if isinstance(a, dtypes.dtype)]
        if probe and not probe[0].is_floating_point:
            raise ArgumentError(
                explain("to", "nn.Module.to only accepts floating point or complex dtypes", got=probe[0])
            )
        wanted = kwargs.pop("memory_format", None)

        def convert(t: Tensor) -> Tensor:
            t = t.to(*args, **kwargs) if t.is_floating_point() or not probe else t
            return t if wanted is None or t.dim() not in (4, 5) else t.to(memory_format=wanted)

        return self._convert(convert)

    def float(self: Self) -> Self:
        """to(float32)."""
        return self._convert(lambda t: t.float() if t.is_floating_point() else t)

    def double(self: Self) -> Self:
        """to(float64)."""
        return self._convert(lambda t: t.double() if t.is_floating_point() else t)

    def half(self: Self) -> Self:
        """to(float16)."""
        return self._convert(lambda t: t.half() if t.is_floating_point() else t)

    def bfloat16(self: Self) -> Self:
        """to(bfloat16)."""
        return self._convert(lambda t: t.bfloat16() if t.is_floating_point() else t)

    def to_empty(self: Self, *, device: Any, recurse: bool = True) -> Self:  # noqa: ARG002
        """This module: it has memory already, on the only device."""
        return self

    def type(self: Self, dst_type: Any) -> Self:
        """All parameters and buffers as the dtype, also those that are not floating."""
        return self._convert(lambda t: t.type(dst_type))

    def share_memory(self: Self) -> Self:
        """This module: its memory is that of one process."""
        return self

    def cpu(self: Self) -> Self:
        """This module: it is on the CPU."""
        return self

    def _convert(self: Self, fn: Callable[[Tensor], Tensor]) -> Self:
        with no_grad():
            for module in self.modules():
                for p in module._parameters.values():
                    if p is not None:
                        _replace_values(p, fn)
                for name, b in module._buffers.items():
                    if b is not None:
                        module._buffers[name] = fn(b)
        return self

    # --- hooks

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, inputs)` before forward; what it returns replaces the inputs.  With kwargs it gets and returns them as well."""
        handle = _register(self._before_forward, hook, prepend)
        (self._with_named.add if with_kwargs else self._with_named.discard)(handle.id)
        return handle

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, inputs, result)` after forward; what it returns replaces the result.  With kwargs: `hook(module, inputs, kwargs, result)`.

        always_call: also when forward or another hook raises; the result is None where there is none.
        """
        handle = _register(self._after_forward, hook, prepend)
        if always_call:
            self._always_called.add(handle.id)
        (self._with_named.add if with_kwargs else self._with_named.discard)(handle.id)
        return handle

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_output)` when the gradients of the results are known; what it returns replaces them."""
        return _register(self._before_backward, hook, prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the inputs are known; what it returns replaces grad_input."""
        return _register(self._after_backward, hook, prepend)

    # --- text

    def extra_repr(self) -> str:
        """What stands between the parentheses of the repr."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = [f"({name}): {_indented(repr(module))}" for name, module in self._modules.items()]
        return _framed(self._get_name(), extra, lines)


def _register(table: dict[int, Any], hook: Callable[..., Any], first: bool = False) -> RemovableHandle:
    removable = RemovableHandle(table)
    others = dict(table) if first else {}
    for key in others:
        del table[key]
    table[removable.id] = hook
    table.update(others)
    return removable


def _inputs_and_named(answer: Any) -> tuple[Any, Any]:
    """What a forward pre-hook with kwargs returned."""
    if isinstance(answer, tuple) and len(answer) == 2:
        return answer
    problem = f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {answer}."
    raise DataError(explain("register_forward_pre_hook", problem))


def _replace_values(p: Tensor, fn: Callable[[Tensor], Tensor]) -> None:
    """Give a parameter converted values, and its gradient likewise, without changing the object."""
    converted, gradient = fn(p.detach()), p.grad
    if converted._data.dtype == p._data.dtype and converted._data.strides == p._data.strides:
        return
    followed = p.requires_grad
    p.grad = None
    if local.trace is not None:
        p.data = converted
    else:
        p.requires_grad_(False)
        p._data = converted._data
        p.requires_grad_(followed)
    if gradient is not None:
        p.grad = fn(gradient)


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def _framed(name: str, extra: str, lines: list[str]) -> str:
    """`Name(extra)`, or the lines of the children between `Name(` and `)`."""
    if not lines:
        return f"{name}({extra})"
    body = [*extra.split("\n"), *lines] if extra else lines
    return f"{name}(\n  " + "\n  ".join(body) + "\n)"


__all__ = [
    "IncompatibleKeys",
    "Module",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]
