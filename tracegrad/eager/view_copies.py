"""The functions `<view>_copy`: what the view functions of these names show, in memory of its own.  One family; loaded at the first use of one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracegrad.dtypes import NUMBERS
from tracegrad.eager.creation import _into as into
from tracegrad.eager.dispatch import T
from tracegrad.eager.generate import public_function
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, DTypeError, ShapeError, explain

_VIEWS = (
    "as_strided detach diagonal expand permute select split split_with_sizes squeeze t transpose unbind unfold unsqueeze "
    "view_as_complex view_as_real"
).split()


def _alias(input: Tensor) -> Tensor:  # noqa: A002
    return T.alias(input)  # type: ignore[no-any-return]


def _slice(input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:  # noqa: A002
    axis = range(input._data.ndim)[dim] if -input._data.ndim <= dim < input._data.ndim else dim
    first = public_function("select")(input, dim, 0) if input._data.ndim <= axis else input  # raises for a wrong axis
    return first[(slice(None),) * axis + (slice(start, end, step),)]  # type: ignore[no-any-return]


def _view(input: Tensor, *size: Any, **named: Any) -> Tensor:  # noqa: A002
    """A copy may have any shape of as many elements, also where a view could not show it."""
    wanted = size[0] if size else named.get("size", named.get("dtype"))
    if isinstance(wanted, (tuple, list)) and len(size) + len(named) == 1:
        return public_function("reshape")(input, wanted)  # type: ignore[no-any-return]
    return public_function("view")(input, *size, **named)  # type: ignore[no-any-return]


def _step_of(name: str, arguments: int) -> str:
    """What torch calls the backward of a copy: that of the view, marked as one."""
    if name == "narrow":
        return "NarrowCopyBackward0"
    words = "".join(word.capitalize() for word in name.split("_"))
    return f"{words}Backward{1 if name == 'squeeze' and arguments else 0}_copy"


def _copying(name: str, view: Callable[..., Any]) -> Callable[..., Any]:
    def function(input: Any, *args: Any, out: Any = None, **named: Any) -> Any:  # noqa: A002
        if not isinstance(input, Tensor):
            problem = f"argument 'input' must be Tensor, not {type(input).__name__}"
            raise ArgumentError(explain(f"{name}_copy", problem))
        found, step = view(input, *args, **named), _step_of(name, len(args) + len(named))
        if isinstance(found, tuple):
            pieces = tuple(_separate(piece, step) for piece in found)
            if out is None:
                return pieces
            for target, piece in zip(out, pieces, strict=True):
                into(piece, target)
            return None
        return into(_separate(found, step), out)

    function.__name__ = function.__qualname__ = f"{name}_copy"
    function.__doc__ = f"What {name} gives, in memory of its own: writing to one does not change the other."
    return function


def _separate(view: Tensor, step: str) -> Tensor:
    made: Tensor = T.row_major(T.clone(view))
    return T.named(made, called=step) if made.requires_grad else made  # type: ignore[no-any-return]


globals().update({f"{name}_copy": _copying(name, public_function(name)) for name in _VIEWS})
alias_copy = _copying("alias", _alias)
view_copy = _copying("view", _view)
_narrow_copied = _copying("narrow", public_function("narrow"))


def narrow_copy(input: Tensor, dim: int, start: int, length: int, *, out: Tensor | None = None) -> Tensor:  # noqa: A002
    """What narrow gives, in memory of its own.  Raises RuntimeError for an axis beyond the last, IndexError for one before the first."""
    if isinstance(input, Tensor) and isinstance(dim, int) and dim >= input.ndim:
        raise ShapeError(explain("narrow_copy", f"dim={dim} is not one of the {input.ndim} axes of the input"))
    return _narrow_copied(input, dim, start, length, out=out)  # type: ignore[no-any-return]


slice_copy = _copying("slice", _slice)

__all__ = [f"{name}_copy" for name in (*_VIEWS, "alias", "narrow", "slice", "view")]


def fill(input: Tensor, value: Any) -> Tensor:  # noqa: A002
    """A tensor like input with `value`, a number or a tensor without axes, in every element.  Raises RuntimeError for one with axes."""
    if not isinstance(input, Tensor) or not isinstance(value, (Tensor, *NUMBERS)):
        raise ArgumentError(
            explain("fill", f"got ({type(input).__name__}, {type(value).__name__}): expects a Tensor and a number")
        )
    if isinstance(value, Tensor) and value._data.ndim:
        problem = f"fill_ only supports 0-dimension value tensor but got tensor with {value._data.ndim} dimensions."
        raise ShapeError(explain("fill", problem))
    if isinstance(value, complex) and input._data.dtype.kind != "c":
        raise DTypeError(explain("fill", f"value cannot be converted to {input.dtype} without overflow", value=value))
    return T.overwrite(input, value, kind="fill_tensor" if isinstance(value, Tensor) else "fill_number")  # type: ignore[no-any-return]
