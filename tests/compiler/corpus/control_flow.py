"""Control flow by value: branches, loops, early returns, exceptions, recursion, and the algorithms that need them."""

import itertools
import math

from tests.compiler.corpus.base import Case, call, f64, program


@program
def if_else(torch, compile):
    def f(x):
        if x.sum() > 0:
            return x.sin().sum()
        else:
            return (x**3).sum()

    xs = [f64(torch, v, True) for v in ([1.0, 2.0], [-1.0, -2.0], [3.0, -1.0], [-3.0, 1.0])]
    return Case(compile(f), [(x,) for x in xs], order=3, at_most=4)


@program
def elif_chain(torch, compile):
    def grade(x):
        if x > 3:
            y = x * 3
        elif x > 1:
            y = x.exp()
        elif x > 0:
            y = x**2
        else:
            y = -x
        return y + 1

    xs = [f64(torch, v, True) for v in (4.0, 2.0, 0.5, -1.0, 3.5, 0.1)]
    return Case(compile(grade), [(x,) for x in xs], order=2, at_most=10)


@program
def nested_ifs(torch, compile):
    def f(x, y):
        if x.sum() > 0:
            x = x * 2
            if y.max() > 1:
                y = y.sin()
            else:
                y = y.cos()
            x = x + y
        if x.norm() > 2:
            x = x / x.norm()
        return (x * y).sum()

    a = [f64(torch, v, True) for v in ([0.5, 0.7], [-1.0, 0.2], [3.0, 4.0])]
    b = [f64(torch, v, True) for v in ([0.5, 0.9], [2.0, 0.2], [1.0, 1.5])]
    return Case(compile(f), list(itertools.product(a, b)), order=2)


@program
def double_until_large(torch, compile):
    @compile
    def f(x):
        y = x * 1.0
        while y.norm() < 1000:
            y = y * 2
        return y

    xs = [f64(torch, v, True) for v in ([1.0, 2.0], [500.0, 900.0], [0.1, 0.1], [2000.0, 1.0])]
    return Case(f, [(x,) for x in xs], order=1, at_most=4)


@program
def newton_to_a_tolerance(torch, compile):
    def sqrt(a):
        x = a
        for _ in range(50):
            step = (x * x - a) / (2 * x)
            x = x - step
            if step.abs() < 1e-9:
                break
        return x

    return Case(compile(sqrt), [(f64(torch, v, True),) for v in (2.0, 9.0, 100.0, 1e6, 0.01)], order=3, at_most=6)


@program
def newton_with_grad_inside(torch, compile):
    def root(c):
        x = torch.ones_like(c)
        steps = 0
        while True:
            leaf = x.detach().requires_grad_()
            value = leaf**3 - c.detach() + leaf
            (slope,) = torch.autograd.grad(value, leaf)
            x = (leaf - value / slope).detach()
            steps += 1
            if abs(value.item()) < 1e-8 or steps == 30:
                return x, steps

    return Case(compile(root), [(f64(torch, v),) for v in (1.0, 5.0, 100.0, -4.0)])


@program
def backtracking_line_search(torch, compile):
    def objective(x):
        return (1 - x[0]) ** 2 + 20 * (x[1] - x[0] ** 2) ** 2

    @compile
    def descend(x):
        x = x.clone().requires_grad_()
        loss = objective(x)
        (g,) = torch.autograd.grad(loss, x)
        step = 1.0
        with torch.no_grad():
            while objective(x - step * g) > loss - 1e-4 * step * (g * g).sum():
                step *= 0.5
                if step < 1e-10:
                    raise RuntimeError("line search failed")
            return x - step * g, step

    return Case(descend, [(f64(torch, v),) for v in ([0.0, 0.0], [-1.2, 1.0], [0.9, 0.8], [2.0, -3.0], [5.0, 5.0])])


@program
def bisection(torch, compile):
    def bisect(lo, hi, c):
        while hi - lo > 1e-3:
            mid = (lo + hi) / 2
            if mid**3 - c > 0:
                hi = mid
            else:
                lo = mid
        return (lo + hi) / 2

    lo, hi = f64(torch, 0.0, True), f64(torch, 3.0, True)
    cs = [f64(torch, c, True) for c in (1.1, 2.0, 8.5, 20.0)]
    return Case(compile(bisect), [(lo, hi, c) for c in cs], order=1)


@program
def adaptive_ode(torch, compile):
    def field(t, y, k):
        return torch.stack([y[1], -k * y[0] - 0.1 * y[1] * t])

    @compile
    def solve(y, k):
        t, h, n = 0.0, 0.3, 0
        while t < 1.0 and n < 60:
            h = min(h, 1.0 - t)
            a = field(t, y, k)
            b = field(t + h, y + h * a, k)
            error = (h * (b - a) / 2).abs().max().item()
            if error < 0.02:
                y = y + h * (a + b) / 2
                t = t + h
                h = h * 1.5
            else:
                h = h / 2
            n += 1
        return y, n

    k = [f64(torch, v, True) for v in (1.0, 4.0, 25.0)]
    y = f64(torch, [1.0, 0.5], True)
    return Case(solve, [(y, k[0]), (y, k[1]), (y, k[2]), (y * 1, k[0])], order=1)


@program
def power_iteration(torch, compile):
    def largest(a):
        v = torch.ones(a.shape[0], dtype=a.dtype)
        old = torch.zeros((), dtype=a.dtype)
        for i in range(100):  # noqa: B007
            w = a @ v
            norm = w.norm()
            v = w / norm
            if (norm - old).abs() < 1e-4:
                break
            old = norm
        return norm, i

    ms = ([[2.0, 1.0], [1.0, 3.0]], [[1.0, 0.0], [0.0, 5.0]], [[4.0, 1.0], [1.0, 4.5]], [[9.0, 0.1], [0.1, 1.0]])
    return Case(compile(largest), [(f64(torch, m, True),) for m in ms], order=1)


@program
def beam_search(torch, compile):
    @compile
    def search(scores, width):
        beams = [((), torch.zeros((), dtype=torch.float64))]
        for row in scores:
            grown = [((*path, j), total + row[j]) for path, total in beams for j in range(row.shape[0])]
            grown.sort(key=lambda pair: -pair[1].item())
            beams = grown[:width]
        return beams[0][0], beams[0][1]

    rows = [[0.1, 0.7, 0.2], [0.5, 0.4, 0.3], [0.9, 0.1, 0.3]]
    s = [f64(torch, rows, True), f64(torch, rows[::-1], True), f64(torch, [r[::-1] for r in rows], True)]
    return Case(search, [(s[0], 2), (s[1], 2), (s[2], 2), (s[0], 1)], order=1)


@program
def clip_if_large(torch, compile):
    def clip(g, c):
        norm = g.norm()
        if norm > c:
            g = g * (c / norm)
        return g

    gs = [f64(torch, v, True) for v in ([3.0, 4.0], [0.3, 0.4], [30.0, 1.0], [0.0, 0.1])]
    return Case(compile(clip), [(g, 1.0) for g in gs], order=2, at_most=4)


@program
def early_stopping(torch, compile):
    @compile
    def fit(w, target):
        best, patience = float("inf"), 0
        for epoch in range(40):  # noqa: B007
            loss = ((w - target) ** 2).sum()
            if loss.item() < best - 1e-3:
                best, patience = loss.item(), 0
            else:
                patience += 1
            if patience >= 2:
                break
            w = w - 0.3 * 2 * (w - target)
        return w, best, epoch

    targets = ([1.0, 2.0], [0.0, 0.1], [10.0, -10.0], [0.5, 0.5])
    return Case(fit, [(f64(torch, [0.0, 0.0], True), f64(torch, t, True)) for t in targets], order=1)


@program
def nan_check(torch, compile):
    def guarded(x):
        loss = x.log().sum()
        if torch.isnan(loss):
            return torch.zeros_like(loss)
        if torch.isinf(loss).any():
            raise FloatingPointError("infinite loss")
        return loss

    xs = [f64(torch, v, True) for v in ([1.0, 2.0], [-1.0, 2.0], [0.0, 2.0], [3.0, 4.0])]
    return Case(compile(guarded), [(x,) for x in xs], order=2)


@program
def early_returns(torch, compile):
    def classify(x):
        if (x < 0).any():
            return "negative", None
        if x.sum() == 0:
            return "zero", x.sum()
        for i, v in enumerate(x):
            if v > 5:
                return "large", v * i
        return "small", x.mean()

    xs = ([1.0, 2.0], [-1.0, 2.0], [0.0, 0.0], [1.0, 7.0], [6.0, 7.0])
    return Case(compile(classify), [(f64(torch, x, True),) for x in xs])


@program
def raises_by_value(torch, compile):
    def check(x):
        if x.min() < 0:
            raise ValueError(f"negative entries: {int((x < 0).sum())}")
        if x.max() > 10:
            raise KeyError("too large")
        return x.sqrt().sum()

    xs = ([1.0, 2.0], [-1.0, 2.0], [20.0, 0.0], [4.0, 9.0])
    return Case(compile(check), [(f64(torch, x, True),) for x in xs], order=2)


class TooLargeError(Exception):
    """Raised and caught inside a program."""


@program
def raised_and_caught(torch, compile):
    def inner(x):
        if x.norm() > 2:
            raise TooLargeError
        return x * 2

    def f(x):
        try:
            return inner(x).sum()
        except TooLargeError:
            return (x / x.norm()).sum()

    xs = ([1.0, 1.0], [3.0, 4.0], [0.1, 0.2], [-5.0, 0.0])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs], order=2)


@program
def try_finally(torch, compile):
    def f(x):
        notes = []
        try:
            if x > 1:
                notes.append("large")
                return x * 2, notes
            notes.append("small")
            y = x / 2
        finally:
            notes.append("done")
        return y, notes

    return Case(compile(f), [(f64(torch, v, True),) for v in (2.0, 0.5, 3.0, -1.0)])


@program
def recursion_by_value(torch, compile):
    @compile
    def collatz(x, depth=0):
        if x <= 1 or depth > 30:
            return x * depth
        if x % 2 == 0:
            return collatz(x / 2, depth + 1)
        return collatz(3 * x + 1, depth + 1)

    return Case(collatz, [(f64(torch, v, True),) for v in (6.0, 1.0, 7.0, 16.0)])


@program
def and_or_not(torch, compile):
    def f(x, y):
        a = (x > 0 and y > 0) or x < -1
        b = not (y > 0)
        return x * y if a else (x + y if b else x - y)

    values = (1.0, -0.5, -2.0)
    xs = [f64(torch, v, True) for v in values]
    return Case(compile(f), list(itertools.product(xs, xs)), order=2)


@program
def assertion(torch, compile):
    def f(x):
        assert x.shape == (2,), "wrong shape"
        assert (x > 0).all(), "positive numbers only"
        return x.log().sum()

    xs = ([1.0, 2.0], [-1.0, 2.0], [2.0, 3.0], [0.0, 1.0])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs], order=2)


@program
def ternaries(torch, compile):
    def huber(r):
        parts = [0.5 * v * v if v.abs() <= 1 else v.abs() - 0.5 for v in r]
        return sum(parts)

    rs = ([0.5, -2.0, 0.1], [3.0, 3.0, 3.0], [0.1, 0.2, 0.3], [-4.0, 0.0, 4.0])
    return Case(compile(huber), [(f64(torch, r, True),) for r in rs], order=2)


@program
def match_statement(torch, compile):
    def f(kind, x):
        match kind, int(x.sum()):
            case "scale", 0:
                return x * 0
            case "scale", n if n > 2:
                return x * n
            case "shift", n:
                return x + n
            case _:
                return -x

    xs = [f64(torch, v, True) for v in ([1.0, 3.0], [0.2, 0.3], [1.0, 0.5])]
    return Case(compile(f), [(k, x) for k in ("scale", "shift", "other") for x in xs])


@program
def break_and_continue(torch, compile):
    def f(x):
        total = torch.zeros((), dtype=x.dtype)
        for v in x:
            if v < 0:
                continue
            if v > 10:
                break
            total = total + v**2
        else:
            total = total * 2
        return total

    xs = ([1.0, -2.0, 3.0], [1.0, 20.0, 3.0], [-1.0, -1.0, -1.0], [1.0, 2.0, 3.0])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs], order=2)


@program
def generator_of_terms(torch, compile):
    def terms(x):
        term, n = x, 1
        while abs(term.item()) > 1e-3:
            yield term
            n += 2
            term = -term * x * x / (n * (n - 1))

    def sine(x):
        return sum(terms(x), torch.zeros((), dtype=x.dtype))

    return Case(compile(sine), [(f64(torch, v, True),) for v in (0.5, 0.0, 2.0, -3.0)], order=3)


@program
def any_and_all_of_generators(torch, compile):
    def f(x):
        if any(v > 2 for v in x):
            return x.max()
        if all(v < 0 for v in x):
            return x.min()
        return x.mean()

    xs = ([1.0, 3.0], [-1.0, -2.0], [1.0, 0.5], [5.0, -5.0])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs])


@program
def closures_and_nonlocal(torch, compile):
    def f(x):
        count = 0

        def bump(v):
            nonlocal count
            if v > 0:
                count += 1
                return v * 2
            return v

        y = torch.stack([bump(v) for v in x])
        return y.sum() * count

    xs = ([1.0, -2.0, 3.0], [-1.0, -1.0, -1.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs], order=1)


@program
def fixed_point_with_derivative(torch, compile):
    def f(a):
        x = torch.zeros_like(a)
        for _ in range(60):
            new = torch.cos(a * x)
            if torch.allclose(new, x, rtol=0, atol=1e-4):
                return new
            x = new
        return x

    return Case(compile(f), [(f64(torch, v, True),) for v in ([0.1], [0.5], [0.8], [0.0])], order=2)


@program
def simulated_bounces(torch, compile):
    def drop(height, speed):
        t, bounces = 0.0, 0
        y, v = height, speed
        for _ in range(40):
            y, v = y + 0.05 * v, v - 0.5
            if y < 0:
                y, v = -y * 0.5, -v * 0.5
                bounces += 1
            t += 0.05
        return y, bounces, round(t, 2)

    hs = [f64(torch, v, True) for v in (1.0, 3.0, 0.2)]
    v = f64(torch, 0.0, True)
    return Case(compile(drop), [(hs[0], v), (hs[1], v), (hs[2], v), (hs[0], f64(torch, 2.0, True))], order=1)


@program
def euclid(torch, compile):
    def gcd(a, b):
        while b != 0:
            a, b = b, a % b
        return a

    pairs = [(12, 18), (7, 5), (100, 75), (9, 9)]
    return Case(compile(gcd), [(torch.tensor(a), torch.tensor(b)) for a, b in pairs], at_most=4)


@program
def golden_section(torch, compile):
    ratio = (math.sqrt(5) - 1) / 2

    @compile
    def minimise(a, b, c):
        lo, hi = a, b
        while hi - lo > 0.05:
            p, q = hi - ratio * (hi - lo), lo + ratio * (hi - lo)
            if (p - c) ** 2 < (q - c) ** 2:
                hi = q
            else:
                lo = p
        return (lo + hi) / 2

    a, b = f64(torch, 0.0), f64(torch, 2.0)
    return Case(minimise, [(a, b, f64(torch, c)) for c in (0.3, 1.7, 1.0, 0.01)])


@program
def branch_on_a_derivative(torch, compile):
    def f(x):
        leaf = x.detach().requires_grad_()
        (g,) = torch.autograd.grad((leaf**3 - leaf).sum(), leaf)
        if (g > 0).all():
            return (x * g).sum()
        return (x - g).sum()

    xs = ([1.0, 2.0], [0.1, 0.2], [-3.0, 4.0], [0.0, 5.0])
    return Case(compile(f), [(f64(torch, x, True),) for x in xs], order=2)


@program
def relu_by_hand_in_a_network(torch, compile):
    w = [f64(torch, [[0.5, -1.0], [1.5, 0.3]], True), f64(torch, [[1.0, 0.2], [-0.7, 0.9]], True)]

    @compile
    def net(x):
        for layer in w:
            x = layer @ x
            if x.sum() < 0:
                x = x * 0.1
        return x.sum()

    xs = ([1.0, 2.0], [-1.0, 2.0], [3.0, -4.0], [-3.0, -4.0])
    return Case(net, [(f64(torch, x, True),) for x in xs], order=2, wrt=w)


@program
def chained_comparison(torch, compile):
    def f(x, lo, hi):
        if lo < x.mean() < hi:
            return x * 2
        return x.clamp(lo, hi)

    xs = ([0.5, 0.6], [5.0, 6.0], [-5.0, 0.0], [0.9, 1.05])
    return Case(compile(f), [call(f64(torch, x, True), 0.0, hi=1.0) for x in xs])


@program
def sixty_five_and_more_paths(torch, compile):
    @compile
    def count(x):
        n = 0
        while x > 0:
            x = x - 1
            n += 1
        return x * 10, n

    return Case(count, [(f64(torch, k + 0.5),) for k in (*range(70), 5, 90, 3)], may_warn=True)
