"""Anomaly mode: which operator, at which line of the program, made the first NaN of a backward."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tracegrad.autograd.grad_fn import differentiable_positions, name_of
from tracegrad.autograd.hooks import Extra
from tracegrad.autograd.saving import PARENT, TRACEBACK, change_watch
from tracegrad.config import local
from tracegrad.errors import DifferentiationError, explain
from tracegrad.ir.node import Node
from tracegrad.ir.types import Type

ENABLED = (
    "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for debugging."
)


class Anomaly:
    """The mode, for all threads: whether backward watches its steps, and whether it looks for NaN."""

    enabled = False
    check_nan = True


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on."""
    return Anomaly.enabled


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly mode looks for NaN."""
    return Anomaly.check_nan


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Turn anomaly mode on or off.  See `set_detect_anomaly`."""
    set_detect_anomaly(mode, check_nan)


class set_detect_anomaly:  # noqa: N801
    """Turn anomaly mode on or off, from this call on; as a context manager the previous state returns at the end of the block.

    While it is on, operations of this thread remember the line that ran them, and a backward (of any thread) raises RuntimeError at the first step that
    gives NaN, naming the step, the value's shape and that line; any error inside a backward is preceded by a warning with the forward call's traceback.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = Anomaly.enabled, Anomaly.check_nan
        self._located = local.watch is not None and local.watch.located
        change_watch(located=bool(mode))
        Anomaly.enabled, Anomaly.check_nan = bool(mode), check_nan

    def __enter__(self) -> None:
        """Nothing more: the mode is on already."""

    def __exit__(self, *_exception: object) -> None:
        Anomaly.enabled, Anomaly.check_nan = self._before
        change_watch(located=self._located)


class detect_anomaly:  # noqa: N801
    """`with detect_anomaly():` is anomaly mode for the block, with a warning that it is slow.  See `set_detect_anomaly`."""

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        self._modes: list[set_detect_anomaly] = []
        warnings.warn(ENABLED, UserWarning, stacklevel=2)

    def __enter__(self) -> None:
        self._modes.append(set_detect_anomaly(True, self.check_nan))

    def __exit__(self, *exception: object) -> None:
        self._modes.pop().__exit__(*exception)


def check_parts(node: Node, parts: list[Any], g: Any) -> None:
    """Raise DifferentiationError if one of the gradients that this step computed from g has a NaN."""
    positions = differentiable_positions(node)
    for number, position in enumerate(positions):
        part = parts[position] if position < len(parts) else None
        data = getattr(part, "_data", part)
        if data is not None and np.isnan(data).any():
            search = getattr(node.op, "first_nan", None)
            where = _line(node) or ("" if search is None else _place(search(node, g)))
            raise DifferentiationError(
                explain(
                    "detect_anomaly",
                    f"Function '{name_of(node)}' returned nan values in its {number}th output",
                    f"The forward call: {where}" if where else "",
                    gradient=Type(data.shape, data.dtype),
                )
            )


def warn_about(node: Node | None) -> None:
    """Say which step an error came from, with the traceback of its forward call."""
    if node is None or node.op is None or node.op.name == "project":
        return
    lines = _lines(node)
    if lines:
        told = f"Traceback of forward call that caused the error:\n{''.join(lines)}"
    else:
        told = "No forward pass information available. Enable detect anomaly during forward pass for more information."
    warnings.warn(f"Error detected in {name_of(node)}. {told}", UserWarning, stacklevel=2)
    parent = _metadata(node).get(PARENT)
    while parent is not None:
        traced = "".join(_lines(parent)) or "No forward pass information available.\n"
        told = f"Traceback of forward call that induced the previous calculation:\n{traced}"
        text = f"\n\nPrevious calculation was induced by {name_of(parent)}. {told}"
        warnings.warn(text, UserWarning, stacklevel=2)
        parent = _metadata(parent).get(PARENT)


def _lines(node: Node) -> list[str]:
    return list(_metadata(node).get(TRACEBACK, ()))


def _metadata(node: Node) -> dict[str, Any]:
    return (node.extra.metadata if type(node.extra) is Extra else None) or {}


def _line(node: Node) -> str:
    lines = _lines(node)
    return " ".join(lines[-1].split()) if lines else _place(node.extra)


def _place(location: Any) -> str:
    """How a line is named that a recording knows."""
    return f'File "{location[0]}", line {location[1]}' if type(location) is tuple else ""


__all__ = [
    "Anomaly",
    "check_parts",
    "detect_anomaly",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "set_anomaly_enabled",
    "set_detect_anomaly",
    "warn_about",
]
