"""The general path of every operator: Python numbers, promotion, broadcasting errors, no_grad, recording, subclasses.  Correct first, fast second."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.config import local
from tracegrad.dtypes import F32, F64, NUMBERS
from tracegrad.eager.inference import InferenceTensor, of_kind, refuse_saving
from tracegrad.eager.marked import InvalidView
from tracegrad.eager.recorded_numbers import alike, counts_as_number, plain_attributes
from tracegrad.eager.tensor import Parameter, Tensor, handle
from tracegrad.eager.views import link
from tracegrad.errors import ArgumentError, DTypeError, NotSupportedError, VerifyError, explain
from tracegrad.ir.builder import projections
from tracegrad.ir.families import FLOATING
from tracegrad.ir.half import calculates_in_half, held
from tracegrad.ir.node import BY_RULES, Node, make_node
from tracegrad.ir.op import Op, result_types
from tracegrad.ir.prelude import Ops
from tracegrad.ir.raw import compute
from tracegrad.ir.sweep import is_complex
from tracegrad.ir.types import Type, type_of


class TensorOps(Ops):
    """T: operators on Tensors.  eager/generate.py fills in the functions."""

    @property
    def followed(self) -> bool:  # type: ignore[override]
        """True unless a function is recorded for a transformation, which does not ask what depends on what."""
        return local.trace is None or local.trace.on_tape

    def type(self, x: Any) -> Type:
        """Shape and NumPy dtype of x; weak for a Python number."""
        return Type(x._data.shape, x._data.dtype) if isinstance(x, Tensor) else type_of(x)

    def shape(self, x: Any) -> tuple[int, ...]:
        """Shape of x; () for a Python number."""
        return x._data.shape if isinstance(x, Tensor) else type_of(x).shape

    def row_major(self, x: Any, axes: tuple[int, ...] = ()) -> Any:
        """x, just made, with its elements row by row in memory (of the axes in this order); a recording has no order of its own."""
        if axes and local.trace is None:
            laid = np.empty([x._data.shape[d] for d in axes], x._data.dtype).transpose(np.argsort(axes))
            laid[...] = x._data
            x._data = laid
        elif local.trace is None and not x._data.flags.c_contiguous:
            x._data = np.ascontiguousarray(x._data)
        return x

    def plain_sum(self, x: Any, y: Any, called: str, beta: Any = 1, alpha: Any = 1) -> Any:
        """beta * x + alpha * y as a step of torch's name where both are of float32 or of float64 and x has the sizes of y's last axes; None otherwise."""
        if not isinstance(x, Tensor):
            return None
        a, b = x._data, y._data
        d = a.dtype
        if (d is not F32 and d is not F64) or b.dtype is not d or b.shape[b.ndim - a.ndim :] != a.shape:
            return None
        if beta != 1 or alpha != 1:
            if not (type(beta) in (int, float) and type(alpha) in (int, float) and beta and alpha):
                return None
            x, y = x if beta == 1 else self.mul(x, beta), y if alpha == 1 else self.mul(y, alpha)
        total = self.add(x, y)
        return total if total._node is None else self.named(total, called=called)

    def is_floating(self, x: Any) -> bool:
        """Whether x has a floating or complex dtype."""
        return (x._data.dtype if isinstance(x, Tensor) else type_of(x).dtype).kind in "fcV"

    def zeros(self, like: Type) -> Any:
        """Zeros of a type; a recorded operator while tracing, so that it is never taken for a constant of the outside world."""
        if local.trace is None:
            return handle(np.zeros(like.shape, like.dtype), None)
        return self.full(shape=like.shape, value=0, dtype=like.dtype)


T = TensorOps()


def general(op: type[Op], args: tuple[Any, ...], attrs: tuple[Any, ...]) -> Any:
    """Apply an operator to Tensors, arrays and Python numbers with normalised attributes."""
    if local.trace is not None and not attrs:
        noted = local.trace.plain(op, args)
        if noted is not None:
            return noted
    elif local.inference and local.trace is None:
        return _in_inference_mode(op, args, attrs)
    if (
        len(args) == 2
        and op.elementwise
        and not attrs
        and type(args[0]) is Tensor
        and type(args[1]) is Tensor
        and local.trace is None
    ):
        pair = _common_pair(op, *args)
        if pair is not None:
            return getattr(T, op.name)(*pair)
    if np.ndarray in map(type, args):
        args = _with_arrays(op, args)
    attrs = plain_attributes(attrs) if local.trace is not None else attrs
    try:
        operands = [_operand(op, a) for a in args]
    except ArgumentError:
        answer = _reflected(op, args)
        if answer is NotImplemented:
            raise
        return answer
    _check_numbers(op, operands)
    if op.real_only:
        refuse_complex(op, operands)
    operands = promote_operands(op, operands) if op.promotion else operands
    types = tuple([None if a is None else T.type(a) for a in operands])
    result = op.type_rule(types, attrs)
    values = tuple([a._data if isinstance(a, Tensor) else a for a in operands])
    computed = compute(op, values, attrs) if local.trace is None else local.trace.computed(op, values, attrs)
    arrays = tuple(computed) if op.several() else (computed,)
    arrays = tuple([a if type(a) is np.ndarray else np.asarray(a) for a in arrays])
    if not op.value_dependent:
        check_result(op, arrays, result_types(result))
    if local.trace is not None:
        return local.trace.record(op, operands, attrs, arrays)
    if not (
        local.grad_enabled
        and has_rules(op)
        and any(isinstance(a, Tensor) and a._node is not None for a in operands)
        and not all(type(a) is InferenceTensor for a in operands)
    ):
        made = tuple(handle(a, None) for a in arrays)
    else:
        made = tracked(op, operands, attrs, arrays)
    made = _of_operands_kind(op, operands, made)
    if op.view and isinstance(operands[0], Tensor):
        for t in made:
            if type(t) is not InferenceTensor:
                link(operands[0], t, op, attrs)
    if local.watch is not None and local.watch.duals is not None:
        local.watch.duals.push(op, operands, attrs, made)
    return made if op.several() else made[0]


def _check_numbers(op: type[Op], operands: list[Any]) -> None:
    """Raise TypeError where a number stands for a Tensor.  Of two numbers between which torch does arithmetic the first one becomes a Tensor."""
    strangers = [a for a in operands if not isinstance(a, Tensor)]
    if len(strangers) == len(operands) == 2 and op.name in ("add", "sub", "mul", "div"):  # torch.add(2, 3)
        operands[0] = T.full(shape=(), value=operands[0], dtype=dtypes.number_dtype(operands[0]))
        strangers = strangers[1:]
    if operands and (len(strangers) == len(operands) or (op.promotion == "none" and strangers)):
        raise ArgumentError(explain(op.name, f"its operands must be Tensors, not {type(strangers[-1]).__name__}"))
    if op.tensor_first and not isinstance(operands[0], Tensor):
        raise ArgumentError(explain(op.name, f"argument 'input' must be Tensor, not {type(operands[0]).__name__}"))


def _of_operands_kind(op: type[Op], operands: list[Any], made: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The results as what the operands' classes make of them: of the user's subclass, or inference tensors."""
    for a in operands:
        if type(a) is Tensor or not isinstance(a, Tensor) or type(a) is InvalidView or isinstance(a, Parameter):
            continue
        if type(a) is not InferenceTensor:
            classes = [type(b) for b in operands if isinstance(b, type(a))]  # the most derived one of a line decides
            return tuple(_of_class(max(classes, key=lambda c: len(c.__mro__)), t) for t in made)
        made = tuple(of_kind(op, operands, t) for t in made)
    return made


def _in_inference_mode(op: type[Op], args: tuple[Any, ...], attrs: tuple[Any, ...]) -> Any:
    """The operator on plain Tensors, by its fast path if it has one; then the results are marked."""
    recorded = local.grad_enabled  # by a transformation of this package
    plain = [handle(a._data, a._node if recorded else None) if type(a) is InferenceTensor else a for a in args]
    watch, local.watch, local.inference = local.watch, None, False
    try:
        made = getattr(T, op.name)(*plain, **dict(zip(op.attrs, attrs, strict=True)))
    finally:
        local.watch, local.inference = watch, True
    if isinstance(made, tuple):
        return tuple([of_kind(op, args, t) for t in made])
    return of_kind(op, args, made)


_pair_targets: dict[tuple[Any, ...], Any] = {}


def _common_pair(op: type[Op], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor] | None:
    """Two Tensors of different dtypes converted to their common floating dtype; None where there is more to it."""
    a, b = x._data, y._data
    if (
        op.promotion not in ("arithmetic", "float", "compare")
        or op.check_operands is not None
        or op.promoted
        or a.dtype is b.dtype
    ):
        return None
    key = (a.dtype, a.ndim > 0, b.dtype, b.ndim > 0)
    target = _pair_targets.get(key)
    if target is None:
        groups = ([d for d, axes in (key[:2], key[2:]) if axes is wanted] for wanted in (True, False))
        target = _pair_targets[key] = dtypes.result_dtype(*groups, [])
    if target is not dtypes.F32 and target is not dtypes.F64:
        return None
    return (
        x if a.dtype is target else T.promote(x, dtype=target),
        y if b.dtype is target else T.promote(y, dtype=target),
    )


def _of_class(cls: type[Tensor], t: Tensor) -> Tensor:
    made: Tensor = object.__new__(cls)
    made._data, made._node = t._data, t._node
    return made


def has_rules(op: type[Op]) -> bool:
    """Whether an operator has derivatives."""
    return any(op.rules) or hasattr(op, "vjp")


def tracked(op: type[Op], operands: list[Any], attrs: tuple[Any, ...], arrays: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Tensors for the results of an operator that autograd follows."""
    nodes = tuple([a._node if isinstance(a, Tensor) else None for a in operands])
    inputs = tuple([n if n is not None else untracked(a) for n, a in zip(nodes, operands, strict=True)])
    types = tuple([Type(a.shape, a.dtype) for a in arrays])
    node = make_node(op, inputs, attrs, types if op.several() else types[0])
    if (op.conjugates and is_complex(node)) or calculates_in_half(node):
        node.extra = BY_RULES
    values = tuple([a._data if isinstance(a, Tensor) else a for a in operands])
    custom = hasattr(op, "vjp")  # may read anything, and have any number of results
    node.saved = (*op.group(values), *arrays) if custom else saved_values(op, list(values), arrays, nodes)
    if node.saved is not None and not custom and InferenceTensor in map(type, operands):
        flat = [v for kept in node.saved for v in (kept if isinstance(kept, tuple) else (kept,))]
        refuse_saving(op.name, flat, operands)
    if not op.several():
        made = (handle(arrays[0], node),)
        if local.watch is not None:
            local.watch.made(node, operands, made)
        return made
    nondiff = [a.dtype.kind not in "fcV" for a in arrays] if custom else [o in op.nondiff_outputs for o in op.outputs]
    pieces = projections(node)
    several = tuple(handle(a, None if dead else p) for a, p, dead in zip(arrays, pieces, nondiff, strict=True))
    if local.watch is not None:
        local.watch.made(node, operands, several)
    return several


def untracked(operand: Any) -> Any:
    """What stands in Node.inputs for an operand that is not followed: its Type, or the number itself."""
    return Type(operand._data.shape, operand._data.dtype) if isinstance(operand, Tensor) else operand


def saved_values(
    op: type[Op], values: list[Any], results: tuple[Any, ...], nodes: tuple[Node | None, ...]
) -> tuple[Any, ...] | None:
    """The values that the rules of the followed inputs read, in the order operands then results; None when there is nothing."""
    flat = op.group(tuple(nodes))
    if not any(op.saves):  # the generated backward unpacks nothing then
        return None
    followed = [any(n is not None for n in entry) if isinstance(entry, tuple) else entry is not None for entry in flat]
    grouped = (*op.group(tuple(values)), *results)
    places = {i for i, is_followed in enumerate(followed) if is_followed}
    return tuple([None if places.isdisjoint(r) else v for v, r in zip(grouped, op.saves, strict=True)])


def with_array(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """A Tensor and a NumPy array as Tensors of the dtype that NumPy gives both: torch leaves such arithmetic to NumPy.  The Tensor keeps its history."""
    pair = [handle(v, None) if isinstance(v, np.ndarray) else v for v in (x, y)]
    target = np.result_type(*(t._data.dtype for t in pair))
    first, second = (t if t._data.dtype == target else T.promote(t, dtype=target) for t in pair)
    return first, second


def _with_arrays(op: type[Op], args: tuple[Any, ...]) -> tuple[Any, ...]:
    if type(args[0]) is np.ndarray or not any(isinstance(a, Tensor) for a in args):
        remedy = "Convert it with from_numpy(array)"
        raise ArgumentError(explain(op.name, "argument 'input' must be Tensor, not numpy.ndarray", remedy))
    known = (Tensor, np.ndarray)
    if len(args) == 2 and op.promotion in ("arithmetic", "float") and all(isinstance(a, known) for a in args):
        return with_array(*args)
    return args


def _operand(op: type[Op], value: Any) -> Any:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, np.generic):  # a NumPy scalar counts as a Python number, as in torch
        return value.item()
    if isinstance(value, np.ndarray):
        return handle(value, None)
    if value is None and any(i.endswith("?") for i in op.inputs):
        return None
    if isinstance(value, NUMBERS):
        return value
    raise ArgumentError(explain(op.name, f"operands must be Tensors or numbers, got {type(value).__name__}"))


def _is_count(value: Any) -> bool:
    return isinstance(value, Tensor) and value._data.size == 1 and value._data.dtype.kind in "biu"


_REFLECTED = {"add": "__radd__", "sub": "__rsub__", "mul": "__rmul__", "div": "__rtruediv__", "pow": "__rpow__"}


def _reflected(op: type[Op], args: tuple[Any, ...]) -> Any:
    """What an object of another library on the right makes of `tensor + object`; NotImplemented if it does not say.  Tensor.__add__ is T.add itself."""
    other = args[-1]
    if op.name == "mul" and isinstance(other, (str, bytes, list, tuple)) and _is_count(args[0]):
        return operator.index(args[0]) * other  # Python repeats a sequence
    if op.name not in _REFLECTED or isinstance(other, (str, bytes, list, tuple)):
        return NotImplemented
    method = getattr(type(other), _REFLECTED[op.name], None)
    return NotImplemented if method is None else method(other, args[0])


def promote_operands(op: type[Op], operands: list[Any]) -> list[Any]:
    """Operands with torch's result dtype; a conversion is an operator of its own, so that backends need no promotion rules."""
    names = op.promoted or op.operands
    places = [i for i, name in enumerate(op.operands) if name in names and operands[i] is not None]
    if op.promotion in ("none", "same"):
        return operands
    if op.check_operands is not None:
        given = [operands[i] for i in places]
        op.check_operands(*[v._data if isinstance(v, Tensor) else type_of(v) for v in given])
    tensors = [operands[i] for i in places if isinstance(operands[i], Tensor)]
    numbers = [dtypes.number_dtype(operands[i]) for i in places if not isinstance(operands[i], Tensor)]
    if local.trace is not None:
        # a Python float that is an argument of a recorded function: it follows the dtypes that it meets, like a literal
        arguments = [t for t in tensors if "_is_number" in t.__dict__]
        if len(arguments) == len(tensors) and tensors and all(counts_as_number(o) for o in operands):
            return alike(op, operands, places, T.promote)
        tensors = [t for t in tensors if "_is_number" not in t.__dict__]
        numbers += [dtypes.default.float if t._data.dtype.kind == "f" else t._data.dtype for t in arguments]
    target = dtypes.result_dtype(
        [t._data.dtype for t in tensors if t._data.ndim], [t._data.dtype for t in tensors if not t._data.ndim], numbers
    )
    if op.promotion == "float" and dtypes.kind_rank(target) < FLOATING:
        target = dtypes.default.float
    elif op.promotion == "number" and target.kind == "b":
        target = dtypes.I64
    elif op.promotion == "compare" and target.kind in "iu":
        low, high = _range(target)
        if not all(low <= operands[i] <= high for i in places if not isinstance(operands[i], Tensor)):
            target = dtypes.I64  # 200 < 300 is true for uint8 as well
    out = list(operands)
    for i in places:
        value = out[i]
        if isinstance(value, Tensor):
            if value._data.dtype != target:
                out[i] = T.promote(value, dtype=target)
        elif not tensors:
            out[i] = T.full(shape=(), value=value, dtype=target)
        elif dtypes.is_half(target) and op.name not in _KEEPING_NUMBERS:
            out[i] = held(value, target)
        elif (target.kind == "b") != isinstance(value, bool):
            out[i] = bool(value) if target.kind == "b" else int(value)
        elif target.kind in "iu" and op.promotion in ("arithmetic", "number"):
            out[i] = _wrapped(op, value, target)
    return out


# with half precision torch takes the number as it is in these, and in the others as the tensor would hold it: 0.1 == tensor(0.1)
_KEEPING_NUMBERS = ("mul", "div", "div_floor", "div_trunc", "floor_divide", "xlogy", "lerp")


def _range(d: Any) -> tuple[int, int]:
    bits = 8 * d.itemsize
    return (0, 2**bits - 1) if d.kind == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _wrapped(op: type[Op], value: int, target: Any) -> int:
    """A Python int as the integer dtype holds it: arithmetic is modulo 2**bits.  RuntimeError where torch wants the number itself to fit."""
    low, high = _range(target)
    # NumPy raises OverflowError for what no integer dtype holds
    if low <= value <= high or not -(2**63) <= value < 2**63:
        return value
    if op.name == "pow" and value < 0:  # the kernel refuses it
        return value
    if op.name in ("pow", "where") and not (target.kind == "u" and -high <= value < 0):
        raise DTypeError(explain(op.name, f"value cannot be converted to type {target} without overflow", value=value))
    return (value - low) % (high - low + 1) + low


def refuse_complex(op: type[Op], operands: list[Any]) -> None:
    """Raise NotSupportedError, or the class that the operator names, for a complex operand of an operator that takes real ones."""
    error = op.real_only if isinstance(op.real_only, type) else NotSupportedError
    for operand in operands:
        if isinstance(operand, complex) or (isinstance(operand, Tensor) and operand._data.dtype.kind == "c"):
            raise error(explain(op.name, "it does not support complex inputs"))


def check_result(op: type[Op], arrays: tuple[Any, ...], types: tuple[Type, ...]) -> None:
    """The kernel must give what the type rule says."""
    for array, want in zip(arrays, types, strict=True):
        if array.shape != want.shape or array.dtype != want.dtype:
            got = Type(array.shape, array.dtype)
            problem = f"the type rule says {want} but the NumPy kernel gave {got}"
            raise VerifyError(explain(op.name, problem, "This is a fault of tracegrad; please report it"))
