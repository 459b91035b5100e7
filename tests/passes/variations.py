"""Variations of the examples of a rule: every dtype, 0-d and empty operands, other numbers.  Where a rule can still match, it must still be right."""

from __future__ import annotations

import numpy as np

from tests.passes.helpers import leaf_for, run
from tracegrad.dtypes import BY_NAME
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.samples import A, I, Sample
from tracegrad.passes.rewrite import rewrite
from tracegrad.passes.rules import Rule

DTYPES = (
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
    "complex128",
)
NUMBERS = (0, 1, -1, 2, 3, 7, 0.0, -0.0, 0.5, -1.5, 2.0, 4.0, 1e30, float("inf"), float("nan"), 2**40, 1 + 2j, True)
SHAPES = {
    "0-d": lambda shape: (),
    "empty": lambda shape: (0, *shape[1:]),
    "empty at the end": lambda shape: (*shape[:-1], 0),
    "ones": lambda shape: (1,) * len(shape),
    "one more axis": lambda shape: (2, *shape),
}
FINITE = [0.0, -0.0, 1.0, -1.0, -1.5, 0.25, 3.0, 1e-3, 300.0]  # the square of the last overflows in half precision
SPECIAL = {
    "f": [*FINITE, np.inf, -np.inf, np.nan],
    "V": [*FINITE, np.inf, -np.inf, np.nan],
    "c": [1 + 2j, -1j, 0.5, -2 - 1j, 3.0, 0.25j],
    "b": [False, True],
}
TOLERANCE = {
    "float16": 4e-3,
    "bfloat16": 3e-2,
    "float32": 2e-6,
    "complex64": 4e-6,
    "float64": 1e-12,
    "complex128": 1e-12,
}


def example_values(rule, index):
    """The function and the values of one example."""
    example = rule.examples[index]
    if isinstance(rule, Rule):
        return rule.before, [example[name] for name in rule.wildcards]
    function, values = example
    return function, list(values)


def is_number(value):
    return isinstance(value, (bool, int, float, complex))


def variations(rule, index):
    """(what was changed, values, dtype) for each variation; many of them are refused by the operators' type rules."""
    _, values = example_values(rule, index)
    for dtype in DTYPES:
        yield dtype, values, dtype
    if any(isinstance(v, Sample) and v.kind == "mask" for v in values):
        counts = [I(*v.shape, below=3) if isinstance(v, Sample) and v.kind == "mask" else v for v in values]
        yield "whole numbers for masks", counts, "float64"
    if any(isinstance(v, Sample) and v.kind == "index" for v in values):
        reals = [A(*v.shape) if isinstance(v, Sample) and v.kind == "index" else v for v in values]
        yield "real numbers for whole ones", reals, "float64"
    if "gradient" in rule.name:  # the operators of gradients trust the shapes that they are given
        return
    for name, change in SHAPES.items():
        yield name, [v._replace(shape=change(v.shape)) if isinstance(v, Sample) else v for v in values], "float64"
    for i, value in enumerate(values):
        if isinstance(value, Sample):
            for name, change in SHAPES.items():
                yield (
                    f"{name} {i}",
                    [*values[:i], value._replace(shape=change(value.shape)), *values[i + 1 :]],
                    "float64",
                )
        elif is_number(value) and (not isinstance(rule, Rule) or not rule.wildcards[i].isupper()):
            for number in NUMBERS:
                for dtype in ("float64", "float16", "int32", "bool", "complex128"):
                    yield f"{number!r} {dtype}", [*values[:i], number, *values[i + 1 :]], dtype
        else:
            for other in other_attributes(value):
                yield f"{value!r} as {other!r}", [*values[:i], other, *values[i + 1 :]], "float64"


def other_attributes(value):
    """Values that an attribute could have as well."""
    if isinstance(value, tuple):
        return (value[::-1], (*value, 1), (1, *value), value[1:], value[:-1])
    if isinstance(value, bool):
        return (not value,)
    return (*range(value), value + 1) if isinstance(value, int) else ((0,),)


def build(function, values, dtype):
    """The graph, or None where the operators refuse these values."""
    try:
        leaves = [leaf_for(v, numpy_dtype(dtype)) if isinstance(v, Sample) else v for v in values]
        result = function(B, *leaves)
        return Graph([x for x, v in zip(leaves, values, strict=True) if isinstance(v, Sample)], [result])
    except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError, ArithmeticError, AttributeError):
        return None


def computed(graph, arrays):
    """The result, or None where the operators refuse these values or give another dtype than they say: such a graph is never recorded."""
    try:
        (result,) = run(graph, arrays)
    except (RuntimeError, TypeError, ValueError, IndexError, ArithmeticError, Warning):
        return None
    return result if result.dtype == graph.outputs[0].dtype and result.shape == graph.outputs[0].shape else None


def after_rule(rule, graph):
    """The graph after one rule, or None where it does not fire."""
    log = {}
    after = rewrite(graph, [rule], rule.stage, log)
    return after if log else None


def edge_values(generator, node, without=()):
    """An array of a leaf's type that is full of special values."""
    kind, dtype = node.dtype.kind, node.dtype
    if kind in "iu":
        limits = np.iinfo(dtype)
        chosen = np.array([0, 1, 2, 3, 7, limits.max, limits.min, limits.max - 1], dtype)
        return generator.choice(chosen, node.shape)
    values = generator.choice(
        np.array([v for v in SPECIAL[kind] if not any(v == w or (np.isnan(v) and np.isnan(w)) for w in without)]),
        node.shape,
    )
    return np.asarray(values).astype(np.float32).astype(dtype) if kind == "V" else np.asarray(values).astype(dtype)


def numpy_dtype(name):
    return BY_NAME[name].numpy
