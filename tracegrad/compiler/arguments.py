"""The arguments of one call of a compiled function: what is an input of the program, what belongs to the signature, and what is watched.

Tensors, NumPy and JAX arrays and floats are inputs, wherever they stand: in containers, in objects that only hold data, in what a function closes over.  Plain
values (ints, strings, enums, dtypes, sets of them ...) belong to the signature.  Modules, optimizers and all other objects are known by identity, and what the
function reads of them is watched as if the function had captured them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np

from tracegrad import dtypes, pytree
from tracegrad.backends.on_device import Foreign
from tracegrad.compiler.call_trace import CallTrace, NotCompilable
from tracegrad.compiler.kinds import (
    COMPARED,
    Part,
    compared,
    held,
    is_array,
    is_frozen,
    is_opened,
    is_record,
    is_whole,
    parts_of,
    root_of,
)
from tracegrad.compiler.replay import as_tensor_leaf, parameter_names
from tracegrad.config import local
from tracegrad.eager.device_tensors import HERE, wrapped
from tracegrad.eager.tensor import Parameter, Tensor, handle, raw

LARGEST_RECORD = 256  # values in an object that is taken apart; larger ones are known by identity
TENSORS = (Tensor, Parameter)


class _Intricate(Exception):  # noqa: N818  (no error: the object around is known by identity instead)
    """An object holds more than data."""


def marks_of(t: Tensor) -> list[tuple[str, int]]:
    """The attributes that a Tensor of the user's has, with the identities of what they hold."""
    return [(name, id(value)) for name, value in t.__dict__.items() if name[0] != "_"]


class Arguments:
    """The arguments of one call.

    key      what two calls have in common that can run one program        leaves   the inputs, in order: Tensors, arrays, floats
    tensors  the same as Tensors                                           objects  what is watched beside the function
    """

    __slots__ = (
        "_again",
        "_arrays",
        "_counts",
        "_made",
        "_marks",
        "_places",
        "_records",
        "args",
        "key",
        "kwargs",
        "leaves",
        "objects",
        "tensors",
    )
    instead: Mapping[int, int] = {}  # ints that stand for others in one more recording

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args, self.kwargs = args, kwargs
        self.leaves: list[Any] = []
        self.objects: list[Any] = []
        self._again: dict[int, int] = {}  # containers that are known by identity within the call, by id
        self._arrays: dict[int, Any] = {}  # arrays of other libraries as NumPy's
        self._records = 0  # how many objects are being taken apart around the present value
        self._places: list[Part] = []
        self._marks: list[
            tuple[Tensor, list[tuple[str, int]]]
        ] = []  # names for Tensors, and the user's attributes of them
        self._made: list[tuple[Any, list[Any]]] = []  # what the function sees that can be changed, and what it held
        self._counts: list[int] = []  # inputs before each argument
        parts = []
        for value in args:
            self._counts.append(len(self.leaves))
            parts.append(self._take(value))
        named = []
        for name, value in kwargs.items():
            self._counts.append(len(self.leaves))
            named.append((name, self._take(value)))
        self.tensors = [self._tensor(leaf) for leaf in self.leaves]
        self.key = (
            tuple(parts),
            tuple(named),
            same_ones(self.tensors),
            "inference" if local.inference else local.grad_enabled,
            dtypes.default.float,
        )

    # --- the signature

    def _take(self, value: Any) -> Any:
        """The part of the key for a value; what it holds joins the inputs and the watched objects."""
        kind: Any = type(value)
        if kind in TENSORS:
            return self._take_tensor(value)
        if value is None:
            return None
        if kind is float or kind is np.float64:
            self.leaves.append(value)
            return float
        if kind is int or kind is bool or kind is str:
            return (kind, value)
        if kind is tuple or kind is list:
            return (kind, tuple([self._take(v) for v in value]))
        if kind is dict:
            return (kind, tuple([((type(k), k), self._take(v)) for k, v in value.items()]))
        return self._take_other(value, kind)

    def _take_tensor(self, t: Any) -> Any:
        self.leaves.append(t)
        data, node = raw(t), t._node
        history = 0 if node is None or not node.needs else 1 if node.op is None else 2
        marks = [(k, self._take(v)) for k, v in t.__dict__.items() if k[0] != "_"] if t.__dict__ else ()
        return (HERE.get(type(t), type(t)), data.shape, data.dtype, history, *marks)

    def _take_other(self, value: Any, kind: Any) -> Any:
        if isinstance(value, Tensor):
            return self._take_tensor(value)
        if isinstance(value, COMPARED):
            return (kind, value)
        if isinstance(value, (np.ndarray, np.floating)) or is_array(kind):
            return self._take_array(value, kind)
        found = compared(value, kind)
        if found is not None:
            return (kind, found)
        if not is_opened(kind) or (kind is FunctionType and is_whole(value)):
            return self._take_object(value, kind)
        number = self._again.get(id(value))
        if number is not None:
            return ("again", number)
        self._again[id(value)] = len(self._again)
        if kind is FunctionType or is_record(kind):
            return self._take_record(value, kind)
        if kind is MethodType:
            return (kind, self._take(value.__func__), self._take(value.__self__))
        if kind is functools.partial:
            return (kind, self._take(value.func), self._take(value.args), self._take(value.keywords))
        treedef, children = pytree.open_container(value)
        return (kind, treedef.meta, tuple([self._take(v) for v in children]))

    def _take_array(self, value: Any, kind: Any) -> Any:
        if isinstance(value, np.floating):
            self.leaves.append(float(value))
            return kind
        if is_array(kind) and (found := Foreign.adopt(value)) is not None:
            self._arrays[id(value)] = wrapped(found, None)
            self.leaves.append(value)
            return (np.ndarray, found.shape, found.dtype)
        array = value if isinstance(value, np.ndarray) else np.asarray(value)
        if array.dtype.name == "bfloat16" and array.dtype != dtypes.bfloat16.numpy:  # reading ours makes it known
            return self._take_object(value, kind)
        if array.dtype.kind not in "biufcV":
            return self._take_object(value, kind)
        if array is not value:
            self._arrays[id(value)] = array
        self.leaves.append(value)
        return (np.ndarray, array.shape, array.dtype)

    def _take_object(self, value: Any, kind: Any) -> Any:
        """A value that is known by identity."""
        if self._records and not isinstance(value, (type, BuiltinFunctionType, FunctionType)):
            raise _Intricate
        self.objects.append(value)
        return ("object", kind, id(value))

    def _take_record(self, value: Any, kind: Any) -> Any:
        """An object, or a function with what it closes over, whose parts are taken one by one; by identity where they are more than data."""
        before = len(self.leaves), len(self.objects), len(self._again)
        data = hasattr(kind, "__dataclass_fields__")
        self._records += not data
        try:
            names, parts = parts_of(value, kind)
            if len(parts) > LARGEST_RECORD:
                raise _Intricate
            taken = tuple([self._take(v) for _, v in parts])
        except _Intricate:
            if self._records > 1:
                raise
            del self.leaves[before[0] :], self.objects[before[1] :]
            for i in list(self._again)[before[2] :]:
                del self._again[i]
            self._records = 0
            return self._take_object(value, kind)
        finally:
            self._records -= not data and self._records > 0
        self.objects.append(root_of(value, kind))
        return (kind, names, taken)

    def _tensor(self, leaf: Any) -> Tensor:
        if isinstance(leaf, Tensor):
            return leaf
        if isinstance(leaf, float):
            return handle(np.array(leaf, np.float64), None)
        return as_tensor_leaf("compile", self._arrays.get(id(leaf), leaf))

    def names(self, function: Callable[..., Any]) -> list[str]:
        """A name for each input: its parameter's, with a counter where an argument holds several."""
        parameters = parameter_names(function)
        own = [parameters[i] if i < len(parameters) else f"a{i}" for i in range(len(self.args))]
        found: list[str] = []
        ends = [*self._counts[1:], len(self.leaves)]
        for name, begin, end in zip([*own, *self.kwargs], self._counts, ends, strict=False):
            found += [name] if end == begin + 1 else [f"{name}_{k}" for k in range(end - begin)]
        return found

    # --- the recording

    def inside(self, trace: CallTrace) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with names of the recording for the inputs.  Objects keep their identity and hold these names until `restore`."""
        made: dict[int, Tensor] = {}
        given: list[Any] = []
        for i, (leaf, t) in enumerate(zip(self.leaves, self.tensors, strict=True)):
            name = trace.argument(t, i, isinstance(leaf, float))
            if not isinstance(leaf, Tensor):
                name.__dict__["_is_array"] = True
            given.append(made.setdefault(id(leaf), name) if isinstance(leaf, Tensor) else name)
        filling = _Filling(self, iter(given))
        filled = tuple([filling.fill(v) for v in self.args]), {k: filling.fill(v) for k, v in self.kwargs.items()}
        self._marks = [(t, marks_of(t)) for t in given]
        return filled

    def keeps(self, value: Any) -> bool:
        """Whether a value is watched: an object that every later call finds as it is.  Raises NotCompilable for one that is taken apart."""
        if id(value) in self._again and not is_frozen(type(value)):
            raise NotCompilable("returns an object among its arguments", None)
        return any(value is o for o in self.objects)

    def note(self, made: Any) -> None:
        """Remember what the function is given, which it must not change."""
        self._made.append((made, held(made)))

    def changed(self) -> bool:
        """Whether the function has changed a container or an object among its arguments."""
        for made, before in self._made:
            now = held(made)
            if len(now) != len(before) or any(a is not b for a, b in zip(now, before, strict=True)):
                return True
        return any(marks_of(t) != before for t, before in self._marks)

    def place(self, put: Callable[[Any], None], old: Any, new: Any) -> None:
        """Let something else stand in an object until `restore`."""
        put(new)
        self._places.append((put, old))

    def restore(self) -> None:
        """Let the objects hold again what they held."""
        places, self._places = self._places, []
        for put, old in reversed(places):
            put(old)


class _Filling:
    """One walk over the arguments, in the order of the signature, which puts names of the recording in the place of the inputs."""

    def __init__(self, arguments: Arguments, given: Iterator[Tensor]) -> None:
        self.arguments, self.given = arguments, given
        self.known = set(map(id, arguments.objects))
        self.done: dict[int, Any] = {}

    def fill(self, value: Any) -> Any:
        """The value as the function sees it."""
        kind: Any = type(value)
        if isinstance(value, Tensor):
            return self._tensor(value)
        if kind is int:
            return self.arguments.instead.get(value, value)
        if value is None or id(value) in self.known or isinstance(value, COMPARED):
            return value
        if isinstance(value, (float, np.floating, np.ndarray)) or is_array(kind):
            return next(self.given)
        if kind is tuple:
            return tuple([self.fill(v) for v in value])
        if kind is list:
            return self._made([self.fill(v) for v in value])
        if kind is dict:
            return self._made({k: self.fill(v) for k, v in value.items()})
        if not is_opened(kind):
            return self._made(value) if kind is set else value
        if id(value) in self.done:
            return self.done[id(value)]
        if kind is FunctionType or is_record(kind):
            self.done[id(value)] = value
            for put, old in parts_of(value, kind)[1]:
                self.arguments.place(put, old, self.fill(old))
            self._made(value)
            return value
        if kind is MethodType:
            found: Any = MethodType(self.fill(value.__func__), self.fill(value.__self__))
        elif kind is functools.partial:
            found = functools.partial(
                self.fill(value.func), *self.fill(value.args), **{k: self.fill(v) for k, v in value.keywords.items()}
            )
        else:
            treedef, children = pytree.open_container(value)
            found = treedef.close([self.fill(v) for v in children])
        self.done[id(value)] = self._made(found)
        return found

    def _tensor(self, t: Tensor) -> Tensor:
        name = next(self.given)
        for k, v in t.__dict__.items():
            if k[0] != "_":
                name.__dict__[k] = self.fill(v)
        return name

    def _made(self, value: Any) -> Any:
        self.arguments.note(value)
        return value


def same_ones(tensors: list[Tensor]) -> tuple[int, ...]:
    """Which arguments are the same Tensor as an earlier one; () where all differ."""
    if len(tensors) < 2 or len(set(map(id, tensors))) == len(tensors):
        return ()
    first: dict[int, int] = {}
    return tuple([first.setdefault(id(t), i) for i, t in enumerate(tensors)])
