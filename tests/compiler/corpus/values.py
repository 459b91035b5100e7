"""Values that leave tensors: .item() arithmetic, formatting, printing, lists, NumPy, masks, slices by value, Python's own functions."""

import json
import math
from collections import Counter

import numpy as np

from tests.compiler.corpus.base import Case, f64, program


@program
def item_arithmetic(torch, compile):
    def f(x, lr):
        loss = (x**2).sum()
        return x - lr * loss.item() * x, loss

    xs = ([1.0, 2.0], [0.1, 0.2], [-3.0, 4.0], [0.0, 0.0])
    return Case(compile(f), [(f64(torch, x, True), 0.1) for x in xs], order=2, at_most=2)


@program
def returned_item(torch, compile):
    def f(x):
        return x.sum().item(), float(x[0]), int(x[1]), bool(x[0] > 1)

    xs = ([1.0, 2.0], [3.5, -7.9], [0.0, 0.0], [100.0, 1e6])
    return Case(compile(f), [(f64(torch, x),) for x in xs])


@program
def formatted_loss(torch, compile):
    def f(x):
        loss = (x * x).mean()
        return loss, f"loss {loss.item():.4f}", f"{loss:.2f}", f"{loss.item():.3e}", str(round(loss.item(), 3))

    xs = ([1.0, 2.0], [3.5, -7.9], [0.0, 0.0], [100.0, 1e3])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs], may_warn=True)


@program
def printed_loss(torch, compile):
    def f(x):
        loss = (x * x).sum()
        print("loss:", loss.item())
        print(x)
        if loss > 10:
            print("large")
        return loss * 2

    xs = ([1.0, 2.0], [3.5, -7.5], [0.0, 0.0], [1.0, 1.0])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs], may_warn=True)


@program
def printed_constant(torch, compile):
    def f(x):
        print("called with", tuple(x.shape))
        return x * 2

    xs = ([1.0, 2.0], [3.5, -7.5], [0.0], [1.0, 1.0])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs], may_warn=True)


@program
def rounded_and_maths(torch, compile):
    def f(x):
        r = round(x[0].item(), 1)
        s = math.sqrt(x[1].item())
        return x * r + s, math.floor(x[0]), math.isclose(x[0].item(), 1.0), abs(x[0].item()), -x[1].item()

    xs = ([1.0, 2.0], [3.57, 7.5], [0.01, 0.0], [-1.25, 16.0])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs])


@program
def int_as_repeat_count(torch, compile):
    def f(x, n):
        for _ in range(int(n)):
            x = x.sin() * 2
        return x.sum()

    x = f64(torch, [0.3, 0.4], True)
    return Case(compile(f), [(x, torch.tensor(n)) for n in (1, 3, 0, 5)], order=3)


@program
def tolist_and_python_sort(torch, compile):
    def f(x):
        values = sorted(x.tolist(), reverse=True)
        return values[0] - values[-1], sorted(range(len(x)), key=lambda i: x[i].item())

    xs = ([1.0, 2.0, 0.5], [3.5, -7.5, 2.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0])
    return Case(compile(f), [(f64(torch, x),) for x in xs])


@program
def sorted_tensors(torch, compile):
    def f(x):
        a, b, c = sorted(x)
        return a + 2 * b + 3 * c, max(x), min(x[0], x[1])

    xs = ([1.0, 2.0, 0.5], [3.5, -7.5, 2.0], [0.0, 4.0, 1.0], [1.0, 3.0, 2.0])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs], order=1)


@program
def through_numpy(torch, compile):
    def f(x):
        order = np.argsort(x.detach().numpy())
        weights = np.exp(-np.arange(len(order)))
        return (x[torch.from_numpy(order.copy())] * torch.from_numpy(weights)).sum()

    xs = ([1.0, 2.0, 0.5], [3.5, -7.5, 2.0], [0.0, 4.0, 1.0], [1.0, 3.0, 2.0])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs], order=1, may_warn=True)


@program
def boolean_mask(torch, compile):
    def f(x):
        positive = x[x > 0]
        return positive.sqrt().sum() / max(len(positive), 1)

    xs = ([1.0, -2.0, 3.0], [-1.0, -2.0, -3.0], [4.0, 5.0, 6.0], [0.0, 1.0, -1.0])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs], order=2)


@program
def masked_result(torch, compile):
    def f(x):
        return x[x > x.mean()] * 2

    xs = ([1.0, -2.0, 3.0], [-1.0, -2.0, -3.0], [4.0, 5.0, 6.0], [0.0, 0.0, 0.0])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs], order=1)


@program
def nonzero_rows(torch, compile):
    def f(x):
        rows = torch.nonzero(x.sum(1) > 1).flatten()
        (also,) = torch.where(x[:, 0] > 0)
        return x[rows].sum(), rows, also, x.nonzero().shape[0]

    xs = ([[1.0, 2.0], [0.0, 0.5]], [[0.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [2.0, 2.0]], [[-1.0, 5.0], [0.0, -3.0]])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs])


@program
def unique_labels(torch, compile):
    def centres(x, labels):
        found = torch.unique(labels)
        return torch.stack([x[labels == c].mean() for c in found]), [int(c) for c in found]

    x = f64(torch, [1.0, 2.0, 3.0, 4.0], True)
    labels = ([0, 1, 0, 1], [2, 2, 2, 2], [0, 1, 2, 3], [5, 1, 5, 1])
    return Case(compile(centres), [(x, torch.tensor(v)) for v in labels])


@program
def slice_by_value(torch, compile):
    def f(x, k):
        k = int(k)
        return x[:k].sum() - x[k:].sum(), x[: int(x[0])].shape[0]

    x = f64(torch, [2.0, 3.0, 4.0, 5.0], True)
    y = f64(torch, [1.0, 3.0, 4.0, 5.0], True)
    return Case(compile(f), [(x, torch.tensor(1)), (x, torch.tensor(3)), (y, torch.tensor(0)), (y, torch.tensor(4))])


@program
def argmax_index(torch, compile):
    def f(x, w):
        best = x.argmax()
        return w[best] * x.sum() + w[best.item()]

    w = f64(torch, [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], True)
    xs = ([1.0, 2.0, 0.0], [5.0, 2.0, 0.0], [1.0, 2.0, 7.0], [1.0, 2.0, 3.0])
    return Case(compile(f), [(f64(torch, x, True), w) for x in xs], order=2)


@program
def keyed_by_a_value(torch, compile):
    def f(x, kinds):
        table = {0: "zero", 1: "one", 2: "two"}
        counts = Counter(kinds.tolist())
        return [table[int(k)] for k in kinds], x * counts[1], hash(kinds[0].item()) % 7

    x = f64(torch, [1.0, 2.0], True)
    return Case(compile(f), [(x, torch.tensor(k)) for k in ([0, 1, 1], [2, 2, 0], [1, 1, 1], [0, 0, 0])])


@program
def membership(torch, compile):
    def f(x, y):
        if y in x:
            return x * 2
        if x[0].item() in (3.0, 5.0):
            return x + 1
        return -x

    xs = [f64(torch, v, True) for v in ([1.0, 2.0], [3.0, 4.0], [7.0, 8.0])]
    return Case(compile(f), [(xs[0], 1.0), (xs[1], 1.0), (xs[2], 1.0), (xs[1], 4.0)])


@program
def builtin_max_and_min(torch, compile):
    def f(a, b):
        return max(a, b) * min(a, b, 1.0) + abs(a) + pow(b, 2) + sum([a, b])

    pairs = [(1.0, 2.0), (3.0, 0.5), (-1.0, -2.0), (0.2, 0.1)]
    return Case(compile(f), [(f64(torch, a, True), f64(torch, b, True)) for a, b in pairs], order=2)


@program
def rows_enumerated(torch, compile):
    def f(x):
        kept = []
        for i, row in enumerate(x):
            if row.sum() > i:
                kept.append(row * i)
        return torch.stack(kept).sum(0) if kept else x.new_zeros(2)

    xs = ([[1.0, 2.0], [0.0, 0.5]], [[-1.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [2.0, 2.0]], [[-1.0, 0.0], [3.0, 3.0]])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs])


@program
def items_in_python_maths(torch, compile):
    def f(x):
        a, b = x.tolist()
        length = math.hypot(a, b)
        angle = math.atan2(b, a)
        return x / (length + 1.0), angle, length, a > b, [a, b][int(a > b)]

    xs = ([1.0, 2.0], [3.0, -4.0], [0.0, 0.5], [-1.0, -1.0])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs])


@program
def best_of_several(torch, compile):
    def f(x):
        candidates = {"sin": x.sin().sum(), "cos": x.cos().sum(), "exp": (-x).exp().sum()}
        name = max(candidates, key=lambda k: candidates[k].item())
        return name, candidates[name]

    xs = ([1.0, 1.2], [0.0, 0.1], [-3.0, 0.0], [2.0, 2.0])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs], order=2)


@program
def median_filter(torch, compile):
    def f(x):
        out = []
        for i in range(1, len(x) - 1):
            window = sorted(x[i - 1 : i + 2].tolist())
            out.append(window[1])
        return torch.tensor(out, dtype=torch.float64)

    xs = ([1.0, 9.0, 2.0, 3.0], [0.0, 0.0, 1.0, 0.0], [4.0, 3.0, 2.0, 1.0], [5.0, 1.0, 7.0, 2.0])
    return Case(compile(f), [(f64(torch, x),) for x in xs])


@program
def as_json(torch, compile):
    def f(x):
        return json.dumps({"x": x.tolist(), "sum": x.sum().item()}), x * 2

    xs = ([1.0, 2.0], [3.0, -4.0], [0.0, 0.5], [-1.0, -1.0])
    return Case(compile(f), [(f64(torch, x),) for x in xs], may_warn=True)


@program
def item_compared_with_best(torch, compile):
    def f(losses):
        best, where = float("inf"), -1
        for i, loss in enumerate(losses):
            value = loss.item()
            if value < best:
                best, where = value, i
        return best, where, losses[where] ** 2

    xs = ([1.0, 2.0], [3.0, -4.0], [0.0, 0.5], [-1.0, -1.0])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs], at_most=12)


@program
def equality_of_tensors(torch, compile):
    def f(x, y):
        if torch.equal(x, y):
            return x
        if torch.allclose(x, y, atol=0.1):
            return (x + y) / 2
        return x - y

    a = [f64(torch, v, True) for v in ([1.0, 2.0], [1.05, 2.0], [5.0, 6.0])]
    return Case(compile(f), [(a[0], a[0]), (a[0], a[1]), (a[0], a[2]), (a[2], a[1])])


@program
def number_of_elements_kept(torch, compile):
    def f(x):
        kept = x[x.abs() > 0.5]
        n = kept.numel()
        if n == 0:
            return torch.zeros((), dtype=x.dtype), n
        return kept.sum() / n + torch.arange(n, dtype=x.dtype).sum(), n

    xs = ([1.0, 0.2, 3.0], [0.1, 0.1, 0.1], [1.0, 2.0, 3.0], [0.0, 0.0, 9.0])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs], order=2)


@program
def constructed_from_items(torch, compile):
    def f(x):
        return torch.tensor([x[0].item(), 2 * x[1].item()]) + torch.full((2,), x.sum().item())

    xs = ([1.0, 0.5], [0.25, 0.125], [1.0, 2.0], [0.0, 9.0])
    return Case(compile(f), [(f64(torch, x),) for x in xs])
