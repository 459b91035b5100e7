"""Runs a few lines of a user's program, which use the name `torch`, and says what they printed or which class of error ended them."""

import contextlib
import io
import re
import warnings

import numpy as np

CLASSES = (RuntimeError, IndexError, TypeError, ValueError, AttributeError, NotImplementedError)


def printed(text, library):
    """What the text prints under a library; the built-in class of an error that it raises stands for the rest."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(text, "<snippet>", "exec"), {"torch": library, "np": np})
        except CLASSES as error:
            names = [c.__name__ for c in type(error).__mro__]
            print(next(c.__name__ for c in reversed(CLASSES) if c.__name__ in names))
    return re.sub(r"0x[0-9a-f]+", "0x", out.getvalue())
