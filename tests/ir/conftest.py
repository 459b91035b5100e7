"""Leaves, a small graph and an operator with two results, for the tests of the IR."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad.export
import tracegrad.ops  # noqa: F401  (fills the registry)
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import make_leaf
from tracegrad.ir.op import REGISTRY, Op
from tracegrad.ir.types import Type

F32 = np.dtype(np.float32)


@pytest.fixture
def leaf():
    """Makes a leaf: leaf(3, 4) is f32[3,4]."""
    return lambda *shape, dtype="float32": make_leaf(Type(shape, np.dtype(dtype)), needs=True)


@pytest.fixture
def graph(leaf):
    """sum((x - 2) * b) over axis 1, from an input and a capture."""
    x, b = leaf(2, 3), leaf(3)
    y = B.sub(x, 2.0)
    with B.at(("train.py", 17)):
        z = B.mul(y, b)
    return Graph([x], [B.sum(z, dim=(1,), keepdim=False), 2.0], [b], names=["x", "b"])


@pytest.fixture
def pair():
    """An operator with two results, in the registry for one test."""

    class Pair(Op):
        """Fractional and whole part of x.  Shape: (*a) -> twice (*a)."""

        name, outputs, nondiff = "pair_for_tests", ("fraction", "whole"), ("x",)
        numpy = "np.modf({x})"
        samples = ()

        @staticmethod
        def infer(x):
            return x, Type(x.shape, np.dtype(np.float64))

    yield Pair
    del REGISTRY["pair_for_tests"]
