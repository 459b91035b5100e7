"""What is loaded on first use: the methods and properties of Tensor, and the functions of the package, are all there."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import tracegrad as tg
from tracegrad.eager import complex_values, functions, late

FUNCTIONS = {**functions.FUNCTIONS, **functions.TYPED, **complex_values.FUNCTIONS}


def printed(program: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("module", late.PLACES)
def test_every_method_of_a_module_is_listed(module: str):
    listed = late.PLACES[module].split()
    assert set(getattr(import_module(f"tracegrad.eager.{module}"), "METHODS", ())) <= set(listed)
    assert all(callable(getattr(tg.Tensor, name)) for name in listed)


@pytest.mark.parametrize("module", late.PROPERTIES)
def test_every_property_of_a_module_is_listed(module: str):
    listed = late.PROPERTIES[module].split()
    assert set(import_module(f"tracegrad.eager.{module}").PROPERTIES) == set(listed)
    assert all(isinstance(getattr(tg.Tensor, name), property) for name in listed)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_that_is_loaded_on_first_use_is_a_name_of_the_package(name: str):
    assert getattr(tg, name) is FUNCTIONS[name]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("print(x[1].item())", "2.0"),
        ("x[0] = 5; print(x.tolist())", "[5.0, 2.0]"),
        ("print(len(x), bool(x[0]), float(x[1]), int(x[1]))", "2 True 2.0 2"),
        ("print(x)", "tensor([1., 2.])"),
        ("x += 1; print(x.tolist())", "[2.0, 3.0]"),
        ("x.real = t.zeros(2); print(x.tolist())", "[0.0, 0.0]"),
        ("x.T; x.mul_(2).fill_(3); print(x.tolist())", "[3.0, 3.0]"),
        ("print(t.Tensor.exp.__name__, t.Tensor.exp is t.Tensor.exp)", "exp True"),
        ("print(x.size(), x.dim(), x.double().dtype)", "torch.Size([2]) 1 torch.float64"),
        ("import numpy; print(numpy.asarray(x))", "[1. 2.]"),
    ],
)
def test_the_first_statement_of_a_program_may_be(statement: str, expected: str):
    assert printed(f"import tracegrad as t; x = t.tensor([1.0, 2.0]); {statement}") == expected


def test_a_property_that_has_no_setter_cannot_be_assigned_before_its_first_use():
    program = "import tracegrad as t\ntry: t.ones(2, 2).H = 1\nexcept AttributeError: print('refused')"
    assert printed(program) == "refused"


def test_after_its_first_use_a_method_is_an_ordinary_attribute_of_the_class():
    program = "import tracegrad as t; x = t.ones(2); x.exp(); x.size(); d = vars(t.Tensor); print(type(d['exp']).__name__, type(d['size']).__name__)"
    assert printed(program) == "function function"


@pytest.mark.parametrize(
    "first", ["from tracegrad.autograd.gradcheck import gradgradcheck", "import tracegrad.autograd.gradcheck"]
)
def test_gradcheck_is_the_function_whatever_was_imported_before(first: str):
    assert printed(f"{first}\nimport tracegrad as t; print(t.autograd.gradcheck.__class__.__name__)") == "function"


@pytest.mark.parametrize("name", sorted(set(tg.autograd.__all__)))
def test_a_name_of_autograd_exists(name: str):
    assert getattr(tg.autograd, name) is not None
