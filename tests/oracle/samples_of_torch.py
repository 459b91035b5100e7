"""torch's own sample inputs (its operator database), brought over to tracegrad: the same call for both libraries."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import tracegrad as tg

NAMESPACES = ("", "linalg.", "special.", "fft.", "nn.functional.")
LEFT_OUT = ("jiterator", "masked.", "sparse", "torch.", "_", "to_sparse", "nn.functional.linear_cross_entropy")


class NotHere(Exception):
    """A sample that needs something tracegrad does not have by design (sparse tensors, other devices)."""


class Call(NamedTuple):
    """One call: the functions of both libraries and their arguments."""

    theirs: Callable[..., Any]
    ours: Callable[..., Any]
    their_arguments: tuple[Any, ...]
    our_arguments: tuple[Any, ...]
    their_keywords: dict[str, Any]
    our_keywords: dict[str, Any]
    text: str


def chosen(info: Any) -> bool:
    """Whether the operator belongs to the vocabulary."""
    return info.name.startswith("__") or not info.name.startswith(LEFT_OUT)


def full_name(info: Any) -> str:
    """The operator's name and that of its variant."""
    return info.name + (f" ({info.variant_test_name})" if info.variant_test_name else "")


def array_of(t: Any, memory: dict[int, np.ndarray]) -> np.ndarray:
    """The values of a torch tensor as a view of a copy of its whole memory, which tensors with one storage share."""
    torch = _torch()
    t = t.detach().resolve_conj().resolve_neg()
    storage = t.untyped_storage()
    if t.numel() and not storage.data_ptr():  # zeros that were never made
        return np.zeros(tuple(t.shape), t.new_ones(()).numpy().dtype)
    if storage.data_ptr() not in memory:
        memory[storage.data_ptr()] = torch.empty(0, dtype=torch.uint8).set_(storage).numpy().copy()
    flat = memory[storage.data_ptr()].view(t.new_ones(()).numpy().dtype)
    strides = tuple(s * flat.itemsize for s in t.stride())
    return np.lib.stride_tricks.as_strided(flat[t.storage_offset() :], tuple(t.shape), strides)


def _torch() -> Any:
    import torch

    return torch


def to_ours(value: Any, memory: dict[int, np.ndarray] | None = None) -> Any:
    """The same value with our tensors, dtypes, devices and functions.  Raises NotHere where there is no such thing."""
    torch, memory = _torch(), {} if memory is None else memory
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided or value.device.type != "cpu":
            raise NotHere(str(value.layout))
        found = tg.from_numpy(array_of(value, memory))
        return found.requires_grad_() if value.requires_grad else found
    if isinstance(value, (torch.dtype, torch.memory_format, torch.layout)):
        if not hasattr(tg, str(value).split(".")[1]):
            raise NotHere(str(value))
        return getattr(tg, str(value).split(".")[1])
    if isinstance(value, torch.device):
        return tg.device(str(value))
    if isinstance(value, torch.nn.Module):
        raise NotHere("a module of torch")
    if isinstance(value, (tuple, list)):
        parts = [to_ours(v, memory) for v in value]
        return tuple(parts) if isinstance(value, tuple) else parts
    if isinstance(value, dict):
        return {k: to_ours(v, memory) for k, v in value.items()}
    if isinstance(value, slice):
        return slice(to_ours(value.start), to_ours(value.stop), to_ours(value.step))
    return translated(value) if isinstance(value, types.FunctionType) else value


def translated(function: types.FunctionType) -> Any:
    """A test function of torch's with tracegrad in the place of torch."""
    names = {**function.__globals__, "torch": tg, "wrapper_set_seed": lambda op, *a, **k: op(*a, **k)}
    cells = tuple(types.CellType(_inner(c.cell_contents)) for c in function.__closure__ or ())
    copy = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, cells)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _inner(value: Any) -> Any:
    path = _path(value) if callable(value) else None
    return _named(path) if path else to_ours(value)


def _path(function: Any) -> str | None:
    """Where torch has a function."""
    torch, name = _torch(), getattr(function, "__name__", "")
    for prefix in NAMESPACES:
        place: Any = torch
        for part in prefix.split(".")[:-1]:
            place = getattr(place, part)
        if name and getattr(place, name, None) is function:
            return prefix + name
    return None


def _named(path: str) -> Any:
    found: Any = tg
    for part in path.split("."):
        found = getattr(found, part)
    return found


def our_function(info: Any) -> Any:
    """Our function of the name.  Raises AttributeError where there is none."""
    function = info.op
    if isinstance(function, types.FunctionType) and "<lambda>" in function.__qualname__:
        return translated(function)
    if info.name.startswith("__"):
        return getattr(tg.Tensor, info.name)
    for path in (info.name, _path(function)):
        try:
            found = _named(path) if path else None
        except AttributeError:
            continue
        if callable(found):
            return found
    if isinstance(function, types.FunctionType) and function.__module__.startswith("torch.testing"):
        return translated(function)
    return getattr(tg.Tensor, info.name)


def calls(info: Any, dtype: Any, requires_grad: bool, limit: int) -> Iterator[Call]:
    """Calls over the samples for a dtype: evenly chosen ones, and the first of them with non-contiguous tensors."""
    samples = list(info.sample_inputs("cpu", dtype, requires_grad=requires_grad))
    samples = samples[:: -(-len(samples) // limit)] if samples else []
    if requires_grad and not info.name.startswith("nn.functional.multi_head"):
        samples += [s.noncontiguous() for s in samples[:2]]
    for sample in samples:
        try:
            yield call_of(info, sample)
        except NotHere:
            continue


def call_of(info: Any, sample: Any) -> Call:
    """The sample's call in both libraries, results made comparable as torch's tests do (signs of eigenvectors and such)."""
    ours, wrap, process = our_function(info), info.gradcheck_wrapper, sample.output_process_fn_grad
    our_wrap, our_process = (to_ours(f) if f else f for f in (wrap, process))

    def call_theirs(*arguments: Any, **keywords: Any) -> Any:
        out = wrap(info.op, *arguments, **keywords) if wrap else info.op(*arguments, **keywords)
        return process(out) if process else out

    def call_ours(*arguments: Any, **keywords: Any) -> Any:
        out = our_wrap(ours, *arguments, **keywords) if our_wrap else ours(*arguments, **keywords)
        return our_process(out) if our_process else out

    arguments, keywords = (sample.input, *sample.args), sample.kwargs
    our_arguments, our_keywords = to_ours((arguments, keywords))
    text = _shown(arguments, keywords)
    return Call(call_theirs, call_ours, arguments, our_arguments, keywords, our_keywords, text)


def _shown(arguments: Any, keywords: dict[str, Any]) -> str:
    shown = [_one(a) for a in arguments] + [f"{k}={_one(v)}" for k, v in keywords.items()]
    return f"({', '.join(shown)})"


def _one(value: Any) -> str:
    if isinstance(value, _torch().Tensor):
        return f"{str(value.dtype)[6:]}{list(value.shape)}{'' if value.is_contiguous() else ' strided'}"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_one, value))}]"
    return repr(value)[:60]
