"""Tensor: a mutable handle, that is an array and (when tracked) the node that made it."""

from __future__ import annotations

import operator
import warnings
import weakref
from collections.abc import Iterable
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.config import local
from tracegrad.devices import check_device
from tracegrad.errors import (
    ArgumentError,
    DataError,
    DifferentiationError,
    MissingAttributeError,
    NotSupportedError,
    explain,
)
from tracegrad.ir.node import Node, make_leaf
from tracegrad.ir.types import Type
from tracegrad.slots import slots

Array = np.ndarray[Any, Any]
STOPPED = "_stopped"  # in the __dict__ of a leaf that requires no grad any more: its node, and what hangs on it, its hooks for instance
PLACE = "_place"  # in the __dict__ of what stands for a tensor on another device while that prints
GRAD_DTYPE = "_grad_dtype"  # in the __dict__ of a leaf whose grad_dtype was set
NON_LEAF_GRAD = (
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be populated during autograd.backward(). "
    "If you indeed want the .grad field to be populated for a non-leaf Tensor, use .retain_grad() on the non-leaf Tensor."
)


class Stopped:
    """Whether any leaf has ever stopped to require grad: until then nobody asks for its node."""

    any = False


class Tensor(metaclass=dtypes.TorchClass):
    """An array of one dtype that autograd can follow.

    Made by `tracegrad.tensor`, `zeros`, `randn`, ... and by operators.  The constructor takes data as `torch.Tensor` does: `Tensor([1., 2.])` has the
    default dtype, `Tensor(2, 3)` is uninitialised of that shape.
    """

    _shown = "torch.Tensor"
    # _data  the NumPy array (see raw)    _node   None when autograd does not follow this value
    # _grad  unset or None or a Tensor    _view   unset, or (parent Tensor, operator, attributes) of a view
    # _views unset, or weak references to the live views of this base
    __slots__ = ("__dict__", "__weakref__", "_data", "_grad", "_node", "_view", "_views")

    _data: Array
    _node: Node | None

    __array_priority__ = 1000  # NumPy arrays on the left leave the operator to us

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for hook in ("__torch_function__", "__torch_dispatch__"):
            if hook in cls.__dict__:
                problem = f"{cls.__name__} defines {hook}, which tracegrad never calls"
                raise NotSupportedError(
                    explain("Tensor", problem, "Leave it out: results of operators keep the subclass")
                )

    def __hash__(self) -> int:
        return id(self)

    def __new__(cls, *data: Any, requires_grad: bool = False, device: Any = None) -> Tensor:
        check_device("Tensor", device)
        self = object.__new__(slots.inference_class if local.inference and cls is Tensor else cls)
        self._data, self._node = np.empty((0,), dtypes.default.float), None
        if len(data) == 1 and isinstance(data[0], Tensor):
            self._data = data[0]._data  # the memory is shared, as torch does
        elif len(data) == 1 and isinstance(data[0], Size):
            self._data = np.zeros(data[0], dtypes.default.float)
        elif len(data) == 1 and isinstance(data[0], (list, tuple, range, np.ndarray)):
            self._data = np.array(data[0], dtypes.default.float)
        elif len(data) == 1 and not isinstance(data[0], (int, np.integer)):
            raise ArgumentError(
                explain(
                    "Tensor", f"data must be a sequence, an array, a Tensor, or sizes (got {type(data[0]).__name__})"
                )
            )
        elif data:
            self._data = np.zeros(tuple(int(n) for n in data), dtypes.default.float)
        return self.requires_grad_() if requires_grad else self

    def __init__(self, *data: Any, **options: Any) -> None:
        """Nothing is left to do: the `__new__` and `__init__` of a subclass may have arguments of their own."""

    @property
    def shape(self) -> Size:
        """Sizes of the axes."""
        return tuple.__new__(Size, self._data.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        """Element type."""
        return dtypes.from_numpy(self._data.dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._data.ndim

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow into or through this tensor.  Settable on leaves."""
        node = self._node
        return node is not None and node.needs

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if not self.is_leaf:
            raise DifferentiationError(
                explain(
                    "requires_grad",
                    "you can only change requires_grad flags of leaf variables",
                    "Use detach() to get a value that stands alone",
                )
            )
        if not isinstance(value, bool):
            raise DifferentiationError(explain("requires_grad", f"must be a bool, got {type(value).__name__}"))
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Start (or stop) recording operations on this leaf, in place.  Raises RuntimeError for integers and for non-leaves."""
        node = self._node
        if not isinstance(requires_grad, bool):
            problem = f"argument 'requires_grad' must be bool, not {type(requires_grad).__name__}"
            raise ArgumentError(explain("requires_grad_", problem))
        if requires_grad:
            value = raw(self)  # perhaps on another device
            if value.dtype.kind not in "fcV":
                raise DifferentiationError(
                    explain(
                        "requires_grad_",
                        "only Tensors of floating point and complex dtype can require gradients",
                        got=self.dtype,
                    )
                )
            if node is None and Stopped.any and self._again():
                return self
            if node is None and local.trace is not None and local.trace.decides:
                local.trace.begin_leaf(self)
            elif node is None:
                self._node = make_leaf(Type(value.shape, value.dtype), needs=True, extra=weakref.ref(self))
            elif not node.needs:
                if local.trace is None:
                    raise DifferentiationError(
                        explain("requires_grad_", "a value computed while recording cannot become a leaf")
                    )
                local.trace.begin_leaf(self)
        elif node is not None and node.needs:
            if local.trace is not None and local.trace.begins_at(self):
                local.trace.end_leaf(self)
                return self
            if node.op is not None:
                raise DifferentiationError(
                    explain(
                        "requires_grad_",
                        "you can only change requires_grad flags of leaf variables",
                        "Use detach() to get a value that stands alone",
                    )
                )
            self._node = None
            if local.trace is None:
                Stopped.any = True
                self.__dict__[STOPPED], node.extra = (node, node.extra), None
        return self

    def _again(self) -> bool:
        """Make self the leaf that it was before requires_grad was turned off; False if there is none, or it had another shape."""
        node, extra = self.__dict__.pop(STOPPED, (None, None))
        if node is None or node.shape != raw(self).shape or node.dtype != raw(self).dtype:
            return False
        self._node, node.extra = node, extra
        return True

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made this tensor."""
        node = self._node
        if node is None or node.op is None or not node.needs:
            return node is None or not node.needs or local.trace is None or local.trace.original(self) is None
        return local.trace is not None and bool(local.trace.begins_at(self))

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward accumulated, or None.  Reading that of a non-leaf warns unless retain_grad() was called."""
        if local.trace is not None:
            local.trace.note_grad(self)
        found: Tensor | None = getattr(self, "_grad", None)
        if found is None and not self.is_leaf and getattr(self._node.extra, "retained", None) is None:  # type: ignore[union-attr]
            warnings.warn(NON_LEAF_GRAD, UserWarning, stacklevel=2)
        return found

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if value is self:
                raise DataError(explain("grad", "can't assign Variable as its own grad"))
            if not isinstance(value, Tensor):
                raise TypeError(explain("grad", f"assigned grad must be a Tensor or None, got {type(value).__name__}"))
            own, given = raw(self), raw(value)
            wanted = self.__dict__.get(GRAD_DTYPE, own.dtype)
            if wanted is not given.dtype:
                wanted = given.dtype if wanted is None else getattr(wanted, "numpy", wanted)
            if given.shape != own.shape or given.dtype != wanted:
                raise DataError(explain("grad", "assigned grad has another shape or dtype than the tensor", tensor=Type(own.shape, own.dtype),
                                        grad=Type(given.shape, given.dtype)))  # fmt: skip
        if local.trace is not None:
            local.trace.note_grad(self, reads=False)
        self._grad = value

    @requires_grad.deleter
    def requires_grad(self) -> None:
        raise DifferentiationError(explain("requires_grad", "cannot delete requires_grad"))

    @grad.deleter
    def grad(self) -> None:
        self.grad = None


raw = Tensor.__dict__[
    "_data"
].__get__  # what stands in the slot: an array, or the OnDevice of a Tensor that lies elsewhere (device_tensors.py)
MARK = "_is_parameter"


class _Marked(dtypes.TorchClass):
    """Lets `isinstance(x, Parameter)` see the mark of a parameter whose class is that of inference tensors."""

    def __instancecheck__(cls, instance: object) -> bool:  # noqa: N805
        return type.__instancecheck__(cls, instance) or (
            cls is Parameter and isinstance(instance, Tensor) and MARK in instance.__dict__
        )


class Parameter(Tensor, metaclass=_Marked):
    """`Parameter(data, requires_grad=True)`: a Tensor on data's memory that a Module finds by itself; what operators make of it are plain Tensors."""

    _shown = "torch.nn.parameter.Parameter"
    __slots__ = ()

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Any:
        """The parameter.  Raises AttributeError unless data is a Tensor, RuntimeError for integers that should require grad."""
        if data is not None and not isinstance(data, Tensor):
            raise MissingAttributeError(
                explain("Parameter", f"data must be a Tensor, got {type(data).__name__}", "Make it with tensor(...)")
            )
        special = data is not None and type(data) is slots.inference_class
        made: Tensor = _new(slots.inference_class if special else cls)
        made._data = np.empty((0,), dtypes.default.float) if data is None else data._data
        made._node = None
        if (
            data is not None and local.trace is not None
        ):  # recorded: the value as the recording has it, a leaf of its own
            made._node = data.detach()._node  # type: ignore[attr-defined]
        if special:
            made.__dict__[MARK] = True
        return made.requires_grad_() if requires_grad else made

    def __init__(self, *data: Any, **options: Any) -> None:
        """Nothing is left to do."""


class Size(tuple[int, ...], metaclass=dtypes.TorchClass):
    """Sizes of the axes of a tensor: a tuple that prints as torch.Size.  Raises TypeError for anything but ints."""

    _shown = "torch.Size"
    __slots__ = ()

    def __new__(cls, sizes: Iterable[int] = ()) -> Size:
        """From the sizes in order."""
        items = tuple(sizes)
        for i, n in enumerate(items):
            if isinstance(n, Tensor):
                return cls(map(operator.index, items))
            if not hasattr(n, "__index__"):
                raise ArgumentError(explain("Size", f"takes an iterable of 'int' (item {i} is '{type(n).__name__}')"))
        return tuple.__new__(cls, items)

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    def numel(self) -> int:
        """Number of elements."""
        count = 1
        for size in self:
            count *= size
        return count

    def __getitem__(self, index: Any) -> Any:
        got = tuple.__getitem__(self, index)
        return Size(got) if isinstance(got, tuple) else got

    def __add__(self, other: Any) -> Size:
        return Size((*self, *other))

    def __radd__(self, other: Any) -> Size:
        return Size((*other, *self))

    def __mul__(self, count: Any) -> Size:
        return Size(tuple(self) * count)

    __rmul__ = __mul__


_new = object.__new__


def handle(data: Array, node: Node | None) -> Tensor:
    """A Tensor on this array and node, without checks."""
    t: Tensor = _new(Tensor)
    t._data, t._node = data, node
    return t


def element(t: Tensor) -> Any:
    """The one element of t as a Python number.  Raises RuntimeError when there are more."""
    if t._data.size != 1:
        raise DataError(
            explain(
                "item",
                f"a Tensor with {t._data.size} elements cannot be converted to Scalar",
                shape=list(t._data.shape),
            )
        )
    return t._data.item()


__all__ = ["MARK", "STOPPED", "Parameter", "Size", "Tensor", "element", "handle", "raw", "slots"]
