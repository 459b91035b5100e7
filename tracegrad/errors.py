"""Every exception class of tracegrad, and the one form that its messages have.

Each class also derives from the built-in class that PyTorch raises for the same mistake, so `except RuntimeError` written for torch still catches.
Layer 0: imports nothing of the package.
"""

from __future__ import annotations


class TracegradError(Exception):
    """Base of every error that tracegrad raises on purpose."""


class ShapeError(TracegradError, RuntimeError):
    """Shapes do not fit the operation."""


class AxisError(TracegradError, IndexError):
    """An axis number is outside the axes that the value has."""


class IndexingError(TracegradError, IndexError):
    """An index is out of range, or there are more indices than axes."""


class DTypeError(TracegradError, RuntimeError):
    """The element type is not one that the operation takes."""


class ArgumentError(TracegradError, TypeError):
    """An argument has the wrong Python type, or is missing."""


class ArgumentValueError(TracegradError, ValueError):
    """An argument has the right Python type but a value that makes no sense."""


class OptionError(TracegradError, AssertionError):
    """Options of a call exclude each other."""


class DataError(TracegradError, RuntimeError):
    """The values cannot be used this way (a tensor of several elements as one number, for instance)."""


class LinAlgError(DataError):
    """A matrix that an algorithm of linear algebra cannot take: singular, or not positive definite."""


class DeviceError(TracegradError, AssertionError):
    """The device does not exist here."""


class DifferentiationError(TracegradError, RuntimeError):
    """A derivative was asked for that does not exist or was not recorded."""


class GraphFreedError(DifferentiationError):
    """The saved values of the graph were freed by an earlier backward."""


class OverwrittenError(DifferentiationError):
    """A value that the derivative needs was overwritten in place."""


class NotTwiceError(DifferentiationError):
    """A derivative of a Function's backward was asked for that it cannot give."""


class CheckpointError(DifferentiationError):
    """A checkpointed function did something else when backward ran it again."""


class InplaceError(TracegradError, RuntimeError):
    """An in-place write that autograd cannot represent."""


class GradcheckError(TracegradError, RuntimeError):
    """The numerical and the analytical derivative differ."""


class TraceError(TracegradError, RuntimeError):
    """Code that is being recorded did something that a recording cannot represent."""


class ConstraintViolationError(TraceError):
    """A size that `mark_dynamic` says may change is a constant of the function, or not one of those that were promised."""


class StrictError(TraceError):
    """A function compiled with strict=True does not do what it does uncompiled."""


class DefinitionError(TracegradError, TypeError):
    """An operator's class body is not a complete, consistent definition."""


class VerifyError(TracegradError, RuntimeError):
    """A graph breaks one of the invariants of the IR."""


class BackendError(TracegradError, RuntimeError):
    """The library behind a backend refused a program, or failed while it ran it."""


class PassError(TracegradError, RuntimeError):
    """A compiler pass failed; the message names pass, rule, node and the user's line.  `before` and `after` are the IR around the fault."""

    before: str = ""
    after: str = ""


class FormatError(TracegradError, ValueError):
    """A text or file is not what it should be; the message says where."""


class EmptyFileError(EOFError, FormatError):
    """A file has nothing (more) to read."""


class RegistrationError(TracegradError, KeyError):
    """A module cannot take this name for a parameter, buffer or module."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class MissingAttributeError(TracegradError, AttributeError):
    """A module has no such attribute, or its __init__ was not called."""


class NotSupportedError(TracegradError, NotImplementedError):
    """A valid request that this version does not cover."""


def explain(operation: str, problem: str, remedy: str = "", **values: object) -> str:
    """The message `operation: problem (name: value, ...). Remedy.`: the one form of every error text."""
    shown = ", ".join(f"{name}: {value}" for name, value in values.items())
    text = f"{operation}: {problem}" + (f" ({shown})" if shown else "")
    return f"{text}. {remedy}" if remedy else text
