"""The traps of traps.py: functions with a selection, under PyTorch's names, and their exact derivatives, from formulas without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

e, log2, nan, inf = np.e, np.log(2.0), np.nan, np.inf


class Trap(NamedTuple):
    """text: the function as the table shows it; function(lib, x): over a library; first, second: the gradient of its sum and the row sums of the Hessian."""

    text: str
    function: Callable[[Any, Any], Any]
    point: Any
    first: Any
    second: Any


def softmax(s: Any) -> Any:
    """Proportions of exponentials."""
    w = np.exp(np.asarray(s) - max(s))
    return w / w.sum()


def coulomb(x: Any) -> np.ndarray:
    """The gradient of the sum of 1/|x_i - x_j| over ordered pairs of different particles on a line."""
    return np.array(
        [sum(-2 * np.sign(a - b) / (a - b) ** 2 for j, b in enumerate(x) if j != i) for i, a in enumerate(x)]
    )


LINE = [0.0, 1.0, 3.0]
EYE = np.eye(3, dtype=bool)
HALF = [[True, True], [False, False]]  # the first row is allowed
ROWS = [[0.0, 0.0], [-inf, -inf]]  # the second row is masked out altogether
WEIGHTS = [[1.0, 3.0], [1.0, 1.0]]
P = softmax([1.0, 2.0])
SLOPE = P * (np.array([1.0, 3.0]) - P @ [1.0, 3.0])  # of softmax @ (1, 3)
U = np.array([0.6, 0.8])  # the direction of (3, 4)


def distances(lib: Any, x: Any) -> Any:
    """|x_i - x_j| by the root of a square, which has no derivative on the diagonal."""
    return lib.sqrt((x[:, None] - x[None, :]) ** 2)


TRAPS = (
    Trap("`where(x > 0, sqrt(x), 0)`", lambda lib, x: lib.where(x > 0, lib.sqrt(x), 0.0), [0.0, 4.0], [0, 1 / 4], [0, -1 / 32]),
    Trap("`where(x > 0, x ** 0.5, 0)`", lambda lib, x: lib.where(x > 0, x**0.5, 0.0), [0.0, 4.0], [0, 1 / 4], [0, -1 / 32]),
    Trap("`where(x > 0, log(x), 0)`", lambda lib, x: lib.where(x > 0, lib.log(x), 0.0), [0.0, 2.0], [0, 1 / 2], [0, -1 / 4]),
    Trap("`where(x > 0, log(x), x)`", lambda lib, x: lib.where(x > 0, lib.log(x), x), [0.0, 2.0], [1, 1 / 2], [0, -1 / 4]),
    Trap("`where(x > 0, x * log(x), 0)`", lambda lib, x: lib.where(x > 0, x * lib.log(x), 0.0), [0.0, 2.0], [0, log2 + 1], [0, 1 / 2]),
    Trap("`where(x != 0, 1 / x, 0)`", lambda lib, x: lib.where(x != 0, 1 / x, 0.0), [0.0, 2.0], [0, -1 / 4], [0, 1 / 4]),
    Trap("`where(x > 0, x ** -3, 0)`", lambda lib, x: lib.where(x > 0, x**-3.0, 0.0), [0.0, 1.0], [0, -3], [0, 12]),
    Trap("`where(x == 0, 1, sin(x) / x)`", lambda lib, x: lib.where(x == 0, 1.0, lib.sin(x) / x), [0.0, 1.0],
         [0, np.cos(1) - np.sin(1)], [0, -np.sin(1) - 2 * np.cos(1) + 2 * np.sin(1)]),
    Trap("`where(x == 0, 1, (exp(x) - 1) / x)`", lambda lib, x: lib.where(x == 0, 1.0, (lib.exp(x) - 1) / x), [0.0, 1.0], [0, 1], [0, e - 2]),
    Trap("`where(x < 10, exp(x), x)`", lambda lib, x: lib.where(x < 10, lib.exp(x), x), [1000.0, 0.0], [1, 1], [0, 1]),
    Trap("`where(x > 30, x, log(1 + exp(x)))`", lambda lib, x: lib.where(x > 30, x, lib.log(1 + lib.exp(x))), [1000.0, 0.0], [1, 1 / 2], [0, 1 / 4]),
    Trap("`where(x < 5, tanh(exp(x)), 1)`", lambda lib, x: lib.where(x < 5, lib.tanh(lib.exp(x)), 1.0), [1000.0, 0.0],
         [0, 1 - np.tanh(1) ** 2], [0, (1 - np.tanh(1) ** 2) * (1 - 2 * np.tanh(1))]),
    Trap("`where(abs(x) < 1, sqrt(1 - x**2), 0)`", lambda lib, x: lib.where(lib.abs(x) < 1, lib.sqrt(1 - x**2), 0.0), [1.0, 0.6],
         [0, -0.75], [0, -1.953125]),
    Trap("`where(x > -1, log1p(x), 0)`", lambda lib, x: lib.where(x > -1, lib.log1p(x), 0.0), [-1.0, 1.0], [0, 1 / 2], [0, -1 / 4]),
    Trap("`where(x == 0, 0, sqrt(x**2))`", lambda lib, x: lib.where(x == 0, 0.0, lib.sqrt(x**2)), [0.0, 2.0], [0, 1], [0, 0]),
    Trap("`where(x > 0, where(x < 1, sqrt(x), log(x)), 0)`", lambda lib, x: lib.where(x > 0, lib.where(x < 1, lib.sqrt(x), lib.log(x)), 0.0),
         [0.0, 0.25, 2.0], [0, 1, 1 / 2], [0, -2, -1 / 4]),
    Trap("`where(x > 0, exp(-1 / x), 0)`", lambda lib, x: lib.where(x > 0, lib.exp(-1 / x), 0.0), [0.0, 1.0], [0, 1 / e], [0, -1 / e]),
    Trap("`where((r > 0) & (r < 1), r ** -6, 0)`", lambda lib, x: lib.where((x > 0) & (x < 1), x**-6.0, 0.0), [0.0, 0.5], [0, -768], [0, 10752]),
    Trap("Box-Cox: `where(x == 0, log(3), (3**x - 1) / x)`", lambda lib, x: lib.where(x == 0, np.log(3.0), (3.0**x - 1) / x), [0.0, 1.0],
         [0, 3 * np.log(3) - 2], [0, 3 * np.log(3) ** 2 - 6 * np.log(3) + 4]),
    Trap("`x` to a tensor power: `where(x > 0, x ** p, 0)`", lambda lib, x: lib.where(x > 0, x ** lib.tensor([0.5, 2.0]), 0.0), [0.0, 3.0], [0, 6], [0, 2]),
    Trap("entropy: `where(p > 0, -p * log(p), 0)`", lambda lib, x: lib.where(x > 0, -x * lib.log(x), 0.0), [0.0, 0.5], [0, log2 - 1], [0, -2]),
    Trap("`where(r > 0, atan2(y, x), 0)`, `(y, x)` in rows",
         lambda lib, x: lib.where((x * x).sum(1) > 0, lib.atan2(x[:, 0], x[:, 1]), 0.0), [[0.0, 0.0], [1.0, 2.0]],
         [[0, 0], [2 / 5, -1 / 5]], [[0, 0], [-7 / 25, 1 / 25]]),
    Trap("`nan_to_num(log(x), neginf=-5)`", lambda lib, x: lib.nan_to_num(lib.log(x), neginf=-5.0), [0.0, 2.0], [0, 1 / 2], [0, -1 / 4]),
    Trap("Poisson: `where(k == 0, 0, k * log(x)) - x`", lambda lib, x: lib.where(lib.tensor([0.0, 3.0]) == 0, 0.0, lib.tensor([0.0, 3.0]) * lib.log(x)) - x,
         [0.0, 2.0], [-1, 1 / 2], [0, -3 / 4]),
    Trap("missing data: `where(isnan(y), 0, (x - y)**2)`", lambda lib, x: lib.where(lib.isnan(lib.tensor([nan, 1.0])), 0.0, (x - lib.tensor([nan, 1.0])) ** 2),
         [2.0, 3.0], [0, 4], [0, 2]),
    Trap("missing data: `where(isnan(y), 0, x * y)`", lambda lib, x: lib.where(lib.isnan(lib.tensor([nan, 5.0])), 0.0, x * lib.tensor([nan, 5.0])),
         [2.0, 3.0], [0, 5], [0, 0]),
    Trap("missing data: `where(isnan(y), 0, tanh(x * y))`", lambda lib, x: lib.where(lib.isnan(lib.tensor([nan, 1.0])), 0.0, lib.tanh(x * lib.tensor([nan, 1.0]))),
         [2.0, 0.0], [0, 1], [0, 0]),
    Trap("`masked_fill(log(x), x <= 0, 0)`", lambda lib, x: lib.masked_fill(lib.log(x), x <= 0, 0.0), [0.0, 2.0], [0, 1 / 2], [0, -1 / 4]),
    Trap("`clamp(sqrt(x), min=0.5)`", lambda lib, x: lib.clamp(lib.sqrt(x), min=0.5), [0.0, 4.0], [0, 1 / 4], [0, -1 / 32]),
    Trap("`clamp(log(x), min=-5)`", lambda lib, x: lib.clamp(lib.log(x), min=-5.0), [0.0, 2.0], [0, 1 / 2], [0, -1 / 4]),
    Trap("`log(clamp(x, min=1e-6))`", lambda lib, x: lib.log(lib.clamp(x, min=1e-6)), [0.0, 2.0], [0, 1 / 2], [0, -1 / 4]),
    Trap("`relu(log(x))`", lambda lib, x: lib.relu(lib.log(x)), [0.0, 2.0], [0, 1 / 2], [0, -1 / 4]),
    Trap("`maximum(log(x), -5)`", lambda lib, x: lib.maximum(lib.log(x), lib.tensor([-5.0, -5.0])), [0.0, 2.0], [0, 1 / 2], [0, -1 / 4]),
    Trap("`minimum(1 / x, 10)`", lambda lib, x: lib.minimum(1 / x, lib.tensor([10.0, 10.0])), [0.0, 2.0], [0, -1 / 4], [0, 1 / 4]),
    Trap("`sqrt(x)[1:]`", lambda lib, x: lib.sqrt(x)[1:], [0.0, 4.0], [0, 1 / 4], [0, -1 / 32]),
    Trap("`sqrt(x)[1]`", lambda lib, x: lib.sqrt(x)[1], [0.0, 4.0], [0, 1 / 4], [0, -1 / 32]),
    Trap("`log(x)[mask]`", lambda lib, x: lib.log(x)[lib.tensor([False, True])], [0.0, 2.0], [0, 1 / 2], [0, -1 / 4]),
    Trap("`(1 / x)[[1, 1]]`", lambda lib, x: (1 / x)[lib.tensor([1, 1])], [0.0, 2.0], [0, -1 / 2], [0, 1 / 2]),
    Trap("`gather(log(x), 0, [1])`", lambda lib, x: lib.gather(lib.log(x), 0, lib.tensor([1])), [0.0, 2.0], [0, 1 / 2], [0, -1 / 4]),
    Trap("`index_select(log(x), 0, [1])`", lambda lib, x: lib.index_select(lib.log(x), 0, lib.tensor([1])), [0.0, 2.0], [0, 1 / 2], [0, -1 / 4]),
    Trap("`amax(sqrt(x), 0)`", lambda lib, x: lib.amax(lib.sqrt(x), 0), [0.0, 4.0], [0, 1 / 4], [0, -1 / 32]),
    Trap("`tril(log(x))`", lambda lib, x: lib.tril(lib.log(x)), [[1.0, 0.0], [2.0, 4.0]], [[1, 0], [1 / 2, 1 / 4]], [[-1, 0], [-1 / 4, -1 / 16]]),
    Trap("`diagonal(sqrt(x))`", lambda lib, x: lib.diagonal(lib.sqrt(x)), [[1.0, 0.0], [0.0, 4.0]], [[1 / 2, 0], [0, 1 / 4]], [[-1 / 4, 0], [0, -1 / 32]]),
    Trap("`where([True, False], cumsum(log(x), 0), 0)`", lambda lib, x: lib.where(lib.tensor([True, False]), lib.cumsum(lib.log(x), 0), 0.0),
         [2.0, 0.0], [1 / 2, 0], [-1 / 4, 0]),
    Trap("distances: `where(eye, 0, sqrt((x_i - x_j)**2))`", lambda lib, x: lib.where(lib.tensor(EYE.tolist()), 0.0, distances(lib, x)), LINE, [-4, 0, 4], [0, 0, 0]),
    Trap("Coulomb: `where(eye, 0, 1 / sqrt((x_i - x_j)**2))`", lambda lib, x: lib.where(lib.tensor(EYE.tolist()), 0.0, 1 / distances(lib, x)), LINE, coulomb(LINE),
         [0, 0, 0]),
    Trap("norm by hand: `where(s > 0, sqrt(s), 0)`, `s = (x * x).sum(1)`",
         lambda lib, x: lib.where((x * x).sum(1) > 0, lib.sqrt((x * x).sum(1)), 0.0), [[0.0, 0.0], [3.0, 4.0]], [[0, 0], U], [[0, 0], (1 - U * U.sum()) / 5]),
    Trap("`where(n > 0, norm(x), 0)` by rows", lambda lib, x: lib.where(lib.norm(x, dim=1) > 0, lib.norm(x, dim=1), 0.0), [[0.0, 0.0], [3.0, 4.0]],
         [[0, 0], U], [[0, 0], (1 - U * U.sum()) / 5]),
    Trap("`where(ok, std(x), 0)` by rows, a constant row", lambda lib, x: lib.where(lib.tensor([False, True]), lib.std(x, dim=1), 0.0), [[1.0, 1.0], [1.0, 3.0]],
         [[0, 0], [-np.sqrt(0.5), np.sqrt(0.5)]], [[0, 0], [0, 0]]),
    Trap("masked mean, 0 / 0: `where(n > 0, x.sum(1) / n, 0)`", lambda lib, x: lib.where(lib.tensor([0.0, 2.0]) > 0, (x * x).sum(1) / lib.tensor([0.0, 2.0]), 0.0),
         [[0.0, 0.0], [1.0, 3.0]], [[0, 0], [1, 3]], [[0, 0], [1, 1]]),
    Trap("attention: `where(ok, softmax(x + mask), 0)`, a masked row",
         lambda lib, x: lib.where(lib.tensor(HALF), lib.softmax(x + lib.tensor(ROWS), -1), 0.0) * lib.tensor(WEIGHTS), [[1.0, 2.0], [3.0, 4.0]],
         [SLOPE, [0, 0]], [[0, 0], [0, 0]]),
    Trap("`where(ok, logsumexp(x + mask), 0)`, a masked row",
         lambda lib, x: lib.where(lib.tensor([True, False]), lib.logsumexp(x + lib.tensor(ROWS), -1), 0.0), [[1.0, 2.0], [3.0, 4.0]], [P, [0, 0]], [[0, 0], [0, 0]]),
    Trap("`where(ok, log_softmax(x + mask), 0)`, a masked row",
         lambda lib, x: lib.where(lib.tensor(HALF), lib.log_softmax(x + lib.tensor(ROWS), -1), 0.0), [[1.0, 2.0], [3.0, 4.0]],
         [1 - 2 * P, [0, 0]], [[0, 0], [0, 0]]),
)  # fmt: skip
