"""jvp, vmap and the Jacobians made of them: the function is recorded, a pass transforms its graph, and the result runs on Tensors."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from tracegrad import pytree
from tracegrad.autograd.modes import enable_grad, set_grad_enabled
from tracegrad.compiler.recorder import Trace
from tracegrad.compiler.replay import Recorded, as_tensor_leaf, record, replay
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, DTypeError, ShapeError, explain
from tracegrad.func.levels import Level, positions, running
from tracegrad.ir.graph import Graph
from tracegrad.ir.types import Type, one_axis, type_of
from tracegrad.passes.batch import batch_graph
from tracegrad.passes.differentiate import differentiable
from tracegrad.passes.jvp import jvp_graph

Function = Callable[..., Any]


def _record(
    what: str, function: Function, tensors: list[Tensor], treedef: Any, reads: bool, randomness: str = "error"
) -> Recorded:
    """Record function at these argument leaves."""
    trace = Trace(what, reads)
    # for a later reverse mode the graph must say where no_grad() stops it
    needs = [t._node is not None and t._node.needs for t in tensors]
    args = treedef.unflatten([trace.leaf(t._data, needs=n) for t, n in zip(tensors, needs, strict=True)])
    with running(what, randomness):
        return record(trace, function, args, {})


def jvp(
    function: Function, primals: tuple[Any, ...], tangents: tuple[Any, ...], *, has_aux: bool = False
) -> tuple[Any, ...]:
    """(output, output tangent[, aux]) of a function at the primals along the tangents, which have the form of the primals.

    Forward mode: one pass, at the cost of a small multiple of the function.  Raises ValueError when primals and tangents differ in form or shape.
    """
    return push_forward("jvp", function, primals, tangents, has_aux)


def push_forward(
    what: str, function: Function, primals: tuple[Any, ...], tangents: tuple[Any, ...], has_aux: bool = False
) -> tuple[Any, ...]:
    """jvp under the name `what` of the transform that runs: "forward_ad" asks no setup_context of an autograd.Function."""
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise ArgumentError(explain("jvp", "primals and tangents must be tuples with one entry per argument"))
    flat, treedef = pytree.flatten(primals)
    along, form = pytree.flatten(tangents)
    if form != treedef:
        raise ArgumentValueError(explain("jvp", f"tangents must have the form of the primals, {treedef}; got {form}"))
    values, directions = [as_tensor_leaf("jvp", v) for v in flat], [as_tensor_leaf("jvp", v) for v in along]
    for v, d in zip(values, directions, strict=True):
        if v._data.shape != d._data.shape:
            raise ShapeError(
                explain(
                    "jvp",
                    "a tangent has another shape than its primal",
                    primal=list(v._data.shape),
                    tangent=list(d._data.shape),
                )
            )
    wrapped = function if has_aux else lambda *args: (function(*args), None)
    recorded = _record(what, wrapped, values, treedef, reads=True)
    graph = recorded.graph
    found = replay(jvp_graph(graph, tuple(range(len(values)))), [*values, *directions, *recorded.captures])
    count = len(graph.outputs)
    output, aux = recorded.result(found[:count])
    tangent, _ = recorded.result(_all_tangents(graph, found[count:]))
    return (output, tangent, aux) if has_aux else (output, tangent)


def _all_tangents(graph: Graph, found: list[Any], batch: tuple[int, ...] = ()) -> list[Any]:
    """One tangent per output of the recorded graph: those of integer outputs, which the pass leaves out, are zeros."""
    given = dict(zip(differentiable(graph.outputs), found, strict=True))
    zeros = [Type((*batch, *type_of(o).shape), type_of(o).dtype) for o in graph.outputs]
    return [given[i] if i in given else T.zeros(zero) for i, zero in enumerate(zeros)]


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
        recorded = _record("vmap", lambda *inner: function(*inner, **kwargs), example, treedef, False, randomness)
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


def jacrev(function: Function, argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False) -> Function:
    """The Jacobian by reverse mode: for every Tensor of the output and every Tensor of the arguments, shape (*output, *argument).

    The function runs once, and one batched sweep gives all rows: cheap when the output is small.  The result has the form of the output, with the form of the
    argument (a tuple for a tuple of argnums) in the place of each Tensor.  With has_aux the function returns (output, aux) and the result is (jacobian, aux).

    Raises RuntimeError when the function returns anything else than Tensors; ValueError for argnums that the call lacks.
    """

    @wraps(function)
    def jacobian(*args: Any) -> Any:
        chosen = positions("jacrev", argnums, len(args))
        values = [args[n] for n in chosen]
        level = Level("jacrev", values)
        with enable_grad(), running("jacrev"):
            result = _restricted(function, args, chosen)(*level.arguments())
        output, aux = _with_aux("jacrev", result, has_aux)
        outputs, form = pytree.flatten(output)
        treedef = pytree.structure(values[0] if isinstance(argnums, int) else tuple(values))
        inputs = [t for leaves in level.leaves for t in leaves]
        _all_real("jacrev", "inputs", inputs)
        _all_real("jacrev", "outputs", outputs)
        if sum(t._data.size for t in outputs):
            with set_grad_enabled(level.inner(outputs)):
                rows = vmap(lambda *g: pytree.leaves(level.sweep(outputs, g, keep=True)))(*_basis(outputs))
        else:
            rows = [T.zeros(Type((0, *t._data.shape), t._data.dtype)) for t in inputs]
        rows = [level.outside(row) for row in rows]
        blocks = [_blocks(row, outputs) for row in rows]
        parts = [
            treedef.unflatten(
                [T.reshape(b[i], shape=(*o._data.shape, *t._data.shape)) for b, t in zip(blocks, inputs, strict=True)]
            )
            for i, o in enumerate(outputs)
        ]
        return (form.unflatten(parts), pytree.map(level.outside, aux)) if has_aux else form.unflatten(parts)

    return jacobian


def jacfwd(function: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
    """The Jacobian by forward mode: the same result as jacrev's, cheap when the argument is small.

    The function runs once, and one batched program gives all columns.  Raises as jacrev does.
    """

    return _jacfwd("jacfwd", function, argnums, has_aux)


def jacobian_by_columns(what: str, function: Function, inputs: tuple[Any, ...]) -> Any:
    """jacfwd for all of the inputs, under the name `what` of the transform that runs (see push_forward)."""
    found = _jacfwd(what, function, tuple(range(len(inputs))), False)(*inputs)
    return found


def _jacfwd(what: str, function: Function, argnums: int | tuple[int, ...], has_aux: bool) -> Function:
    @wraps(function)
    def jacobian(*args: Any) -> Any:
        chosen = positions("jacfwd", argnums, len(args))
        values = args[chosen[0]] if isinstance(argnums, int) else tuple(args[n] for n in chosen)
        flat, treedef = pytree.flatten(values)
        inputs = [as_tensor_leaf("jacfwd", v) for v in flat]
        _all_real("jacfwd", "inputs", inputs)
        restricted = _restricted(function, args, chosen)
        form = pytree.structure([args[n] for n in chosen])
        recorded = _record(
            what, lambda *inner: _with_aux("jacfwd", restricted(*inner), has_aux), inputs, _as_arguments(form), True
        )
        graph = recorded.graph
        output, aux = recorded.result(list(graph.outputs))
        outputs, out_form = pytree.flatten(output)
        _all_real("jacfwd", "outputs", outputs)
        size = sum(t._data.size for t in inputs)
        forward = jvp_graph(graph.with_outputs(outputs), tuple(range(len(inputs))))
        closed = Graph(forward.leaves, forward.outputs, (), (), forward.names)
        batched = tuple(len(inputs) <= i < 2 * len(inputs) for i in range(len(closed.inputs)))
        found = replay(batch_graph(closed, batched, size), [*inputs, *_basis(inputs), *recorded.captures])
        columns = _all_tangents(graph.with_outputs(outputs), found[len(outputs) :], (size,))
        parts = [_columns(c, o, inputs, treedef) for c, o in zip(columns, outputs, strict=True)]
        if not has_aux:
            return out_form.unflatten(parts)
        nodes, aux_form = pytree.flatten(aux)
        extra = replay(graph.with_outputs(nodes), [*inputs, *recorded.captures])
        return out_form.unflatten(parts), aux_form.unflatten(extra)

    return jacobian


def hessian(function: Function, argnums: int = 0) -> Function:
    """The matrix of second derivatives of a scalar-valued function: forward mode over reverse mode; shape (*argument, *argument)."""
    return jacfwd(jacrev(function, argnums), argnums)


def _restricted(function: Function, args: tuple[Any, ...], chosen: tuple[int, ...]) -> Function:
    """The function of the chosen arguments alone."""

    def restricted(*inner: Any) -> Any:
        full = list(args)
        for n, value in zip(chosen, inner, strict=True):
            full[n] = value
        return function(*full)

    return restricted


def _all_real(what: str, kind: str, values: list[Any]) -> None:
    """Raise RuntimeError for a complex value: a Jacobian of complex numbers is not one matrix of them."""
    for i, value in enumerate(values):
        if type_of(value).dtype.kind == "c":
            problem = f"Expected all {kind} to be real but received complex tensor at flattened input idx: {i}"
            raise DTypeError(explain(what, problem, "Use vjp or jvp, or view_as_real"))


def _with_aux(what: str, result: Any, has_aux: bool) -> tuple[Any, Any]:
    """(output, aux) of what a function returned.  Raises RuntimeError unless the output consists of Tensors."""
    if has_aux and not (isinstance(result, tuple) and len(result) == 2):
        raise ArgumentError(explain(what, "with has_aux=True the function must return (output, aux)"))
    output, aux = result if has_aux else (result, None)
    for leaf in pytree.leaves(output):
        if not isinstance(leaf, Tensor):
            raise ShapeError(explain(what, f"the function must return Tensors, got {type(leaf).__name__}"))
    return output, aux


def _as_arguments(form: Any) -> Any:
    """The nesting of a list of arguments as that of the tuple which a call passes."""
    return pytree.TreeDef(tuple, (), form.children)


def _basis(tensors: list[Tensor]) -> list[Tensor]:
    """For each of the tensors a batch of directions (n, *shape): together all unit vectors of their n elements, in order."""
    sizes = [t._data.size for t in tensors]
    found, start, total = [], 0, sum(sizes)
    for t, size in zip(tensors, sizes, strict=True):
        eye = T.eye(n=total, m=total, dtype=t._data.dtype)
        if len(tensors) > 1:
            eye = T.slice(eye, dim=1, start=start, stop=start + size, step=1)
        found.append(T.reshape(eye, shape=(total, *t._data.shape)))
        start += size
    return found


def _blocks(rows: Tensor, tensors: list[Tensor]) -> list[Tensor]:
    """The rows (n, ...) that belong to each of the tensors with n elements in all."""
    found, start = [], 0
    for t in tensors:
        found.append(T.slice(rows, dim=0, start=start, stop=start + t._data.size, step=1))
        start += t._data.size
    return found


def _columns(columns: Tensor, output: Any, inputs: list[Tensor], treedef: Any) -> Any:
    """The Jacobian of one output, in the form of the inputs, from its tangents (size, *output)."""
    shape = tuple(output.shape)
    parts = [_move(block, 0, len(shape)) for block in _blocks(columns, inputs)]
    return treedef.unflatten(
        [T.reshape(part, shape=(*shape, *t._data.shape)) for part, t in zip(parts, inputs, strict=True)]
    )
