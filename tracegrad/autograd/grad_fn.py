"""grad_fn: the view of a node that programs written for torch expect.  The tape itself is made of ir.node.Node; a view exists only while somebody holds it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from tracegrad import dtypes
from tracegrad.autograd.function_context import BackwardCFunction
from tracegrad.autograd.hooks import RemovableHandle, extra_of
from tracegrad.autograd.saved_attributes import saved_attribute, saved_names
from tracegrad.config import local
from tracegrad.devices import CPU
from tracegrad.dtypes import TorchClass
from tracegrad.eager.tensor import Tensor
from tracegrad.ir.builder import projections
from tracegrad.ir.node import Node
from tracegrad.ir.op import Op, parameters
from tracegrad.slots import slots

NUMBER_IS_NO_OPERAND = frozenset({"pow", "rsub"})  # torch's steps of these have no edge for a Python number
HIDDEN = frozenset({"promote", "alias"})  # nodes that torch's graph does not have


class _StepClass(TorchClass):
    """The class of GradFn: the ctx of a Function counts as a step too, as in torch."""

    def __instancecheck__(cls, instance: Any) -> bool:  # noqa: N805
        return super().__instancecheck__(instance) or (cls is GradFn and isinstance(instance, BackwardCFunction))


class GradFn(metaclass=_StepClass):
    """One step of the backward graph.  `name()`, `next_functions`, `metadata`, `register_hook`, `register_prehook`; equal nodes give the same object."""

    __slots__ = ("__weakref__", "_node")
    _node: Node

    def name(self) -> str:
        """The name that torch gives to this step, such as AddBackward0."""
        name = type(self).__name__
        return f"torch::autograd::{name}" if name in ("CopySlices", "CopyBackwards") else name

    def __repr__(self) -> str:
        module = getattr(type(self), "_shown_module", "")
        return f"<{module}{type(self).__name__} object at {id(self):#x}>"

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The steps that receive this one's gradients, with the number of the result there; (None, 0) for an operand that is not followed."""
        node = self._node
        while node.op is not None and node.op.name == "named":  # one step together with what it names
            node = node.inputs[0]
        if node.op is not None and node.op.name == "copy_slices":
            return _edges_of_write(node)
        return tuple(_edge(node.inputs[i]) for i in differentiable_positions(node))

    def __getattr__(self, name: str) -> Any:
        return saved_attribute(self._node, name)

    def __dir__(self) -> list[str]:
        names = [name for name in object.__dir__(self) if name != "_node"]
        return [*names, *saved_names(self._node, type(self).__name__)]

    @property
    def requires_grad(self) -> bool:
        """Always: a step exists only for values that require grad."""
        return True

    @property
    def _input_metadata(self) -> tuple[Any, ...]:
        """Shape, dtype and device of each gradient that this step is given."""
        return tuple(InputMetadata(list(t.shape), dtypes.from_numpy(t.dtype), CPU) for t in self._node.types)

    def _sequence_nr(self) -> int:
        return self._node.seq

    @property
    def metadata(self) -> dict[str, Any]:
        """A dict of this step that the user may fill."""
        extra = extra_of(self._node)
        if extra.metadata is None:
            extra.metadata = {}
        return extra.metadata

    def register_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(grad_inputs, grad_outputs)` after this step; a tuple that it returns replaces grad_inputs."""
        _tell_recording(self._node)
        return _register(extra_of(self._node).after_step, hook)

    def register_prehook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(grad_outputs)` before this step; a tuple that it returns replaces grad_outputs."""
        _tell_recording(self._node)
        return _register(extra_of(self._node).before_step, hook)


class InputMetadata(NamedTuple):
    """What a step knows of a gradient that it is given."""

    shape: list[int]
    dtype: Any
    device: Any
    is_tensor_subclass: bool = False
    is_nested_tensor: bool = False


class GradientEdge(NamedTuple):
    """Where the gradient of one result of a step arrives: the step and the number of the result."""

    node: GradFn
    output_nr: int
    ownership_token: Any = None


class AccumulateGrad(GradFn):
    """The end of the backward graph: adds to `.grad` of the leaf `variable`."""

    _shown = "AccumulateGrad"
    __slots__ = ()

    def name(self) -> str:
        """torch::autograd::AccumulateGrad."""
        return "torch::autograd::AccumulateGrad"

    @property
    def variable(self) -> Any:
        """The leaf; None when it no longer exists."""
        return extra_of(self._node).tensor() if self._node.extra is not None else None


class CustomGradFn(GradFn):
    """The step of an autograd.Function: shows the attributes of its ctx as well."""

    __slots__ = ()
    _shown_module = "torch.autograd.function."

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node.attrs[0].ctx, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_node":
            object.__setattr__(self, name, value)
        else:
            setattr(self._node.attrs[0].ctx, name, value)

    @property
    def __class__(self) -> Any:
        """The class of the ctx, for isinstance."""
        return type(self._node.attrs[0].ctx)


_views: weakref.WeakValueDictionary[int, GradFn] = weakref.WeakValueDictionary()
_classes: dict[str, type[GradFn]] = {}


def grad_fn(tensor: Tensor) -> GradFn | None:
    """The view of the step that made this tensor; None for a leaf and for a value without history."""
    node = tensor._node
    if node is None or node.op is None or not node.needs:
        outer = local.trace.original(tensor) if node is not None and local.trace is not None else None
        return None if outer is None else grad_fn(outer)
    return _edge(node)[0]  # type: ignore[no-any-return]


def edge_of(tensor: Tensor) -> tuple[GradFn, int]:
    """The step that receives the gradient of a tensor that requires grad, AccumulateGrad for a leaf, and the number of the result."""
    return _edge(tensor._node)


def node_of_edge(edge: GradientEdge) -> Node:
    """The value whose cotangent an edge carries."""
    node = edge.node._node
    several = node.op is not None and node.op.several()
    return projections(node)[edge.output_nr] if several else node


def output_nr(tensor: Tensor) -> int:
    """Which result of its step a tensor is."""
    node = tensor._node
    return 0 if node is None else _edge(node)[1]


def name_of(node: Node) -> str:
    """torch's name of the backward step of this node."""
    op = node.op
    assert op is not None
    given = op.torch_name
    if not given:
        return f"{_camel_case(op)}Backward0"
    if isinstance(given, str):
        return given
    return given(node) if parameters(given) == ("node",) else given(*node.attrs)  # type: ignore[no-any-return]


def _camel_case(op: type[Op]) -> str:
    return "".join(word.capitalize() for word in op.name.split("_"))


def _edge(value: Any) -> tuple[Any, int]:
    index = 0
    while isinstance(value, Node) and value.op is not None and (value.op.name in HIDDEN or value.op.name == "project"):
        index = value.attrs[0] if value.op.name == "project" else index
        value = value.inputs[0]
    if not isinstance(value, Node) or not value.needs or (value.op is None and value.extra is None):
        return None, 0  # also the leaf of a view made under no_grad(), which leads nowhere
    if value.op is not None and value.op.result_number:
        index = value.attrs[value.op.attrs.index(value.op.result_number)]
    return _view(value), index


def _view(node: Node) -> GradFn:
    found = _views.get(id(node))
    if found is None:
        found = object.__new__(_class_of(node))
        found._node = node
        _views[id(node)] = found
    return found


def _class_of(node: Node) -> type[GradFn]:
    if node.op is None:
        return AccumulateGrad
    name = name_of(node)
    found = _classes.get(name)
    if found is None:
        base = CustomGradFn if node.op.name == "custom_call" else GradFn
        shown = getattr(base, "_shown_module", "") + name
        found = _classes[name] = _StepClass(name, (base,), {"__slots__": (), "__module__": "torch.autograd.function", "_shown": shown})  # fmt: skip
    return found


def differentiable_positions(node: Node) -> list[int]:
    """The positions of the inputs that torch's step has an edge for."""
    op = node.op
    if op is None:
        return []
    positions = getattr(op, "edges", None)
    if positions is not None:
        return list(positions(node))
    last = len(op.operands) - 1
    return [
        i
        for i, value in enumerate(node.inputs)
        if op.rules[min(i, last)] is not None
        and value is not None
        and not (isinstance(value, (int, float, complex)) and op.name in NUMBER_IS_NO_OPERAND)
    ]


def _edges_of_write(node: Node) -> tuple[tuple[Any, int], ...]:
    """The base, and what the in-place operator read besides the view: torch's CopySlices contains the step of that operator."""
    base, part = node.inputs
    while isinstance(part, Node) and part.op is not None and part.op.name in HIDDEN:
        part = part.inputs[0]
    others = [part.inputs[i] for i in differentiable_positions(part)[1:]] if isinstance(part, Node) else []
    return (_edge(base), *(_edge(value) for value in others))


def _tell_recording(node: Node) -> None:
    """A program has no hooks of steps: the recording is to know where it cannot do without."""
    if local.trace is not None:
        local.trace.step_hook(node)


def _register(hooks: dict[int, Any], hook: Callable[..., Any]) -> RemovableHandle:
    removable = RemovableHandle(hooks)
    hooks[removable.id] = hook
    return removable


slots.grad_fn = grad_fn
slots.output_nr = output_nr
__all__ = [
    "AccumulateGrad",
    "GradFn",
    "GradientEdge",
    "differentiable_positions",
    "edge_of",
    "grad_fn",
    "name_of",
    "node_of_edge",
    "output_nr",
]
