"""Marks on the axes of Tensors, which say what compile() is to make of their sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tracegrad.compiler.resized import Axis
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ConstraintViolationError, explain
from tracegrad.ir.types import many_axes

if TYPE_CHECKING:
    from tracegrad.compiler.arguments import Arguments

MARKS = "_marks_of_sizes"  # attribute of a Tensor: axis -> the parts of a Mark, which can be saved


class Mark(NamedTuple):
    """kind "dynamic", "maybe" or "static", and the least and the largest size that was promised."""

    kind: str
    least: int | None = None
    largest: int | None = None


class Marks(NamedTuple):
    """The marks of one call's arguments.

    dynamic   axes whose sizes one text is to serve, with their marks        constant  axes that are compiled for each size by itself
    static    these with their sizes: part of the form of what is compiled
    """

    dynamic: dict[Axis, Mark]
    constant: frozenset[Axis]
    static: tuple[tuple[Axis, int], ...]

    @property
    def weak(self) -> bool:
        """Whether every mark only proposes."""
        return all(mark.kind == "maybe" for mark in self.dynamic.values())


NONE = Marks({}, frozenset(), ())


def marks_of(call: Arguments) -> Marks:
    """The marks of the arguments.  Raises ConstraintViolationError for a size outside of what was promised."""
    if not any(t.__dict__ and MARKS in t.__dict__ for t in call.tensors):
        return NONE
    dynamic: dict[Axis, Mark] = {}
    static: dict[Axis, int] = {}
    for i, t in enumerate(call.tensors):
        for dim, parts in t.__dict__.get(MARKS, {}).items():
            mark = Mark(*parts)
            size = t._data.shape[dim] if dim < t._data.ndim else 0
            if mark.kind == "static":
                static[Axis(i, dim)] = size
                continue
            dynamic[Axis(i, dim)] = mark
            if not (mark.least or 0) <= size <= (size if mark.largest is None else mark.largest):
                problem = f"{size} not in range [{mark.least or 0}, {mark.largest}] that mark_dynamic was given for axis {dim}"
                raise ConstraintViolationError(explain("compile", problem, shape=tuple(t._data.shape)))
    return Marks(dynamic, frozenset(static), tuple(static.items()))


def _mark(what: str, x: Any, dim: Any, mark: Mark) -> None:
    if not isinstance(x, Tensor):
        raise ArgumentError(explain(what, f"needs a Tensor, got {type(x).__name__}"))
    marks = x.__dict__.setdefault(MARKS, {})
    marks.update(dict.fromkeys(many_axes(what, x.ndim, dim) or (), tuple(mark)))


def mark_dynamic(
    x: Tensor,
    dim: int | Sequence[int],
    *,
    hint_override: int | None = None,
    min: int | None = None,  # noqa: A002  (torch's name)
    max: int | None = None,  # noqa: A002  (torch's name)
    specialize_on: Any = None,
) -> None:
    """Say that the sizes of these axes will change: on the NumPy backend the first call makes one program for all sizes (but 0 and 1).

    min and max bound the sizes that will come; hint_override and specialize_on are accepted as torch takes them and change nothing.  Axes of the
    arguments that are as large as a marked one may change together with it.  A compiled function to which the size is a constant (compared with `==`, or that of a captured Tensor) raises
    ConstraintViolationError (a RuntimeError) when it is called, as does a size outside of min and max.

    Raises IndexError for an axis that x does not have, TypeError for what is no Tensor or no axis.  Example:  mark_dynamic(x, 0)
    """
    _mark("mark_dynamic", x, dim, Mark("dynamic", min, max))


def maybe_mark_dynamic(x: Tensor, dim: int | Sequence[int]) -> None:
    """As `mark_dynamic`, where the function allows it; otherwise every size is compiled when it comes.

    Raises IndexError for an axis that x does not have, TypeError for what is no Tensor or no axis.  Example:  maybe_mark_dynamic(x, 0)
    """
    _mark("maybe_mark_dynamic", x, dim, Mark("maybe"))


def mark_static(x: Tensor, dim: int | Sequence[int] | None = None) -> None:
    """Let every size of these axes (of all axes for None) have a program of its own.

    Raises IndexError for an axis that x does not have, TypeError for what is no Tensor or no axis.  Example:  mark_static(x, 1)
    """
    _mark("mark_static", x, range(x.ndim) if dim is None and isinstance(x, Tensor) else dim, Mark("static"))
