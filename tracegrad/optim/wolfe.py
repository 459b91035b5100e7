"""A line search: how far to go along a direction so that the strong Wolfe conditions hold.  Source: Nocedal and Wright 2006, algorithms 3.5 and 3.6."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

DECREASE, CURVATURE = 1e-4, 0.9  # c1 and c2 of the conditions
SMALLEST_CHANGE = 1e-9


class Point(NamedTuple):
    """A place on the line: how far along, the loss there, the gradient, and its product with the direction."""

    t: Any
    loss: float
    gradient: Any
    slope: Any


def strong_wolfe(
    evaluate: Callable[[Any], Point], start: Point, t: Any, reach: Any, most: int = 25
) -> tuple[Point, int]:
    """The point that was found and the number of evaluations: `most` + 1 at the most.

    evaluate(t) gives the Point at t; start is the one at 0; t is tried first; reach is the largest part of the direction.
    """
    interval, iterations, done = _bracket(evaluate, start, t, most)
    if done:
        return interval[0], iterations + 1
    low, high = (0, 1) if interval[0].loss <= interval[1].loss else (1, 0)
    stuck = False
    while iterations < most:
        ends = interval[0].t, interval[1].t
        if abs(ends[1] - ends[0]) * reach < SMALLEST_CHANGE:
            break
        t = cubic_minimum(interval[0], interval[1], (min(ends), max(ends)))
        t, stuck = _away_from_ends(t, min(ends), max(ends), stuck)
        here = evaluate(t)
        iterations += 1
        if here.loss > start.loss + DECREASE * t * start.slope or here.loss >= interval[low].loss:
            interval[high] = here
            low, high = (0, 1) if interval[0].loss <= interval[1].loss else (1, 0)
            continue
        fits = abs(here.slope) <= -CURVATURE * start.slope
        if not fits and here.slope * (interval[high].t - interval[low].t) >= 0:
            interval[high] = interval[low]
        interval[low] = here
        if fits:
            break
    return interval[low], iterations + 1


def _bracket(evaluate: Callable[[Any], Point], start: Point, t: Any, most: int) -> tuple[list[Point], int, bool]:
    """Go on from t until an interval surely holds a good point; its ends, the evaluations after the first, and whether the one point is good."""
    before, here, iterations = start, evaluate(t), 0
    while iterations < most:
        rises = iterations > 1 and here.loss >= before.loss
        if here.loss > start.loss + DECREASE * here.t * start.slope or rises:
            return [before, here], iterations, False
        if abs(here.slope) <= -CURVATURE * start.slope:
            return [here], iterations, True
        if here.slope >= 0:
            return [before, here], iterations, False
        bounds = here.t + 0.01 * (here.t - before.t), here.t * 10
        before, here = here, evaluate(cubic_minimum(before, here, bounds))
        iterations += 1
    return [start, here], iterations, False


def cubic_minimum(a: Point, b: Point, bounds: tuple[Any, Any]) -> Any:
    """Where the cubic through two points with their slopes is least, inside the bounds; their middle when it has no minimum."""
    low, high = bounds
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    d2 = square.sqrt()
    if a.t <= b.t:
        least = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    else:
        least = a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2 * d2))
    return min(max(least, low), high)


def _away_from_ends(t: Any, low: Any, high: Any, stuck: bool) -> tuple[Any, bool]:
    """t, moved from an end of the interval by a tenth if that was so the last time as well; and whether it is near an end now."""
    margin = 0.1 * (high - low)
    if not min(high - t, t - low) < margin:
        return t, False
    if not (stuck or t >= high or t <= low):
        return t, True
    return (high - margin if abs(t - high) < abs(t - low) else low + margin), False


__all__ = ["Point", "cubic_minimum", "strong_wolfe"]
