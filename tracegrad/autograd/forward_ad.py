"""torch.autograd.forward_ad: forward mode with dual tensors, whose tangents follow every operator while a level is open.

`with dual_level(): d = make_dual(x, t); y = f(d); primal, tangent = unpack_dual(y)`; the tangent of y is the Jacobian of f at x times t.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tracegrad import config
from tracegrad.autograd import duals
from tracegrad.autograd.saving import change_watch
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, DifferentiationError, MissingAttributeError, explain


class UnpackedDualTensor(NamedTuple):
    """What unpack_dual returns: the value, and its tangent or None."""

    primal: Tensor
    tangent: Tensor | None


def enter_dual_level() -> int:
    """Open a level and return its number, which is 0.  Raises RuntimeError inside another level."""
    if duals.current() is not None:
        raise DifferentiationError(
            explain("enter_dual_level", "Nested forward mode AD is not supported at the moment", "Exit the level first")
        )
    change_watch(duals=duals.Level())
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Close the level: dual tensors made in it are ordinary tensors from now on.  Raises RuntimeError when none is open, or for another level."""
    now = duals.current()
    if now is None or level not in (None, 0):
        problem = "Trying to exit a forward AD level but no level is open, or not this one"
        raise DifferentiationError(explain("exit_dual_level", problem))
    now.saved.clear()
    change_watch(duals=None)


class dual_level:  # noqa: N801
    """`with dual_level():` a level in which dual tensors may be made; its value is the level's number."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *_exception: object) -> None:
        exit_dual_level()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A view of `tensor` whose derivative along the direction is `tangent`, of equal shape.

    Raises RuntimeError outside a level, for another shape and for a tensor that is a dual one already, ValueError for integers,
    AttributeError for anything but Tensors.
    """
    now = duals.current()
    if now is None:
        problem = (
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first"
        )
        raise DifferentiationError(explain("make_dual", problem))
    _check_level("make_dual", level)
    for name, value in (("tensor", tensor), ("tangent", tangent)):
        if not isinstance(value, Tensor):
            raise MissingAttributeError(explain("make_dual", f"{name} must be a Tensor, not {type(value).__name__}"))
        if value._data.dtype.kind not in "fcV":
            problem = f"Expected {'primal' if value is tensor else 'tangent'} to be floating point or complex, but got: {value.dtype}"
            raise ArgumentValueError(explain("make_dual", problem))
    if now.tangent(tensor) is not None:
        problem = "Making a dual Tensor based on a Tensor that already has a forward gradient at the same level 0 is not supported"
        raise DifferentiationError(explain("make_dual", problem))
    if now.tangent(tangent) is not None:
        problem = "Setting a forward grad that itself has a forward gradient at the same level 0 is not supported"
        raise DifferentiationError(explain("make_dual", problem))
    return duals.make_dual(now, tensor, tangent)


def _check_level(operation: str, level: int | None) -> None:
    if level not in (None, 0):
        raise DifferentiationError(explain(operation, f"no level {level} is open", "Leave out level=, or pass 0"))


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """(primal, tangent) of a tensor: without the tangent, and the tangent, None for a tensor that is no dual one of the open level."""
    now = duals.current()
    if now is None:
        return UnpackedDualTensor(tensor, None)
    if not isinstance(tensor, Tensor):
        raise ArgumentError(explain("unpack_dual", f"tensor must be a Tensor, not {type(tensor).__name__}"))
    _check_level("unpack_dual", level)
    watch = now.suspend()
    try:
        return UnpackedDualTensor(T.alias(tensor), now.tangent(tensor))
    finally:
        config.set_watch(watch)


__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


def __getattr__(name: str) -> Any:
    if name == "_current_level":
        return -1 if duals.current() is None else 0
    raise AttributeError(f"module 'tracegrad.autograd.forward_ad' has no attribute {name!r}")
