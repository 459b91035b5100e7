"""torch.nn.utils.convert_parameters: parameters as one vector."""

from __future__ import annotations

from collections.abc import Iterable

from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, explain


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The elements of all parameters in one axis.  Shapes: *(a) -> (sum of sizes,).  Differentiable."""
    made: Tensor = T.cat(*(T.reshape(p, shape=(p._data.size,)) for p in parameters), dim=0)
    return made


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give the parameters the values of consecutive pieces of vec, through `.data`.  Raises TypeError unless vec is a Tensor."""
    if not isinstance(vec, Tensor):
        raise ArgumentError(explain("vector_to_parameters", f"expected torch.Tensor, but got: {type(vec).__name__}"))
    start = 0
    for p in parameters:
        size = p._data.size
        p.data = vec[start : start + size].view_as(p).data  # type: ignore[index]
        start += size


__all__ = ["parameters_to_vector", "vector_to_parameters"]
