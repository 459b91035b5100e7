"""compile(): a fast version of a function, with torch's options and the backends'."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tracegrad.backends.base import Target
from tracegrad.compiler.compile import Compiled
from tracegrad.compiler.replay import parameter_names
from tracegrad.compiler.strict import Strict
from tracegrad.errors import DataError, explain
from tracegrad.slots import slots

DISABLED = "_torchdynamo_disable"  # on functions that compile() leaves as they are
PLAIN = frozenset({"eager", "aot_eager"})  # backends of torch's that run a function as it is
MODES = (None, "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")


def compile(  # noqa: A001  (torch's name)
    function: Callable[..., Any] | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str = "numpy",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    disable: bool = False,
    strict: bool = False,
    **backend_options: Any,
) -> Any:
    """A fast version of `function`: recorded once per signature, optimised, and emitted for `backend` ("numpy" or "jax").

    Of torch's backends "inductor" is "numpy" here; "eager" and "aot_eager", and disable=True, give back the function itself.  fullgraph=True makes an error
    of what would run uncompiled with a warning; mode and options are accepted as torch takes them and change nothing.  On NumPy other sizes are served by common
    texts, from the second size on, or from the first with dynamic=True (docs/compile.md); dynamic=False compiles every size by itself.  Further keywords, or `options`, are the backend's own:
    device, donate, fusion, mesh, in_specs and out_specs for "jax" (docs/jax.md).  strict=True also runs the function as it is at every hundredth call
    (settings.strict_every), without its effects, and raises StrictError where the program gives something else.

    Arguments may be anything (docs/compile.md): Tensors, NumPy and JAX arrays and floats in it are inputs; shapes, dtypes and all values that are not
    numeric (strings, bools, ints, None) belong to the signature.  Gradients flow through a compiled function to any order.
    Works as a decorator, with or without options.

    What the function reads besides its arguments (globals, closures, attributes, lists, dicts, small NumPy arrays) is compared at every call, and a change leads to
    another recording; Python containers with more than 2,000 entries are not compared (a RuntimeWarning says so), nor the elements of NumPy arrays above 16 KiB
    that only Python code reads.  A function that changes such an object runs uncompiled, with one warning.  A Tensor that it keeps somewhere (a global list) holds
    the values of the call that was recorded, without history.

    A value that Python code reads decides at every call anew; writes to arguments, to Tensors outside and to `.grad` happen at every call; what a replay could not do
    again (printing, changes of Python objects) makes the signature run uncompiled, with one warning that names the line.

    Raises RuntimeError for a mode that torch does not know and, with fullgraph=True, for what cannot be compiled (TraceError); ValueError for an unknown backend.
    Example:  fast = compile(tg.func.value_and_grad(loss, argnums=(0, 1)))
    """
    if mode not in MODES or (mode is not None and options is not None):
        problem = f"mode must be one of {', '.join(map(repr, MODES))}, without options, got {mode!r}"
        raise DataError(explain("compile", problem))
    if function is None:
        return partial(
            compile, fullgraph=fullgraph, dynamic=dynamic, backend=backend, mode=mode, options=options, disable=disable, strict=strict, **backend_options
        )  # fmt: skip
    if disable or backend in PLAIN or getattr(function, DISABLED, False):
        return function
    if backend == "jax":
        backend_options = {**(options or {}), **backend_options}
    kind = Strict if strict else Compiled
    if backend_options:
        made = kind(function, Target(backend, backend_options, parameter_names(function)), dynamic)
    else:
        made = kind(function, "numpy" if backend == "inductor" else backend, dynamic)
    made.fullgraph = fullgraph
    if slots.optimized_module is not None and isinstance(function, slots.optimized_module[0]):
        return slots.optimized_module[1](made)
    return made
