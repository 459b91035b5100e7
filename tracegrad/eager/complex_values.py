"""Functions, methods and properties of complex tensors that are more than an operator.

torch's conj() is a view that is computed when it is read; here it is a copy, and `is_conj` remembers that the function was called.
"""

from __future__ import annotations

from typing import Any

from tracegrad.eager.dispatch import T
from tracegrad.eager.generate import public_function
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ShapeError, explain
from tracegrad.ops.complex_numbers import adjoint_of

CONJUGATED = "_conjugated"


def _tensor(operation: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise ArgumentError(explain(operation, f"argument 'input' must be Tensor, not {type(value).__name__}"))
    return value


def _marked(t: Tensor, of: Tensor) -> Tensor:
    """t, the conjugate of `of`, as one whose conj bit is the opposite."""
    if t is not of and t._data.dtype.kind == "c" and not is_conj(of):
        t.__dict__[CONJUGATED] = True
    return t


def conj(input: Tensor) -> Tensor:  # noqa: A002  (torch's name)
    """The complex conjugate of every element; a real tensor itself.  A copy: writes do not reach input.  Raises TypeError for anything but a Tensor."""
    return _marked(public_function("conj")(_tensor("conj", input)), input)


def is_conj(input: Tensor) -> bool:  # noqa: A002
    """Whether the tensor was made by conj() from one that was not."""
    return CONJUGATED in _tensor("is_conj", input).__dict__


def resolve_conj(input: Tensor) -> Tensor:  # noqa: A002
    """The tensor without its conj bit; itself when it has none."""
    made: Tensor = T.clone(input) if is_conj(input) else input
    return made


def is_neg(input: Tensor) -> bool:  # noqa: A002
    """False: negatives are always computed."""
    return _tensor("is_neg", input) is None


def resolve_neg(input: Tensor) -> Tensor:  # noqa: A002
    """The tensor itself: negatives are always computed."""
    return _tensor("resolve_neg", input)


def _matrix_adjoint(self: Tensor) -> Tensor:
    """self with its last two axes exchanged, conjugated.  Raises RuntimeError below two axes."""
    return _marked(adjoint_of(T, self, "mH"), self)


def _adjoint(self: Tensor) -> Tensor:
    """The adjoint of a matrix; the conjugate of a single value.  Raises RuntimeError for any other number of axes."""
    ndim = self._data.ndim
    if ndim == 0:
        return conj(self)
    if ndim != 2:
        more = "For batches of matrices, consider using tensor.mH" if ndim > 2 else ""
        raise ShapeError(
            explain("H", f"tensor.H is only supported on matrices (2-D tensors). Got {ndim}-D tensor", more)
        )
    return _marked(adjoint_of(T, self, "H"), self)


def _real_of(self: Tensor) -> Tensor:
    """The real parts, a view; assigning writes them."""
    made: Tensor = public_function("real")(self)
    return made


def _set_real(self: Tensor, value: Any) -> None:
    _real_of(self).copy_(value)  # type: ignore[attr-defined]


def _imag_of(self: Tensor) -> Tensor:
    """The imaginary parts, a view; assigning writes them.  Raises RuntimeError for real tensors."""
    made: Tensor = public_function("imag")(self)
    return made


def _set_imag(self: Tensor, value: Any) -> None:
    _imag_of(self).copy_(value)  # type: ignore[attr-defined]


METHODS = {f.__name__: f for f in (conj, is_conj, resolve_conj, is_neg, resolve_neg)}
FUNCTIONS = dict(METHODS)
PROPERTIES = {
    "mH": property(_matrix_adjoint),
    "H": property(_adjoint),
    "real": property(_real_of, _set_real),
    "imag": property(_imag_of, _set_imag),
}
