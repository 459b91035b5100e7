"""torch.nn.utils.fusion: a batch normalisation in eval mode as part of the layer before it."""

from __future__ import annotations

import copy
from typing import Any

from tracegrad.eager.creation import ones_like, zeros_like
from tracegrad.eager.tensor import Parameter
from tracegrad.errors import OptionError, explain


def fuse_conv_bn_weights(
    conv_w: Any, conv_b: Any, bn_rm: Any, bn_rv: Any, bn_eps: float, bn_w: Any, bn_b: Any, transpose: bool = False
) -> tuple[Any, Any]:
    """(weight, bias) of the convolution that normalises as well."""
    conv_b = zeros_like(bn_rm) if conv_b is None else conv_b
    bn_w = ones_like(bn_rm) if bn_w is None else bn_w
    bn_b = zeros_like(bn_rm) if bn_b is None else bn_b
    scale = bn_w * (bn_rv + bn_eps).rsqrt()
    shape = [1] * conv_w.ndim
    shape[1 if transpose else 0] = -1
    weight = (conv_w * scale.reshape(shape)).to(conv_w.dtype)
    bias = ((conv_b - bn_rm) * scale + bn_b).to(conv_b.dtype)
    return Parameter(weight.detach(), conv_w.requires_grad), Parameter(bias.detach(), conv_b.requires_grad)


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A copy of conv that does what conv and bn do.  Raises AssertionError unless both are in eval mode."""
    if conv.training or bn.training:
        raise OptionError(explain("fuse_conv_bn_eval", "Fusion only for eval!"))
    fused = copy.deepcopy(conv)
    statistics = (bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias)
    fused.weight, fused.bias = fuse_conv_bn_weights(conv.weight, conv.bias, *statistics, transpose)
    return fused


def fuse_linear_bn_weights(
    linear_w: Any, linear_b: Any, bn_rm: Any, bn_rv: Any, bn_eps: float, bn_w: Any, bn_b: Any
) -> tuple[Any, Any]:
    """(weight, bias) of the linear layer that normalises as well."""
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """A copy of linear that does what linear and bn do.  Raises AssertionError unless both are in eval mode and fit."""
    if linear.training or bn.training:
        raise OptionError(explain("fuse_linear_bn_eval", "Fusion only for eval!"))
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise OptionError(explain("fuse_linear_bn_eval", "To fuse, linear.out_features == bn.num_features or bn.num_features == 1"))  # fmt: skip
    return fuse_conv_bn_eval(linear, bn)


__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]
