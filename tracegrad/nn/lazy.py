"""Layers that take the number of input features from their first input.  Until then their parameters have no shape."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from tracegrad.dtypes import bfloat16, dtype, float16, float32, float64
from tracegrad.eager.creation import zeros
from tracegrad.eager.tensor import Parameter, Tensor
from tracegrad.errors import ShapeError, explain
from tracegrad.nn.convolutions import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from tracegrad.nn.layers import Linear
from tracegrad.nn.module import Module
from tracegrad.nn.norms import BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d

_PROBLEM = (
    "Can't access the shape of an uninitialized parameter or buffer. Run the module once, so that it sees an input"
)


class UninitializedParameter(Parameter):
    """A Parameter whose shape is not known yet.  Its shape and values raise RuntimeError."""

    __slots__ = ()
    _shown = "torch.nn.parameter.UninitializedParameter"
    is_unknown = True

    @property
    def shape(self) -> NoReturn:  # type: ignore[override]
        """Raises RuntimeError."""
        raise ShapeError(explain("UninitializedParameter", _PROBLEM))

    def detach(self) -> Any:
        """This parameter: there are no values to share."""
        return self

    def materialize(self, values: Tensor) -> None:
        """Become an ordinary Parameter with these values."""
        self.__class__ = Parameter  # type: ignore[assignment]
        self.data = values

    def __repr__(self) -> str:
        return "<UninitializedParameter>"


class UninitializedBuffer(Tensor):
    """A buffer whose shape is not known yet.  Its shape and values raise RuntimeError."""

    __slots__ = ()
    is_unknown = True

    @property
    def shape(self) -> NoReturn:  # type: ignore[override]
        """Raises RuntimeError."""
        raise ShapeError(explain("UninitializedBuffer", _PROBLEM))

    def detach(self) -> Any:
        """This buffer: there are no values to share."""
        return self

    def __repr__(self) -> str:
        return "<UninitializedBuffer>"

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """This buffer, which becomes one of the dtype."""
        probe = [a for a in (*args, *kwargs.values()) if isinstance(a, dtype)]
        if probe:
            self._data = self._data.astype(probe[0].numpy)
        return self

    def float(self) -> Any:
        """to(float32)."""
        return self.to(float32)

    def double(self) -> Any:
        """to(float64)."""
        return self.to(float64)

    def half(self) -> Any:
        """to(float16)."""
        return self.to(float16)

    def bfloat16(self) -> Any:
        """to(bfloat16)."""
        return self.to(bfloat16)


def is_lazy(value: Any) -> bool:
    """Whether a parameter or buffer has no shape yet."""
    return isinstance(value, (UninitializedParameter, UninitializedBuffer))


def _materialized(table: dict[str, Any], name: str, values: Any) -> None:
    """Give an uninitialized parameter or buffer of a table these values, in its own dtype."""
    own = table[name]
    values = values.to(own.dtype)
    if isinstance(own, UninitializedParameter):
        own.materialize(values)
    else:
        table[name] = values


class _Lazy(Module):
    """What the lazy layers share: made for 0 features first, and made again, in place, for those of the first input."""

    eager: ClassVar[type[Module]]
    axes: ClassVar[int] = 0  # of an example, behind its channels; 0 for features in the last axis

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if issubclass(
            self.eager, (InstanceNorm1d, InstanceNorm2d, InstanceNorm3d)
        ):  # torch's lazy ones have other defaults
            given = ("affine", "track_running_stats")[max(len(args) - 2, 0) :]
            kwargs = dict.fromkeys(given, True) | kwargs
        self.eager.__init__(self, 0, *args, **kwargs)  # type: ignore[misc]
        self._options = (args, kwargs)
        for name, value in self._parameters.items():
            if value is not None:
                self._parameters[name] = UninitializedParameter()
        for name, value in self._buffers.items():
            if value is not None and value.ndim:
                self._buffers[name] = UninitializedBuffer()
        self._maker = self.register_forward_pre_hook(_made_for)

    def has_uninitialized_params(self) -> bool:
        """Whether the first input has not come yet."""
        return any(is_lazy(v) for v in (*self._parameters.values(), *self._buffers.values()))

    def _before_load(self, state_dict: Any, prefix: str) -> None:
        """Take the shapes of what will be loaded."""
        for table in (self._parameters, self._buffers):
            for name, own in table.items():
                given = state_dict.get(prefix + name)
                if is_lazy(own) and given is not None and not is_lazy(given):
                    _materialized(table, name, zeros(tuple(given.shape)))

    def _features(self, x: Any) -> int:
        if not self.axes:
            return int(x.shape[-1])
        if issubclass(self.eager, (BatchNorm1d, BatchNorm2d, BatchNorm3d)):
            return int(x.shape[1])
        if x.ndim not in (self.axes + 1, self.axes + 2):
            d = self.axes
            problem = f"Expected {d + 1}D (unbatched) or {d + 2}D (batched) input to {type(self).__name__}, but got input of size: {x.shape}"
            raise ShapeError(explain(type(self).__name__, problem))
        return int(x.shape[x.ndim - self.axes - 1])


def _made_for(module: Any, inputs: Any) -> None:
    """The hook that gives a lazy layer its shapes."""
    args, kwargs = module.__dict__.pop("_options")
    fresh = module.eager(module._features(inputs[0]), *args, **kwargs)
    module.__dict__.pop("_maker").remove()
    for table, made in ((module._parameters, fresh._parameters), (module._buffers, fresh._buffers)):
        for name, value in made.items():
            if is_lazy(table[name]):  # else a state dict has been loaded
                _materialized(table, name, value.detach())
    kept = {k: v for k, v in fresh.__dict__.items() if not k.startswith("_") and k != "training"}
    module.__dict__.update(kept)
    module.__class__ = module.eager


def _lazy(eager: type[Module], axes: int) -> Any:
    name = f"Lazy{eager.__name__}"
    text = f"{eager.__name__} for as many features as its first input has."
    return type(name, (_Lazy, eager), {"eager": eager, "axes": axes, "__doc__": text, "__module__": __name__})


LazyLinear = _lazy(Linear, 0)
LazyConv1d, LazyConv2d, LazyConv3d = (_lazy(c, i) for i, c in enumerate((Conv1d, Conv2d, Conv3d), 1))
LazyConvTranspose1d, LazyConvTranspose2d, LazyConvTranspose3d = (
    _lazy(c, i) for i, c in enumerate((ConvTranspose1d, ConvTranspose2d, ConvTranspose3d), 1)
)
LazyBatchNorm1d, LazyBatchNorm2d, LazyBatchNorm3d = (
    _lazy(c, i) for i, c in enumerate((BatchNorm1d, BatchNorm2d, BatchNorm3d), 1)
)
LazyInstanceNorm1d, LazyInstanceNorm2d, LazyInstanceNorm3d = (
    _lazy(c, i) for i, c in enumerate((InstanceNorm1d, InstanceNorm2d, InstanceNorm3d), 1)
)

__all__ = [
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
    "LazyLinear",
    "UninitializedBuffer",
    "UninitializedParameter",
]
