"""The JSON form: exact round trips, and every fault of a file reported with its JSON path."""

from __future__ import annotations

import copy
import json
import math
import re
from typing import Any

import numpy as np
import pytest

from tracegrad.errors import FormatError, NotSupportedError
from tracegrad.export.json_format import from_json, to_json
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.literals import LIMITS, literal_text
from tracegrad.ir.node import make_node
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.types import Type

F32 = np.dtype(np.float32)
LITERALS = [0, -3, 2**70, 0.5, 1.0, 1e300, -0.0, math.inf, -math.inf, math.nan, True, False, None, "a\"\u2028\ud800", (), (1, (2.0, None)), ..., complex(-0.0, math.nan),
            slice(None, 2, -1), F32, np.dtype(bool)]  # fmt: skip


def document() -> dict[str, Any]:
    """A small file: neg of an input, and sum of that."""
    f32 = {"dtype": "f32", "shape": [3]}
    return {
        "format": "tracegrad-graph",
        "version": 1,
        "inputs": [{"name": "x", "type": f32}],
        "captures": [{"name": "w", "type": {"dtype": "i64", "shape": []}}],
        "nodes": [
            {"op": "neg", "inputs": [{"value": 0}], "attrs": {}, "types": [f32], "location": ["train.py", 17]},
            {
                "op": "sum",
                "inputs": [{"value": 2}],
                "attrs": {"dim": {"tuple": [0]}, "keepdim": False},
                "types": [{"dtype": "f32", "shape": []}],
            },
        ],
        "outputs": [{"value": 3}, {"float": 2.5}],
        "effects": [{"leaf": 0, "value": 2}],
    }


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The small file with one value replaced, or with the key removed (value is ...)."""
    made = copy.deepcopy(document())
    at: Any = made
    for key in path[:-1]:
        at = at[key]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return made


def test_the_small_file_is_read():
    assert str(from_json(document())) == (
        "graph(%x: f32[3]; capture %w: i64[]) {\n  %1: f32[3] = neg(%x)  # train.py:17\n  %2: f32[] = sum(%1, dim=(0,), keepdim=False)\n  effect %x <- %1\n  return %2, 2.5\n}"
    )


def test_the_round_trip_is_exact(graph):
    again = Graph.from_json(graph.to_json())
    assert again == graph and str(again) == str(graph)
    assert Graph.from_json(json.loads(graph.to_json(indent=2))) == graph
    assert again.nodes[1].extra == ("/home/user/train.py", 17)


@pytest.mark.parametrize("value", LITERALS, ids=literal_text)
def test_every_kind_of_literal_makes_the_round_trip(value):
    node = make_node(REGISTRY["full"], (), ((), value, F32), Type((), F32))
    graph = Graph([], [node])
    again = from_json(to_json(graph))
    assert again == graph and str(again) == str(graph)
    assert type(again.nodes[0].attrs[1]) is type(value)


def test_opaque_operands_make_the_round_trip(leaf):
    x = leaf(3)
    node = make_node(REGISTRY["add"], (x, (1,)), (), Type((3,), F32))
    assert str(from_json(to_json(Graph([x], [node])))) == str(Graph([x], [node]))


def test_an_attribute_that_is_no_literal_is_not_written():
    node = make_node(REGISTRY["full"], (), ((), object(), F32), Type((), F32))
    with pytest.raises(NotSupportedError, match="to_json: an attribute value <object> is no literal"):
        to_json(Graph([], [node]))


def test_unsafe_names_are_made_safe_when_written(leaf):
    x = leaf()
    assert json.loads(to_json(Graph([x], [x], names=["a\nb"])))["inputs"][0]["name"] == "a_b"


def nested(depth: int) -> Any:
    """A literal of tuples within tuples."""
    value: Any = {"tuple": []}
    for _ in range(depth):
        value = {"tuple": [value]}
    return value


ATTRS = ("nodes", 1, "attrs")
FAULTS = [
    (("format",), "other", "$.format", "expected 'tracegrad-graph', got \"other\""),
    (("version",), 2, "$.version", "reads schema version 1, got 2"),
    (("version",), True, "$.version", "reads schema version 1, got true"),
    (("version",), ..., "$.version", "reads schema version 1, got null"),
    (("nodes",), ..., "$", "the key 'nodes' is missing"),
    (("more",), 1, "$", 'unknown key "more"'),
    (("inputs",), {}, "$.inputs", "expected a list, got an object"),
    (("inputs", 0), 1, "$.inputs[0]", "expected an object, got 1"),
    (("inputs", 0, "name"), 1, "$.inputs[0].name", "expected a string, got 1"),
    (("inputs", 0, "name"), "a b", "$.inputs[0].name", "is not a name of ASCII letters"),
    (("inputs", 0, "name"), "x\"; import os", "$.inputs[0].name", "is not a name of ASCII letters"),
    (("captures", 0, "name"), "x", "$.captures[0].name", 'the name "x" appears twice'),
    (("inputs", 0, "type"), "f32[3]", "$.inputs[0].type", 'expected an object, got "f32[3]"'),
    (("inputs", 0, "type", "dtype"), "float32", "$.inputs[0].type", "unknown element type 'float32'"),
    (("inputs", 0, "type", "dtype"), [], "$.inputs[0].type.dtype", "expected a string, got a list"),
    (("inputs", 0, "type", "shape"), 3, "$.inputs[0].type.shape", "expected a list, got 3"),
    (("inputs", 0, "type", "shape"), [3.0], "$.inputs[0].type.shape[0]", "expected an integer, got 3.0"),
    (("inputs", 0, "type", "shape"), [True], "$.inputs[0].type.shape[0]", "expected an integer, got true"),
    (("inputs", 0, "type", "shape"), [-1], "$.inputs[0].type", "is outside the limit"),
    (("inputs", 0, "type", "shape"), [2**60, 2**60], "$.inputs[0].type", "is outside the limit of 281474976710656 elements"),
    (("inputs", 0, "type", "shape"), [1] * 65, "$.inputs[0].type.shape", "65 axes are more than the limit of 64"),
    (("nodes",), "neg", "$.nodes", 'expected a list, got "neg"'),
    (("nodes", 0, "op"), "exec", "$.nodes[0].op", "unknown operator 'exec'"),
    (("nodes", 0, "op"), 1, "$.nodes[0].op", "expected a string, got 1"),
    (("nodes", 0, "inputs"), [], "$.nodes[0]", "neg takes 1 operand (x), got 0"),
    (("nodes", 0, "inputs"), [None], "$.nodes[0]", "operand 'x' of neg cannot be None"),
    (("nodes", 0, "inputs"), [{"value": 2}], "$.nodes[0].inputs[0].value", "there is no value 2 before this; 2 are defined"),
    (("nodes", 0, "inputs"), [{"value": -1}], "$.nodes[0].inputs[0].value", "there is no value -1 before this"),
    (("nodes", 0, "inputs"), [{"value": "x"}], "$.nodes[0].inputs[0].value", 'expected an integer, got "x"'),
    (("nodes", 0, "inputs"), [{"value": 0, "opaque": 1}], "$.nodes[0].inputs[0]", 'unknown key "opaque"'),
    (("nodes", 0, "inputs"), [{"str": "x"}], "$.nodes[0].inputs[0]", "expected a value, a number or null, got an object"),
    (("nodes", 0, "inputs"), [{"opaque": {}}], "$.nodes[0].inputs[0].opaque", "the key 'dtype' is missing"),
    (("nodes", 0, "inputs"), ["x"], "$.nodes[0].inputs[0]", 'expected a literal, got "x"'),
    (("nodes", 0, "inputs"), [0.5], "$.nodes[0].inputs[0]", "expected a literal, got 0.5"),
    (("nodes", 0, "attrs"), [], "$.nodes[0].attrs", "expected an object, got a list"),
    (("nodes", 0, "attrs"), {"a": 1}, "$.nodes[0]", "neg has no attribute 'a'"),
    (ATTRS, {"dim": None}, "$.nodes[1]", "sum needs the attribute 'keepdim'"),
    ((*ATTRS, "dim"), {"tuple": [{"str": 1}]}, "$.nodes[1].attrs.dim.tuple[0].str", "expected a string, got 1"),
    ((*ATTRS, "dim"), {"tuple": 1}, "$.nodes[1].attrs.dim.tuple", "expected a list, got 1"),
    ((*ATTRS, "dim"), {"call": "os.system"}, "$.nodes[1].attrs.dim.call", "expected a literal, got an object"),
    ((*ATTRS, "dim"), {"float": 1}, "$.nodes[1].attrs.dim.float", "expected a finite float"),
    ((*ATTRS, "dim"), {"float": "1.0"}, "$.nodes[1].attrs.dim.float", "expected a finite float"),
    ((*ATTRS, "dim"), {"complex": [1.0]}, "$.nodes[1].attrs.dim.complex", "a complex number has 2 parts, got 1"),
    ((*ATTRS, "dim"), {"slice": [1]}, "$.nodes[1].attrs.dim.slice", "a slice has 3 parts, got 1"),
    ((*ATTRS, "dim"), {"dtype": "f31"}, "$.nodes[1].attrs.dim.dtype", "unknown element type"),
    ((*ATTRS, "dim"), {"dtype": []}, "$.nodes[1].attrs.dim.dtype", "unknown element type a list"),
    ((*ATTRS, "dim"), {"ellipsis": 1}, "$.nodes[1].attrs.dim.ellipsis", "expected a literal"),
    ((*ATTRS, "dim"), {"tuple": [], "str": ""}, "$.nodes[1].attrs.dim", "expected a literal, got an object"),
    ((*ATTRS, "dim"), nested(60), "$.nodes[1].attrs.dim" + ".tuple[0]" * 51, "nested deeper than the limit of 50"),
    ((*ATTRS, "dim"), 10**2000, "$.nodes[1].attrs.dim", "an integer of more than 1000 digits"),
    ((*ATTRS, "dim"), {"str": "ab"}, "$.nodes[1]", "sum does not take these operands and attributes"),
    (("nodes", 0, "types"), [], "$.nodes[0]", "the type of neg here is f32[3], not ()"),
    (("nodes", 0, "types"), [{"dtype": "f32", "shape": [4]}], "$.nodes[0]", "the type of neg here is f32[3], not f32[4]"),
    (("nodes", 0, "location"), ["a"], "$.nodes[0].location", "expected a file name and a line number"),
    (("nodes", 0, "location"), ["a", -1], "$.nodes[0].location", "expected a file name and a line number"),
    (("nodes", 0, "location"), [1, 1], "$.nodes[0].location[0]", "expected a string, got 1"),
    (("outputs", 0), {"value": 4}, "$.outputs[0].value", "there is no value 4 before this; 4 are defined"),
    (("outputs", 0), None, "$.outputs[0]", "expected a value or a number, got null"),
    (("effects", 0, "leaf"), 2, "$.effects[0].leaf", "neither an input nor a capture"),
    (("effects", 0, "value"), 3, "$.effects[0].value", "another type than the leaf"),
    (("effects",), [{"leaf": 0, "value": 2}] * 2, "$.effects[1].leaf", "the value is written twice"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "where", "problem"), FAULTS)
def test_a_fault_is_reported_with_its_path(path, value, where, problem):
    from_json(document())
    with pytest.raises(FormatError, match=re.escape(problem)) as caught:
        from_json(changed(path, value))
    assert str(caught.value).startswith(f"from_json: {where}: ")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000], ids=["lists", "objects"])
def test_deep_nesting_is_refused(text):
    with pytest.raises(FormatError, match="nested too deeply"):
        from_json(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not JSON: Expecting value (line 1, column 1)"),
        ("{\n'a': 1}", "(line 2, column 1)"),
        ("[]", "expected an object, got a list"),
        ("null", "expected an object, got null"),
        ('{"format": "tracegrad-graph", "format": "x"}', "a key appears twice in one object"),
        ('{"version": NaN}', "NaN is not JSON"),
        ('{"version": -Infinity}', "-Infinity is not JSON"),
        (f'{{"version": {"9" * 5000}}}', "not JSON: "),
    ],
)
def test_text_that_is_not_the_form_is_refused(text, problem):
    with pytest.raises(FormatError, match=re.escape(problem)):
        from_json(text)


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        (LIMITS._replace(characters=10), "more than the limit of 10"),
        (LIMITS._replace(nodes=1), "$.nodes: more nodes than the limit of 1"),
        (LIMITS._replace(operands=0), "$.nodes[0].inputs: more operands than the limit of 0"),
    ],
)
def test_limits_can_be_set(limits, problem):
    with pytest.raises(FormatError, match=re.escape(problem)):
        from_json(json.dumps(document()), limits)


def test_several_results_are_taken_apart_by_project_only():
    f32 = {"dtype": "f32", "shape": [3]}
    made = document()
    made["nodes"][1] = {"op": "project", "inputs": [{"value": 2}], "attrs": {"index": 0}, "types": [f32]}
    with pytest.raises(
        FormatError, match=re.escape("$.nodes[1]: project needs the value of an operator with several results")
    ):
        from_json(made)


def test_reading_does_not_change_the_given_dict():
    made = document()
    from_json(made)
    assert made == document()


def test_a_string_attribute_cannot_reach_python_source():
    graph = Graph([], [B.full(shape=(), value=1.0, dtype=F32)])
    hostile = json.loads(to_json(graph))
    hostile["nodes"][0]["attrs"]["value"] = {"str": "'); import os  #"}
    source = from_json(hostile).to_python()
    assert 'full((), "\'); import os  #", np.float32)' in source
