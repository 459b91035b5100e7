"""torch.optim: methods that change parameters by their gradients."""

from tracegrad.optim.adam import Adam
from tracegrad.optim.optimizer import Optimizer
from tracegrad.optim.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer"]
