"""Movement, slicing and joining against torch 2.13: values, derivatives, grad_fn names, shared memory and error classes."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tracegrad as tg  # noqa: E402
from tests.ops.oracle import assert_same, draw  # noqa: E402

SHAPES = [(), (1,), (5,), (0,), (2, 3), (3, 3), (1, 3), (0, 3), (2, 1, 3), (2, 3, 4), (4, 1, 1, 2)]
EXPRESSIONS = """
x.t()
t.t(x)
x.T
x.mT
x.transpose(0, 1)
x.transpose(-1, 0)
t.transpose(x, 0, 2)
x.swapaxes(0, -1)
t.swapdims(x, 1, 0)
x.permute(1, 0)
x.permute((0, 1))
x.permute(2, 0, 1)
t.permute(x, (-1, 0))
x.permute(0, 0)
x.permute()
x.movedim(0, -1)
t.moveaxis(x, (0, 1), (1, 0))
t.movedim(x, (0, 0), (1, 0))
x.reshape(-1)
x.reshape(())
x.reshape(3, -1)
t.reshape(x, (2, 3))
t.reshape(x, shape=(6,))
x.reshape(-1, -1)
x.reshape(-1, 0)
x.reshape(-2, 3)
x.reshape(1, *x.shape)
x.reshape_as(t.zeros(3, 2))
x.transpose(0, -1).reshape(-1)
x.transpose(0, -1).reshape(*x.transpose(0, -1).shape, 1)
x.transpose(0, -1).reshape(3, -1)
x.view(-1)
x.view(3, 2)
x.view((1, -1))
x.view_as(t.zeros(3, 2))
x.transpose(0, -1).view(-1)
x.flatten()
x.flatten(1)
x.flatten(0, 1)
t.flatten(x, -2, -1)
t.flatten(x, 1, 0)
t.flatten(x, 0, 7)
t.ravel(x)
x.unflatten(-1, (1, -1))
x.unflatten(0, (3, 1))
x.expand(2, 3)
x.expand(4, 2, 3)
x.expand(-1, 3)
x.expand(2, -1, 3, -1)
x.expand((-1, -1, -1, 7))
x.expand(0)
x.expand_as(t.zeros(2, 2, 3))
t.broadcast_to(x, (2, 3, 3))
x.broadcast_to((3,))
x.unsqueeze(0)
x.unsqueeze(-1)
x.unsqueeze(2)
t.unsqueeze(x, -3)
x.squeeze()
x.squeeze(0)
x.squeeze(-1)
t.squeeze(x, 1)
x.squeeze((0, 1))
x.squeeze((0, 0))
x.squeeze((1, 2))
x.flip(0)
x.flip(0, 1)
x.flip((-1,))
t.flip(x, (0, 0))
x.flip(())
x.repeat(2)
x.repeat(2, 1)
x.repeat(1, 2, 0)
x.repeat(2, 1, 2, 1)
x.tile(2)
t.tile(x, (2, 2))
x.tile((2, 1, 2))
x.split(2)
x.split(2, 1)
t.split(x, 1, dim=-1)
x.split([2, 3])
x.split([1, 1])
x.split([1, -1, 3])
x.split([1, 2], dim=1)
x.split(0)
x.split(-1)
x.chunk(2)
t.chunk(x, 3, 1)
x.chunk(7)
x.chunk(0)
x.unbind()
x.unbind(1)
t.unbind(x, -1)
x.select(0, 0)
x.select(-1, -1)
t.select(x, 1, 2)
x.select(0, 9)
x.narrow(0, 0, 1)
x.narrow(1, 1, 2)
x.narrow(0, -2, 2)
x.narrow(0, 0, 9)
x.narrow(-1, 0, -1)
t.narrow(x, 0, 1, 1)
x.diagonal()
x.diagonal(1)
x.diagonal(-1, 0, -1)
t.diagonal(x, 0, 1, 0)
t.diagonal(x, 0, 0, 0)
x.diagonal(9)
x.tril()
x.tril(1)
t.triu(x)
x.triu(-1)
t.triu(x, diagonal=2)
t.cat([x, x])
t.cat((x, x * 2, x), 1)
t.cat([x, x], dim=-1)
t.cat([x])
t.concat([x, x], -2)
t.cat([t.zeros(0), x])
t.cat([x, t.ones(2, 3, dtype=t.float32)])
t.cat([x, t.ones(2, 2)], 1)
t.cat([x, t.ones(3, dtype=t.int64)])
t.cat([])
t.cat(x)
t.cat([x, 1])
t.stack([x, x])
t.stack((x, x * 3), 1)
t.stack([x, x], -1)
t.stack([x, t.ones(2, 3)])
t.stack([])
t.stack([x, t.ones(2, 3, dtype=t.int32)], dim=2)
t.vstack([x, x])
t.hstack([x, x])
list(x)
""".strip().splitlines()
VIEWS = """
x.t()
x.transpose(0, 1)
x.permute(1, 0)
x.reshape(-1)
x.t().reshape(3, 4, 1)
x.t().reshape(-1)
x.view(2, 6)
x.flatten()
x.expand(4, 3)
x.unsqueeze(0)
x.squeeze()
x.flip(0)
x.repeat(1, 1)
x.split(2)[0]
x.chunk(2)[1]
x.unbind()[0]
x.select(0, 1)
x.narrow(0, 0, 2)
x.diagonal()
x.tril()
x[1]
x[1:3]
x[...]
x[None]
x[:, 1]
x[[0, 1]]
x[x > 0]
""".strip().splitlines()


def compiled(expression):
    return eval(f"lambda t, x: {expression}")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_values_names_and_derivatives(expression):
    for seed, shape in enumerate(SHAPES):
        if len(shape) == 2 or expression not in ("x.T", "x.mT"):  # torch warns
            assert_same(
                torch,
                compiled(expression),
                draw(seed, shape),
                names=shape != () or ("swap" not in expression and "transpose" not in expression),
            )


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("dtype", ["int64", "bool", "float32"])
def test_other_dtypes(expression, dtype):
    assert_same(torch, compiled(expression), draw(1, (2, 3), dtype), orders=0)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_of_a_strided_operand(expression):
    function = compiled(expression)
    assert_same(torch, lambda t, x: function(t, x.transpose(0, 1)[::2]), draw(1, (6, 4)), names=False)


@pytest.mark.parametrize("expression", VIEWS)
def test_a_view_shows_writes_and_a_copy_does_not(expression):
    function, data = compiled(expression), np.arange(1.0, 13.0).reshape(4, 3)
    seen = []
    for t in (torch, tg):
        x = t.tensor(data)
        made = function(t, x)
        x.mul_(2)
        seen.append(made.numpy().copy())
    np.testing.assert_array_equal(*seen)


@pytest.mark.parametrize("expression", [e for e in VIEWS if "expand" not in e])
def test_a_write_to_a_view_reaches_the_base(expression):
    function, data = compiled(expression), np.arange(1.0, 13.0).reshape(4, 3)
    seen = []
    for t in (torch, tg):
        x = t.tensor(data)
        function(t, x).mul_(2)
        seen.append(x.numpy().copy())
    np.testing.assert_array_equal(*seen)


@pytest.mark.parametrize(
    "piece", ["x.split(1)[0]", "x.split([2, 2])[1]", "x.chunk(2)[0]", "x.unbind()[0]", "x.unbind()[0][1:]"]
)
def test_the_pieces_of_one_tensor_refuse_in_place_writes_that_autograd_follows(piece):
    function = compiled(piece)

    def write(t, x):
        y = x * 1
        return function(t, y).mul_(2)

    assert_same(torch, write, draw(0, (4, 3)))


def test_a_write_to_an_expanded_tensor_is_refused():
    assert_same(torch, lambda t, x: x.expand(3, 3).add_(1), draw(0, (3,)), orders=0)


def test_a_negative_repeat_is_refused():
    assert_same(torch, lambda t, x: x.repeat(-1), draw(0, (3,)))
