"""jvp, vmap and the Jacobians made of them: the function is recorded, a pass transforms its graph, and the result runs on Tensors."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from tracegrad import pytree
from tracegrad.compiler.recorder import Trace
from tracegrad.compiler.replay import Recorded, as_tensor_leaf, record, replay
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, ShapeError, explain
from tracegrad.func.levels import positions
from tracegrad.func.reverse import vjp
from tracegrad.ir.graph import Graph
from tracegrad.ir.types import Type, one_axis
from tracegrad.passes.batch import batch_graph
from tracegrad.passes.jvp import jvp_graph

Function = Callable[..., Any]


def _record(what: str, function: Function, tensors: list[Tensor], treedef: Any, reads: bool) -> Recorded:
    """Record function at these argument leaves."""
    trace = Trace(what, reads)
    return record(trace, function, treedef.unflatten([trace.leaf(t._data) for t in tensors]), {})


def jvp(
    function: Function, primals: tuple[Any, ...], tangents: tuple[Any, ...], *, has_aux: bool = False
) -> tuple[Any, ...]:
    """(output, output tangent[, aux]) of a function at the primals along the tangents, which have the form of the primals.

    Forward mode: one pass, at the cost of a small multiple of the function.  Raises ValueError when primals and tangents differ in form or shape.
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise ArgumentError(explain("jvp", "primals and tangents must be tuples with one entry per argument"))
    flat, treedef = pytree.flatten(primals)
    along, form = pytree.flatten(tangents)
    if form != treedef:
        raise ArgumentValueError(explain("jvp", f"tangents must have the form of the primals, {treedef}; got {form}"))
    values, directions = [as_tensor_leaf("jvp", v) for v in flat], [as_tensor_leaf("jvp", v) for v in along]
    for v, d in zip(values, directions, strict=True):
        if v._data.shape != d._data.shape:
            raise ArgumentValueError(
                explain(
                    "jvp",
                    "a tangent has another shape than its primal",
                    primal=list(v._data.shape),
                    tangent=list(d._data.shape),
                )
            )
    wrapped = function if has_aux else lambda *args: (function(*args), None)
    recorded = _record("jvp", wrapped, values, treedef, reads=True)
    graph = recorded.graph
    found = replay(jvp_graph(graph, tuple(range(len(values)))), [*values, *directions, *recorded.captures])
    count = len(graph.outputs)
    output, aux = recorded.result(found[:count])
    tangent, _ = recorded.result(found[count:])
    return (output, tangent, aux) if has_aux else (output, tangent)


def vmap(function: Function, in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error") -> Function:
    """The function mapped over an axis of its arguments, as one program without a loop.

    in_dims: the mapped axis of every argument: one int for all, or a tuple with an int, None (not mapped) or a matching container per argument; out_dims likewise for results.
    Code that reads a value (`if x > 0`) raises RuntimeError, since each example would go its own way.  Nests, and may be differentiated and compiled.
    """
    if randomness not in ("error", "different", "same"):
        raise ArgumentValueError(
            explain("vmap", f"randomness must be 'error', 'different' or 'same', got {randomness!r}")
        )

    @wraps(function)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        flat, treedef = pytree.flatten(args)
        tensors = [as_tensor_leaf("vmap", v) for v in flat]
        axes = _axes_of_leaves(in_dims, args, tensors)
        size = _batch_size(tensors, axes)
        moved = [t if a is None else _move(t, a, 0) for t, a in zip(tensors, axes, strict=True)]
        example = [t if a is None else _example(t) for t, a in zip(moved, axes, strict=True)]
        recorded = _record("vmap", lambda *inner: function(*inner, **kwargs), example, treedef, reads=False)
        graph = recorded.graph
        closed = Graph(graph.leaves, graph.outputs, (), graph.effects, graph.names)
        batched = (*(a is not None for a in axes), *(False for _ in recorded.captures))
        found = replay(batch_graph(closed, batched, size), [*moved, *recorded.captures])
        return recorded.result(_place_results(found, out_dims, recorded))

    return mapped


def _example(t: Tensor) -> Tensor:
    """One entry along the first axis, or zeros where the batch is empty."""
    if t._data.shape[0] == 0:
        return T.zeros(Type(t._data.shape[1:], t._data.dtype))  # type: ignore[no-any-return]
    return T.select(t, dim=0, index=0)  # type: ignore[no-any-return]


def _move(t: Tensor, source: int, target: int) -> Tensor:
    """t with one axis moved, the others in order."""
    ndim = len(t._data.shape)
    source, target = source % ndim, target % ndim
    if source == target:
        return t
    order = [d for d in range(ndim) if d != source]
    order.insert(target, source)
    return T.permute(t, dims=tuple(order))  # type: ignore[no-any-return]


def _axes_of_leaves(in_dims: Any, args: tuple[Any, ...], tensors: list[Tensor]) -> list[int | None]:
    """The mapped axis of every leaf."""
    if isinstance(in_dims, int):
        axes: list[Any] = [in_dims] * len(tensors)
    else:
        if not isinstance(in_dims, (tuple, list)) or len(in_dims) != len(args):
            raise ArgumentValueError(
                explain("vmap", f"in_dims must be an int or have one entry per argument ({len(args)}), got {in_dims!r}")
            )
        axes = [axis for spec, arg in zip(in_dims, args, strict=True) for axis in _spread(spec, arg)]
    return [None if a is None else one_axis("vmap", len(t._data.shape), a) for a, t in zip(axes, tensors, strict=True)]


def _spread(spec: Any, arg: Any) -> list[Any]:
    """One entry of in_dims for every leaf of its argument."""
    if spec is None or isinstance(spec, int):
        return [spec] * pytree.flatten(arg)[1].leaf_count
    if isinstance(spec, dict) and isinstance(arg, dict):
        return [axis for key in arg for axis in _spread(spec[key], arg[key])]
    if isinstance(spec, (tuple, list)) and isinstance(arg, (tuple, list)) and len(spec) == len(arg):
        return [axis for s, a in zip(spec, arg, strict=True) for axis in _spread(s, a)]
    raise ArgumentValueError(explain("vmap", f"an entry of in_dims does not match its argument: {spec!r}"))


def _batch_size(tensors: list[Tensor], axes: list[int | None]) -> int:
    sizes = {t._data.shape[a] for t, a in zip(tensors, axes, strict=True) if a is not None and t._data.ndim}
    if not sizes or any(a is not None and not t._data.ndim for t, a in zip(tensors, axes, strict=True)):
        raise ArgumentValueError(
            explain("vmap", "at least one argument with an axis must be mapped, and every mapped argument needs one")
        )
    if len(sizes) > 1:
        raise ArgumentValueError(
            explain(
                "vmap", f"Expected all tensors to have the same size in the mapped dimension, got sizes {sorted(sizes)}"
            )
        )
    return sizes.pop()


def _place_results(found: list[Any], out_dims: Any, recorded: Recorded) -> list[Any]:
    """The results with their batch axis where out_dims wants it."""
    count = len(found)
    axes = [out_dims] * count if isinstance(out_dims, int) else list(out_dims)
    if len(axes) != count:
        raise ArgumentValueError(
            explain("vmap", f"out_dims must be an int or have one entry per result ({count}), got {out_dims!r}")
        )
    return [_move(t, 0, a) for t, a in zip(found, axes, strict=True)]


def jacrev(function: Function, argnums: int | tuple[int, ...] = 0) -> Function:
    """The Jacobian of a Tensor-valued function by reverse mode: shape (*output, *argument); cheap when the output is small."""

    @wraps(function)
    def jacobian(*args: Any) -> Any:
        chosen = positions("jacrev", argnums, len(args))

        def restricted(*inner: Any) -> Any:
            full = list(args)
            for n, value in zip(chosen, inner, strict=True):
                full[n] = value
            return function(*full)

        values = [args[n] for n in chosen]
        output, pull = vjp(restricted, *values)
        _check_tensor("jacrev", output)
        basis = _basis(output)
        rows = [pull(row) for row in basis]
        parts = [rows] if len(chosen) == 1 else [[row[i] for row in rows] for i in range(len(chosen))]
        shape = tuple(output._data.shape)
        found = tuple(_assemble(part, shape, values[i]) for i, part in enumerate(parts))
        return found[0] if isinstance(argnums, int) else found

    return jacobian


def jacfwd(function: Function, argnums: int = 0) -> Function:
    """The Jacobian of a Tensor-valued function by forward mode: shape (*output, *argument); cheap when the argument is small."""

    @wraps(function)
    def jacobian(*args: Any) -> Any:
        (n,) = positions("jacfwd", argnums, len(args))

        def column(direction: Tensor) -> Any:
            return jvp(lambda x: function(*args[:n], x, *args[n + 1 :]), (args[n],), (direction,))[1]

        columns = [column(direction) for direction in _basis(args[n])]
        stacked = T.stack(*columns, dim=columns[0]._data.ndim)
        return T.reshape(stacked, shape=(*columns[0]._data.shape, *args[n]._data.shape))

    return jacobian


def hessian(function: Function, argnums: int = 0) -> Function:
    """The matrix of second derivatives of a scalar-valued function: forward mode over reverse mode; shape (*argument, *argument)."""
    return jacfwd(jacrev(function, argnums), argnums)


def _check_tensor(what: str, value: Any) -> None:
    if not isinstance(value, Tensor):
        raise ShapeError(explain(what, f"the function must return one Tensor, got {type(value).__name__}"))


def _basis(t: Tensor) -> list[Tensor]:
    """The unit Tensors of t's shape and dtype, in row-major order."""
    count = t._data.size
    eye = T.eye(n=count, m=count, dtype=t._data.dtype)
    return [T.reshape(T.select(eye, dim=0, index=i), shape=tuple(t._data.shape)) for i in range(count)]


def _assemble(rows: list[Tensor], output_shape: tuple[int, ...], argument: Tensor) -> Tensor:
    shape = (*output_shape, *argument._data.shape)
    if not rows:
        return T.zeros(Type(shape, argument._data.dtype))  # type: ignore[no-any-return]
    return T.reshape(T.stack(*rows, dim=0), shape=shape)  # type: ignore[no-any-return]
