"""Values of captured Tensors that only decide about shapes: they are seen when they change."""

from __future__ import annotations

import tracegrad as tg


def test_places_to_split_at_are_read_at_every_call():
    at, x = tg.tensor([1, 3]), tg.arange(6.0)
    fast = tg.compile(lambda x: tg.tensor_split(x, at)[1].sum())
    assert fast(x).item() == 3.0
    at.copy_(tg.tensor([2, 5]))
    assert fast(x).item() == 9.0


def test_a_place_to_split_at_inside_a_transform_is_read_at_every_call():
    at, x = tg.tensor([1, 3]), tg.arange(6.0)
    fast = tg.compile(lambda x: tg.func.jvp(lambda v: tg.tensor_split(v, at)[1].sum(), (x,), (x,))[1])
    assert fast(x).item() == 3.0
    at.copy_(tg.tensor([2, 5]))
    assert fast(x).item() == 9.0
