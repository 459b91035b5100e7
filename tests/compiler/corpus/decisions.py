"""Programs that decide by values in every way that Python has: loops, unpacking, comprehensions, matching, builtins, classes, context managers."""

import contextlib
import dataclasses
import functools
import itertools
import math

from tests.compiler.corpus.base import Case, call, f64, program


def vectors(torch, count=6, size=4, grad=True):
    """Float64 vectors that differ in sign and size."""
    return [
        (torch.arange(size, dtype=torch.float64).mul(1.3 + 0.4 * k).add(0.7 * k).sin() * (k + 1) / 2).requires_grad_(
            grad
        )
        for k in range(count)
    ]


@program
def halley_with_a_cap_on_the_steps(torch, compile):
    @compile
    def root(a):
        x, count = a.clone(), 0
        for count in range(1, 40):  # noqa: B007
            f = x**3 - a
            if abs(f.item()) < 1e-9:
                break
            x = x - 2 * f * 3 * x**2 / (2 * (3 * x**2) ** 2 - f * 6 * x)
        else:
            raise ArithmeticError("no root")
        return x, count

    return Case(root, [(f64(torch, v, True),) for v in (2.0, 9.0, 27.5, 0.3, 100.0)], order=3, at_most=6)


@program
def golden_ratio_line_search(torch, compile):
    @compile
    def search(x, direction):
        def phi(t):
            return ((x + t * direction) ** 4).sum() - (x + t * direction).sum()

        t, decrease = 1.0, 0
        start = phi(0.0)
        while not (value := phi(t)) <= start - 1e-4 * t * (direction @ direction):
            t *= 0.5
            decrease += 1
            if decrease > 20:
                return None, start
        return t, value

    x = vectors(torch)
    return Case(search, [(v, -v.detach() * s) for v, s in zip(x, (0.5, 3.0, 9.0, 20.0, 1.0, 0.1))], order=3)


@program
def false_position(torch, compile):
    @compile
    def root(c):
        low, high = torch.zeros_like(c), torch.ones_like(c) * 3
        f = lambda x: x * x * x - c  # noqa: E731
        side = 0
        for _ in range(60):
            fl, fh = f(low), f(high)
            x = (fl * high - fh * low) / (fl - fh)
            fx = f(x)
            if fx.abs() < 1e-7:
                return x
            if fx * fh > 0:
                high = x
                side = -1
            elif fl * fx > 0:
                low = x
                side = 1
        return x, side

    return Case(root, [(f64(torch, v, True),) for v in (2.0, 5.0, 1.5)], order=2)


@program
def beams_sorted_by_score(torch, compile):
    @compile
    def beams(steps, width):
        alive = [((), steps.new_zeros(()))]
        for row in steps:
            grown = [((*path, k), score + row[k]) for path, score in alive for k in range(len(row))]
            grown.sort(key=lambda entry: entry[1].item(), reverse=True)
            alive = grown[:width]
        return alive[0][0], alive[0][1], [path for path, _ in alive]

    calls = [(vectors(torch, 3, 3)[k].repeat(3).reshape(3, 3).cumsum(0).log_softmax(1), 2) for k in range(3)]
    return Case(beams, [(c.detach().requires_grad_(), w) for c, w in calls], order=2)


@program
def runge_kutta_45(torch, compile):
    @compile
    def solve(y, tolerance):
        t, h, accepted, rejected = 0.0, 0.5, 0, 0
        f = lambda t, y: torch.stack([y[1], -y[0] * (1 + 0.5 * y[0] ** 2)])  # noqa: E731
        while t < 1.0:
            h = min(h, 1.0 - t)
            k1 = f(t, y)
            k2 = f(t + h / 4, y + h * k1 / 4)
            k3 = f(t + 3 * h / 8, y + h * (3 * k1 + 9 * k2) / 32)
            k4 = f(t + 12 * h / 13, y + h * (1932 * k1 - 7200 * k2 + 7296 * k3) / 2197)
            k5 = f(t + h, y + h * (439 / 216 * k1 - 8 * k2 + 3680 / 513 * k3 - 845 / 4104 * k4))
            k6 = f(t + h / 2, y + h * (-8 / 27 * k1 + 2 * k2 - 3544 / 2565 * k3 + 1859 / 4104 * k4 - 11 / 40 * k5))
            four = y + h * (25 / 216 * k1 + 1408 / 2565 * k3 + 2197 / 4104 * k4 - k5 / 5)
            five = y + h * (16 / 135 * k1 + 6656 / 12825 * k3 + 28561 / 56430 * k4 - 9 / 50 * k5 + 2 / 55 * k6)
            error = (five - four).norm().item()
            if error <= tolerance:
                t, y, accepted = t + h, five, accepted + 1
            else:
                rejected += 1
            h = h * (2.0 if error < tolerance / 32 else 0.5 if error > tolerance else 1.0)
        return y, accepted, rejected

    starts = [(f64(torch, v, True), tol) for v, tol in (([1.0, 0.0], 1e-5), ([2.0, 1.0], 1e-5), ([0.1, 0.2], 1e-6))]
    return Case(solve, starts, order=2)


@program
def early_returns_of_several_kinds(torch, compile):
    @compile
    def kinds(x):
        if x.sum() < 0:
            return None
        if (x > 2).any():
            return "large", x.max()
        if x.mean() < 0.2:
            return {"mean": x.mean(), "n": int((x > 0).sum())}
        return [x * 2]

    return Case(kinds, [(v,) for v in vectors(torch, 8)], order=2)


class TooLargeError(ValueError):
    """Raised inside, with a value."""


@program
def errors_caught_by_class_and_by_value(torch, compile):
    def checked(x):
        if x.abs().max() > 2:
            raise TooLargeError(x.abs().max().item())
        if x.sum() < 0:
            raise KeyError("negative")
        return x.exp()

    @compile
    def guarded(x):
        try:
            y = checked(x)
        except TooLargeError as error:
            y = x / error.args[0]
        except LookupError:
            y = -x
        else:
            y = y + 1
        finally:
            x = x * 2
        return y.sum(), x

    return Case(guarded, [(v,) for v in vectors(torch, 7)], order=3)


@program
def recursion_over_halves(torch, compile):
    def split(x, depth):
        if len(x) == 1 or depth > 3 or x.max() - x.min() < 0.3:
            return x.mean() * len(x)
        middle = len(x) // 2
        return split(x[:middle], depth + 1) + 0.5 * split(x[middle:], depth + 1)

    return Case(compile(lambda x: split(x, 0)), [(v,) for v in vectors(torch, 6, 8)], order=3)


@program
def for_over_rows_values_and_items(torch, compile):
    @compile
    def walk(x):
        total = x.new_zeros(())
        for i, row in enumerate(x):
            for value in row:
                if value < 0:
                    continue
                total = total + value * (i + 1)
        for a, b in zip(x[0], x[1]):
            total = total + a * b
        for v in x[0].tolist():
            total = total + v
        return total

    return Case(walk, [(v.reshape(2, 2).detach().requires_grad_(),) for v in vectors(torch, 4)], order=3)


@program
def generators_that_stop_by_value(torch, compile):
    def powers(x):
        y = x
        while y.abs().sum() < 50:
            yield y
            y = y * x.abs().add(1.1)

    @compile
    def summed(x):
        terms = list(powers(x))
        last = next(iter(terms), None)
        return sum(terms, start=x * 0), len(terms), last is not None and (last > 0).all().item()

    return Case(summed, [(v,) for v in vectors(torch, 5)], order=3)


@program
def context_managers_around_decisions(torch, compile):
    @contextlib.contextmanager
    def scaled(log, by):
        log.append("in")
        try:
            yield by * 2
        finally:
            log.append("out")

    class Counting:
        def __init__(self):
            self.depth = 0

        def __enter__(self):
            self.depth += 1
            return self

        def __exit__(self, kind, value, trace):
            self.depth -= 1
            return kind is ZeroDivisionError

    @compile
    def run(x):
        log, counting, y = [], Counting(), x
        with scaled(log, 1.5) as by, counting as c:
            y = x * by * c.depth
            if y.sum() > 1:
                y = y / 0 if c.depth > 1 else y.abs().add(0.5).sqrt()
                raise ZeroDivisionError
            with torch.no_grad():
                z = y * 3
            y = y + z
        return y, log, counting.depth

    return Case(run, [(v,) for v in vectors(torch, 5)], order=2)


@program
def closures_with_nonlocal_counters(torch, compile):
    @compile
    def bisect(target):
        calls = 0
        history = []

        def f(x):
            nonlocal calls
            calls += 1
            history.append(x)
            return x.tanh() - target

        low, high = torch.full_like(target, -3.0), torch.full_like(target, 3.0)
        while (high - low).abs() > 1e-2:
            middle = (low + high) / 2
            low, high = (middle, high) if f(middle) < 0 else (low, middle)
        return low, calls, len(history), history[-1]

    return Case(bisect, [(f64(torch, v, True),) for v in (0.1, -0.7, 0.5)], order=1)


@program
def comprehensions_by_value(torch, compile):
    @compile
    def grouped(x):
        kinds = {i: v for i, v in enumerate(x) if v > 0}
        signs = {int(v.sign()) for v in x}
        nested = [[a * b for b in x if b != 0] for a in x if a > 0.5]
        total = sum(sum(row) for row in nested) if nested else x.new_zeros(())
        return kinds, sorted(signs), total

    return Case(grouped, [(v,) for v in vectors(torch, 5)], order=2)


@program
def matching_on_values_and_shapes(torch, compile):
    @dataclasses.dataclass
    class Found:
        kind: str
        value: object

    @compile
    def matched(x):
        match x.shape, int((x > 0).sum()):
            case (4,), 0:
                found = Found("none", x.sum())
            case (4,), n if n > 2:
                found = Found("many", x.prod())
            case (n,), _:
                found = Found("some", x.sum() / n)
        match found:
            case Found(kind="many", value=v):
                return v
            case Found(value=v):
                return -v, found.kind

    return Case(matched, [(v,) for v in vectors(torch, 6)], order=3)


@program
def walrus_chains_and_conditions(torch, compile):
    @compile
    def chained(x):
        if (s := x.sum()) > 1 and (m := x.max()) < 3:
            return s * m
        if 0 < s <= 1 or not (x > -1).all():
            return s - x.min()
        if -1 <= s < 0 < x.max():
            return x.min()
        return x.abs().sum() if s and x[0] else s * 0

    return Case(chained, [(v,) for v in vectors(torch, 10)], order=3)


@program
def star_arguments(torch, compile):
    def combine(first, *rest, scale=1.0, **named):
        total = first * scale
        for r in rest:
            total = total + r if r.sum() > 0 else total - r
        for name, value in sorted(named.items()):
            total = total * value if name.startswith("m") else total + value
        return total

    @compile
    def run(*args, **kwargs):
        return combine(*args, **{k: v * 2 for k, v in kwargs.items()})

    a, b, c, d = vectors(torch, 4)
    return Case(run, [call(a, b), call(a, b, c, scale=0.5), call(b, m=c, a=d), call(c, d, m=a, z=b)], order=2)


@program
def callable_objects_partials_and_caches(torch, compile):
    class Poly:
        def __init__(self, *coefficients):
            self.coefficients = coefficients

        def __call__(self, x):
            y = x * 0
            for c in self.coefficients:
                y = y * x + c
            return y

        @property
        def degree(self):
            return len(self.coefficients) - 1

        @functools.cached_property
        def slope(self):
            n = self.degree
            return Poly(*[c * (n - i) for i, c in enumerate(self.coefficients[:-1])])

    @functools.cache
    def binomial(n, k):
        return 1 if k in (0, n) else binomial(n - 1, k - 1) + binomial(n - 1, k)

    p = Poly(1.0, -2.0, 0.5)
    p.slope  # noqa: B018
    clipped = functools.partial(torch.clamp, max=2.0)
    binomial(4, 2)

    @compile
    def run(x):
        y = p(x)
        if y.mean() > 0:
            y = clipped(p.slope(x), min=-1.0)
        return y * binomial(4, 2) + p.degree

    return Case(run, [(v,) for v in vectors(torch, 5)], order=3)


@program
def builtins_over_tensors(torch, compile):
    @compile
    def run(x, y):
        parts = [x.sum(), y.sum(), (x * y).sum()]
        best = max(parts)
        worst = min(parts, key=lambda t: abs(t))
        order = sorted(range(3), key=lambda i: parts[i])
        ranked = sorted(parts, reverse=True)
        return (
            best,
            worst,
            order,
            ranked[0] - ranked[-1],
            sum(parts),
            any(p > 2 for p in parts),
            all(p < 5 for p in parts),
        )

    v = vectors(torch, 6)
    return Case(run, [(a, b) for a, b in itertools.pairwise(v)], order=3)


@program
def membership_and_truth(torch, compile):
    @compile
    def run(x):
        n = (x > 0).sum()
        if n in (0, 4):
            return x * 0
        if n.item() in {1: "one"}:
            return x.max()
        small = [v for v in x if not v > 1]
        return (small and small[0] + x.sum()) or x.mean()

    return Case(run, [(v,) for v in vectors(torch, 8)], order=2)


@program
def assertions_with_messages(torch, compile):
    @compile
    def run(x):
        assert torch.isfinite(x).all(), "not finite"
        total = x.sum()
        assert total < 4, f"too large: {float(total):.3f}"
        return total.log() if total > 0 else total

    return Case(run, [(v,) for v in vectors(torch, 9)], order=3)


@program
def sizes_indices_and_bounds_from_values(torch, compile):
    @compile
    def run(x):
        k = int((x > 0).sum())
        top = x.topk(k).values if k else x[:1]
        padded = torch.zeros(k + 1, dtype=x.dtype)
        for i in range(k):
            padded[i] = top[i]
        i = int(x.argmax())
        return padded.sum() * x[i], x[: k + 1].prod(), torch.arange(k).sum() + i

    return Case(run, [(v,) for v in vectors(torch, 8)], order=3)


@program
def indices_from_items(torch, compile):
    @compile
    def pick(x, rows):
        i = x.argmax().item()
        return rows[i] * x[i], rows[i, 1], rows[:, i - 2].sum(), [10, 20, 30, 40][i]

    rows = f64(torch, [[1.0, 2.0, 3.0, 4.0], [0.5, 0.1, -1.0, 2.0], [3.0, 3.0, 1.0, 0.0], [9.0, 8.0, 7.0, 6.0]], True)
    return Case(pick, [(v, rows) for v in vectors(torch, 5)], order=2)


@program
def lists_and_arrays_of_values(torch, compile):
    @compile
    def run(x):
        values = x.tolist()
        array = x.detach().numpy()
        scale = math.sqrt(sum(v * v for v in values)) + float(array.max())
        key = hash(round(values[0], 2)) == hash(round(float(array[0]), 2))
        return x / scale, key, len(set(values)), f"{scale:.3f}"

    return Case(run, [(v,) for v in vectors(torch, 4)], order=2, may_warn=True)


@program
def methods_of_dataclasses(torch, compile):
    @dataclasses.dataclass
    class Ball:
        position: object
        velocity: object
        bounces: int = 0

        def moved(self, h):
            p = self.position + h * self.velocity
            if p < 0:
                return dataclasses.replace(self, position=-p, velocity=-0.8 * self.velocity, bounces=self.bounces + 1)
            return Ball(p, self.velocity - 9.81 * h, self.bounces)

        @property
        def energy(self):
            return 9.81 * self.position + self.velocity**2 / 2

    @compile
    def fall(height, speed):
        ball = Ball(height, speed)
        while ball.bounces < 2:
            ball = ball.moved(0.05)
        return ball.energy, ball.bounces, ball

    starts = [(1.0, 0.0), (0.5, 2.0), (0.2, -1.0)]
    return Case(fall, [(f64(torch, a, True), f64(torch, b, True)) for a, b in starts], order=2)


@program
def coroutine_that_is_sent_values(torch, compile):
    def averager():
        total, count = None, 0
        mean = None
        while True:
            value = yield mean
            if value is None:
                return
            total = value if total is None else total + value
            count += 1
            mean = total / count

    @compile
    def run(x):
        g = averager()
        next(g)
        means = [g.send(v) for v in x if v > -0.5]
        g.close()
        return means[-1] if means else x.sum()

    return Case(run, [(v,) for v in vectors(torch, 5)], order=2)


@program
def tensors_as_keys_and_identity(torch, compile):
    @compile
    def run(x, y):
        owned = {x: "x", y: "y"}
        chosen = x if x.norm() > y.norm() else y
        return owned[chosen], chosen is x, chosen * 2, len({x, y, chosen})

    v = vectors(torch, 5)
    return Case(run, [(a, b) for a, b in zip(v, v[2:])], order=1)


@program
def while_else_with_several_exits(torch, compile):
    @compile
    def run(x):
        n = 0
        while n < 6:
            n += 1
            x = x * 1.5
            if x.max() > 4:
                break
            if x.min() < -4:
                return x.min()
        else:
            return x.sum() * n
        return x.max() / n

    return Case(run, [(v,) for v in vectors(torch, 7)], order=3)


@program
def nested_loops_with_flags(torch, compile):
    @compile
    def bubble(x):
        values, swapped, swaps = list(x), True, 0
        while swapped:
            swapped = False
            for i in range(len(values) - 1):
                if values[i] > values[i + 1]:
                    values[i], values[i + 1] = values[i + 1], values[i]
                    swapped, swaps = True, swaps + 1
        return torch.stack(values).cumsum(0), swaps

    return Case(bubble, [(v,) for v in vectors(torch, 4)], order=2)


@program
def interpolation_by_table(torch, compile):
    @compile
    def at(t, knots, values):
        for i in range(len(knots) - 1):
            if knots[i] <= t <= knots[i + 1]:
                w = (t - knots[i]) / (knots[i + 1] - knots[i])
                return values[i] * (1 - w) + values[i + 1] * w
        return values[-1] if t > knots[-1] else values[0]

    knots, values = f64(torch, [0.0, 1.0, 2.5, 4.0]), f64(torch, [1.0, 3.0, 2.0, 5.0], True)
    return Case(at, [(f64(torch, t, True), knots, values) for t in (0.2, 1.7, 3.9, 7.0, -1.0)], order=2)


@program
def power_method_with_deflation(torch, compile):
    @compile
    def eigenvalues(a, count):
        found = []
        for _ in range(count):
            v, old = torch.ones(len(a), dtype=a.dtype), None
            for _ in range(30):
                w = a @ v
                size = w.norm()
                if old is not None and abs(size - old) < 1e-3:
                    break
                v, old = w / size, size
            value = v @ a @ v
            found.append(value)
            a = a - value * torch.outer(v, v)
        return torch.stack(found)

    m = [v.detach()[:3] for v in vectors(torch, 3)]
    return Case(
        eigenvalues,
        [
            ((torch.outer(v, v) + torch.eye(3, dtype=v.dtype) * torch.arange(1.0, 4.0).double()).requires_grad_(), 2)
            for v in m
        ],
        order=1,
    )


@program
def gradient_descent_until_flat(torch, compile):
    @compile
    def minimise(x, rate):
        for step in range(50):  # noqa: B007
            x = x.detach().requires_grad_()
            loss = ((x - 1) ** 4).sum() + (x**2).sum()
            (g,) = torch.autograd.grad(loss, x)
            if g.abs().max() < 0.5:
                break
            x = x - rate * g
        return x.detach(), step, loss.detach()

    return Case(minimise, [(v.detach(), r) for v, r in zip(vectors(torch, 4), (0.05, 0.02, 0.05, 0.01))], order=0)


@program
def selection_by_mask_in_a_loop(torch, compile):
    @compile
    def trimmed(x):
        for _ in range(4):
            keep = (x - x.mean()).abs() < 1.5 * x.std()
            if keep.all():
                break
            x = x[keep]
        return x.mean(), len(x)

    return Case(trimmed, [(v,) for v in vectors(torch, 6, 20)], order=3, at_most=40)


@program
def swaps_by_tuple_and_none(torch, compile):
    @compile
    def gcd_like(a, b):
        last = None
        while b > 0.1:
            a, b, last = b, a - b * torch.floor(a / b), a
        return a if last is None else a * last

    pairs = [(3.7, 1.1), (0.05, 0.01), (10.0, 2.3), (5.0, 4.9)]
    return Case(gcd_like, [(f64(torch, a, True), f64(torch, b, True)) for a, b in pairs], order=2)
