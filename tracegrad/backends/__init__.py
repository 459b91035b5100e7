"""Programs in NumPy and JAX, loaded by name; and the switches of torch.backends, which have no effect."""

from tracegrad.backends import cuda, cudnn, mps

__all__ = ["cuda", "cudnn", "mps"]
