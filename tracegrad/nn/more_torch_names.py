"""More functions that torch has at its top level, with the signatures that they have there."""

from __future__ import annotations

from typing import Any

from tracegrad.eager.tensor import Tensor
from tracegrad.nn import functional
from tracegrad.nn.grid_functions import affine_grid_generator, grid_sampler, grid_sampler_2d, grid_sampler_3d
from tracegrad.nn.recurrent_functions import (
    gru,
    gru_cell,
    lstm,
    lstm_cell,
    rnn_relu,
    rnn_relu_cell,
    rnn_tanh,
    rnn_tanh_cell,
)
from tracegrad.nn.torch_names import _word


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: int = 0,
    zero_infinity: bool = False,
) -> Any:
    """The loss of sequences against labels without a known alignment; not reduced by default, as torch's does in fact."""
    word = _word(reduction)
    return functional.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, word, zero_infinity)


__all__ = [
    "affine_grid_generator",
    "ctc_loss",
    "grid_sampler",
    "grid_sampler_2d",
    "grid_sampler_3d",
    "gru",
    "gru_cell",
    "lstm",
    "lstm_cell",
    "rnn_relu",
    "rnn_relu_cell",
    "rnn_tanh",
    "rnn_tanh_cell",
]
