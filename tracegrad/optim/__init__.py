"""torch.optim: methods that change parameters by their gradients, and schedules of their learning rates."""

from tracegrad.optim import lr_scheduler
from tracegrad.optim.adam import Adam, AdamW
from tracegrad.optim.optimizer import Optimizer
from tracegrad.optim.scaled import Adagrad, RMSprop
from tracegrad.optim.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]
