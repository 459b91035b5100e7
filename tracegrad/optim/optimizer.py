"""Optimizer: groups of parameters with their settings, what a method keeps per parameter, and hooks."""

from __future__ import annotations

import warnings
import weakref
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import update_wrapper
from typing import Any

from tracegrad.autograd.hooks import RemovableHandle
from tracegrad.autograd.modes import no_grad
from tracegrad.config import local
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, DataError, explain
from tracegrad.optim.saved import loaded_value, packed_groups

Hook = Callable[..., Any]
made_inside: weakref.WeakKeyDictionary[Optimizer, weakref.ref[Any]] = weakref.WeakKeyDictionary()  # by the recording
HOOKS = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


class _Required:
    """Stands in `defaults` for a setting that every group must give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()

_every_pre_hook: OrderedDict[int, Hook] = OrderedDict()
_every_post_hook: OrderedDict[int, Hook] = OrderedDict()


def register_optimizer_step_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` before every step of every optimizer; what it returns, if not None, replaces (args, kwargs)."""
    return _registered(_every_pre_hook, hook)


def register_optimizer_step_post_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` after every step of every optimizer."""
    return _registered(_every_post_hook, hook)


class Optimizer:
    """Base of all methods.  A method of your own gives `defaults` to this constructor and writes `step(self, closure=None)`.

    param_groups  dicts with the parameters ("params") and settings of each group     defaults  settings that a group need not give
    state         what the method keeps: a dict for each parameter                     step_count  how many steps were taken in this process
    """

    __slots__ = ("__dict__", "__weakref__", "step_count")  # the count is no setting: compiled code does not watch it

    _optimizer_step_pre_hooks: OrderedDict[int, Hook]
    _optimizer_step_post_hooks: OrderedDict[int, Hook]
    _optimizer_state_dict_pre_hooks: OrderedDict[int, Hook]
    _optimizer_state_dict_post_hooks: OrderedDict[int, Hook]
    _optimizer_load_state_dict_pre_hooks: OrderedDict[int, Hook]
    _optimizer_load_state_dict_post_hooks: OrderedDict[int, Hook]

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults, self.step_count = defaults, 0
        if local.trace is not None:
            made_inside[self] = weakref.ref(local.trace)
        for name in HOOKS:
            setattr(self, name, OrderedDict())
        if isinstance(params, Tensor):
            problem = (
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got one Tensor"
            )
            raise ArgumentError(explain("optimizer", problem))
        self.state: dict[Any, Any] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        given = list(params)
        if not given:
            raise ArgumentValueError(explain("optimizer", "optimizer got an empty parameter list"))
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _hooked(cls.__dict__["step"])  # type: ignore[method-assign]

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for name in HOOKS:
            self.__dict__.setdefault(name, OrderedDict())
        self.defaults.setdefault("differentiable", False)
        if not hasattr(self, "step_count"):
            self.step_count = 0

    def __repr__(self) -> str:
        text = type(self).__name__ + " ("
        for i, group in enumerate(self.param_groups):
            settings = "".join(f"    {name}: {group[name]}\n" for name in sorted(group) if name != "params")
            text += f"\nParameter Group {i}\n{settings}"
        return text + ")"

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters once.  closure, if given, computes loss and gradients anew and returns the loss, which is returned."""
        raise NotImplementedError(explain("optimizer", f"{type(self).__name__} does not say how to change a parameter"))

    @staticmethod
    def profile_hook_step(function: Hook) -> Hook:
        """The function itself: steps are wrapped where a class is made."""
        return function

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the .grad of all parameters to None, or fill it with zeros where it is."""
        for p in self._parameters():
            g = p.grad
            if g is None:
                continue
            if set_to_none:
                p.grad = None
                continue
            if g.grad_fn is not None:  # type: ignore[attr-defined]
                g.detach_()  # type: ignore[attr-defined]
            else:
                g.requires_grad_(False)
            with no_grad():
                g.zero_()  # type: ignore[attr-defined]

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimise these parameters as well: param_group["params"], one Tensor or a list of Tensors or of pairs (name, Tensor).

        Settings that the group leaves out are the defaults.  Raises TypeError for what is no Tensor and for sets, ValueError for a Tensor that is no
        leaf, for one that is in another group already, and for names on some parameters only.
        """
        if not isinstance(param_group, dict):
            raise ArgumentError(
                explain("optimizer", f"param_group must be a dict, but got {type(param_group).__name__}")
            )
        _list_parameters(param_group)
        for p in param_group["params"]:
            self._check(p)
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                problem = f"parameter group didn't specify a value of required optimization parameter {name}"
                raise ArgumentValueError(explain("optimizer", problem))
            param_group.setdefault(name, default)
        self._check_group(param_group)
        self.param_groups.append(param_group)

    def _check(self, p: Any) -> None:
        if not isinstance(p, Tensor):
            problem = f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}"
            raise ArgumentError(explain("optimizer", problem))
        if not self.defaults.get("differentiable") and not (p.is_leaf or p.retains_grad):  # type: ignore[attr-defined]
            raise ArgumentValueError(explain("optimizer", "can't optimize a non-leaf Tensor"))

    def _check_group(self, group: dict[str, Any]) -> None:
        params = group["params"]
        if len(set(params)) < len(params):
            text = "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error"
            warnings.warn(text, UserWarning, stacklevel=4)
        for other in self.param_groups:
            if ("param_names" in group) != ("param_names" in other):
                problem = "all optimizer param groups should be with/without names"
                raise ArgumentValueError(explain("optimizer", problem))
        if not {p for other in self.param_groups for p in other["params"]}.isdisjoint(params):
            raise ArgumentValueError(explain("optimizer", "some parameters appear in more than one parameter group"))

    def _parameters(self) -> Iterator[Tensor]:
        return (p for group in self.param_groups for p in group["params"])

    def state_dict(self) -> dict[str, Any]:
        """{"state": what is kept per parameter, "param_groups": the settings}; parameters are numbered in order.  The Tensors are those in use."""
        for before in self._optimizer_state_dict_pre_hooks.values():
            before(self)
        groups, numbers = packed_groups(self.param_groups)
        state = {numbers[id(k)] if isinstance(k, Tensor) else k: kept for k, kept in self.state.items()}
        found = {"state": state, "param_groups": groups}
        for after in self._optimizer_state_dict_post_hooks.values():
            replaced = after(self, found)
            found = found if replaced is None else replaced
        return found

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what state_dict of an optimizer of the same form gave; Tensors come in the dtype of their parameter.  Raises ValueError when the groups differ."""
        state_dict = dict(state_dict)
        for before in self._optimizer_load_state_dict_pre_hooks.values():
            replaced = before(self, state_dict)
            state_dict = state_dict if replaced is None else replaced
        saved = [{**group, "params": list(group["params"])} for group in state_dict["param_groups"]]
        if len(saved) != len(self.param_groups):
            problem = "loaded state dict has a different number of parameter groups"
            raise ArgumentValueError(explain("load_state_dict", problem))
        if any(len(a["params"]) != len(b["params"]) for a, b in zip(saved, self.param_groups, strict=True)):
            problem = "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            raise ArgumentValueError(explain("load_state_dict", problem))
        owners = {}
        for old, group in zip(saved, self.param_groups, strict=True):
            owners.update({k: (p, old) for k, p in zip(old["params"], group["params"], strict=True)})
        state: dict[Any, Any] = defaultdict(dict)
        for k, kept in state_dict["state"].items():
            if k in owners:
                p, old = owners[k]
                state[p] = loaded_value(p, kept, old)
            else:
                state[k] = kept
        for old, group in zip(saved, self.param_groups, strict=True):
            old["params"] = group["params"]
            if "param_names" in group:
                old.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for after in self._optimizer_load_state_dict_post_hooks.values():
            after(self)

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step; what it returns, if not None, replaces (args, kwargs)."""
        return _registered(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return _registered(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` before state_dict."""
        return _registered(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` on what state_dict gives; what it returns, if not None, takes its place."""
        return _registered(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before load_state_dict; what it returns, if not None, is loaded instead."""
        return _registered(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` after load_state_dict."""
        return _registered(self._optimizer_load_state_dict_post_hooks, hook, prepend)


def _registered(hooks: OrderedDict[int, Hook], hook: Hook, prepend: bool = False) -> RemovableHandle:
    remover = RemovableHandle(hooks)
    hooks[remover.id] = hook
    if prepend:
        hooks.move_to_end(remover.id, last=False)
    return remover


def _hooked(function: Hook) -> Hook:
    """A step that counts itself and calls the hooks, once, even where one class's step calls another's."""

    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        if type(self).step is not step:
            return function(self, *args, **kwargs)
        self.step_count += 1
        if not (
            _every_pre_hook or _every_post_hook or self._optimizer_step_pre_hooks or self._optimizer_step_post_hooks
        ):
            return function(self, *args, **kwargs)
        given: Any = ((self, *args), kwargs)
        for before in (*_every_pre_hook.values(), *self._optimizer_step_pre_hooks.values()):
            given = _replaced(before(self, *given), given)
        result = function(*given[0], **given[1])
        for after in (*self._optimizer_step_post_hooks.values(), *_every_post_hook.values()):
            after(self, *given)
        return result

    return update_wrapper(step, function)


def _replaced(answer: Any, given: Any) -> Any:
    if answer is None:
        return given
    if isinstance(answer, tuple) and len(answer) == 2:
        return answer
    problem = f"a step pre hook must return None or a tuple of (new_args, new_kwargs), but got {answer}"
    raise DataError(explain("optimizer", problem))


def _list_parameters(group: dict[str, Any]) -> None:
    """Put the parameters of a group into a list, and their names, if they have some, into another."""
    params = group["params"]
    if isinstance(params, set):
        problem = "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets will change between runs"
        raise ArgumentError(explain("optimizer", problem, "Use a list instead"))
    listed: Iterable[Any] = [params] if isinstance(params, Tensor) else list(params)
    names = [p[0] for p in listed if isinstance(p, tuple)]
    group["params"] = [p[1] if isinstance(p, tuple) else p for p in listed]
    if names:
        if len(names) < len(group["params"]):
            problem = "all optimizer params should be with/without names. Some param names are missing"
            raise ArgumentValueError(explain("optimizer", problem))
        group["param_names"] = names


__all__ = ["Optimizer", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook", "required"]
