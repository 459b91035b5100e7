"""Recurrent layers: RNN, LSTM and GRU over sequences, and their single steps."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from tracegrad.eager.creation import empty, zeros
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, ShapeError, explain
from tracegrad.nn import functional, init
from tracegrad.nn.module import Module
from tracegrad.nn.parameter import Parameter


def _gates(x: Any, count: int) -> list[Any]:
    size = x.shape[-1] // count
    return [T.slice(x, dim=x.ndim - 1, start=i * size, stop=(i + 1) * size, step=1) for i in range(count)]


def _simple_step(x: Any, h: Any, weights: list[Any], nonlinearity: str) -> Any:
    total = T.add(functional.linear(x, weights[0], weights[2]), functional.linear(h, weights[1], weights[3]))
    return T.tanh(total) if nonlinearity == "tanh" else T.relu(total)


def _lstm_step(x: Any, state: tuple[Any, Any], weights: list[Any]) -> tuple[Any, Any]:
    h, c = state
    total = T.add(functional.linear(x, weights[0], weights[2]), functional.linear(h, weights[1], weights[3]))
    i, f, g, o = _gates(total, 4)
    c = T.add(T.mul(T.sigmoid(f), c), T.mul(T.sigmoid(i), T.tanh(g)))
    return T.mul(T.sigmoid(o), T.tanh(c)), c


def _gru_step(x: Any, h: Any, weights: list[Any]) -> Any:
    xr, xz, xn = _gates(functional.linear(x, weights[0], weights[2]), 3)
    hr, hz, hn = _gates(functional.linear(h, weights[1], weights[3]), 3)
    r, z = T.sigmoid(T.add(xr, hr)), T.sigmoid(T.add(xz, hz))
    n = T.tanh(T.add(xn, T.mul(r, hn)))
    return T.add(n, T.mul(z, T.sub(h, n)))


class _Recurrent(Module):
    mode: ClassVar[str]
    gates: ClassVar[int] = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if hidden_size <= 0 or num_layers <= 0:
            name = "hidden_size" if hidden_size <= 0 else "num_layers"
            raise ArgumentValueError(explain(type(self).__name__, f"{name} must be greater than zero"))
        self.input_size, self.hidden_size, self.num_layers, self.bias = input_size, hidden_size, num_layers, bias
        self.batch_first, self.dropout, self.bidirectional = batch_first, float(dropout), bidirectional
        rows, directions = self.gates * hidden_size, 2 if bidirectional else 1
        for layer in range(num_layers):
            for suffix in self._suffixes(layer):
                width = input_size if layer == 0 else hidden_size * directions
                shapes = [("weight_ih", (rows, width)), ("weight_hh", (rows, hidden_size))]
                shapes += [("bias_ih", (rows,)), ("bias_hh", (rows,))] if bias else []
                for name, shape in shapes:
                    self.register_parameter(name + suffix, Parameter(empty(shape, dtype=dtype, device=device)))
        self.reset_parameters()

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    def reset_parameters(self) -> None:
        """Draw all parameters anew, uniform in +-1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def flatten_parameters(self) -> None:
        """Does nothing: there is no other layout."""

    def _weights(self, suffix: str) -> list[Any]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return [self._parameters.get(name + suffix) for name in names]

    def extra_repr(self) -> str:
        """What the repr shows."""
        shown = f"{self.input_size}, {self.hidden_size}"
        shown += f", num_layers={self.num_layers}" if self.num_layers != 1 else ""
        shown += f", bias={self.bias}" if self.bias is not True else ""
        shown += f", batch_first={self.batch_first}" if self.batch_first else ""
        shown += f", dropout={self.dropout}" if self.dropout else ""
        return shown + (f", bidirectional={self.bidirectional}" if self.bidirectional else "")

    def _step(self, x: Any, state: Any, weights: list[Any]) -> Any:
        raise NotImplementedError

    def _run(self, input: Any, states: list[Any]) -> tuple[Any, list[Any]]:  # noqa: A002
        """The outputs (l, n, directions * hidden) for input (l, n, f), and the last state of each layer and direction."""
        steps, last = list(input.unbind(0)), []
        for layer in range(self.num_layers):
            made = []
            for suffix in self._suffixes(layer):
                state, weights, outputs = states[len(last)], self._weights(suffix), []
                for x in reversed(steps) if suffix.endswith("reverse") else steps:
                    state = self._step(x, state, weights)
                    outputs.append(state[0] if isinstance(state, tuple) else state)
                made.append(outputs[::-1] if suffix.endswith("reverse") else outputs)
                last.append(state)
            steps = made[0] if len(made) == 1 else [T.cat(*pair, dim=1) for pair in zip(*made, strict=True)]
            if self.dropout and self.training and layer < self.num_layers - 1:
                steps = [functional.dropout(x, self.dropout) for x in steps]
        return T.stack(*steps, dim=0), last

    def _prepared(self, input: Any) -> tuple[Any, bool]:  # noqa: A002
        """input as (l, n, f), and whether it had n."""
        if input.ndim not in (2, 3):
            problem = f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.ndim}D instead"
            raise ArgumentValueError(explain(type(self).__name__, problem))
        if input.shape[-1] != self.input_size:
            problem = f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}"
            raise ShapeError(explain(type(self).__name__, problem))
        x = T.unsqueeze(input, dim=1) if input.ndim == 2 else input
        return (T.transpose(x, dim0=0, dim1=1) if self.batch_first and input.ndim == 3 else x), input.ndim == 3

    def _states(self, given: Any, x: Any, batched: bool) -> list[Any]:
        """One state for every layer and direction: those given, or zeros."""
        count = self.num_layers * (2 if self.bidirectional else 1)
        shape = (count, x.shape[1], self.hidden_size)
        if given is None:
            return [zeros(shape[1:], dtype=x.dtype)] * count
        h = given if batched else T.unsqueeze(given, dim=1)
        if tuple(h.shape) != shape:
            problem = f"Expected hidden size {shape}, got {list(h.shape)}"
            raise ShapeError(explain(type(self).__name__, problem))
        return list(h.unbind(0))

    def _finished(self, output: Any, states: list[Any], batched: bool) -> tuple[Any, Any]:
        h = T.stack(*states, dim=0)
        if not batched:
            return T.squeeze(output, dim=1), T.squeeze(h, dim=1)
        return (T.transpose(output, dim0=0, dim1=1) if self.batch_first else output), h

    def forward(self, input: Tensor, hx: Any = None) -> Any:  # noqa: A002
        """Shapes: (l, n, input_size), (layers, n, hidden_size) -> (l, n, hidden_size), the last states; without n too."""
        x, batched = self._prepared(input)
        output, last = self._run(x, self._states(hx, x, batched))
        return self._finished(output, last, batched)


class RNN(_Recurrent):
    """h' = tanh(W x + b + V h + c), or relu."""

    mode = "RNN_TANH"

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
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            problem = f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            raise ArgumentValueError(explain("RNN", problem))
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)
        self.nonlinearity = nonlinearity

    def _step(self, x: Any, state: Any, weights: list[Any]) -> Any:
        return _simple_step(x, state, weights, self.nonlinearity)


class GRU(_Recurrent):
    """Gated recurrent units.  Source: Cho et al. 2014."""

    mode, gates = "GRU", 3

    def _step(self, x: Any, state: Any, weights: list[Any]) -> Any:
        return _gru_step(x, state, weights)


class LSTM(_Recurrent):
    """Long short-term memory.  Source: Hochreiter and Schmidhuber 1997."""

    mode, gates = "LSTM", 4

    def _step(self, x: Any, state: Any, weights: list[Any]) -> Any:
        return _lstm_step(x, state, weights)

    def forward(self, input: Tensor, hx: Any = None) -> Any:  # noqa: A002
        """Shapes: (l, n, input_size), two of (layers, n, hidden_size) -> (l, n, hidden_size), two last states; without n too."""
        x, batched = self._prepared(input)
        h, c = (None, None) if hx is None else hx
        states = list(zip(self._states(h, x, batched), self._states(c, x, batched), strict=True))
        output, last = self._run(x, states)
        cells = T.stack(*(state[1] for state in last), dim=0)
        output, h = self._finished(output, [state[0] for state in last], batched)
        return output, (h, cells if batched else T.squeeze(cells, dim=1))


class _Cell(Module):
    gates: ClassVar[int] = 1

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = self.gates * hidden_size
        self.weight_ih = Parameter(empty((rows, input_size), dtype=dtype, device=device))
        self.weight_hh = Parameter(empty((rows, hidden_size), dtype=dtype, device=device))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty((rows,), dtype=dtype, device=device)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew, uniform in +-1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def extra_repr(self) -> str:
        """What the repr shows."""
        return f"{self.input_size}, {self.hidden_size}" + (f", bias={self.bias}" if self.bias is not True else "")

    def _weights(self) -> list[Any]:
        return [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh]

    def _zeros(self, input: Any) -> Any:  # noqa: A002
        return zeros((*input.shape[:-1], self.hidden_size), dtype=input.dtype)


class RNNCell(_Cell):
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
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Any = None) -> Any:  # noqa: A002
        """Shapes: (n, input_size), (n, hidden_size) -> (n, hidden_size)."""
        return _simple_step(input, self._zeros(input) if hx is None else hx, self._weights(), self.nonlinearity)


class GRUCell(_Cell):
    """One step of GRU."""

    gates = 3

    def forward(self, input: Tensor, hx: Any = None) -> Any:  # noqa: A002
        """Shapes: (n, input_size), (n, hidden_size) -> (n, hidden_size)."""
        return _gru_step(input, self._zeros(input) if hx is None else hx, self._weights())


class LSTMCell(_Cell):
    """One step of LSTM."""

    gates = 4

    def forward(self, input: Tensor, hx: Any = None) -> Any:  # noqa: A002
        """Shapes: (n, input_size), two of (n, hidden_size) -> two of (n, hidden_size)."""
        return _lstm_step(input, (self._zeros(input), self._zeros(input)) if hx is None else hx, self._weights())


__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNCell"]
