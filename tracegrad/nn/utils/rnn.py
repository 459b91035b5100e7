"""torch.nn.utils.rnn: sequences of different lengths, packed and padded."""

from tracegrad.nn import packed
from tracegrad.nn.packed import *  # noqa: F403

__all__ = [*packed.__all__]
