"""The text parser: every fault is a FormatError with line, column and what was expected."""

from __future__ import annotations

import re

import pytest

from tracegrad.errors import FormatError
from tracegrad.ir.graph import Graph
from tracegrad.ir.literals import LIMITS
from tracegrad.ir.parse import parse
from tracegrad.ir.text import graph_text


def body(*lines: str, head: str = "%x: f32[3], %w: f32[3,4]") -> str:
    """A graph text with these lines; the first stands on line 2."""
    return "\n".join([f"graph({head}) {{", *(f"  {line}" for line in lines), "}"])


FAULTS = [
    # id, text, line, column, what the message says
    ("empty", "", 1, 1, "expected 'graph', got the end of the text"),
    ("other word", "program() {", 1, 1, "expected 'graph', got 'program'"),
    ("no parenthesis", "graph %x", 1, 7, "expected '(', got '%x'"),
    ("character", "graph(%x: f32[3]) {\n  return $\n}", 2, 10, "unexpected character '$'"),
    ("name of a leaf", "graph(x: f32[3]) {", 1, 7, "expected a name such as %x, got 'x'"),
    ("leaf with digit", "graph(%1: f32[3]) {", 1, 7, "cannot start with a digit: %1"),
    ("repeated leaf", "graph(%x: f32[3], %x: f32[3]) {", 1, 19, "%x is defined twice"),
    ("no type", "graph(%x) {", 1, 9, "expected ':', got ')'"),
    ("dtype", "graph(%x: f31[3]) {", 1, 11, "unknown element type 'f31'; it is one of bool, u8"),
    ("negative size", "graph(%x: f32[-3]) {", 1, 15, "expected a size, got '-3'"),
    ("float size", "graph(%x: f32[3.0]) {", 1, 15, "expected a size, got '3.0'"),
    ("size and name", "graph(%x: f32[n]) {", 1, 15, "expected a size, got 'n'"),
    ("too many elements", "graph(%x: f32[1000000000,1000000000]) {", 1, 11, "is outside the limit of 281474976710656 elements"),
    ("too many axes", f"graph(%x: f32[{'1,' * 64}1]) {{", 1, 11, "more axes than the limit of 64"),
    ("no capture word", "graph(; %x: f32[3]) {", 1, 9, "expected 'capture', got '%x'"),
    ("no brace", "graph()\nreturn", 1, 8, "expected '{', got the end of the line"),
    ("no return", body("%1: f32[3] = neg(%x)"), 3, 1, "expected a node (%1: ...), 'effect' or 'return', got '}'"),
    ("no end", "graph() {\n  return\n", 3, 1, "expected '}', got the end of the text"),
    ("text after the end", "graph() {\n  return\n}\ngraph", 4, 1, "expected the end of the text, got 'graph'"),
    ("unknown operator", body("%1: f32[3] = ngeg(%x)"), 2, 16, "unknown operator 'ngeg'"),
    ("undefined name", body("%1: f32[3] = neg(%y)"), 2, 20, "%y is not defined here"),
    ("name used before", body("%1: f32[3] = neg(%2)", "%2: f32[3] = neg(%1)"), 2, 20, "%2 is not defined here"),
    ("repeated node", body("%1: f32[3] = neg(%x)", "%1: f32[3] = neg(%x)"), 3, 3, "%1 is defined twice"),
    ("node over leaf", body("%x: f32[3] = neg(%x)"), 2, 3, "%x is defined twice"),
    ("too few operands", body("%1: f32[3] = add(%x)"), 2, 16, "add takes 2 operands (x, y), got 1"),
    ("too many operands", body("%1: f32[3] = neg(%x, %x)"), 2, 16, "neg takes 1 operand (x), got 2"),
    ("absent operand", body("%1: f32[3] = neg(None)"), 2, 16, "operand 'x' of neg cannot be None"),
    ("string operand", body('%1: f32[3] = neg("a")'), 2, 20, "expected a value (%name), a number or None"),
    ("missing attribute", body("%1: f32[] = sum(%x, dim=None)"), 2, 15, "sum needs the attribute 'keepdim'"),
    ("unknown attribute", body("%1: f32[3] = neg(%x, a=1)"), 2, 16, "neg has no attribute 'a'; it has none"),
    ("repeated attribute", body("%1: f32[] = sum(%x, dim=None, dim=None)"), 2, 33, "the attribute 'dim' is given twice"),
    ("operand after attribute", body("%1: f32[] = sum(dim=None, %x)"), 2, 29, "operands stand before attributes"),
    ("attribute value", body("%1: f32[] = sum(%x, dim=%x, keepdim=False)"), 2, 27, "expected a literal, got '%x'"),
    ("attribute of wrong kind", body('%1: f32[3] = reshape(%x, shape="a")'), 2, 16, "reshape does not take these operands and attributes"),
    ("object", body("%1: f32[3] = full(shape=(), value=<Square>, dtype=f32)"), 2, 37, "<Square> stands for an object that the text form cannot hold"),
    ("wrong type", body("%1: f32[4] = neg(%x)"), 2, 16, "the type of neg here is f32[3], not f32[4]"),
    ("wrong dtype", body("%1: f64[3] = neg(%x)"), 2, 16, "the type of neg here is f32[3], not f64[3]"),
    ("shapes do not fit", body("%1: f32[3] = add(%x, %w)"), 2, 16, "add does not take these operands and attributes"),
    ("one type for several", body("%1: f32[3] = neg(%x)", "%2: f32[3] = project(%1, index=0)"), 3, 16, "project needs the value of an operator with several results"),
    ("tuple for one result", body("%1: (f32[3], f32[3]) = neg(%x)"), 2, 7, "neg has one result: expected one type"),
    ("after effect", body("effect %x <- %x", "%1: f32[3] = neg(%x)"), 3, 3, "a node cannot stand after an effect"),
    ("effect on a node", body("%1: f32[3] = neg(%x)", "effect %1 <- %x"), 3, 10, "%1 is not an input or a capture"),
    ("effect twice", body("effect %x <- %x", "effect %x <- %x"), 3, 10, "%x is written twice"),
    ("effect of another type", body("effect %x <- %w"), 2, 16, "%w has another type than %x"),
    ("return of a string", body('return "a"'), 2, 10, "expected a value (%name) or a number"),
    ("return of None", body("return None"), 2, 10, "expected a value (%name) or a number"),
    ("return without comma", body("return %x %w"), 2, 13, "expected ',', got '%w'"),
    ("two nodes on a line", body("%1: f32[3] = neg(%x) %2: f32[3] = neg(%x)"), 2, 24, "expected the end of the line, got '%2'"),
    ("tuple of one", body("%1: f32[1] = full(shape=(1), value=0, dtype=f32)"), 2, 29, "a tuple of one is written (a,)"),
    ("slice", body("%1: f32[1] = full(shape=slice(1, 2), value=0, dtype=f32)"), 2, 27, "slice takes 3 literals, got 2"),
    ("complex", body("return complex(1, 2)"), 2, 10, "complex takes two floats"),
    ("escape", body('%1: f32[] = full(shape=(), value="\\q", dtype=f32)'), 2, 36, "a string with an unknown escape"),
    ("open string", body('%1: f32[] = full(shape=(), value="a'), 2, 36, "unexpected character '\"'"),
    ("deep", body(f"%1: f32[] = full(shape={'(' * 100}"), 2, 76, "nested deeper than the limit of 50"),
    ("digits", body(f"return {'9' * 1001}"), 2, 10, "a number of more than 1000 digits"),
    ("size digits", f"graph(%x: f32[{'9' * 5000}]) {{", 1, 15, "expected a size"),
    ("Python", body("return __import__('os')"), 2, 21, "unexpected character"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "column", "problem"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_fault_is_reported_with_its_place(text, line, column, problem):
    with pytest.raises(FormatError, match=re.escape(problem)) as caught:
        parse(text)
    assert str(caught.value).startswith(f"parse: line {line}, column {column}: ")
    assert isinstance(caught.value, ValueError)


def test_several_results_are_taken_apart_by_project_only(pair):
    head = "%1: (f32[3], f64[3]) = pair_for_tests(%x)"
    parse(body(head, "%2: f64[3] = project(%1, index=1)", "return %2"))
    for line, column, problem in [
        ("%2: f32[3] = neg(%1)", 16, "operand 'x' of neg has several results"),
        ("return %1", 10, "%1 has several results"),
        ("%2: f32[3] = project(%1, index=2)", 16, "index=2 is not one of the 2 results"),
        ("%2: f32[3] = project(%1, index=-2)", 16, "index=-2 is not one of the 2 results"),
        ("%2: f32[3] = project(%1, index=False)", 16, "index=False is not one of the 2 results"),
    ]:
        with pytest.raises(FormatError, match=re.escape(problem)) as caught:
            parse(body(head, line))
        assert f"line 3, column {column}:" in str(caught.value)
    with pytest.raises(FormatError, match=r"column 7: pair_for_tests has several results: expected \(type, ...\)"):
        parse(body("%1: f32[3] = pair_for_tests(%x)"))
    with pytest.raises(FormatError, match="the type of pair_for_tests here is"):
        parse(body("%1: (f32[3],) = pair_for_tests(%x)"))


def test_blank_lines_comments_and_spaces_do_not_matter():
    text = "# a case\n\ngraph( %x :f32[ 3 ] ){ # head\n\n# nothing\n%7:f32[3]=neg( %x )  # train.py:17\n\n return %7 # out\n}\n\n"
    graph = parse(text)
    assert graph_text(graph) == "graph(%x: f32[3]) {\n  %1: f32[3] = neg(%x)  # train.py:17\n  return %1\n}"
    assert graph.nodes[0].extra == ("train.py", 17)


@pytest.mark.parametrize("comment", ["# train.py", "# train.py:x", "#", "# :17", "# a:12345678901"])
def test_other_comments_are_not_locations(comment):
    assert parse(body(f"%1: f32[3] = neg(%x) {comment}", "return %1")).nodes[0].extra is None


def test_attributes_may_stand_in_any_order():
    one = parse(body("%1: f32[] = sum(%x, dim=None, keepdim=False)", "return %1"))
    assert one == parse(body("%1: f32[] = sum(%x, keepdim=False, dim=None)", "return %1"))


def test_derivatives_flow_through_floating_leaves_only():
    graph = parse("graph(%x: f32[3], %i: i64[3]) {\n  return\n}")
    assert [leaf.needs for leaf in graph.inputs] == [True, False]


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        (LIMITS._replace(characters=10), "the text has 60 characters, more than the limit of 10"),
        (LIMITS._replace(nodes=0), "line 2, column 3: more nodes than the limit of 0"),
        (LIMITS._replace(elements=2), "line 1, column 11: shape [3] is outside the limit of 2 elements"),
        (LIMITS._replace(operands=1), "line 2, column 24: more operands than the limit of 1"),
    ],
)
def test_limits_can_be_set(limits, problem):
    text = body("%1: f32[3] = add(%x, %x)", "return %1", head="%x: f32[3]")
    parse(text)
    with pytest.raises(FormatError, match=re.escape(problem)):
        parse(text, limits)


def test_a_large_graph_is_read_in_linear_time():
    lines = ["%1: f32[3] = neg(%x)", *(f"%{i}: f32[3] = neg(%{i - 1})" for i in range(2, 20_000)), "return %19999"]
    assert len(parse(body(*lines)).nodes) == 19_999


def test_from_text_is_the_parser(graph):
    assert Graph.from_text(graph.to_text()) == graph


@pytest.mark.parametrize("value", [5, None, b"graph() {\n}\n"])
def test_what_is_no_text_is_refused_by_its_type(value):
    with pytest.raises(TypeError, match="parse: the text must be a str"):
        Graph.from_text(value)
