"""repetitions: distances at which the text of a graph recurs."""

from __future__ import annotations

import numpy as np
import pytest

from tracegrad.passes.repetitions import Run, longest, periods


@pytest.mark.parametrize(
    "step",
    [
        [0, 1, 2],
        [0, 0, 1, 0, 1, 1],
        [3, 4] * 6 + [3, 3, 4, 4],  # every label comes several times in each step, at many distances
        [0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0, 0, 2, 2, 1, 1, 3, 3, 0, 3, 1, 2, 3, 0, 2, 1],
    ],
    ids=["different", "few", "pairs", "many"],
)
def test_the_period_is_found_however_often_its_labels_recur(step):
    found = np.array([7, 8, *(step * 50), 9, 9, 5])
    assert len(step) in periods(found)
    run = longest(found, 20)
    assert run.period == len(step) and run.steps >= 49 and run.start in (1, 2)


def test_labels_without_repetition_have_no_run():
    assert longest(np.arange(100), 8) is None
    assert longest(np.array([], int), 8) is None


def test_a_stretch_that_saves_less_is_not_taken():
    assert longest(np.array([1, 2] * 10), 18) == Run(0, 2, 10)
    assert longest(np.array([1, 2] * 10), 19) is None
