"""A broken definition is refused when its class is made, and the message names the operator and the field."""

from __future__ import annotations

import pytest

from tracegrad.autograd.engine import grad
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import DefinitionError
from tracegrad.ir.families import Comparison, Composite, Elementwise
from tracegrad.ir.op import REGISTRY, Op

SHAPE = "Shape: (*a) -> (*a)."


def define(body, base=Elementwise, name="BrokenForTests"):
    """The class `name` with these fields over a definition that would be complete."""
    whole = {"__doc__": SHAPE, "numpy": "np.sin({x})", "samples": (), "grad_x": staticmethod(lambda F, g, x: g), **body}
    return type(name, (base,), {k: v for k, v in whole.items() if v is not None})


def rule(text):
    """A derivative rule with these parameters."""
    return staticmethod(eval(f"lambda {text}: None"))


BROKEN = {
    "no shape line": ({"__doc__": "Something."}, "docstring"),
    "no docstring": ({"__doc__": None}, "docstring"),
    "no samples": ({"samples": None}, "samples"),
    "no expression": ({"numpy": None}, "neither a numpy expression nor decompose"),
    "numpy names no operand": ({"numpy": "np.sin({y})"}, r"numpy names \['y'\]"),
    "jax names no operand": ({"jax": "jnp.sin({z})"}, r"jax names \['z'\]"),
    "no rule": ({"grad_x": None}, "no grad_x"),
    "rule of one of two operands": ({"inputs": ("x", "y"), "numpy": "np.add({x}, {y})"}, "no grad_y"),
    "rule reads an unknown name": ({"grad_x": rule("F, g, z")}, r"grad_x reads \['z'\]"),
    "rule does not take F": ({"grad_x": rule("g, x")}, "grad_x must take F first"),
    "rule is no staticmethod": ({"grad_x": classmethod(lambda cls, F, g: g)}, "grad_x must be a staticmethod"),
    "tensors names no parameter": ({"tensors": ("other",)}, r"tensors names \['other'\], which are not parameters"),
    "numbers names no parameter": ({"numbers": ("x",)}, r"numbers names \['x'\], which are not parameters"),
    "linear names no operand": ({"linear": ("y",)}, r"linear names \['y'\]"),
    "nondiff names no operand": ({"nondiff": ("y",)}, r"nondiff names \['y'\]"),
    "nondiff_outputs names no result": ({"nondiff_outputs": ("values",)}, r"nondiff_outputs names \['values'\]"),
    "commutative with one operand": ({"commutative": True}, "commutative needs exactly two operands"),
    "reserved operand": ({"inputs": ("g",), "numpy": "np.sin({g})"}, "'g' is a reserved name"),
    "reserved attribute": ({"attrs": ("size",)}, "'size' is a reserved name"),
    "attribute of a differentiable operator": ({"attrs": ("n",)}, "'n' is a reserved name"),
    "attribute that looks like a type": ({"attrs": ("x_type",)}, "'x_type' is a reserved name"),
    "name twice": ({"attrs": ("x",)}, "appears twice"),
    "variadic not last": ({"inputs": ("*xs", "y"), "numpy": "np.sin({y})"}, "only the last operand may be variadic"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_definition_is_refused(case):
    body, message = BROKEN[case]
    with pytest.raises(DefinitionError, match=rf"^op broken_for_tests: .*{message}"):
        define(body)
    assert "broken_for_tests" not in REGISTRY


def test_an_operator_without_type_rule_is_refused():
    with pytest.raises(DefinitionError, match="op broken_for_tests: no type rule"):
        define({}, base=Op)


def test_a_composite_without_call_is_refused():
    with pytest.raises(DefinitionError, match="op broken_for_tests: a composite needs call"):
        define({"grad_x": None, "numpy": None}, base=Composite)


def test_a_definition_error_is_a_type_error():
    with pytest.raises(TypeError):
        define({"samples": None})


@pytest.fixture
def complete():
    """A complete definition, out of the registry again after the test."""
    made = define({}, name="CompleteForTests")
    yield made
    del REGISTRY["complete_for_tests"]


def test_a_complete_definition_is_registered_under_its_snake_case_name(complete):
    assert REGISTRY["complete_for_tests"] is complete


def test_what_the_tape_saves_follows_from_what_the_rules_read(complete):
    assert complete.saves == ((0,), ())  # the rule of x reads x, nothing reads the result


def test_an_operator_whose_results_have_no_derivative_needs_no_rule():
    made = define({"grad_x": None, "numpy": "np.isnan({x})"}, base=Comparison, name="TestForTests")
    try:
        assert made.rules == (None,)
    finally:
        del REGISTRY["test_for_tests"]


def test_a_definition_that_extends_another_keeps_its_own_backward():
    parent = define({}, name="ParentForTests")
    child = define({"grad_x": staticmethod(lambda F, g: F.neg(g))}, base=parent, name="ChildForTests")
    try:
        x = Tensor([1.0]).requires_grad_()
        assert grad(T.parent_for_tests(x), x, Tensor([1.0]))[0].item() == 1.0
        assert grad(T.child_for_tests(x), x, Tensor([1.0]))[0].item() == -1.0
        assert child.rules != parent.rules
    finally:
        del REGISTRY["parent_for_tests"], REGISTRY["child_for_tests"]
