"""Graphs that the tests of the exporters share."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad.export  # noqa: F401
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import make_leaf
from tracegrad.ir.types import Type


@pytest.fixture
def leaf():
    """Makes a leaf: leaf(3, 4) is f32[3,4]."""
    return lambda *shape, dtype="float32": make_leaf(Type(shape, np.dtype(dtype)), needs=True)


@pytest.fixture
def graph(leaf):
    """sum((x - 2)**2 * b) over axis 1, from an input and a capture."""
    x, b = leaf(2, 3), leaf(3)
    y = B.sub(x, 2.0)
    with B.at(("/home/user/train.py", 17)):
        z = B.mul(B.mul(y, y), b)
    return Graph([x], [B.sum(z, dim=(1,), keepdim=False), 2.0], [b], names=["x", "b"])
