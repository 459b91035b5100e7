"""one_hot and embedding_bag where their positions are values of a recording: compiled, and under vmap."""

from __future__ import annotations

import pytest

import tracegrad as tg
import tracegrad.nn.functional as F

WEIGHT = tg.linspace(-1.0, 2.0, 18, dtype=tg.float64).reshape(6, 3)
PLACES = tg.tensor([0, 2, 2, 5, 1, 3, 2])
OFFSETS = tg.tensor([[0, 2, 4], [0, 0, 5], [0, 3, 7]])
OPTIONS = [
    {"mode": "sum"},
    {"mode": "mean"},
    {"mode": "max"},
    {"mode": "mean", "padding_idx": 2},
    {"mode": "max", "padding_idx": -4, "include_last_offset": True},
    {"mode": "sum", "include_last_offset": True, "per_sample_weights": tg.linspace(0.5, 2.0, 7, dtype=tg.float64)},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_bags_follow_their_offsets_in_a_recording(options):
    def program(weight, offsets):
        return F.embedding_bag(PLACES, weight, offsets, **options)

    slope = tg.func.grad(lambda w, o: (program(w, o) ** 2).sum())
    compiled, compiled_slope = tg.compile(program), tg.compile(slope)
    for offsets in OFFSETS:
        tg.testing.assert_close(compiled(WEIGHT, offsets), program(WEIGHT, offsets))
        tg.testing.assert_close(compiled_slope(WEIGHT, offsets), slope(WEIGHT, offsets))
    batched = tg.func.vmap(program, in_dims=(None, 0))(WEIGHT, OFFSETS)
    tg.testing.assert_close(batched, tg.stack([program(WEIGHT, o) for o in OFFSETS]))


def test_one_hot_of_a_given_number_of_classes_is_recorded():
    classes = tg.tensor([1, 3, 0])
    for made in (tg.compile(lambda c: F.one_hot(c, 4))(classes), tg.func.vmap(lambda c: F.one_hot(c, 4))(classes)):
        assert made.tolist() == F.one_hot(classes, 4).tolist()
