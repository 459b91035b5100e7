"""Printed forms that scripts rely on; random tensors are compared with torch in test_oracle_printing.py."""

import pytest

import tracegrad as tg


@pytest.fixture(autouse=True)
def default_options():
    yield
    tg.set_printoptions(profile="default")


FORMS = [
    (lambda: tg.tensor(3), "tensor(3)"),
    (lambda: tg.tensor(2.5), "tensor(2.5000)"),
    (lambda: tg.tensor([]), "tensor([])"),
    (lambda: tg.zeros(2, 0), "tensor([], size=(2, 0))"),
    (lambda: tg.zeros(0, dtype=tg.int64), "tensor([], dtype=torch.int64)"),
    (lambda: tg.tensor([1.0, 2.0]), "tensor([1., 2.])"),
    (lambda: tg.tensor([1e-5, 1.0]), "tensor([1.0000e-05, 1.0000e+00])"),
    (lambda: tg.tensor([float("nan"), float("inf"), 1.0]), "tensor([nan, inf, 1.])"),
    (lambda: tg.tensor([[True, False]]), "tensor([[ True, False]])"),
    (lambda: tg.tensor([[1, -20], [300, 4]]), "tensor([[  1, -20],\n        [300,   4]])"),
    (lambda: tg.ones(2, dtype=tg.float64), "tensor([1., 1.], dtype=torch.float64)"),
    (lambda: tg.ones(2, requires_grad=True), "tensor([1., 1.], requires_grad=True)"),
    (lambda: tg.ones(2, requires_grad=True) + 1, "tensor([2., 2.], grad_fn=<AddBackward0>)"),
    (lambda: tg.arange(1001), "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
    (lambda: tg.tensor([1 + 2j, 3 - 4j]), "tensor([1.+2.j, 3.-4.j])"),
]


@pytest.mark.parametrize(("make", "text"), FORMS, ids=[text.replace("\n", " ") for _, text in FORMS])
def test_form(make, text):
    assert repr(make()) == str(make()) == text


def test_a_long_note_goes_to_a_line_of_its_own():
    x = tg.linspace(0, 1, 8, requires_grad=True) + 1
    assert repr(x).endswith("\n       grad_fn=<AddBackward0>)")


def test_options_change_the_form_and_a_profile_restores_it():
    x = tg.tensor([1.23456, 1000.0])
    before = repr(x)
    tg.set_printoptions(precision=2, sci_mode=False)
    assert repr(x) == "tensor([   1.23, 1000.00])"
    tg.set_printoptions(sci_mode=True, precision=1)
    assert repr(x) == "tensor([1.2e+00, 1.0e+03])"
    tg.set_printoptions(profile="default")
    assert repr(x) == before


def test_an_unknown_profile_changes_nothing():
    before = repr(tg.arange(3.0) / 7)
    tg.set_printoptions(profile="tall")
    assert repr(tg.arange(3.0) / 7) == before


def test_a_parameter_says_what_it_is():
    assert repr(tg.nn.Parameter(tg.ones(1))) == "Parameter containing:\ntensor([1.], requires_grad=True)"


def test_a_single_number_formats_with_its_specification():
    assert f"{tg.tensor(2.5):.3f} {tg.tensor(7):>3} {tg.tensor(2.5)}" == "2.500   7 2.5"
