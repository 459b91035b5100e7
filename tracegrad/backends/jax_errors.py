"""What JAX raises, in our form: which operator, of which types, on which line of the user's."""

from __future__ import annotations

import re
from types import TracebackType

from tracegrad import errors
from tracegrad.backends.jax_source import FILE
from tracegrad.errors import BackendError, NotSupportedError, TracegradError, explain

_OWN = re.compile(r"^(?:tracegrad\.errors\.)?(\w+): (.*)$", re.MULTILINE)
_LINE = re.compile(r"^\s*\w+ = (?P<text>.*)  # (?P<types>\(.*?\)|\S+)(?:  (?P<place>.*))?$")


def named(error: BaseException, source: str, action: str) -> TracegradError:
    """The error of the kernels themselves where JAX only carries it, else a BackendError that names the operator and the user's line if they are known.

    action says what JAX was doing: "compile the program" or "run the program".
    """
    if isinstance(error, TracegradError):
        return error
    carried = _carried(error)
    if carried is not None:
        return carried
    line = _line_of(error.__traceback__, source)
    reason = f"{type(error).__name__}: {_first_line(error)}"
    kind = NotSupportedError if isinstance(error, NotImplementedError) else BackendError
    if line is None:
        return kind(explain("jax", f"could not {action}: {reason}"))
    place = f" at {line['place']}" if line["place"] else ""
    return kind(explain("jax", f"could not {action}: {line['text']} ({line['types']}){place} gave {reason}"))


def _carried(error: BaseException) -> TracegradError | None:
    """The error of a kernel that JAX called on the host, of which it tells the traceback as text."""
    for name, message in reversed(_OWN.findall(str(error))):
        kind = getattr(errors, name, None)
        if isinstance(kind, type) and issubclass(kind, TracegradError):
            return kind(message)
    return None


def _first_line(error: BaseException) -> str:
    lines = [text.strip() for text in str(error).splitlines() if text.strip()]
    return lines[0][:300] if lines else "no message"


def _line_of(traceback: TracebackType | None, source: str) -> re.Match[str] | None:
    """The innermost line of the generated function that the error passed through."""
    found = None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == FILE:
            found = traceback.tb_lineno
        traceback = traceback.tb_next
    return None if found is None else _LINE.match(source.splitlines()[found - 1])
