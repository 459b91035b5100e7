"""Which arrays share elements, and where a view lies in its base."""

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.eager.views import once, place_in, shows_twice

A = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    "view", [A, A[0], A[:, 1], A[..., ::2], A.T, A[:, ::-1], A[1, 2, 3], A[:0], A.reshape(6, 4), A[:, None]]
)
def test_an_ordinary_view_shows_each_element_once(view):
    assert not shows_twice(view)


@pytest.mark.parametrize(
    "view",
    [
        np.broadcast_to(A, (5, 2, 3, 4)),
        np.broadcast_to(np.ones(1), (3,)),
        np.lib.stride_tricks.sliding_window_view(np.arange(5.0), 3),
    ],
)
def test_an_expanded_or_sliding_view_shows_elements_twice(view):
    assert shows_twice(view)


@pytest.mark.parametrize("view", [A[0], A[:, 1:], A[..., ::2], A.T, A[:, ::-1], A[1, 2, 3:4]])
def test_the_place_of_a_view_finds_its_elements(view):
    place = place_in(A, view)
    found = np.zeros(view.shape)
    for index in np.ndindex(view.shape):
        found[index] = A.ravel()[place.offset + sum(i * s for i, s in zip(index, place.strides, strict=True))]
    assert np.array_equal(found, view)


@pytest.mark.parametrize("view", [A.T[0], A.T[1:, ::2], A.T[3].T, A.T.transpose(1, 0, 2)[0], A.T[:0]])
def test_the_place_in_a_base_in_another_order_counts_its_elements_row_by_row(view):
    place = place_in(A.T, view)
    found = np.zeros(view.shape)
    for index in np.ndindex(view.shape):
        found[index] = A.T.ravel()[place.offset + sum(i * s for i, s in zip(index, place.strides, strict=True))]
    assert np.array_equal(found, view)


def test_elements_that_no_strides_reach_have_no_place():
    assert place_in(A.T, A.reshape(-1)[::5]) is None
    assert place_in(A, np.broadcast_to(A[0, 0], (3, 4))) is None


def test_once_gives_writable_memory_of_a_broadcast_array():
    base = np.zeros(3)
    once(np.broadcast_to(base, (4, 3)))[...] = 7
    assert base.tolist() == [7.0, 7.0, 7.0]
    base.flags.writeable = False
    assert not once(np.broadcast_to(base, (4, 3))).flags.writeable


def test_detach_is_no_view_but_shares_memory():
    x = tg.ones(3, requires_grad=True)
    d = x.detach()
    assert not d._is_view() and d._base is None and np.shares_memory(d.numpy(), x.detach().numpy())


def test_a_view_of_a_view_has_the_same_base():
    x = tg.zeros(2, 3)
    assert x[0][1:]._base is x and x.view(6)._base is x and x._base is None
    assert x.clone()._base is None and (x + 1)._base is None
