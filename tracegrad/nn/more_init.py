"""Further ways to fill parameters: identities of convolutions, orthogonal and sparse matrices, truncated normal values, and old names.  Part of torch.nn.init."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from tracegrad.autograd.modes import no_grad
from tracegrad.eager.creation import rand, randn, randperm
from tracegrad.eager.creation import tensor as from_values
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, explain

_SQRT_2 = math.sqrt(2.0)


def _options(generator: Any) -> dict[str, Any]:
    return {} if generator is None else {"generator": generator}


def _write(tensor: Any, values: Any) -> Tensor:
    with no_grad():
        made: Tensor = tensor.copy_(values)
    return made


def trunc_normal_(
    tensor: Any, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Tensor:
    """Fill with normal values within [a, b], by the inverse of the distribution.  Warns when mean is far outside."""
    if mean < a - 2 * std or mean > b + 2 * std:
        text = (
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be incorrect."
        )
        warnings.warn(text, UserWarning, stacklevel=2)
    low, high = ((1.0 + math.erf((v - mean) / std / _SQRT_2)) / 2.0 for v in (a, b))
    with no_grad():
        drawn: Any = rand(tuple(tensor.shape), dtype=tensor.dtype, **_options(generator))
        share = drawn * (2 * (high - low)) + (2 * low - 1)
        return _write(tensor, (share.erfinv() * (std * _SQRT_2) + mean).clamp(a, b))


def dirac_(tensor: Any, groups: int = 1) -> Tensor:
    """Fill the weight of a convolution so that channels pass unchanged, in each group.  Raises ValueError unless it has 3 to 5 axes."""
    if tensor.ndim not in (3, 4, 5):
        raise ArgumentValueError(explain("dirac_", "Only tensors with 3, 4, or 5 dimensions are supported"))
    if tensor.shape[0] % groups:
        raise ArgumentValueError(explain("dirac_", "dim 0 must be divisible by groups", groups=groups))
    values = np.zeros(tuple(tensor.shape))
    size, centre = tensor.shape[0] // groups, tuple(n // 2 for n in tensor.shape[2:])
    for group in range(groups):
        for i in range(min(size, tensor.shape[1])):
            values[(group * size + i, i, *centre)] = 1.0
    return _write(tensor, from_values(values).to(tensor.dtype))


def orthogonal_(tensor: Any, gain: float = 1, generator: Any = None) -> Tensor:
    """Fill with a matrix whose rows or columns are orthogonal, of length gain; further axes count as columns.  Source: Saxe et al. 2013."""
    if tensor.ndim < 2:
        raise ArgumentValueError(explain("orthogonal_", "Only tensors with 2 or more dimensions are supported"))
    if 0 in tensor.shape:
        return tensor  # type: ignore[no-any-return]
    rows = tensor.shape[0]
    columns = math.prod(tensor.shape[1:])
    with no_grad():
        drawn: Any = randn((rows, columns), dtype=tensor.dtype, **_options(generator))
        q, r = T.linalg_qr(drawn.mT if rows < columns else drawn)
        q = q * r.diagonal().sign()
        return _write(tensor, (q.mT if rows < columns else q).reshape(tuple(tensor.shape)) * gain)


def sparse_(tensor: Any, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Fill a matrix with normal values, and a share of every column with zeros.  Raises ValueError unless it has two axes."""
    if tensor.ndim != 2:
        raise ArgumentValueError(explain("sparse_", "Only tensors with 2 dimensions are supported"))
    rows, columns = tensor.shape
    count = math.ceil(sparsity * rows)
    with no_grad():
        values: Any = randn((rows, columns), dtype=tensor.dtype, **_options(generator)) * std
        for column in range(columns):
            values[randperm(rows, **_options(generator))[:count], column] = 0
        return _write(tensor, values)


def old_name(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function under its name without the underscore, with torch's warning."""
    new = function.__name__
    old = new[:-1]

    @functools.wraps(function)
    def deprecated(*args: Any, **kwargs: Any) -> Any:
        text = f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`."
        warnings.warn(text, FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    deprecated.__name__ = deprecated.__qualname__ = old
    return deprecated


__all__ = ["dirac_", "orthogonal_", "sparse_", "trunc_normal_"]
