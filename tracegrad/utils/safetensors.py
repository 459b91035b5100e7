"""Files in the safetensors format, which PyTorch, JAX and others read as well.  Needs the package safetensors (`pip install tracegrad[export]`)."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tracegrad.devices import check_device
from tracegrad.eager.conversions import leave
from tracegrad.eager.data import from_numpy
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, FormatError, explain


def save_file(tensors: dict[str, Tensor], filename: Any, metadata: dict[str, str] | None = None) -> None:
    """Write a dict of tensors, such as the state_dict() of a module.  Tensors that share memory are written once each.

    Raises TypeError for anything but a dict of strings to tensors.
    """
    from safetensors.numpy import save_file as write

    if not isinstance(tensors, dict):
        raise ArgumentError(explain("save_file", f"tensors must be a dict, got {type(tensors).__name__}"))
    arrays = {}
    for name, t in tensors.items():
        if not isinstance(name, str) or not isinstance(t, Tensor):
            raise ArgumentError(
                explain("save_file", f"expected a Tensor under a str, got {type(t).__name__}", key=repr(name))
            )
        leave(t, "save")
        arrays[name] = np.array(t._data, order="C")
    write(arrays, os.fspath(filename), metadata)


def load_file(filename: Any, device: Any = "cpu") -> dict[str, Tensor]:
    """The tensors of a file by name.  Raises FormatError for a damaged file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file as read

    check_device("load_file", device)
    try:
        return {name: from_numpy(array) for name, array in read(os.fspath(filename)).items()}
    except SafetensorError as error:
        raise FormatError(
            explain("load_file", f"the file is no safetensors file: {error}", file=os.fspath(filename))
        ) from None


__all__ = ["load_file", "save_file"]
