"""Source of single nodes, which both backends and the Python exporter share."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tracegrad.ops  # noqa: F401
from tracegrad.backends.source import (
    fill_template,
    has_expression,
    literal_source,
    node_expression,
    source_names,
    static,
    tuple_source,
    types_comment,
)
from tracegrad.errors import NotSupportedError
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import make_leaf, make_node
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.types import Type

F32 = np.dtype(np.float32)
LITERALS = [0, -3, 2**70, 0.5, 1e300, -0.0, math.inf, -math.inf, math.nan, True, None, "a'\"\\\n\u2028", (), (1,), (1, (2.0, None)), ..., 1j, complex(-0.0, -math.inf),
            complex(math.nan, -0.0), slice(None, 2, -1), (slice(0, 1, None), ...)]  # fmt: skip


@pytest.mark.parametrize("value", LITERALS, ids=repr)
def test_a_literal_evaluates_to_itself(value):
    found = eval(literal_source(value), {"np": np})
    assert type(found) is type(value) and repr(found) == repr(value)
    assert literal_source(value).isascii()


@pytest.mark.parametrize("name", ["bool", "uint8", "int64", "float16", "float32", "complex128"])
def test_a_dtype_evaluates_to_itself(name):
    assert np.dtype(eval(literal_source(np.dtype(name)), {"np": np})) == np.dtype(name)


@pytest.mark.parametrize("value", [object(), [1], np.ones(2), len])
def test_other_objects_have_no_source(value):
    with pytest.raises(NotSupportedError, match=r"source: a value of type \w+ cannot be written"):
        literal_source(value)


@pytest.mark.parametrize(
    ("template", "values", "text"),
    [
        ("np.add({x}, {y})", {"x": "v0", "y": "-2.0"}, "np.add(v0, -2.0)"),
        ("{x}.reshape({shape})", {"x": "-2.0", "shape": "(2,)"}, "(-2.0).reshape((2,))"),
        ("{x} - {y}", {"x": "v0", "y": "-1"}, "v0 - (-1)"),
        ("{x}[{index}]", {"x": "v0", "index": "-1"}, "v0[-1]"),
        ("f(axis={dim}, k={k})", {"dim": "None", "k": "(1, 2)"}, "f(axis=None, k=(1, 2))"),
        ("{x}", {"x": "-1"}, "-1"),
        ("f({x}, {{}})", {"x": "v0"}, "f(v0, {})"),
    ],
)
def test_templates_are_filled_with_parentheses_where_they_are_needed(template, values, text):
    assert fill_template(template, values) == text


def test_a_tuple_of_one_keeps_its_comma():
    assert [tuple_source(t) for t in ((), ("a",), ("a", "b"))] == ["()", "(a,)", "(a, b)"]


def test_names_come_from_a_fixed_alphabet():
    x, w = (make_leaf(Type((3,), F32)) for _ in range(2))
    graph = Graph([x], [B.mul(B.neg(x), w)], [w], names=["class", "import os"])
    assert list(source_names(graph).values()) == ["a0", "c0", "v0", "v1"]


@pytest.mark.parametrize(
    ("backend", "text"),
    [("numpy", "np.add.reduce(a, axis=(0,), keepdims=False)"), ("jax", "jnp.sum(a, axis=(0,), keepdims=False)")],
)
def test_the_column_of_the_backend_is_used(backend, text):
    x = make_leaf(Type((3,), F32))
    assert node_expression(B.sum(x, dim=(0,), keepdim=False), {x: "a"}, backend) == text


def test_a_static_expression_is_preferred_to_the_template():
    x = make_leaf(Type((3, 4), F32))
    node = B.select(x, dim=1, index=-2)
    text = node_expression(node, {x: "a"}, "numpy")
    given = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(eval(text, {"a": given}), given[:, -2])


def test_variadic_operands_become_a_tuple():
    x = make_leaf(Type((3,), F32))
    assert "(a, a)" in node_expression(B.cat(x, x, dim=0), {x: "a"}, "numpy")


def test_leaves_opaque_operands_and_composites_have_no_expression():
    x = make_leaf(Type((3,), F32))
    with pytest.raises(NotSupportedError, match="leaf: the operator has no numpy expression"):
        node_expression(x, {x: "a"}, "numpy")
    with pytest.raises(NotSupportedError, match="an operand that autograd does not follow"):
        node_expression(make_node(REGISTRY["add"], (x, (3,)), (), Type((3,), F32)), {x: "a"}, "numpy")
    composite = REGISTRY["mse_loss"]
    assert not has_expression(composite, "numpy") and has_expression(REGISTRY["add"], "jax")


def test_a_hostile_string_attribute_formats_as_a_literal():
    hostile = static(("x); import os", "sum", 1))
    assert hostile == ("x); import os", "sum", 1)
    assert f"{hostile[0]} {hostile[1]}" == "'x); import os' sum"
    assert str(hostile) == "('x); import os', 'sum', 1)" and "%s" % hostile[0] == "'x); import os'"  # noqa: UP031


def test_a_comment_has_the_type_and_the_place():
    x = make_leaf(Type((3,), F32))
    with B.at(("/home/user/train.py", 17)):
        assert types_comment(B.neg(x)) == "f32[3]  train.py:17"
    assert types_comment(B.neg(x)) == "f32[3]"
