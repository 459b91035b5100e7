"""The namespace that derivative rules are written over, and the conveniences that all three namespaces share.

A rule's `F` is one of: `N` (raw arrays), `B` (graph nodes), `T` (Tensors).  Each offers every operator as `F.name(*inputs, **attrs)`, found by
`__getattr__`, plus the methods below, which are written once over the operators.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tracegrad.dtypes import NUMBERS
from tracegrad.errors import ShapeError, explain
from tracegrad.ir.types import Shape, Type, type_of


class Value(Protocol):
    """What rules compute with: an array, a Tensor or a Node."""

    @property
    def shape(self) -> tuple[int, ...]: ...


class Ops:
    """Base of the namespaces: operators by name, and conveniences over them.

    followed   whether the user may differentiate the results again on the tape: x**2 twice is then 2 with a history, and x**2 three times 0, as in torch
    """

    followed: bool = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        raise AttributeError(name)

    def type(self, x: Any) -> Type:
        """Shape and NumPy dtype of x; weak for a Python number."""
        return type_of(x)

    def shape(self, x: Any) -> Shape:
        """Shape of x; () for a Python number."""
        return type_of(x).shape

    def is_floating(self, x: Any) -> bool:
        """Whether x has a floating or complex dtype."""
        return type_of(x).dtype.kind in "fcV"

    def is_complex(self, x: Any) -> bool:
        """Whether x has a complex dtype."""
        return type_of(x).dtype.kind == "c"

    def sum_to(self, x: Any, *, shape: Shape) -> Any:
        """x summed over the axes along which `shape` was broadcast to x's shape."""
        have = self.shape(x)
        if have == shape:
            return x
        if not shape:
            return self.sum(x, dim=None, keepdim=False)
        lead = len(have) - len(shape)
        axes = tuple(range(lead)) + tuple(lead + i for i, size in enumerate(shape) if size == 1 and have[lead + i] != 1)
        total = self.sum(x, dim=axes, keepdim=True) if axes else x
        return self.reshape(total, shape=shape) if lead else total

    def expand(self, x: Any, *, shape: Shape) -> Any:
        """x broadcast to shape; x itself when it has that shape."""
        return x if self.shape(x) == shape else self.broadcast_to(x, shape=shape)

    def unreduce(self, g: Any, *, shape: Shape, dim: Sequence[int] | None) -> Any:
        """g, the result of a reduction over dim with or without kept axes, as a value that broadcasts against `shape`."""
        if dim is None and not self.shape(g):  # a single number broadcasts as it is
            return g
        kept = tuple(1 if dim is None or i in dim else size for i, size in enumerate(shape))
        return g if self.shape(g) == kept else self.reshape(g, shape=kept)

    def mT(self, x: Any) -> Any:
        """x with its last two axes exchanged."""
        n = len(self.shape(x))
        return self.permute(x, dims=(*range(n - 2), n - 1, n - 2))

    def zeros(self, like: Type) -> Any:
        """Zeros of a type."""
        return self.full(shape=like.shape, value=0, dtype=like.dtype)

    def ones(self, like: Type) -> Any:
        """Ones of a type."""
        return self.full(shape=like.shape, value=1, dtype=like.dtype)

    def plain_sum(self, x: Any, y: Any, called: str, beta: Any = 1, alpha: Any = 1) -> Any:
        """beta * x + alpha * y as a step of torch's name where x has y's floating dtype and the sizes of its last axes; None where that is not seen at a glance."""
        return None

    def add_within(self, x: Any, y: Any) -> Any:
        """x + y of x's shape, where nobody else holds x.  Raises ShapeError if y broadcasts it."""
        made = self.add(x, y)
        if made.shape != x.shape:
            raise ShapeError(explain("add", "the second operand does not fit into the first", x=x.shape, y=y.shape))
        return made

    def row_major(self, x: Any, axes: tuple[int, ...] = ()) -> Any:
        """x, just made, with its elements row by row in memory (after its axes are put into this order), where that can be seen."""
        return x

    def as_dtype(self, x: Any, dtype: Any) -> Any:
        """x converted to a NumPy dtype; x itself when it has it.  Complex numbers become real by their real parts, bools where they are not 0."""
        have = self.type(x).dtype
        if have == dtype:
            return x
        if have.kind == "c" and dtype.kind != "c":
            return self.ne(x, 0) if dtype.kind == "b" else self.as_dtype(self.real(x), dtype)
        return self.cast(x, dtype=dtype)

    def flat_in(self, value: Any, x: Any, step: str) -> Any:
        """value; on the tape as a function of x too, whose derivative there is 0, under torch's name for that step."""
        return self.flat(value, x, step=step) if self.followed else value

    def lift(self, size: int, batched: Sequence[bool], *values: Any) -> tuple[Any, ...]:
        """Operands with a leading batch axis each, all of the same rank; an unbatched one is broadcast to `size`.  For batching rules.

        Python numbers stay what they are.
        """
        out: list[Any] = []
        for value, is_batched in zip(values, batched, strict=True):
            if isinstance(value, NUMBERS):
                out.append(value)
                continue
            shape = self.shape(value)
            out.append(
                value if is_batched else self.broadcast_to(self.reshape(value, shape=(1, *shape)), shape=(size, *shape))
            )
        rank = max(len(self.shape(v)) for v in out)
        return tuple(
            v
            if isinstance(v, NUMBERS) or len(self.shape(v)) == rank
            else self.reshape(v, shape=(self.shape(v)[0], *(1,) * (rank - len(self.shape(v))), *self.shape(v)[1:]))
            for v in out
        )
