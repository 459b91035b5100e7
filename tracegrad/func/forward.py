"""jvp, linearize and the Jacobians: the function is recorded, a pass transforms its graph, and the result runs on Tensors."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from tracegrad import pytree
from tracegrad.autograd.modes import recording
from tracegrad.compiler.recorder import Trace
from tracegrad.compiler.replay import Recorded, as_tensor_leaf, replay
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, DataError, DTypeError, ShapeError, explain
from tracegrad.func.levels import Level, positions, running
from tracegrad.func.mapping import move, record_function, vmap
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.types import Type, type_of
from tracegrad.passes.batch import batch_graph
from tracegrad.passes.differentiate import differentiable
from tracegrad.passes.jvp import jvp_graph

Function = Callable[..., Any]


def jvp(
    function: Function,
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> tuple[Any, ...]:
    """(output, output tangent[, aux]) of a function at the primals along the tangents, which have the form of the primals.

    Forward mode: one pass, at the cost of a small multiple of the function.  Raises RuntimeError when primals and tangents differ in form or shape, and for a
    function that returns anything but Tensors; ValueError for integers; with strict=True RuntimeError for an output that does not depend on the primals.
    """
    return push_forward("jvp", function, primals, tangents, has_aux, strict)


def push_forward(
    what: str,
    function: Function,
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    has_aux: bool = False,
    strict: bool = False,
) -> tuple[Any, ...]:
    """jvp under the name `what` of the transform that runs: "forward_ad" asks no setup_context of an autograd.Function."""
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise DataError(explain("jvp", "Expected primals and tangents to be tuples with one entry per argument"))
    values, treedef = _leaves("jvp", primals)
    directions = _directions("jvp", tangents, values, treedef)
    recorded = _record_jvp(what, function, values, treedef, has_aux)
    graph = recorded.graph
    pushed = jvp_graph(graph, tuple(range(len(values))))
    if strict:
        _check_dependence(pushed, graph, len(values))
    found = replay(pushed, [*values, *directions, *recorded.captures])
    count = len(graph.outputs)
    output, aux = recorded.result(found[:count])
    tangent, _ = recorded.result(_all_tangents(graph, found[count:]))
    return (output, tangent, aux) if has_aux else (output, tangent)


def linearize(function: Function, *primals: Any) -> tuple[Any, Function]:
    """(output, jvp_function) of a function at the primals; jvp_function(*tangents) gives the output's tangent.

    What does not depend on the tangents is computed once.  Raises as jvp does.
    """
    values, treedef = _leaves("linearize", primals)
    recorded = _record_jvp("linearize", function, values, treedef, False)
    graph = recorded.graph
    pushed = jvp_graph(graph, tuple(range(len(values))))
    known = dict(zip(pushed.leaves, [*values, *values, *recorded.captures], strict=True))
    moving = set(pushed.inputs[len(values) : 2 * len(values)])
    steps = []
    for node in pushed.nodes:
        if any(isinstance(i, Node) and i in moving for i in node.inputs):
            moving.add(node)
            steps.append(node)
        else:
            known[node] = _apply(node, known)
    count = len(graph.outputs)

    def jvp_function(*tangents: Any) -> Any:
        found = dict(known)
        found.update(
            zip(pushed.inputs[len(values) :], _directions("linearize", tangents, values, treedef), strict=False)
        )
        for node in steps:
            found[node] = _apply(node, found)
        parts = [found[o] if isinstance(o, Node) else o for o in pushed.outputs[count:]]
        return recorded.result(_all_tangents(graph, parts))[0]

    return recorded.result([known[o] if isinstance(o, Node) else o for o in pushed.outputs[:count]])[0], jvp_function


def _apply(node: Node, values: dict[Any, Any]) -> Any:
    op = node.op
    assert op is not None
    given = [values[i] if isinstance(i, Node) else i for i in node.inputs]
    if op.name == "project":
        return given[0][node.attrs[0]]
    return getattr(T, op.name)(*given, **dict(zip(op.attrs, node.attrs, strict=True)))


def _leaves(what: str, primals: tuple[Any, ...]) -> tuple[list[Tensor], Any]:
    """The primals as Tensors that have tangents, and their form."""
    flat, treedef = pytree.flatten(primals)
    if not flat:
        raise DataError(explain(what, "Expected primals to contain at least one Tensor"))
    values = [as_tensor_leaf(what, v) for v in flat]
    for v in values:
        if v._data.dtype.kind not in "fcV" and "_is_number" not in v.__dict__:
            problem = f"Expected primal to be floating point or complex, but got: {v.dtype}"
            raise ArgumentValueError(explain(what, problem))
    return values, treedef


def _directions(what: str, tangents: tuple[Any, ...], values: list[Tensor], treedef: Any) -> list[Tensor]:
    """The tangents as Tensors.  Raises RuntimeError unless they have the form and the shapes of the primals."""
    along, form = pytree.flatten(tangents)
    if form != treedef:
        raise DataError(
            explain(what, f"Expected primals and tangents to have the same python structure, {treedef}; got {form}")
        )
    directions = [as_tensor_leaf(what, v) for v in along]
    for v, d in zip(values, directions, strict=True):
        if v._data.shape != d._data.shape:
            problem, shapes = "a tangent has another shape than its primal", (list(v._data.shape), list(d._data.shape))
            raise ShapeError(explain(what, problem, primal=shapes[0], tangent=shapes[1]))
    return directions


def _record_jvp(what: str, function: Function, values: list[Tensor], treedef: Any, has_aux: bool) -> Recorded:
    """The function, returning (output, aux), recorded; its output consists of Tensors."""
    return record_function(
        Trace(what, True), lambda *args: _with_aux(what, function(*args), has_aux), values, treedef, "error"
    )


def _check_dependence(pushed: Graph, graph: Graph, count: int) -> None:
    moving = set(pushed.inputs[count : 2 * count])
    for node in pushed.nodes:
        if any(isinstance(i, Node) and i in moving for i in node.inputs):
            moving.add(node)
    if any(o not in moving for o in pushed.outputs[len(graph.outputs) :]):
        raise DataError(explain("jvp", "an output does not depend on the primals, which strict mode does not allow"))


def _all_tangents(graph: Graph, found: list[Any], batch: tuple[int, ...] = ()) -> list[Any]:
    """One tangent per output of the recorded graph: those of integer outputs, which the pass leaves out, are zeros."""
    given = dict(zip(differentiable(graph.outputs), found, strict=True))
    zeros = [Type((*batch, *type_of(o).shape), type_of(o).dtype) for o in graph.outputs]
    return [given[i] if i in given else T.zeros(zero) for i, zero in enumerate(zeros)]


def jacrev(
    function: Function, argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False, chunk_size: int | None = None
) -> Function:
    """The Jacobian by reverse mode: for every Tensor of the output and every Tensor of the arguments, shape (*output, *argument).

    The function runs once, and one batched sweep gives all rows: cheap when the output is small.  The result has the form of the output, with the form of the
    argument (a tuple for a tuple of argnums) in the place of each Tensor.  With has_aux the function returns (output, aux) and the result is (jacobian, aux).
    chunk_size: at most so many rows at a time.

    Raises RuntimeError when the function returns anything else than Tensors and for argnums that the call lacks; ValueError for a chunk_size that is not positive.
    """

    if chunk_size is not None and chunk_size <= 0:
        raise ArgumentValueError(explain("jacrev", "`chunk_size` should be greater than 0"))

    @wraps(function)
    def jacobian(*args: Any) -> Any:
        chosen = positions("jacrev", argnums, len(args))
        values = [args[n] for n in chosen]
        level = Level("jacrev", values)
        with recording(True), running("jacrev"):
            result = _restricted(function, args, chosen)(*level.arguments())
        output, aux = _with_aux("jacrev", result, has_aux)
        outputs, form = pytree.flatten(output)
        treedef = pytree.structure(values[0] if isinstance(argnums, int) else tuple(values))
        inputs = [t for leaves in level.leaves for t in leaves]
        _all_real("jacrev", "inputs", inputs)
        _all_real("jacrev", "outputs", outputs)
        if sum(t._data.size for t in outputs):
            with recording(level.inner(outputs)):
                sweep = vmap(
                    lambda *g: pytree.leaves(level.sweep(outputs, g, keep=True)),
                    randomness="same",
                    chunk_size=chunk_size,
                )
                rows = sweep(*_basis(outputs))
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


def jacfwd(
    function: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Function:
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
        if any(v._data.dtype.kind not in "fcV" for v in inputs):
            raise ArgumentValueError(explain("jacfwd", "Expected primal to be floating point or complex"))
        restricted = _restricted(function, args, chosen)
        form = pytree.structure([args[n] for n in chosen])
        recorded = _record_jvp(what, restricted, inputs, _as_arguments(form), has_aux)
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
    parts = [move(block, 0, len(shape)) for block in _blocks(columns, inputs)]
    return treedef.unflatten(
        [T.reshape(part, shape=(*shape, *t._data.shape)) for part, t in zip(parts, inputs, strict=True)]
    )
