"""`save` and `load`: nested Python data with tensors in one file, without pickles; nothing in a file is ever executed.

The file is an uncompressed zip that NumPy reads as an .npz:
    structure.json   {"format": "tracegrad", "version": 1, "value": ..., "arrays": [...]}
    memory/0.npy     a block of memory that one or more tensors show, as a flat array
Plain JSON values stand for None, bool, int, finite float and str; every other object is {"<kind>": content}, see file_words.py.  An entry of "arrays" says what
one tensor or array shows of its memory: {"kind", "memory", "dtype", "shape", "strides" and "offset" in bytes, "requires_grad", "fields"}.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

from tracegrad.devices import device
from tracegrad.errors import DataError, EmptyFileError, MissingAttributeError, explain
from tracegrad.utils.file_reader import Reader
from tracegrad.utils.file_writer import Writer


def save(
    obj: Any, f: Any, pickle_module: Any = None, pickle_protocol: int = 2, _use_new_zipfile_serialization: bool = True
) -> None:
    """Write obj to a path or to a file object that is open for writing bytes.

    obj may be nested dicts, OrderedDicts, lists, tuples and sets of tensors, Parameters, NumPy arrays and scalars, numbers, strings, bytes, None, dtypes,
    devices and Sizes.  What shares memory shares it after loading; a tensor that stands in several places is one object again.  `.grad` and the history do
    not travel.  A file at a path appears whole or not at all.
    Raises TypeError for any other object and ValueError for data nested too deeply (or in themselves), both naming the place.
    """
    if not isinstance(f, (str, os.PathLike)) and not hasattr(f, "write"):
        raise MissingAttributeError(
            explain("save", f"f must be a path or a file open for writing, got {type(f).__name__}")
        )
    content = Writer().file(obj)
    if hasattr(f, "write"):
        f.write(content)
        return
    path = os.fspath(f)
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        raise DataError(explain("save", f"Parent directory {folder} does not exist"))
    handle, temporary = tempfile.mkstemp(prefix=".saving-", dir=folder or ".")
    try:
        with os.fdopen(handle, "wb") as target:
            target.write(content)
        if os.path.exists(path):
            os.chmod(temporary, os.stat(path).st_mode & 0o777)
        else:
            os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
) -> Any:
    """What `save` wrote to a path or file object.

    Nothing in a file is executed, whatever weights_only says; tensors live on the CPU whatever map_location says, but one that names another device is refused
    (RuntimeError); mmap is accepted and the file is read at once.
    Raises FormatError (a ValueError) for a damaged or foreign file, saying where, and EOFError for an empty one.
    """
    _check_location(map_location)
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as source:
            content = source.read()
    elif hasattr(f, "read"):
        content = f.read()
    else:
        raise MissingAttributeError(
            explain("load", f"f must be a path or a file open for reading, got {type(f).__name__}")
        )
    if not content:
        raise EmptyFileError(
            explain(
                "load", "the file is empty, or was read to its end", "Call seek(0) before reading what was just written"
            )
        )
    return Reader(content).value()


def _check_location(location: Any) -> None:
    places = (
        location.values()
        if isinstance(location, dict)
        else []
        if location is None or callable(location)
        else [location]
    )
    for place in places:
        if device(place).type != "cpu":
            raise DataError(
                explain("load", "tensors can be loaded to the CPU only", "Pass map_location='cpu'", map_location=place)
            )


__all__ = ["load", "save"]
