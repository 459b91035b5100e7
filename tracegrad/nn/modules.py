"""torch.nn.modules: where torch keeps its layers.  Each of its files is a namespace here, with the base classes that programs ask for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tracegrad.nn import (
    activations,
    adaptive_softmax,
    attentions,
    containers,
    convolutions,
    label_losses,
    layers,
    lazy,
    lookups,
    losses,
    more_losses,
    norms,
    parameter_containers,
    pools,
    rearrangements,
    recurrent,
    resamplings,
    transformers,
)
from tracegrad.nn import module as module
from tracegrad.nn.conv_functions import tuple_of
from tracegrad.nn.module import Module as Module


def _joined(*files: Any, **more: Any) -> SimpleNamespace:
    """The classes that the files define, and more."""
    found = {}
    for file in files:
        found.update({k: v for k, v in vars(file).items() if isinstance(v, type) and v.__module__ == file.__name__})
    return SimpleNamespace(**found, **more)


_LAZY = {name: getattr(lazy, name) for name in lazy.__all__ if name.startswith("Lazy")}


def _times(count: int) -> Any:
    return lambda value: tuple(value) if isinstance(value, (tuple, list)) else tuple_of("utils", "value", value, count)


activation = _joined(activations, layers, attentions)
adaptive = _joined(adaptive_softmax)
batchnorm = _joined(norms, _NormBase=norms._Running, **_LAZY)
channelshuffle = pixelshuffle = padding = fold = _joined(rearrangements)
container = _joined(containers, parameter_containers)
conv = _joined(convolutions, **_LAZY, _ConvNd=convolutions._Convolution, _ConvTransposeNd=convolutions._Transposed)
distance = instancenorm = normalization = _joined(norms, _NormBase=norms._Running)
dropout = _joined(activations, _DropoutNd=activations._Dropout)
flatten = _joined(layers, rearrangements)
linear = _joined(layers, lookups, LazyLinear=lazy.LazyLinear)
loss = _joined(losses, more_losses, label_losses)
pooling = _joined(pools, resamplings, _MaxPoolNd=pools._MaxPool, _AvgPoolNd=pools._AvgPool)
rnn = _joined(recurrent)
sparse = _joined(lookups)
transformer = _joined(transformers)
upsampling = _joined(resamplings)
utils = SimpleNamespace(_single=_times(1), _pair=_times(2), _triple=_times(3))
globals().update({k: v for n, f in list(globals().items()) if isinstance(f, SimpleNamespace) and n != "utils" for k, v in vars(f).items() if k[0] != "_"})  # fmt: skip
