"""Recipes for sample operands, written in the definitions and made into arrays by the tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Sample(NamedTuple):
    """How to draw one operand: kind 'array', 'complex', 'symmetric', 'hermitian', 'index' or 'mask', its shape, and the range of its values."""

    kind: str
    shape: tuple[int, ...]
    low: float
    high: float

    def draw(self, generator: np.random.Generator, dtype: Any = np.float64) -> np.ndarray[Any, Any]:
        """An array of this recipe."""
        if self.kind == "index":
            return np.asarray(generator.integers(int(self.low), int(self.high), self.shape), np.int64)
        if self.kind == "complex":
            parts = generator.uniform(self.low, self.high, (2, *self.shape))
            return np.asarray(parts[0] + 1j * parts[1]).astype(np.result_type(dtype, np.complex64))
        if self.kind == "mask":
            return np.asarray(generator.random(self.shape) < 0.5)
        if self.kind in ("symmetric", "hermitian"):
            half = generator.uniform(self.low, self.high, self.shape)
            if self.kind == "hermitian":
                half, dtype = (
                    half + 1j * generator.uniform(self.low, self.high, self.shape),
                    np.result_type(dtype, np.complex64),
                )
            return np.asarray(half @ half.conj().swapaxes(-1, -2) + np.eye(self.shape[-1])).astype(dtype)
        return np.asarray(generator.uniform(self.low, self.high, self.shape)).astype(dtype)


def A(*shape: int, lo: float = -2.0, hi: float = 2.0) -> Sample:
    """A floating array of this shape with values in [lo, hi)."""
    return Sample("array", shape, lo, hi)


def C(*shape: int, lo: float = -2.0, hi: float = 2.0) -> Sample:
    """A complex array of this shape whose parts have values in [lo, hi)."""
    return Sample("complex", shape, lo, hi)


def I(*shape: int, below: int, lowest: int = 0) -> Sample:  # noqa: E743
    """An int64 array of positions in [lowest, below)."""
    return Sample("index", shape, lowest, below)


def S(*shape: int, lo: float = -2.0, hi: float = 2.0) -> Sample:
    """A stack of symmetric positive definite matrices; Hermitian ones where complex operands are drawn."""
    return Sample("symmetric", shape, lo, hi)


def M(*shape: int) -> Sample:
    """A boolean array."""
    return Sample("mask", shape, 0, 2)


class Body:
    """A Graph as an attribute: function(F, *inputs) gives its outputs, for inputs of these recipes.  The tests make it."""

    def __init__(self, function: Callable[..., tuple[Any, ...]], *inputs: Sample) -> None:
        self.function, self.inputs = function, inputs
