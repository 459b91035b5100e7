"""tracegrad: automatic differentiation of Python programs under PyTorch's names, on the tape and as compiled graphs.

`import tracegrad as torch` runs scripts written for torch's autograd.  Only NumPy is imported; func, nn, optim, utils and the compiler are loaded on first use.
"""

from __future__ import annotations

import gc
import importlib
import math
from typing import Any

_collecting = gc.isenabled()
gc.disable()  # what an import makes lives for good: looking for garbage in between takes a sixth of its time

import tracegrad.ops
from tracegrad import dtypes as _dtypes
from tracegrad.devices import device
from tracegrad.dtypes import dtype, finfo, get_default_dtype, iinfo, set_default_dtype
from tracegrad.eager import methods as _methods

_methods.attach()

from tracegrad import autograd, pytree  # noqa: E402
from tracegrad.autograd.anomaly import is_anomaly_check_nan_enabled, is_anomaly_enabled  # noqa: E402
from tracegrad.autograd.modes import (  # noqa: E402
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from tracegrad.eager import creation as _creation  # noqa: E402
from tracegrad.eager import functions as _functions  # noqa: E402
from tracegrad.eager.generate import public_function as _public_function  # noqa: E402
from tracegrad.eager.printing import set_printoptions  # noqa: E402
from tracegrad.eager.tensor import Size, Tensor  # noqa: E402
from tracegrad.ir.op import REGISTRY as _REGISTRY  # noqa: E402
from tracegrad.slots import slots as _slots  # noqa: E402

__version__ = "0.1.0"
inf, nan, pi, e = math.inf, math.nan, math.pi, math.e
newaxis = None

# what is loaded on first use: name -> (module, attribute of it or None for the module itself)
_LAZY = {
    **{name: (f"tracegrad.{name}", None) for name in ("func", "nn", "optim", "utils", "export", "compiler")},
    "compile": ("tracegrad.compiler", "compile"),
    "capture": ("tracegrad.compiler", "capture"),
    "vmap": ("tracegrad.func", "vmap"),
    "Graph": ("tracegrad.export", "Graph"),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'tracegrad' has no attribute {name!r}")
    module, attribute = _LAZY[name]
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise AttributeError(f"module 'tracegrad' has no attribute {name!r}") from error
    if attribute is not None:
        found = getattr(found, attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


def _tape_graph(tensor: Tensor) -> Any:
    """Tensor.graph, loaded with the exporters on first use."""
    importlib.import_module("tracegrad.export")
    return importlib.import_module("tracegrad.eager.tape").tape_graph(tensor)


def _jvp(*arguments: Any) -> Any:
    """func.jvp, loaded on first use."""
    return importlib.import_module("tracegrad.func").jvp(*arguments)


_slots.tape_graph, _slots.jvp = _tape_graph, _jvp


def _public_names() -> dict[str, Any]:
    """dtypes, constructors, and every operator's public function."""
    names: dict[str, Any] = {
        d.name: d for d in (_dtypes.from_numpy(numpy_dtype) for numpy_dtype in _dtypes._FROM_NUMPY)
    }
    names |= _dtypes.ALIASES
    names |= _functions.TYPED
    names |= _functions.FUNCTIONS
    for op in _REGISTRY.values():
        if op.function:
            names |= dict.fromkeys((op.name, *op.aliases), _public_function(op.name))
    return names | {name: getattr(_creation, name) for name in _creation.__all__}


globals().update(_public_names())

__all__ = [
    name for name in globals() if not name.startswith("_") and name not in ("annotations", "gc", "importlib", "math")
]

if _collecting:
    if not gc.get_freeze_count():  # all that was made goes to the oldest generation unlooked at
        gc.freeze()
        gc.unfreeze()
    gc.enable()
