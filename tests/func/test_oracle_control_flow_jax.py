"""Structured control flow on the JAX backend: lax.cond, lax.scan and lax.while_loop give the numbers of plain Python."""

from __future__ import annotations

import pytest

import tracegrad as tg
from tests.func.control_programs import PAIRS, assert_close, branches, branches_plain, grows, tensor
from tracegrad.func import grad, hessian, jvp, vmap

pytest.importorskip("jax")

every_pair = pytest.mark.parametrize(("function", "plain", "args"), PAIRS.values(), ids=PAIRS)
REVERSIBLE = {name: pair for name, pair in PAIRS.items() if name != "while_loop"}


@every_pair
def test_the_value_is_that_of_python(function, plain, args):
    assert_close(tg.compile(function, backend="jax")(*args), plain(*args))


@pytest.mark.parametrize(("function", "plain", "args"), REVERSIBLE.values(), ids=REVERSIBLE)
def test_first_and_second_derivatives(function, plain, args):
    for found, want in zip(
        tg.compile(grad(function, (0, 1)), backend="jax")(*args), grad(plain, (0, 1))(*args), strict=True
    ):
        assert_close(found, want)
    assert_close(tg.compile(hessian(function), backend="jax")(*args), hessian(plain)(*args))


def test_forward_mode_through_a_while_loop():
    x, y = PAIRS["while_loop"][2]
    found = tg.compile(lambda x: jvp(lambda x: grows(x, y), (x,), (x,))[1], backend="jax")(x)
    assert_close(found, (grad(PAIRS["while_loop"][1])(x, y) * x).sum())


def test_the_reverse_of_a_while_loop_names_the_remedies():
    x, y = PAIRS["while_loop"][2]
    with pytest.raises(RuntimeError, match=r"fori_loop with static bounds.*max_steps"):
        tg.compile(grad(grows), backend="jax")(x, y)


def test_mapped_branches_and_loops():
    x, y = tensor(4, 3), tensor(3)
    found = tg.compile(lambda x: vmap(branches, (0, None))(x, y), backend="jax")(x)
    assert_close(found, tg.stack([branches_plain(row, y) for row in x]))
    found = tg.compile(lambda x: vmap(grows, (0, None))(x, y), backend="jax")(x)
    assert_close(found, tg.stack([grows(row, y) for row in x]))


def test_the_source_holds_the_bodies():
    fast = tg.compile(PAIRS["nested"][0], backend="jax")
    fast(*PAIRS["nested"][2])
    assert "def body0(" in fast.source and "K.scan(" in fast.source and "K.cond(" in fast.source
