"""The words of saved files that writer and reader share: limits, and the kinds of objects."""

from __future__ import annotations

import base64
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.devices import device
from tracegrad.eager.tensor import Size

VERSION = 1
DEPTH = 100  # levels of nesting
DTYPES = {str(np.dtype(letter)) for letter in "?bBhHiIlLqQefdFD"} | {"bfloat16"}  # of this machine's byte order
STRUCTURE_BYTES = 1 << 26
STRUCTURE = "structure.json"
ITEMS = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "Size": Size}
MAPPINGS: dict[str, Any] = {"dict": dict, "OrderedDict": OrderedDict}
KIND_OF = {cls: kind for kind, cls in (ITEMS | MAPPINGS).items()}


# kinds without parts: class, its JSON, and back
PLAIN: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "float": (float, repr, lambda v: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[v]),
    "complex": (complex, lambda v: [repr(v.real), repr(v.imag)], lambda v: complex(*(float(part) for part in v))),
    "bytes": (bytes, lambda v: base64.b64encode(v).decode(), lambda v: base64.b64decode(v, validate=True)),
    "dtype": (dtypes.dtype, lambda v: v.name, dtypes._by_name),
    "device": (device, str, device),
}
