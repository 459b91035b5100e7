"""Recurrent layers: RNN, LSTM and GRU over sequences, and their single steps."""

from __future__ import annotations

import math
import warnings
from typing import Any, ClassVar

from tracegrad.eager.creation import empty, zeros
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, ShapeError, explain
from tracegrad.nn import functional, init
from tracegrad.nn.module import Module
from tracegrad.nn.packed import PackedSequence
from tracegrad.nn.parameter import Parameter
from tracegrad.nn.recurrent_functions import GATES, check_cell, run, step, turned


class RNNBase(Module):
    """Layers of a recurrent network of one mode: "RNN_TANH", "RNN_RELU", "LSTM" or "GRU"."""

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        _check_classes(name, (input_size, hidden_size), (bias, batch_first))
        _check_options(name, mode, input_size, hidden_size, num_layers, dropout, proj_size)
        self.mode, self.input_size, self.hidden_size, self.num_layers = mode, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        rows, width = GATES[mode] * hidden_size, proj_size or hidden_size
        for layer in range(num_layers):
            for suffix in self._suffixes(layer):
                shapes: list[tuple[str, tuple[int, ...]]] = [
                    ("weight_ih", (rows, input_size if layer == 0 else width * (2 if bidirectional else 1))),
                    ("weight_hh", (rows, width)),
                ]
                shapes += [("bias_ih", (rows,)), ("bias_hh", (rows,))] if bias else []
                shapes += [("weight_hr", (proj_size, hidden_size))] if proj_size else []
                for name, shape in shapes:
                    self.register_parameter(name + suffix, Parameter(empty(shape, dtype=dtype, device=device)))
        self.reset_parameters()

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    def reset_parameters(self) -> None:
        """Draw all parameters anew, uniform in +-1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def flatten_parameters(self) -> None:
        """Does nothing: there is no other layout."""

    @property
    def _flat_weights_names(self) -> list[str]:
        return list(self._parameters)

    @property
    def _flat_weights(self) -> list[Any]:
        return list(self._parameters.values())

    @property
    def all_weights(self) -> list[list[Any]]:
        """The parameters of every layer and direction."""
        suffixes = [suffix for layer in range(self.num_layers) for suffix in self._suffixes(layer)]
        return [[w for w in self._weights(suffix) if w is not None] for suffix in suffixes]

    def _weights(self, suffix: str) -> list[Any]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        return [getattr(self, name + suffix, None) for name in names]

    def extra_repr(self) -> str:
        """What the repr shows."""
        shown = f"{self.input_size}, {self.hidden_size}"
        shown += f", proj_size={self.proj_size}" if self.proj_size else ""
        shown += f", num_layers={self.num_layers}" if self.num_layers != 1 else ""
        shown += f", bias={self.bias}" if self.bias is not True else ""
        shown += f", batch_first={self.batch_first}" if self.batch_first is not False else ""
        shown += f", dropout={self.dropout}" if self.dropout else ""
        return shown + (f", bidirectional={self.bidirectional}" if self.bidirectional is not False else "")

    def _prepared(self, input: Any) -> tuple[Any, Any, bool, int]:  # noqa: A002
        """input as (l, n, f) or packed data, the batch sizes, whether it had n, and n."""
        if isinstance(input, PackedSequence):
            x, sizes, batched = input.data, input.batch_sizes.tolist(), True
        else:
            if input.ndim not in (2, 3):
                problem = f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.ndim}D instead"
                raise ArgumentValueError(explain(type(self).__name__, problem))
            x, sizes, batched = T.unsqueeze(input, dim=1) if input.ndim == 2 else input, None, input.ndim == 3
            if self.batch_first and batched:
                x = T.transpose(x, dim0=0, dim1=1)
        weight = next(iter(self._parameters.values()))
        if x.dtype != weight.dtype:
            problem = f"RNN input dtype ({x.dtype}) does not match weight dtype ({weight.dtype})"
            raise ArgumentValueError(explain(type(self).__name__, problem, f"Convert input: input.to({weight.dtype})"))
        if x.shape[-1] != self.input_size:
            problem = f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {x.shape[-1]}"
            raise ShapeError(explain(type(self).__name__, problem))
        if sizes is None and not x.shape[0]:
            raise ShapeError(explain(type(self).__name__, "Expected sequence length to be larger than 0 in RNN"))
        return x, sizes, batched, x.shape[1] if sizes is None else sizes[0]

    def _states(self, given: Any, x: Any, count: int, batched: bool, width: int, order: Any) -> list[Any]:
        """One state for every layer and direction: those given, or zeros."""
        states = self.num_layers * (2 if self.bidirectional else 1)
        shape = (states, count, width)
        if given is None:
            return [zeros(shape[1:], dtype=x.dtype)] * states
        if given.ndim != 2 + batched:
            what = "batched 3-D" if batched else "unbatched 2-D"
            problem = f"For {what} input, hx should also be {2 + batched}-D but got {given.ndim}-D tensor"
            raise ShapeError(explain(type(self).__name__, problem))
        h = given if batched else T.unsqueeze(given, dim=1)
        if tuple(h.shape) != shape:
            problem = f"Expected hidden size {shape}, got {list(h.shape)}"
            raise ShapeError(explain(type(self).__name__, problem))
        return list((h if order is None else T.index_select(h, order, dim=1)).unbind(0))

    def forward(self, input: Any, hx: Any = None) -> Any:  # noqa: A002
        """Shapes: (l, n, input_size), (layers, n, hidden_size) -> (l, n, hidden_size), the last states; without n too.

        A PackedSequence gives one.  An LSTM has two states.  Raises RuntimeError or ValueError for sizes that do not fit.
        """
        x, sizes, batched, count = self._prepared(input)
        order = input.sorted_indices if sizes is not None else None
        widths = (self.proj_size or self.hidden_size, *((self.hidden_size,) if self.mode == "LSTM" else ()))
        given = [None] * len(widths) if hx is None else [hx[0], hx[1]] if self.mode == "LSTM" else [hx]
        parts = [self._states(h, x, count, batched, w, order) for h, w in zip(given, widths, strict=True)]
        weights = [self._weights(suffix) for layer in range(self.num_layers) for suffix in self._suffixes(layer)]
        chance = self.dropout if self.training else 0.0
        states = list(zip(*parts, strict=True))
        made, last = run(self.mode, x, sizes, states, weights, chance, self.bidirectional)
        finals = [T.stack(*values, dim=0) for values in zip(*last, strict=True)]
        if sizes is not None:
            back = input.unsorted_indices
            finals = finals if back is None else [T.index_select(h, back, dim=1) for h in finals]
            made = PackedSequence(made, input.batch_sizes, input.sorted_indices, back)
        elif not batched:
            made, finals = T.squeeze(made, dim=1), [T.squeeze(h, dim=1) for h in finals]
        elif self.batch_first:
            made = turned(self.mode, made)
        return made, (tuple(finals) if self.mode == "LSTM" else finals[0])


def _check_classes(name: str, sizes: tuple[Any, Any], switches: tuple[Any, Any]) -> None:
    """Raise TypeError for sizes that are no ints and switches that are no bools."""
    given = zip(("input_size", "hidden_size", "bias", "batch_first"), (*sizes, *switches), strict=True)
    for i, (what, value) in enumerate(given):
        wanted = int if i < 2 else bool
        if not isinstance(value, wanted):
            problem = f"{what} should be of type {wanted.__name__}, got: {type(value).__name__}"
            raise ArgumentError(explain(name, problem))


def _check_options(
    name: str, mode: str, input_size: int, hidden_size: int, num_layers: int, dropout: Any, proj_size: int
) -> None:
    """Raise ValueError for options that torch refuses."""
    problem = None
    if isinstance(dropout, bool) or not 0 <= dropout <= 1:
        problem = "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
    elif min(input_size, hidden_size, num_layers) <= 0:
        absent = "input_size" if input_size <= 0 else "hidden_size" if hidden_size <= 0 else "num_layers"
        problem = f"{absent} must be greater than zero"
    elif proj_size < 0:
        problem = "proj_size should be a positive integer or zero to disable projections"
    elif proj_size >= hidden_size:
        problem = "proj_size has to be smaller than hidden_size"
    elif mode not in GATES:
        problem = f"Unrecognized RNN mode: {mode}"
    elif proj_size and mode != "LSTM":
        problem = "proj_size argument is only supported for LSTM, not RNN or GRU"
    if problem is not None:
        raise ArgumentValueError(explain(name, problem))
    if dropout > 0 and num_layers == 1:
        text = f"dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater than 1, but got dropout={dropout} and num_layers={num_layers}"
        warnings.warn(text, UserWarning, stacklevel=4)


class RNN(RNNBase):
    """h' = tanh(W x + b + V h + c), or relu."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            problem = f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            raise ArgumentValueError(explain("RNN", problem))
        options = (num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype)
        super().__init__(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, *options)
        self.nonlinearity = nonlinearity


class GRU(RNNBase):
    """Gated recurrent units.  Source: Cho et al. 2014."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("GRU", *args, **kwargs)


class LSTM(RNNBase):
    """Long short-term memory, with projections if proj_size says so.  Source: Hochreiter and Schmidhuber 1997."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)


class RNNCellBase(Module):
    """The parameters of one step of a recurrent network, for num_chunks gates."""

    mode: ClassVar[str]

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(empty((rows, input_size), dtype=dtype, device=device))
        self.weight_hh = Parameter(empty((rows, hidden_size), dtype=dtype, device=device))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty((rows,), dtype=dtype, device=device)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew, uniform in +-1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def extra_repr(self) -> str:
        """What the repr shows."""
        shown = f"{self.input_size}, {self.hidden_size}" + (f", bias={self.bias}" if self.bias is not True else "")
        kind = self.__dict__.get("nonlinearity", "tanh")
        return shown + (f", nonlinearity={kind}" if kind != "tanh" else "")

    def _advanced(self, mode: str, x: Any, state: Any) -> tuple[Any, ...]:
        name = type(self).__name__
        for what, value in (("input", x), *(("hidden", h) for h in state or ())):
            if value.ndim not in (1, 2):
                problem = f"{name}: Expected {what} to be 1D or 2D, got {value.ndim}D instead"
                raise ArgumentValueError(explain(name, problem))
        single = x.ndim == 1
        x = T.unsqueeze(x, dim=0) if single else x
        weights = [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, None]
        if state is None:
            state = (zeros((x.shape[0], self.hidden_size), dtype=x.dtype),) * (2 if mode == "LSTM" else 1)
        else:
            state = tuple(T.unsqueeze(h, dim=0) if single else h for h in state)
        check_cell(x, state[0], weights)
        made = step(mode, functional.linear(x, weights[0], weights[2]), state, weights)
        return tuple(T.squeeze(h, dim=0) for h in made) if single else made


class RNNCell(RNNCellBase):
    """One step of RNN."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Any = None) -> Any:  # noqa: A002
        """Shapes: (n, input_size), (n, hidden_size) -> (n, hidden_size); without n too."""
        if self.nonlinearity not in ("tanh", "relu"):
            raise ShapeError(explain("RNNCell", f"Unknown nonlinearity: {self.nonlinearity}"))
        return self._advanced(f"RNN_{self.nonlinearity.upper()}", input, None if hx is None else (hx,))[0]


class GRUCell(RNNCellBase):
    """One step of GRU."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Any = None) -> Any:  # noqa: A002
        """Shapes: (n, input_size), (n, hidden_size) -> (n, hidden_size); without n too."""
        return self._advanced("GRU", input, None if hx is None else (hx,))[0]


class LSTMCell(RNNCellBase):
    """One step of LSTM."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: Any = None) -> Any:  # noqa: A002
        """Shapes: (n, input_size), two of (n, hidden_size) -> two of (n, hidden_size); without n too."""
        return self._advanced("LSTM", input, None if hx is None else tuple(hx))


__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNBase", "RNNCell", "RNNCellBase"]
