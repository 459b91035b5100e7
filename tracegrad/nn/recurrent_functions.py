"""Recurrent networks as functions over sequences of equal or of different lengths, and their single steps, with torch's signatures.

The products with the inputs are taken for all times at once; what depends on the state goes step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tracegrad.dtypes import float32
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ShapeError, explain
from tracegrad.nn import functional

State = tuple[Any, ...]  # (h,), or (h, c) of an LSTM
GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "GRU": 3, "LSTM": 4}


def _pieces(x: Any, count: int) -> list[Any]:
    size = x.shape[-1] // count
    return [T.slice(x, dim=x.ndim - 1, start=i * size, stop=(i + 1) * size, step=1) for i in range(count)]


def step(mode: str, projected: Any, state: State, weights: Sequence[Any]) -> State:
    """The next state; `projected` is W_ih x + b_ih."""
    hidden = functional.linear(state[0], weights[1], weights[3])
    if mode == "LSTM":
        i, f, g, o = _pieces(T.add(projected, hidden), 4)
        c = T.add(T.mul(T.sigmoid(f), state[1]), T.mul(T.sigmoid(i), T.tanh(g)))
        h = T.mul(T.sigmoid(o), T.tanh(c))
        return (h if weights[4] is None else T.linear(h, weights[4], None)), c
    if mode == "GRU":
        (xr, xz, xn), (hr, hz, hn) = _pieces(projected, 3), _pieces(hidden, 3)
        r, z = T.sigmoid(T.add(xr, hr)), T.sigmoid(T.add(xz, hz))
        n = T.tanh(T.add(xn, T.mul(r, hn)))
        return (T.add(n, T.mul(z, T.sub(state[0], n))),)
    total = T.add(projected, hidden)
    return (T.tanh(total) if mode == "RNN_TANH" else T.relu(total),)


def _rows(state: State, start: int, stop: int) -> State:
    return tuple(T.slice(v, dim=0, start=start, stop=stop, step=1) for v in state)


def _joined(states: Sequence[State]) -> State:
    if len(states) == 1:
        return states[0]
    return tuple(T.cat(*parts, dim=0) for parts in zip(*states, strict=True))


def _forwards(mode: str, inputs: Sequence[Any], state: State, weights: Sequence[Any]) -> tuple[list[Any], State]:
    """The results of all times, and the last state of every sequence; sequences that end leave from the end of the batch."""
    made, ended, count = [], [], inputs[0].shape[0]
    state = state if state[0].shape[0] == count else _rows(state, 0, count)
    for x in inputs:
        if x.shape[0] != count:
            ended.append(_rows(state, x.shape[0], count))
            state, count = _rows(state, 0, x.shape[0]), x.shape[0]
        state = step(mode, x, state, weights)
        made.append(state[0])
    return made, _joined([state, *reversed(ended)])


def _backwards(mode: str, inputs: Sequence[Any], first: State, weights: Sequence[Any]) -> tuple[list[Any], State]:
    """The same from the last time on; sequences that begin later join at the end of the batch."""
    made, count = [], inputs[-1].shape[0]
    state = first if first[0].shape[0] == count else _rows(first, 0, count)
    for x in reversed(inputs):
        if x.shape[0] != count:
            state, count = _joined([state, _rows(first, count, x.shape[0])]), x.shape[0]
        state = step(mode, x, state, weights)
        made.append(state[0])
    return made[::-1], state


def run(
    mode: str,
    data: Any,
    sizes: Sequence[int] | None,
    states: Sequence[State],
    weights: Sequence[Sequence[Any]],
    dropout: float,
    bidirectional: bool,
) -> tuple[Any, list[State]]:
    """All layers over data: (l, n, f), or (sum of sizes, f) with the number of sequences at each time in sizes.

    weights and states have one entry for each layer and direction.  Returns the results in data's form, and the last states.
    """
    directions = 2 if bidirectional else 1
    layers, last = len(weights) // directions, []
    for layer in range(layers):
        made = []
        for direction in range(directions):
            own = weights[layer * directions + direction]
            projected = functional.linear(data, own[0], own[2])
            steps = projected.unbind(0) if sizes is None else projected.split(list(sizes), 0)  # type: ignore[attr-defined]
            walk: Callable[..., Any] = _backwards if direction else _forwards
            outputs, state = walk(mode, steps, states[len(last)], own)
            made.append(T.stack(*outputs, dim=0) if sizes is None else T.cat(*outputs, dim=0))
            last.append(state)
        if mode == "LSTM" and sizes is None and directions == 1 and weights[0][4] is None and data.dtype == float32:
            made = [T.named(made[0], called="MkldnnRnnLayerBackward0")]
        data = made[0] if directions == 1 else T.cat(*made, dim=made[0].ndim - 1)
        if dropout and layer < layers - 1:
            data = functional.dropout(data, dropout)
    return data, last


def turned(mode: str, made: Any) -> Any:
    """The results with the batch first, under torch's name for that step."""
    made = T.transpose(made, dim0=0, dim1=1)
    return made if mode == "LSTM" else T.named(made, called="TransposeBackward1")


# --- the functions at torch's top level


def _grouped(params: Sequence[Any], has_biases: bool, projected: bool) -> list[list[Any]]:
    count = (4 if has_biases else 2) + projected
    groups = []
    for i in range(0, len(params), count):
        own = list(params[i : i + count])
        biases = own[2:4] if has_biases else [None, None]
        groups.append([*own[:2], *biases, own[-1] if projected else None])
    return groups


def _network(mode: str, arguments: Sequence[Any]) -> Any:
    """(data, batch_sizes, hx, params, ...) or (input, hx, params, ..., batch_first), as torch.lstm and its like take them."""
    second = arguments[1]
    is_packed = isinstance(second, Tensor) and second._data.dtype.kind in "iu"
    data, rest = arguments[0], list(arguments[2:] if is_packed else arguments[1:])
    if not isinstance(data, Tensor) or len(rest) < (7 if is_packed else 8):
        raise ArgumentError(explain(mode.lower(), "received an invalid combination of arguments"))
    hx, params, has_biases, layers, dropout, train, bidirectional = rest[:7]
    batch_first = not is_packed and rest[7]
    given = tuple(hx) if mode == "LSTM" else (hx,)
    directions = 2 if bidirectional else 1
    projected = mode == "LSTM" and given[0].shape[2] != given[1].shape[2]
    groups = _grouped(list(params), has_biases, projected)
    if len(groups) != layers * directions:
        raise ShapeError(explain(mode.lower(), "the number of parameters does not fit the layers", groups=len(groups)))
    states = list(zip(*(v.unbind(0) for v in given), strict=True))
    x = T.transpose(data, dim0=0, dim1=1) if batch_first else data
    sizes = second.tolist() if is_packed else None
    made, last = run(mode, x, sizes, states, groups, dropout if train else 0.0, bidirectional)
    finals = tuple(T.stack(*parts, dim=0) for parts in zip(*last, strict=True))
    return (turned(mode, made) if batch_first else made, *finals)


def lstm(*arguments: Any) -> Any:
    """(output, h, c) of an LSTM over (input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first), or packed data and its batch sizes."""
    return _network("LSTM", arguments)


def gru(*arguments: Any) -> Any:
    """(output, h) of a GRU; arguments as in lstm."""
    return _network("GRU", arguments)


def rnn_tanh(*arguments: Any) -> Any:
    """(output, h) of a simple network with tanh; arguments as in lstm."""
    return _network("RNN_TANH", arguments)


def rnn_relu(*arguments: Any) -> Any:
    """(output, h) of a simple network with relu; arguments as in lstm."""
    return _network("RNN_RELU", arguments)


def _cell(mode: str, input: Any, state: State, weights: Sequence[Any]) -> State:  # noqa: A002
    for name, value in (("input", input), *(("hx", v) for v in state)):
        if not isinstance(value, Tensor):
            problem = f"argument {name!r} must be Tensor, not {type(value).__name__}"
            raise ArgumentError(explain(f"{mode.lower()}_cell", problem))
    check_cell(input, state[0], weights)
    return step(mode, functional.linear(input, weights[0], weights[2]), state, [*weights, None])


def check_cell(x: Any, h: Any, weights: Sequence[Any]) -> None:
    """Raise RuntimeError unless input and state fit the weights and each other."""
    wanted = weights[0].shape[1]
    if x.shape[-1] != wanted:
        problem = f"input has inconsistent input_size: got {x.shape[-1]} expected {wanted}"
        raise ShapeError(explain("cell", problem))
    if x.shape[:-1] != h.shape[:-1]:
        problem = f"Input batch size {x.shape[0]} doesn't match hidden0 batch size {h.shape[0]}"
        raise ShapeError(explain("cell", problem))
    if h.shape[-1] != weights[1].shape[1]:
        problem = f"hidden0 has inconsistent hidden_size: got {h.shape[-1]}, expected {weights[1].shape[1]}"
        raise ShapeError(explain("cell", problem))


def lstm_cell(input: Tensor, hx: Any, w_ih: Tensor, w_hh: Tensor, b_ih: Any = None, b_hh: Any = None) -> Any:  # noqa: A002
    """(h, c) after one step of an LSTM.  Raises RuntimeError for sizes that do not fit."""
    if not isinstance(hx, (tuple, list)) or len(hx) != 2:
        raise ShapeError(explain("lstm_cell", "lstm_cell expects two hidden states"))
    return _cell("LSTM", input, tuple(hx), (w_ih, w_hh, b_ih, b_hh))


def gru_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Any = None, b_hh: Any = None) -> Any:  # noqa: A002
    """The state after one step of a GRU.  Raises RuntimeError for sizes that do not fit."""
    return _cell("GRU", input, (hx,), (w_ih, w_hh, b_ih, b_hh))[0]


def rnn_tanh_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Any = None, b_hh: Any = None) -> Any:  # noqa: A002
    """The state after one step with tanh.  Raises RuntimeError for sizes that do not fit."""
    return _cell("RNN_TANH", input, (hx,), (w_ih, w_hh, b_ih, b_hh))[0]


def rnn_relu_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Any = None, b_hh: Any = None) -> Any:  # noqa: A002
    """The state after one step with relu.  Raises RuntimeError for sizes that do not fit."""
    return _cell("RNN_RELU", input, (hx,), (w_ih, w_hh, b_ih, b_hh))[0]


__all__ = ["gru", "gru_cell", "lstm", "lstm_cell", "rnn_relu", "rnn_relu_cell", "rnn_tanh", "rnn_tanh_cell"]
