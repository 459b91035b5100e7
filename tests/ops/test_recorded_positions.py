"""Masks and positions that are values, in compiled programs and under vmap."""

from __future__ import annotations

import pytest

import tracegrad as tg
from tracegrad.errors import TraceError

X = tg.arange(6.0).reshape(2, 3)
MASK = tg.tensor([[True, False, True], [False, True, False]])
SOURCE = tg.arange(10.0, 16.0).reshape(2, 3)


def scattered(x, mask, source):
    return x.masked_scatter(mask, source)


def written(x, mask, source):
    y = x * 1
    y[mask] = source.reshape(-1)[:3]
    return y


def added(x, mask, source):
    return x.index_put((mask,), source.reshape(-1)[:3], accumulate=True)


def columns(x, mask, source):
    y = x * 1
    y[:, mask[0]] = source[:, :2]
    return y


def rows(x, mask, source):
    y = x * 1
    y[mask[:, 0]] = source[:1]
    return y


PROGRAMS = pytest.mark.parametrize("program", [scattered, written, added, columns, rows])


@PROGRAMS
def test_writes_through_masks_are_compiled(program):
    expected = program(X, MASK, SOURCE)
    assert tg.compile(program)(X, MASK, SOURCE).tolist() == expected.tolist()


@PROGRAMS
def test_compiled_writes_through_masks_have_derivatives(program):
    slopes = tg.func.grad(lambda x, s: (program(x, MASK, s) ** 2).sum(), argnums=(0, 1))
    for made, expected in zip(tg.compile(slopes)(X, SOURCE), slopes(X, SOURCE), strict=True):
        assert made.tolist() == expected.tolist()


@PROGRAMS
def test_writes_through_masks_under_vmap(program):
    masks = tg.stack([MASK, MASK.flip(0).flip(1) if program is scattered else MASK])
    made = tg.func.vmap(program, in_dims=(None, 0, None))(X, masks, SOURCE)
    assert made.tolist() == [program(X, m, SOURCE).tolist() for m in masks]


def test_too_few_elements_are_refused_while_recording():
    with pytest.raises(RuntimeError, match="number of ones in mask"):
        tg.compile(lambda x, m, s: x.masked_scatter(m, s))(X, MASK, SOURCE.reshape(-1)[:2])
    with pytest.raises(RuntimeError, match="shape mismatch"):
        tg.compile(written)(X, ~MASK[:, :1].expand(2, 3), SOURCE[:0])


def test_a_compiled_narrow_follows_the_position_that_it_is_given():
    compiled = tg.compile(lambda x, k: x.narrow(1, k, 2) * 2)
    for k in (0, 1, -2):
        assert compiled(X, tg.tensor(k)).tolist() == (X.narrow(1, k, 2) * 2).tolist()
    made = tg.func.vmap(lambda k: X.narrow(1, k, 1))(tg.tensor([0, 2]))
    assert made.tolist() == [X[:, :1].tolist(), X[:, 2:].tolist()]


def test_positions_that_no_argument_decides_may_be_read():
    start, ends = tg.tensor(1), tg.tensor([1, 2])
    assert tg.compile(lambda x: x.narrow(1, start, 2))(X).tolist() == X[:, 1:].tolist()
    assert tg.compile(lambda x: x.tensor_split(ends, 1)[1])(X).tolist() == X[:, 1:2].tolist()
    assert tg.compile(lambda x: x.tensor_split(tg.tensor([1, 2]) + 1, 1)[0])(X).tolist() == X[:, :2].tolist()
    with pytest.raises(TraceError, match="tolist reads a value"):
        tg.func.vmap(lambda k: X.tensor_split(k[None], 1)[0])(ends)


def test_positions_among_the_arguments_decide_about_compiled_functions():
    compiled = tg.compile(lambda x, k: x.tensor_split(k, 1)[0])
    for ends in (tg.tensor([1, 2]), tg.tensor([2, 2]), tg.tensor([1, 2])):
        assert compiled(X, ends).tolist() == X[:, : int(ends[0])].tolist()


def test_index_add_to_numbers_under_vmap():
    x, source = tg.tensor([1.0, 2.0]), tg.tensor([3.0, 5.0])
    made = tg.func.vmap(lambda x, s: x.index_add(0, tg.tensor([0]), s, alpha=2))(x, source)
    assert made.tolist() == [7.0, 12.0]


INDICES = ["k", "(k, k)", "(0, k)", "(k, slice(None), i)", "(slice(None), k)", "(i, k)", "(None, k)", "(..., k, slice(0, 2))", "True", "(True, 0)", "(0, True)", "False"]  # fmt: skip


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("index", INDICES)
def test_positions_of_no_axes_and_bools_are_read_and_written(index, backend):
    if backend == "jax":
        pytest.importorskip("jax")
    x, k, i = tg.arange(24.0).reshape(2, 3, 4), tg.tensor(1), tg.tensor([0, 1])
    code = compile(index, "<index>", "eval")

    def read(x, k, i):
        return x[eval(code, {"k": k, "i": i})] * 2

    def write(x, k, i):
        y = x * 1
        y[eval(code, {"k": k, "i": i})] = -1.0
        y[eval(code, {"k": k, "i": i})] += 3.0
        return y

    for program in (read, write):
        assert tg.compile(program, backend=backend)(x, k, i).tolist() == program(x, k, i).tolist()
        both = tg.func.vmap(program, in_dims=(0, 0, None))(tg.stack([x, x + 1]), tg.tensor([1, 0]), i)
        assert both.tolist() == [program(x, k, i).tolist(), program(x + 1, tg.tensor(0), i).tolist()]


NEGATIVE = {
    "scatter": (lambda x, i: tg.scatter(x, 0, i, tg.ones(1, 3)), [[0, 1, -1]]),
    "index_copy": (lambda x, i: tg.index_copy(x, 0, i, tg.ones(1, 3)), [-1]),
    "max_unpool1d": (lambda x, i: tg.nn.functional.max_unpool1d(x[None], i, 2), [[[0, 1, -1], [0, 1, 2]]]),
}


@pytest.mark.parametrize("name", NEGATIVE)
def test_a_program_refuses_the_negative_positions_that_eager_code_refuses(name):
    function, wrong = NEGATIVE[name]
    x, index = tg.arange(6.0).reshape(2, 3), tg.tensor(wrong)
    fast = tg.compile(function)
    assert fast(x, index.abs()).tolist() == function(x, index.abs()).tolist()
    for run in (function, fast):
        with pytest.raises((IndexError, RuntimeError)):
            run(x, index)
