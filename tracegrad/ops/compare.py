"""Tests and selections."""

from __future__ import annotations

from tracegrad.ir.families import Comparison, Elementwise
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, M


class Ne(Comparison):
    """x != y.  Shapes: (*a), (*b) -> broadcast(a, b), bool."""

    inputs, commutative = ("x", "y"), True
    numpy, jax = "np.not_equal({x}, {y})", "jnp.not_equal({x}, {y})"
    samples = ([A(2, 3), A(3)], [A(), A()])


class Where(Elementwise):
    """x where the condition c holds, y elsewhere.  Shapes: (*c), (*a), (*b) -> broadcast(c, a, b)."""

    inputs, promoted, nondiff, linear = ("c", "x", "y"), ("x", "y"), ("c",), ("x", "y")
    public = ("condition", "input", "other")
    numpy, jax, onnx = "np.where({c}, {x}, {y})", "jnp.where({c}, {x}, {y})", "Where"
    quiet = True
    samples = ([M(2, 3), A(2, 3), A(3)], [M(3), A(2, 1), A()], [M(), A(), A()], [M(0, 3), A(3), A(0, 3)])

    @staticmethod
    def grad_x(F: Ops, g: Value, c: Value) -> Value:
        return F.where(c, g, 0.0)

    @staticmethod
    def grad_y(F: Ops, g: Value, c: Value) -> Value:
        return F.where(c, 0.0, g)
