"""What a comparison with torch cannot see of torch.utils.data: the draws of samplers, and what is refused."""

from __future__ import annotations

import pytest

import tracegrad as tg
from tracegrad.utils.data import DataLoader, RandomSampler, TensorDataset, WeightedRandomSampler, random_split


def test_weights_say_how_often_a_position_is_drawn():
    tg.manual_seed(0)
    drawn = list(WeightedRandomSampler([1.0, 0.0, 3.0], 4000))
    assert drawn.count(1) == 0
    assert 2800 < drawn.count(2) < 3200


def test_without_replacement_every_position_is_drawn_once():
    drawn = list(WeightedRandomSampler([1.0, 0.0, 3.0, 2.0], 3, replacement=False))
    assert sorted(drawn) == [0, 2, 3]


def test_a_random_sampler_draws_more_than_there_are_in_rounds():
    drawn = list(RandomSampler(range(4), num_samples=10))
    assert sorted(drawn[:4]) == sorted(drawn[4:8]) == [0, 1, 2, 3]
    assert len(drawn) == 10


def test_the_order_of_shuffle_follows_manual_seed():
    def epoch() -> list[list[int]]:
        return [batch.tolist() for batch in DataLoader(range(20), batch_size=6, shuffle=True)]

    tg.manual_seed(1)
    first, second = epoch(), epoch()
    tg.manual_seed(1)
    assert epoch() == first
    assert second != first


def test_the_same_generator_splits_in_the_same_way():
    parts = [random_split(range(9), [6, 3], tg.Generator().manual_seed(3))[0].indices for _ in range(2)]
    assert parts[0] == parts[1]


def test_workers_are_refused():
    with pytest.raises(NotImplementedError, match="num_workers=0"):
        DataLoader(range(3), num_workers=2)


def test_tensors_of_unequal_lengths_are_refused():
    with pytest.raises(AssertionError, match="Size mismatch"):
        TensorDataset(tg.ones(2), tg.ones(3))


def test_gradients_flow_through_collated_items():
    rows = [tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)]
    (batch,) = DataLoader(rows, batch_size=2)
    (batch * tg.tensor([1.0, 2.0])).sum().backward()
    assert rows[1].grad is not None
    assert rows[1].grad.tolist() == [1.0, 2.0]
