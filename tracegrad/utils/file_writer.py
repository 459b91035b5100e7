"""An object as the bytes of a file; the form is described in serialization.py."""

from __future__ import annotations

import io
import json
import math
import zipfile
from typing import Any

import numpy as np

from tracegrad.eager.clock import owner
from tracegrad.eager.conversions import leave
from tracegrad.eager.copying import fields_of
from tracegrad.eager.tensor import Parameter, Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, explain
from tracegrad.utils.file_words import DEPTH, DTYPES, KIND_OF, MAPPINGS, PLAIN, STRUCTURE, VERSION

Array = np.ndarray[Any, Any]


class Writer:
    """Collects the structure of an object and the blocks of memory that its tensors show."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.numbers: dict[int, int] = {}  # id of a tensor or array -> its entry
        self.shown: dict[int, list[tuple[Array, dict[str, Any]]]] = {}  # id of a block of memory -> what shows it
        self.blocks: dict[int, Array] = {}

    def file(self, obj: Any) -> bytes:
        """The bytes of the file."""
        value = self.encode(obj, "obj", 0)
        arrays = [self.block(number, key) for number, key in enumerate(self.shown)]
        structure = {"format": "tracegrad", "version": VERSION, "value": value, "arrays": self.entries}
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(_entry(STRUCTURE), json.dumps(structure, allow_nan=False))
            for number, array in enumerate(arrays):
                with archive.open(_entry(f"memory/{number}.npy"), "w", force_zip64=True) as target:
                    np.lib.format.write_array(target, array, allow_pickle=False)
        return out.getvalue()

    def encode(self, value: Any, path: str, depth: int) -> Any:
        """JSON for a value that stands at `path` of the object."""
        if depth > DEPTH:
            raise ArgumentValueError(
                explain("save", f"the data are nested more than {DEPTH} levels deep, or contain themselves", at=path)
            )
        kind = type(value)
        if value is None or kind in (bool, int, str) or (kind is float and math.isfinite(value)):
            return value
        if isinstance(value, (Tensor, np.ndarray)):
            return {"array": self.number(value, path, depth)}
        if kind in MAPPINGS.values():
            pairs = [
                [self.encode(k, f"a key of {path}", depth + 1), self.encode(v, f"{path}[{k!r}]", depth + 1)]
                for k, v in value.items()
            ]
            return {KIND_OF[kind]: pairs}
        if kind in KIND_OF:
            return {KIND_OF[kind]: [self.encode(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(value)]}
        if isinstance(value, np.generic):
            return {"scalar": [_name_of(value.dtype, path), value.tobytes().hex()]}
        for name, (cls, write, _) in PLAIN.items():
            if kind is cls:
                return {name: write(value)}
        what = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
        remedy = "Save the state_dict() of a module or optimizer" if hasattr(value, "state_dict") else ""
        raise ArgumentError(explain("save", f"an object of type {what} cannot be saved", remedy, at=path))

    def number(self, value: Any, path: str, depth: int) -> int:
        """The number of the entry of a tensor or array, which is made at its first place."""
        found = self.numbers.get(id(value))
        if found is not None:
            return found
        array: Array = value
        entry: dict[str, Any] = {"kind": "array"}
        if isinstance(value, Tensor):
            leave(value, "save")
            array = value._data
            entry = {
                "kind": "parameter" if isinstance(value, Parameter) else "tensor",
                "requires_grad": value.requires_grad,
            }
        entry |= {"dtype": _name_of(array.dtype, path), "shape": list(array.shape)}
        if any(s < 0 for s in array.strides) or not array.size:
            array = array.copy()
        entry["strides"] = list(array.strides)
        number = self.numbers[id(value)] = len(self.entries)
        self.entries.append(entry)
        memory = owner(array)
        self.blocks[id(memory)] = memory  # keeps the id taken
        self.shown.setdefault(id(memory), []).append((array, entry))
        if isinstance(value, Tensor) and fields_of(value):
            entry["fields"] = {k: self.encode(v, f"{path}.{k}", depth + 1) for k, v in fields_of(value).items()}
        return number

    def block(self, number: int, key: int) -> Array:
        """The part of a block of memory that is shown, as a flat array; the entries of what shows it are completed."""
        shown = self.shown[key]
        first = min(_start(a) for a, _ in shown)
        for array, entry in shown:
            entry["memory"], entry["offset"] = number, _start(array) - first
        part = np.asarray(_Bytes(first, max(_start(a) + _reach(a) for a, _ in shown) - first, self.blocks[key]))
        kind = shown[0][0].dtype
        same = all(a.dtype == kind and e["offset"] % kind.itemsize == 0 for a, e in shown)
        if kind.kind == "V":  # .npy has no word for bfloat16
            return part
        return part.view(kind) if same and not part.size % kind.itemsize else part


class _Bytes:
    """Memory as NumPy's array protocol describes it."""

    def __init__(self, start: int, count: int, memory: Array) -> None:
        self.memory = memory  # keeps it alive
        self.__array_interface__ = {"data": (start, True), "shape": (count,), "typestr": "|u1", "version": 3}


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name)  # without the time: the same data give the same file


def _start(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def _reach(array: Array) -> int:
    """Bytes from the first element to the end of the last one."""
    return (
        sum((n - 1) * s for n, s in zip(array.shape, array.strides, strict=True)) + array.itemsize if array.size else 0
    )


def _name_of(d: Any, path: str) -> str:
    if str(d) not in DTYPES:
        raise ArgumentError(explain("save", f"values of NumPy's dtype {d} cannot be saved", at=path))
    return str(d)


__all__ = ["Writer"]
