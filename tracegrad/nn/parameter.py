"""Parameter: a Tensor that a Module finds by itself."""

from tracegrad.eager.tensor import Parameter

__all__ = ["Parameter"]
