"""cond, while_loop, fori_loop, scan and map: control flow that a recording keeps.

Eagerly these run the Python functions.  Under compile() and the transforms that record, the functions become bodies: graphs inside one operator each, with derivatives of
any order and batching.  See docs/control_flow.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracegrad import pytree
from tracegrad.config import local
from tracegrad.dtypes import BOOL, I64
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, DataError, ShapeError, explain
from tracegrad.func.bodies import Body, as_tensor, as_tensors, check_same, keys_of_steps, kind_of, record_body, together
from tracegrad.func.look import check_other_branch
from tracegrad.func.mapping import move
from tracegrad.ir.bodies import input_types, run
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import make_leaf
from tracegrad.ir.types import Type, one_axis

Function = Callable[..., Any]


def cond(pred: Any, true_fn: Function, false_fn: Function, operands: Any = ()) -> Any:
    """true_fn(*operands) if pred holds, else false_fn(*operands); only that one runs, in the derivative too.

    pred is a bool or a Tensor with one element.  The operands, and what both functions return, may be nested tuples, lists and dicts; Tensors of the outside world that the
    functions read get gradients.  Under vmap each example takes the results of its own branch, and the other one's numbers never reach it or its gradient.
    Raises RuntimeError for another pred, and where the two functions return different forms, shapes or dtypes: eagerly the other function is recorded once to find out.
    """
    if not isinstance(pred, (bool, int, Tensor)) or (isinstance(pred, Tensor) and pred._data.size != 1):
        shown = kind_of(pred) if isinstance(pred, Tensor) else repr(pred)
        raise DataError(explain("cond", f"Expected pred to be bool or single-element tensor, but got {shown}"))
    _callable("cond", true_fn, false_fn)
    if local.trace is None or not isinstance(pred, Tensor):
        chosen, other = (true_fn, false_fn) if pred else (false_fn, true_fn)
        found = chosen(*operands)
        if local.trace is None:
            check_other_branch(other, operands, found, (true_fn, false_fn))
        return found
    test = pred if pred._data.dtype == BOOL else T.ne(pred, 0)
    test = T.reshape(test, shape=()) if test._data.ndim else test
    flat, treedef = _leaves("cond", tuple(operands))
    true, false = (record_body("cond", f, flat, treedef) for f in (true_fn, false_fn))
    check_same("cond", "what true_fn and false_fn return", false.types, true.types, (false.treedef, true.treedef))
    outside = together((true, false))
    if not true.types:
        return true.treedef.unflatten([])
    found = T.cond(test, *flat, *outside, true=true.closed(outside), false=false.closed(outside))
    return true.treedef.unflatten(found)


def while_loop(cond_fn: Function, body_fn: Function, carried_inputs: Any, *, max_steps: int | None = None) -> Any:
    """The values that body_fn(*values) gives when it has been applied, to the carried inputs first, while cond_fn(*values) holds.

    carried_inputs is a tuple, one value per argument (anything else is passed as the only argument); values may be nested.  body_fn must return them in the form, the shapes
    and the dtypes that it got.  max_steps ends the loop after so many steps; JAX can only differentiate backwards through a loop that has it, NumPy through every loop.
    Raises RuntimeError where cond_fn does not give one bool, and where body_fn changes what is carried.
    """
    _callable("while_loop", cond_fn, body_fn)
    if max_steps is not None and (type(max_steps) is not int or max_steps < 0):
        raise ArgumentValueError(explain("while_loop", f"max_steps must be a count or None, got {max_steps!r}"))
    several = isinstance(carried_inputs, (tuple, list))
    values = tuple(carried_inputs) if several else (carried_inputs,)
    flat, treedef = _leaves("while_loop", values)

    def step(*args: Any) -> Any:
        found = body_fn(*args)
        return tuple(found) if several and isinstance(found, (tuple, list)) else (found,)

    if local.trace is None:
        flat = _run_while(cond_fn, step, flat, treedef, max_steps)
    elif flat and max_steps != 0:
        flat = _record_while(cond_fn, step, flat, treedef, max_steps)
    found = treedef.unflatten(flat)
    return found if several else found[0]


def fori_loop(lower: Any, upper: Any, body_fun: Function, init_val: Any) -> Any:
    """The value after `value = body_fun(i, value)` for i from lower up to upper - 1; i is an int64 Tensor of 0 axes, value may be nested.

    With ints as bounds it is a scan, which can be differentiated everywhere; with a Tensor as a bound a while_loop.  Raises RuntimeError where body_fun changes the
    form, the shapes or the dtypes of the value.
    """
    _callable("fori_loop", body_fun)
    if isinstance(lower, Tensor) or isinstance(upper, Tensor):
        first, last = (T.as_dtype(as_tensor("fori_loop", bound), I64) for bound in (lower, upper))
        return while_loop(
            lambda i, value: T.lt(i, last), lambda i, value: (T.add(i, 1), body_fun(i, value)), (first, init_val)
        )[1]
    if type(lower) is not int or type(upper) is not int:
        raise ArgumentError(explain("fori_loop", f"bounds must be ints or Tensors, got {lower!r} and {upper!r}"))
    if upper <= lower:
        return init_val
    positions = T.arange(start=lower, step=1, count=upper - lower, dtype=I64)
    return _scan("fori_loop", lambda value, i: (body_fun(i, value), ()), init_val, positions, 0, False, None, None)[0]


def scan(
    combine_fn: Function,
    init: Any,
    xs: Any,
    *,
    dim: int = 0,
    reverse: bool = False,
    length: int | None = None,
    checkpoint_every: int | None = None,
) -> tuple[Any, Any]:
    """(last carry, stacked outputs) of `carry, y = combine_fn(carry, x)` for every slice x of xs along dim, from the last one on with reverse=True.

    init, xs and what combine_fn returns may be nested; the outputs are stacked along dim, each at its slice's place.  Without xs (None) it runs `length` times.
    When recorded, the reverse sweep keeps the carry of every step; with checkpoint_every=k that of every k-th, and computes those between once more.
    Raises RuntimeError for xs without slices or of different lengths, where combine_fn changes the form, the shapes or the dtypes of the carry, and for leaves of init and xs
    that are no Tensors; IndexError for a dim that xs lacks.
    """
    if not callable(combine_fn):
        raise DataError(explain("scan", f"Combine_fn must be a callable, but got {combine_fn!r}"))
    if not pytree.leaves(xs) and length is None:
        return init, []
    for name, value, kind in (("Dim", dim, int), ("Reverse", reverse, bool)):
        if not isinstance(value, kind):
            raise DataError(explain("scan", f"{name} must be {kind.__name__}, but got {type(value).__name__}"))
    if checkpoint_every is not None and (type(checkpoint_every) is not int or checkpoint_every < 1):
        raise ArgumentValueError(explain("scan", f"checkpoint_every must be positive, got {checkpoint_every!r}"))
    if not pytree.leaves(init):
        raise DataError(explain("scan", "it requires init leaves", "Use map for a function without a carry"))
    for name, tree in (("init", init), ("xs", xs)):
        for leaf in pytree.leaves(tree):
            if not isinstance(leaf, Tensor):
                raise DataError(explain("scan", f"All {name} leaves must be a Tensor but got {leaf!r}"))
    return _scan("scan", combine_fn, init, xs, dim, reverse, length, checkpoint_every)


def map(f: Function, xs: Any, *args: Any) -> Any:  # noqa: A001  (the name in torch and JAX)
    """f(x, *args) for every slice x of xs along axis 0, stacked: as vmap, but one after the other.  xs and the results may be nested.

    Raises RuntimeError for xs without slices or of different lengths.
    """
    _callable("map", f)
    if not pytree.leaves(xs):
        raise DataError(explain("map", "xs has no leaves"))
    return _scan("map", lambda _, x: ((), f(x, *args)), (), as_tensors("map", xs), 0, False, None, None)[1]


def _scan(
    what: str, function: Function, init: Any, xs: Any, dim: int, reverse: bool, length: int | None, every: int | None
) -> tuple[Any, Any]:
    """scan with checked options; `what` names it in errors."""
    state, form = _leaves(what, init)
    rows, row_form = _leaves(what, xs)
    if rows:
        dim = one_axis(what, rows[0]._data.ndim, dim)
    if any(t._data.ndim <= dim or not t._data.shape[dim] for t in rows):
        problem = "All xs leaves must at least have 'dim' number of dimensions and scan dimension > 0"
        raise ShapeError(explain(what, problem, xs=[kind_of(t) for t in rows], dim=dim))
    counts = {t._data.shape[dim] for t in rows} | ({length} if length is not None else set())
    if len(counts) != 1:
        raise ShapeError(explain(what, f"xs must have one number of slices along dim={dim}, not {sorted(counts)}"))
    (count,) = counts
    rows = [move(t, dim, 0) for t in rows]
    run_it = _run_scan if local.trace is None and every is None else _record_scan
    state, outputs, out_form = run_it(what, function, state, form, rows, row_form, count, reverse, every)
    return form.unflatten(state), out_form.unflatten([move(y, 0, min(dim, y._data.ndim - 1)) for y in outputs])


def _run_scan(
    what: str,
    function: Function,
    state: Any,
    form: Any,
    rows: Any,
    row_form: Any,
    count: int,
    reverse: bool,
    every: Any,
) -> tuple[list[Tensor], list[Tensor], Any]:
    """The loop in Python."""
    slices = [T.unbind(t, dim=0) for t in rows]
    made: list[list[Tensor]] = []
    types, out_form = [kind_of(t) for t in state], None
    for i in range(count - 1, -1, -1) if reverse else range(count):
        found = function(form.unflatten(state), row_form.unflatten([s[i] for s in slices]))
        carry, y = _pair(what, found)
        state, now = _leaves(what, carry)
        check_same(what, "the carry before and after", [kind_of(t) for t in state], types, (now, form))
        leaves, here = _leaves(what, y)
        if made:
            kinds = [kind_of(t) for t in made[0]]
            check_same(what, "the outputs of all steps", [kind_of(t) for t in leaves], kinds, (here, out_form))
        out_form = here
        made.append(leaves)
    if reverse:
        made.reverse()
    return state, [T.stack(*column, dim=0) for column in zip(*made, strict=True)], out_form


def _record_scan(
    what: str,
    function: Function,
    state: Any,
    form: Any,
    rows: Any,
    row_form: Any,
    count: int,
    reverse: bool,
    every: Any,
) -> tuple[list[Tensor], list[Tensor], Any]:
    """The loop as one operator; in chunks of `every` steps as a loop of loops."""
    slices = [T.select(t, dim=0, index=count - 1 if reverse else 0) for t in rows]
    arguments = pytree.TreeDef(tuple, (), (form, row_form))
    forms: list[Any] = []

    def step(carry: Any, x: Any) -> Any:
        after, y = _pair(what, function(carry, x))
        after, y = as_tensors(what, after), as_tensors(what, y)
        forms[:] = [pytree.structure(after), pytree.structure(y)]
        leaves = pytree.leaves(after)
        check_same(what, "the carry before and after", [kind_of(t) for t in leaves], [kind_of(t) for t in state], (forms[0], form))  # fmt: skip
        return (*leaves, *pytree.leaves(y))

    body = record_body(what, step, [*state, *slices], arguments, steps=True)
    if not body.types:
        return [], [], forms[1]
    keys = keys_of_steps(body, count, reverse)
    stand_ins = [t for t, g in zip(body.captures, body.generators, strict=True) if g is not None]
    constants = [t for t, g in zip(body.captures, body.generators, strict=True) if g is None]
    graph = body.closed([*stand_ins, *constants])
    given = [*rows, *keys]
    found = _in_chunks(graph, state, given, constants, count, reverse, every)
    return list(found[: len(state)]), list(found[len(state) :]), forms[1]


def _in_chunks(
    body: Graph, state: list[Tensor], rows: list[Tensor], constants: list[Tensor], count: int, reverse: bool, every: Any
) -> tuple[Tensor, ...]:
    """One scan, or a scan over chunks of `every` steps, each a scan, and one over the steps that are left."""
    carries, slices = len(state), len(rows)
    options = {"carries": carries, "slices": slices, "reverse": reverse}
    if every is None or not 1 < every < count:
        return T.scan(*state, *rows, *constants, body=body, length=count, **options)  # type: ignore[no-any-return]
    chunks, whole = count // every, count - count % every
    outer = _chunk(body, carries, slices, every, reverse)
    starts = [0, *([whole] if whole < count else [])]
    parts: dict[int, Any] = {}
    for start in reversed(starts) if reverse else starts:
        stop = whole if start == 0 else count
        pieces = [T.slice(t, dim=0, start=start, stop=stop, step=1) for t in rows]
        if start:
            parts[start] = T.scan(*state, *pieces, *constants, body=body, length=count - whole, **options)
        else:
            pieces = [T.reshape(t, shape=(chunks, every, *t._data.shape[1:])) for t in pieces]
            found = T.scan(*state, *pieces, *constants, body=outer, length=chunks, **options)
            stacks = [T.reshape(y, shape=(whole, *y._data.shape[2:])) for y in found[carries:]]
            parts[start] = (*found[:carries], *stacks)
        state = list(parts[start][:carries])
    columns = zip(*(parts[start][carries:] for start in starts), strict=True)
    return (*state, *(T.cat(*column, dim=0) if len(column) > 1 else column[0] for column in columns))


def _chunk(body: Graph, carries: int, slices: int, every: int, reverse: bool) -> Graph:
    """The body of the loop over chunks: a scan over one of them."""
    types = input_types(body)
    stacked = range(carries, carries + slices)
    leaves = [
        make_leaf(Type((every, *t.shape), t.dtype) if i in stacked else t, needs=True) for i, t in enumerate(types)
    ]
    return Graph(leaves, B.scan(*leaves, body=body, carries=carries, slices=slices, length=every, reverse=reverse))


def _run_while(cond_fn: Function, step: Function, flat: list[Tensor], treedef: Any, max_steps: Any) -> list[Tensor]:
    """The loop in Python."""
    types, values, steps = [kind_of(t) for t in flat], treedef.unflatten(flat), 0
    while max_steps is None or steps < max_steps:
        test = cond_fn(*values)
        if not isinstance(test, bool) and not (
            isinstance(test, Tensor) and test._data.dtype == BOOL and test._data.size == 1
        ):
            raise DataError(_no_bool(test))
        if not test:
            break
        flat, form = _leaves("while_loop", step(*values))
        check_same("while_loop", "what is carried before and after", [kind_of(t) for t in flat], types, (form, treedef))
        values, steps = treedef.unflatten(flat), steps + 1
    return flat


def _record_while(
    cond_fn: Function, step: Function, flat: list[Tensor], treedef: Any, max_steps: Any
) -> tuple[Tensor, ...]:
    """The loop as one operator: a while_loop, or with max_steps a scan over branches."""
    body = record_body("while_loop", step, flat, treedef)
    check_same("while_loop", "what is carried before and after", body.types, [kind_of(t) for t in flat], (body.treedef, treedef))  # fmt: skip
    test = record_body("while_loop", cond_fn, flat, treedef)
    if len(test.types) != 1 or test.types[0] not in (Type((), BOOL), Type((1,), BOOL)):
        raise DataError(_no_bool(test.treedef.unflatten(test.types)))
    outside = together((test, body))
    going, after = _one_bool(test.closed(outside)), body.closed(outside)
    count = len(flat)
    if max_steps is None:
        return T.while_loop(*flat, *outside, cond=going, body=after, carries=count)  # type: ignore[no-any-return]
    (first,) = run(T, going, [*flat, *outside])
    found = T.scan(
        first, *flat, *outside, body=_bounded(going, after, count), carries=count + 1, slices=0, length=max_steps, reverse=False
    )  # fmt: skip
    return tuple(found[1:])


def _one_bool(test: Graph) -> Graph:
    """The condition without an axis of size 1."""
    return test if not test.outputs[0].shape else test.with_outputs([B.reshape(test.outputs[0], shape=())])


def _bounded(test: Graph, body: Graph, count: int) -> Graph:
    """A step of a loop that has a last one: (whether it goes on, what is carried), of which the body makes the next, unless it has stopped."""
    types = input_types(body)
    leaves = [make_leaf(t, needs=True) for t in types]
    after = run(B, body, leaves)
    taken = Graph(leaves, [*run(B, test, [*after, *leaves[count:]]), *after])
    same = [make_leaf(t, needs=True) for t in types]
    kept = Graph(same, [B.full(shape=(), value=False, dtype=BOOL), *same[:count]])
    going, carried = make_leaf(Type((), BOOL)), [make_leaf(t, needs=True) for t in types]
    return Graph([going, *carried], B.cond(going, *carried, true=taken, false=kept))


def _leaves(what: str, tree: Any) -> tuple[list[Tensor], Any]:
    """The leaves as Tensors, and their form."""
    flat, form = pytree.flatten(tree)
    return [as_tensor(what, leaf) for leaf in flat], form


def _pair(what: str, found: Any) -> Any:
    """(carry, output) of a step.  Raises RuntimeError for anything else."""
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        raise DataError(explain(what, f"the function must return (carry, output), got {type(found).__name__}"))
    return found


def _no_bool(found: Any) -> str:
    shown = kind_of(found) if isinstance(found, Tensor) else found
    return explain("while_loop", f"cond_fn must return a boolean scalar tensor or a boolean, got {shown}")


def _callable(what: str, *functions: Any) -> None:
    for function in functions:
        if not callable(function):
            raise ArgumentError(explain(what, f"needs functions, got {type(function).__name__}: it is not callable"))


__all__ = ["Body", "cond", "fori_loop", "map", "scan", "while_loop"]
