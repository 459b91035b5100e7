"""torch.optim: methods that change parameters by their gradients, and schedules of their learning rates."""

from tracegrad.optim import lr_scheduler, optimizer, swa_utils
from tracegrad.optim.adam import Adam, Adamax, AdamW, NAdam, RAdam
from tracegrad.optim.lbfgs import LBFGS
from tracegrad.optim.optimizer import Optimizer
from tracegrad.optim.scaled import ASGD, Adadelta, Adagrad, RMSprop, Rprop
from tracegrad.optim.sgd import SGD

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "lr_scheduler",
    "optimizer",
    "swa_utils",
]
