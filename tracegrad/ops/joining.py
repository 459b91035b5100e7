"""Operators that join values: cat, stack and their relatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracegrad.dtypes import promote_types
from tracegrad.errors import ArgumentError, ArgumentValueError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Shape, Type, one_axis


def _replaced(shape: Shape, dim: int, *sizes: int) -> Shape:
    return (*shape[:dim], *sizes, *shape[dim + 1 :])


def tensor_list(operation: str, tensors: Any, empty: bool = True) -> list[Any]:
    """The items of a list or tuple of tensors.  Raises TypeError for anything else, RuntimeError for no items unless `empty`."""
    if not isinstance(tensors, (tuple, list)):
        raise ArgumentError(
            explain(operation, f"argument 'tensors' must be tuple of Tensors, not {type(tensors).__name__}")
        )
    for i, t in enumerate(tensors):
        if isinstance(t, (int, float, complex, str, tuple, list)) or t is None:
            raise ArgumentError(explain(operation, f"expected Tensor as element {i}, but got {type(t).__name__}"))
    if not empty and not tensors:
        raise ShapeError(explain(operation, f"{operation} expects a non-empty TensorList"))
    return list(tensors)


def _same_dtype(F: Ops, tensors: list[Any]) -> list[Any]:
    dtypes = [F.type(t).dtype for t in tensors]
    best = dtypes[0]
    for d in dtypes[1:]:
        best = promote_types(best, d)
    return [t if d == best else F.promote(t, dtype=best) for t, d in zip(tensors, dtypes, strict=True)]


def _check_dtypes(operation: str, xs: Sequence[Type]) -> None:
    if any(x.dtype != xs[0].dtype for x in xs):
        raise ShapeError(explain(operation, f"the values have different dtypes: {', '.join(map(str, xs))}"))


class Cat(Op):
    """Values joined along an existing axis.  Shapes: (*a, n, *b), (*a, m, *b), ... -> (*a, n + m + ..., *b)."""

    stored = True
    inputs, attrs, linear, quiet, method, aliases = ("*xs",), ("dim",), ("xs",), True, False, ("concat", "concatenate")
    numpy, jax, onnx = "K.concatenated({xs}, {dim})", "jnp.concatenate({xs}, {dim})", "Concat"
    samples = ([A(2, 3), A(1, 3), 0], [A(2, 3), A(2, 1), A(2, 2), 1], [A(0, 3), A(2, 3), 0], [A(2), 0])

    @staticmethod
    def call(F: Ops, tensors: Any, dim: int = 0) -> Value:
        """The tensors joined along dim, in torch's common dtype.  An empty vector fits everywhere, as in torch."""
        items = tensor_list("cat", tensors)
        if not items:
            raise ArgumentValueError(explain("cat", "expected a non-empty list of Tensors"))
        items = _same_dtype(F, items)
        shapes = [F.shape(t) for t in items]
        for i, shape in enumerate(shapes):
            if not shape:
                raise ShapeError(explain("cat", f"zero-dimensional tensor (at position {i}) cannot be concatenated"))
        shape = next((s for s in shapes if s != (0,)), (0,))
        if shape == (0,):
            return F.cat(*items, dim=0)
        axis = one_axis("cat", len(shape), dim)
        empty = _replaced(shape, axis, 0)  # torch takes an empty vector for an empty part of any shape
        return F.cat(
            *(F.reshape(t, shape=empty) if s == (0,) != empty else t for t, s in zip(items, shapes, strict=True)),
            dim=axis,
        )

    @staticmethod
    def infer(xs: tuple[Type, ...], dim: int) -> Type:
        """The sum of the sizes along dim; all others equal."""
        first = xs[0].shape
        _check_dtypes("cat", xs)
        for i, x in enumerate(xs):
            if len(x.shape) != len(first):
                raise ShapeError(
                    explain("cat", f"Tensors must have same number of dimensions: got {len(first)} and {len(x.shape)}")
                )
            if _replaced(x.shape, dim) != _replaced(first, dim):
                raise ShapeError(
                    explain(
                        "cat",
                        f"Sizes of tensors must match except in dimension {dim}: {list(first)} and, at position {i}, {list(x.shape)}",
                    )
                )
        return Type(_replaced(first, dim, sum(x.shape[dim] for x in xs)), xs[0].dtype)

    @staticmethod
    def grad_xs(F: Ops, g: Value, xs_types: tuple[Type, ...], dim: int) -> tuple[Value, ...]:
        ends = np.cumsum([x.shape[dim] for x in xs_types], dtype=int).tolist()
        return tuple(
            F.slice(g, dim=dim, start=end - x.shape[dim], stop=end, step=1)
            for x, end in zip(xs_types, ends, strict=True)
        )

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], xs: tuple[Value, ...], dim: int) -> Value:
        return F.cat(*F.lift(size, batched, *xs), dim=dim + 1)


class Stack(Op):
    """Values of one shape joined along a new axis.  Shapes: n times (*a, *b) -> (*a, n, *b)."""

    stored = True
    inputs, attrs, linear, quiet, method = ("*xs",), ("dim",), ("xs",), True, False
    numpy, jax = "K.stack({xs}, {dim})", "jnp.stack({xs}, {dim})"
    samples = ([A(2, 3), A(2, 3), 0], [A(2), A(2), A(2), 1], [A(), A(), 0], [A(0), A(0), 1])

    @staticmethod
    def call(F: Ops, tensors: Any, dim: int = 0) -> Value:
        """The tensors, all of one shape, along a new axis dim."""
        items = tensor_list("stack", tensors, empty=False)
        items = _same_dtype(F, items)
        return F.stack(*items, dim=one_axis("stack", len(F.shape(items[0])) + 1, dim))

    @staticmethod
    def infer(xs: tuple[Type, ...], dim: int) -> Type:
        """The shape with the number of values at dim."""
        first = xs[0].shape
        _check_dtypes("stack", xs)
        for i, x in enumerate(xs):
            if x.shape != first:
                raise ShapeError(
                    explain(
                        "stack",
                        f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and {list(x.shape)} at entry {i}",
                    )
                )
        return Type((*first[:dim], len(xs), *first[dim:]), xs[0].dtype)

    @staticmethod
    def grad_xs(F: Ops, g: Value, xs_types: tuple[Type, ...], dim: int) -> tuple[Value, ...]:
        return tuple(F.select(g, dim=dim, index=i) for i in range(len(xs_types)))

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], xs: tuple[Value, ...], dim: int) -> Value:
        return F.stack(*F.lift(size, batched, *xs), dim=dim + 1)


class Vstack(Composite):
    """Values joined row-wise; vectors become rows.  Shapes: (n, *a), (m, *a), ... -> (n + m + ..., *a)."""

    method, samples = False, ([[A(2, 3), A(1, 3)]],)

    @staticmethod
    def call(F: Ops, tensors: Any) -> Value:
        """cat along axis 0 of values with at least two axes."""
        rows = tensor_list("vstack", tensors, empty=False)
        rows = [
            F.reshape(t, shape=(1, 1)) if not F.shape(t) else F.unsqueeze(t, dim=0) if len(F.shape(t)) == 1 else t
            for t in rows
        ]
        return Cat.call(F, rows, 0)


class Hstack(Composite):
    """Values joined along axis 1; vectors along axis 0.  Shapes: (n,), (m,) -> (n + m,); (a, n, *b), (a, m, *b) -> (a, n + m, *b)."""

    method, samples = False, ([[A(2), A(3)]],)

    @staticmethod
    def call(F: Ops, tensors: Any) -> Value:
        """cat along axis 1, or 0 for vectors."""
        items = tensor_list("hstack", tensors, empty=False)
        items = [F.reshape(t, shape=(1,)) if not F.shape(t) else t for t in items]
        return Cat.call(F, items, 0 if len(F.shape(items[0])) == 1 else 1)
