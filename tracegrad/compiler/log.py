"""TRACEGRAD_LOG: what the compiler does, one line each, on stderr."""

from __future__ import annotations

import sys
import warnings

from tracegrad.config import settings
from tracegrad.errors import explain

WORDS = ("guards", "passes", "source", "cache")
_refused: set[str] = set()


def logs(word: str) -> bool:
    """Whether `settings.log` asks for these lines.  Warns once of a word that means nothing."""
    if not settings.log:
        return False
    asked = {w.strip() for w in settings.log.split(",")} - {""}
    for other in sorted(asked - {*WORDS, "all"} - _refused):
        _refused.add(other)
        text = f"TRACEGRAD_LOG has no {other!r}; it takes {', '.join(WORDS)}, or all"
        warnings.warn(explain("compile", text), RuntimeWarning, stacklevel=4)
    return word in asked or "all" in asked


def log(word: str, text: str) -> None:
    """Print a text where `settings.log` asks for it, each line with its kind in front."""
    if logs(word):
        lines = text.splitlines() or [""]
        sys.stderr.write("".join(f"tracegrad {word}: {line}\n" for line in lines))


__all__ = ["WORDS", "log", "logs"]
