"""N: the namespace of raw arrays.  Each operator's NumPy expression as a function, generated on first use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from tracegrad.errors import ArgumentError, DataError, IndexingError, LinAlgError, explain
from tracegrad.ir.half import has_half, rounded_array, wide_array, widens
from tracegrad.ir.op import REGISTRY, Op
from tracegrad.ir.prelude import Ops
from tracegrad.ir.types import type_of
from tracegrad.kernels import numpy_kernels as K

_LARGE = 4096  # elements from which on a selection against 0 has a kernel of its own
_FUNCTIONS: dict[str, Callable[..., Any]] = {}


def raw_source(op: type[Op]) -> str:
    """Source of the function from arrays and attributes to an array."""
    names = [f"*{o}" if spec.startswith("*") else o for o, spec in zip(op.operands, op.inputs, strict=True)]
    if op.attrs:
        names += [*([] if op.variadic else ["*"] if op.operands else []), *op.attrs]
    body = (
        op.numpy.format(**{n: n for n in (*op.operands, *op.attrs)})
        if op.numpy
        else f"OP.decompose(N, {', '.join([*op.operands, *(f'{a}={a}' for a in op.attrs)])})"
    )
    return f"def {op.name}({', '.join(names)}):\n    return {body}\n"


def raw(op: type[Op]) -> Callable[..., Any]:
    """The function that computes the operator on arrays: operands by position, attributes by keyword."""
    found = _FUNCTIONS.get(op.name)
    if found is None:
        scope: dict[str, Any] = {"np": np, "K": K, "N": N, "OP": op}
        exec(compile(raw_source(op), f"<numpy expression of {op.name}>", "exec"), scope)
        found = _FUNCTIONS[op.name] = scope[op.name]
    return found


class RawOps(Ops):
    """Operators on NumPy arrays."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        op = REGISTRY.get(name)
        if op is None:
            raise AttributeError(explain("N", f"there is no operator {name!r}"))
        function = partial(op.call, self) if op.composite else raw(op)
        self.__dict__[name] = function
        return function

    def sum_to(self, x: Any, *, shape: tuple[int, ...]) -> Any:
        """x summed over broadcast axes, in one kernel."""
        return K.sum_to(x, shape)

    def add_within(self, x: Any, y: Any) -> Any:
        """x + y, written over x."""
        return np.add(x, y, out=x) if type(x) is np.ndarray else super().add_within(x, y)

    def is_complex(self, x: Any) -> bool:
        """Whether x has a complex dtype."""
        return x.dtype.kind == "c" if type(x) is np.ndarray else isinstance(x, (complex, np.complexfloating))

    def as_dtype(self, x: Any, dtype: Any) -> Any:
        """x converted to a NumPy dtype."""
        if x.dtype is dtype:
            return x
        return super().as_dtype(x, dtype) if x.dtype.kind == "c" else self.cast(x, dtype=dtype)

    def where(self, c: Any, x: Any, y: Any) -> Any:
        """x where c holds, y elsewhere; what rules write most, with the number 0 on one side, by a kernel of its own."""
        if type(c) is np.ndarray and c.size < _LARGE:
            return np.where(c, x, y)
        if type(y) is float:
            if type(x) is np.ndarray and x.size >= _LARGE and y == 0:
                return K.keep(c, x)
        elif type(x) is float and type(y) is np.ndarray and y.size >= _LARGE and x == 0:
            return K.drop(c, y)
        return K.choose(c, x, y) if type(c) is np.ndarray else np.where(c, x, y)

    def unreduce(self, g: Any, *, shape: tuple[int, ...], dim: Sequence[int] | None) -> Any:
        """g, the result of a reduction, as an array that broadcasts against shape."""
        return g if dim is None and not g.shape else super().unreduce(g, shape=shape, dim=dim)

    def expand(self, x: Any, *, shape: tuple[int, ...]) -> Any:
        """x broadcast to shape, in one kernel."""
        return x if x.shape == shape else K.repeated(x, shape)


N = RawOps()


def _rounded_once(op: type[Op], values: tuple[Any, ...], given: dict[str, Any]) -> Any:
    """The operator on half-precision arrays: computed in float32, and rounded where the type rule wants it."""
    types = op.type_rule(tuple(None if v is None else type_of(v) for v in values), tuple(given.values()))
    computed = raw(op)(*map(wide_array, values), **given)
    if op.several():
        return tuple(map(rounded_array, computed, types))
    return rounded_array(computed, types)


def lies_as_operand(op: type[Op]) -> bool:
    """Whether the operator is a fold whose NumPy kernel keeps the order of the operand's axes; torch's results are row-major."""
    return op.numpy.startswith("np.") and ".reduce(" in op.numpy


def compute(op: type[Op], values: tuple[Any, ...], attrs: tuple[Any, ...]) -> Any:
    """Run the operator on arrays and Python numbers, silently where NumPy would warn about overflow or division by zero."""
    if len(attrs) != len(op.attrs):
        raise ArgumentError(explain(op.name, f"takes the attributes {op.attrs}, got {len(attrs)} values"))
    try:
        with np.errstate(all="ignore"):
            given = dict(zip(op.attrs, attrs, strict=True))
            if has_half(values) and widens(op):
                return _rounded_once(op, values, given)
            found = raw(op)(*values, **given)
            return np.ascontiguousarray(found) if lies_as_operand(op) and np.ndim(found) > 1 else found
    except np.linalg.LinAlgError as error:
        raise LinAlgError(str(error)) from None
    except (RuntimeError, IndexError) as error:
        if type(error) is IndexError:
            raise IndexingError(explain(op.name, str(error))) from None
        if type(error) is not RuntimeError:
            raise
        raise DataError(
            explain(op.name, str(error).removeprefix(f"{op.name}: "))
        ) from None  # kernels know no classes of ours
