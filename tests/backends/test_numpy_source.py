"""The NumPy backend's text: constants, memory used again, early release, thread safety."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.backends.numpy_backend import NumpyExecutable, numpy_source
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import make_leaf
from tracegrad.ir.types import Type

F64 = np.dtype(np.float64)


def leaf(*shape):
    return make_leaf(Type(shape, F64))


def test_a_number_becomes_a_constant_of_the_arrays_dtype():
    x = make_leaf(Type((3,), np.dtype(np.float32)))
    text = numpy_source(Graph([x], [B.mul(x, 2.5)]))
    assert "k0 = np.array(2.5, np.float32)" in text
    assert "v0 = a0 * k0" in text


def test_a_dead_intermediate_is_written_over():
    x = leaf(3)
    text = numpy_source(Graph([x], [B.cos(B.sin(x))]))
    assert "v0 = np.cos(v0, v0)" in text


def test_an_argument_is_never_written_over():
    x = leaf(3)
    array = np.ones(3)
    NumpyExecutable(Graph([x], [B.cos(B.sin(x))]))(array)
    np.testing.assert_array_equal(array, np.ones(3))


def test_memory_that_a_view_still_shows_is_not_written_over():
    x = leaf(4)
    y = B.sin(x)
    view = B.reshape(y, shape=(2, 2))
    z = B.cos(y)
    graph = Graph([x], [B.add(view, 0.0), z])
    array = np.arange(4.0)
    got = NumpyExecutable(graph)(array)
    np.testing.assert_allclose(got[0], np.sin(array).reshape(2, 2))
    np.testing.assert_allclose(got[1], np.cos(np.sin(array)))


def test_large_arrays_are_released_after_their_last_use():
    x = leaf(100_000)
    y = B.sin(x)
    text = numpy_source(Graph([x], [B.sum(B.mul(y, y), dim=None, keepdim=False)]))
    assert "del v0" in text


def test_overflow_and_division_by_zero_are_silent():
    f = tg.compile(lambda x: (1 / x).exp())
    assert np.isinf(f(tg.zeros(3)).numpy()).all()


def test_threads_share_one_compiled_function():
    f = tg.compile(lambda x: (x.sin() * x).cos())
    arrays = [np.random.default_rng(i).random(200_000) for i in range(4)]
    f(tg.tensor(arrays[0]))
    results: dict[int, np.ndarray] = {}

    def work(i):
        for _ in range(5):
            results[i] = f(tg.tensor(arrays[i])).numpy()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i, a in enumerate(arrays):
        np.testing.assert_allclose(results[i], np.cos(np.sin(a) * a))


def test_a_singular_matrix_raises_the_error_of_the_package():
    x = leaf(2, 2)
    run = NumpyExecutable(Graph([x], [B.linalg_inv_node(x, check=True)]))
    with pytest.raises(tg.linalg.LinAlgError, match="singular"):
        run(np.ones((2, 2)))
