"""torch.nn.utils: gradients held within bounds, parameters as one vector, reparametrized weights, packed sequences."""

from tracegrad.nn.utils import clip_grad, convert_parameters, fusion, parametrizations, parametrize, rnn
from tracegrad.nn.utils.clip_grad import (
    clip_grad_norm,
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)
from tracegrad.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters
from tracegrad.nn.utils.fusion import (
    fuse_conv_bn_eval,
    fuse_conv_bn_weights,
    fuse_linear_bn_eval,
    fuse_linear_bn_weights,
)
from tracegrad.nn.utils.hooked_norms import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm


def skip_init(module_cls, *args, **kwargs):  # type: ignore[no-untyped-def]
    """A module of a class; its parameters are drawn all the same, which scripts cannot tell from memory left as it was."""
    return module_cls(*args, **kwargs)


__all__ = [
    "clip_grad",
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "convert_parameters",
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
    "fusion",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "skip_init",
    "spectral_norm",
    "vector_to_parameters",
    "weight_norm",
]
