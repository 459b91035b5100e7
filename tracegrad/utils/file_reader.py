"""The object that the bytes of a file stand for; nothing in a file is trusted, and nothing is executed.  The form is described in serialization.py."""

from __future__ import annotations

import io
import json
import math
import struct
import zipfile
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.eager.copying import PASSING, on_memory
from tracegrad.eager.tensor import Parameter, Tensor
from tracegrad.errors import FormatError, explain
from tracegrad.utils.file_words import DEPTH, DTYPES, ITEMS, MAPPINGS, PLAIN, STRUCTURE, STRUCTURE_BYTES, VERSION

Array = np.ndarray[Any, Any]


class Reader:
    """Rebuilds the object of a file, checking every word of it."""

    def __init__(self, content: bytes) -> None:
        try:
            self.archive = zipfile.ZipFile(io.BytesIO(content))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError) as error:
            raise _damaged("the file", f"is not a zip archive: {error}", "load reads what save wrote") from None
        names = self.archive.namelist()
        if any(name.endswith("data.pkl") for name in names):
            problem = "is a file of PyTorch, whose structure is a pickle; tracegrad executes no pickles"
            raise _damaged(
                "the file", problem, "Write its tensors with safetensors or numpy.savez in PyTorch, and read that"
            )
        if STRUCTURE not in names:
            raise _damaged("the file", f"has no {STRUCTURE}", "load reads what save wrote")
        self.entries: list[Any] = []
        self.made: dict[int, Any] = {}
        self.blocks: dict[int, Array] = {}

    def value(self) -> Any:
        """The object."""
        try:
            structure = json.loads(self.bytes(STRUCTURE, STRUCTURE_BYTES))
        except (ValueError, RecursionError) as error:
            raise error if isinstance(error, FormatError) else _damaged(STRUCTURE, f"is not JSON: {error}") from None
        if not isinstance(structure, dict) or structure.get("format") != "tracegrad":
            raise _damaged(STRUCTURE, "does not say that the format is tracegrad")
        if structure.get("version") != VERSION:
            raise _damaged(
                STRUCTURE, f"has version {structure.get('version')!r}, and this release reads version {VERSION}"
            )
        self.entries = structure.get("arrays", [])
        if not isinstance(self.entries, list) or "value" not in structure:
            raise _damaged(STRUCTURE, "has no 'value', or 'arrays' is no list")
        return self.decode(structure["value"], "value", 0)

    def bytes(self, name: str, limit: int | None = None) -> bytes:
        """The content of one entry of the archive, whose check sum is verified."""
        try:
            info = self.archive.getinfo(name)
            if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
                raise _damaged(name, "is compressed or encrypted; save writes neither")
            if limit is not None and info.file_size > limit:
                raise _damaged(name, f"has {info.file_size} bytes; the limit is {limit}")
            return self.archive.read(info)
        except (
            KeyError,
            zipfile.BadZipFile,
            NotImplementedError,
            RuntimeError,
            EOFError,
            OSError,
            struct.error,
        ) as error:
            raise _damaged(name, f"cannot be read: {error}") from None

    def decode(self, value: Any, path: str, depth: int) -> Any:
        """The object that a piece of JSON stands for."""
        if depth > DEPTH + 2:
            raise _damaged(path, f"is nested more than {DEPTH} levels deep")
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if not isinstance(value, dict) or len(value) != 1:
            raise _damaged(path, "is neither a plain value nor an object of one kind")
        ((kind, content),) = value.items()
        if kind == "array":
            return self.array(content, path, depth)
        try:
            if kind in ITEMS:
                return ITEMS[kind](self.decode(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(_listed(content)))
            if kind in MAPPINGS:
                pairs = [_listed(pair, 2) for pair in _listed(content)]
                keys = [self.decode(k, f"a key of {path}", depth + 1) for k, _ in pairs]
                return MAPPINGS[kind](
                    (k, self.decode(v, f"{path}[{k!r}]", depth + 1)) for k, (_, v) in zip(keys, pairs, strict=True)
                )
            if kind == "scalar":
                name, digits = _listed(content, 2)
                return np.frombuffer(bytes.fromhex(digits), _dtype(name, path), count=1)[0]
            if kind in PLAIN:
                return PLAIN[kind][2](content)
        except FormatError:
            raise
        except (TypeError, ValueError, KeyError, RuntimeError) as error:
            raise _damaged(path, f"is no {kind}: {error}") from None
        raise _damaged(path, f"has the unknown kind {kind!r}")

    def array(self, number: Any, path: str, depth: int) -> Any:
        """The tensor or array of one entry: the same object at each of its places."""
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(self.entries):
            raise _damaged(path, f"refers to entry {number!r} of {len(self.entries)} arrays")
        if number in self.made:
            return self.made[number]
        entry, where = self.entries[number], f"arrays[{number}]"
        if not isinstance(entry, dict) or entry.get("kind") not in ("array", "tensor", "parameter"):
            raise _damaged(where, "has no kind that is known")
        shown = self.shown(entry, where)
        if entry["kind"] == "array":
            self.made[number] = shown
            return shown
        requires_grad = entry.get("requires_grad")
        if not isinstance(requires_grad, bool) or (requires_grad and shown.dtype.kind not in "fcV"):
            raise _damaged(where, f"has requires_grad {requires_grad!r} with dtype {shown.dtype}")
        if shown.dtype not in dtypes.PROMOTABLE:
            raise _damaged(where, f"is a tensor of dtype {shown.dtype}, which does not exist")
        made = self.made[number] = on_memory(
            Parameter if entry["kind"] == "parameter" else Tensor, shown, requires_grad
        )
        fields = entry.get("fields", {})
        if not isinstance(fields, dict):
            raise _damaged(where, "has fields that are no object")
        for name, value in fields.items():
            if name in PASSING:
                raise _damaged(where, f"has a field of the reserved name {name!r}")
            made.__dict__[name] = self.decode(value, f"{where}.{name}", depth + 1)
        return made

    def shown(self, entry: dict[str, Any], where: str) -> Array:
        """What an entry shows of its memory.  Every number is checked against the size of the memory."""
        d = _dtype(entry.get("dtype"), where)
        shape, strides = (_listed_sizes(entry.get(name), name, where) for name in ("shape", "strides"))
        memory, offset = _listed_sizes([entry.get("memory"), entry.get("offset")], "memory and offset", where)
        if len(shape) != len(strides) or len(shape) > 64:
            raise _damaged(where, f"has {len(shape)} sizes and {len(strides)} strides")
        if any(n % d.itemsize for n in (offset, *strides)) or math.prod(shape) * d.itemsize >= 2**63:
            raise _damaged(where, "has a shape too large, or strides that are not in elements")
        block = self.block(memory, where)
        reach = sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + d.itemsize if all(shape) else 0
        if offset + reach > block.nbytes:
            raise _damaged(
                where, f"shows bytes {offset} to {offset + reach} of memory/{memory}.npy, which has {block.nbytes}"
            )
        if not all(shape):
            return np.zeros(shape, d)
        found = np.ndarray(shape, d, block, offset, strides)
        if d.kind == "b" and block.view(np.uint8).max(initial=0) > 1:
            raise _damaged(where, "is bool, but its memory has other bytes than 0 and 1")
        return found

    def block(self, number: int, where: str) -> Array:
        """One block of memory, which is read once."""
        if number not in self.blocks:
            name = f"memory/{number}.npy"
            source = io.BytesIO(self.bytes(name))
            try:
                array = np.lib.format.read_array(source, allow_pickle=False)
            except (ValueError, EOFError, TypeError, MemoryError, OverflowError, SyntaxError) as error:
                raise _damaged(name, f"is no .npy file: {error}") from None
            if array.ndim != 1 or array.dtype.kind not in "biufc":
                raise _damaged(name, f"must be a flat array of numbers, but is {array.dtype}{list(array.shape)}")
            self.blocks[number] = array
        return self.blocks[number]


def _damaged(where: str, problem: str, remedy: str = "") -> FormatError:
    return FormatError(explain("load", f"{where} {problem}", remedy))


def _listed(content: Any, count: int | None = None) -> list[Any]:
    if not isinstance(content, list) or (count is not None and len(content) != count):
        raise TypeError(f"a list{'' if count is None else f' of {count}'} was expected")
    return content


def _listed_sizes(content: Any, name: str, where: str) -> list[int]:
    if not isinstance(content, list) or not all(type(n) is int and 0 <= n < 2**62 for n in content):
        raise _damaged(where, f"has {name} that are no sizes: {content!r:.60}")
    return content


def _dtype(name: Any, where: str) -> Any:
    if not isinstance(name, str) or name not in DTYPES:
        raise _damaged(where, f"has the unknown dtype {name!r:.40}")
    return dtypes.bfloat16.numpy if name == "bfloat16" else np.dtype(name)


__all__ = ["Reader"]
