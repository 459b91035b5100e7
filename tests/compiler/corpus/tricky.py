"""Programs that a tree of recordings gets wrong easily: effects before a decision, numbers that leave, calls that overlap, odd Python."""

import contextlib
import copy
import decimal
import fractions
import io
import logging
import math
import operator
import pickle
import statistics

import numpy as np

from tests.compiler.corpus.base import Case, f64, program


def vectors(torch, grad=True):
    return [(f64(torch, v, grad),) for v in ([1.0, 2.5], [-0.5, -3.0], [4.0, 1.5], [2.0, -2.5], [-7.0, 3.0])]


@program
def printed_before_a_decision(torch, compile):
    @compile
    def f(x):
        print("start")
        y = x * 2 if x.sum() > 0 else x * 3
        print("middle")
        return y.sin() if y.max() > 5 else y

    return Case(f, vectors(torch), may_warn=True)


@program
def list_appended_before_a_decision(torch, compile):
    log = []

    @compile
    def f(x):
        log.append("begun")
        if x.sum() > 0:
            log.append("positive")
            return x * 2
        return x

    return Case(f, vectors(torch), state=lambda: log, may_warn=True)


@program
def tensor_written_before_a_decision(torch, compile):
    total, count = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.int64)

    @compile
    def f(x):
        total.add_(x.sum())
        count.add_(1)
        if total > 3:
            total.sub_(3)
            if count >= 3:
                count.zero_()
        return total * 1

    return Case(f, vectors(torch, False), state=lambda: [total, count])


@program
def argument_written_before_a_decision(torch, compile):
    @compile
    def f(x):
        x += 1
        if x[0] > 2:
            x *= 2
        if x[1] < 0:
            x -= 5
        return x.sum()

    return Case(f, vectors(torch, False))


@program
def gradient_accumulated_before_a_decision(torch, compile):
    w = f64(torch, [1.0, 2.0], True)

    @compile
    def f(x):
        loss = (w * x).sum()
        loss.backward()
        if w.grad.norm() > 5:
            with torch.no_grad():
                w.sub_(w.grad, alpha=0.01)
            w.grad.zero_()
        return loss

    return Case(f, vectors(torch, False), state=lambda: w, order=0)


@program(random=True)
def draws_before_decisions(torch, compile):
    @compile
    def f(x):
        a = torch.rand(2, dtype=x.dtype)
        if (a * x).sum() > 0:
            b = torch.randn(2, dtype=x.dtype)
        else:
            b = torch.rand(2, dtype=x.dtype) * 10
        if b[0] > 0.5:
            b = b + torch.randint(0, 5, (2,))
        return a, b, torch.rand(())

    return Case(f, vectors(torch) * 3)


@program
def stream_written_and_logged(torch, compile):
    stream, records = io.StringIO(), []
    logger = logging.getLogger("tests.corpus")
    logger.propagate = False
    logger.handlers = [logging.Handler()]
    logger.handlers[0].emit = lambda record: records.append(record.getMessage())

    @compile
    def f(x):
        stream.write("called\n")
        logger.warning("sum is large" if x.sum() > 0 else "sum is small")
        return x * 2

    return Case(f, vectors(torch), state=lambda: [stream.getvalue(), records], may_warn=True)


@program
def bare_except_around_a_decision(torch, compile):
    @compile
    def f(x):
        try:
            if x.sum() > 0:
                y = x * 2
            else:
                raise ArithmeticError("small")
        except:  # noqa: E722
            y = x - 1
        with contextlib.suppress(Exception):
            if x[0] < 0:
                y = y * 3
                raise ValueError
            y = y + 7
        return y

    return Case(f, vectors(torch), order=2)


@program
def finally_with_state(torch, compile):
    depth = []

    @contextlib.contextmanager
    def entered():
        depth.append(1)
        try:
            yield len(depth)
        finally:
            depth.pop()

    @compile
    def f(x):
        with entered() as n:
            if x.sum() > 0:
                return x * n
            with entered() as m:
                return x * m * 10

    return Case(f, vectors(torch), state=lambda: depth, may_warn=True)


@program
def early_return_inside_modes(torch, compile):
    @compile
    def f(x):
        with torch.no_grad():
            if x.sum() < 0:
                return x * 2
            scale = x.max()
        with torch.enable_grad():
            for v in x:
                if v > 2:
                    return v * scale
        return (x * scale).sum()

    return Case(f, vectors(torch), order=1)


@program
def items_asked_for_their_type(torch, compile):
    @compile
    def f(x, n):
        v, k = x[0].item(), n.item()
        kinds = isinstance(v, float), isinstance(k, int), isinstance(v, (int, float)), type(v) is float, type(k) is int
        return kinds, x * v if isinstance(v, float) else None, np.isscalar(v), callable(v)

    return Case(f, [(x[0], torch.tensor(i)) for i, x in enumerate(vectors(torch))])


@program
def items_as_floats_everywhere(torch, compile):
    @compile
    def f(x):
        v, w = x[0].item(), x[1].item()
        return [
            v // 2,
            v % 2,
            divmod(v, 2),
            v**2,
            2**v,
            -v,
            +w,
            abs(w),
            1 / v,
            v < w < 10,
            v != w,
            v.is_integer(),
            v.as_integer_ratio(),
            round(w),
            round(w, 1),
            math.floor(w),
            math.trunc(w),
            math.copysign(1, w),
            math.sin(v) + math.log(abs(w)),
            str(v),
            repr(w),
            f"{v:+.2e}|{w:8.3f}",
            f"{v}-{w!r}",
            "%.1f/%s" % (v, w),  # noqa: UP031
            "{:.1f}".format(w),  # noqa: UP032
            bool(v),
            int(w),
            complex(v, w),
            float(v),
            {v: "v"}[v],
            v in [1.0, 2.0],
            sorted([w, v, 0.0]),
            max(v, w, 1),
            sum([v, w]),
            math.fsum([v, w]),
            statistics.mean([v, w]),
            fractions.Fraction(v),
            decimal.Decimal(v),
            np.float32(v),
            np.array([v, w]),
            float.hex(v),
            math.isnan(v),
            copy.deepcopy(v),
            pickle.loads(pickle.dumps(v)),
            operator.add(v, 1),
        ]

    return Case(f, vectors(torch), may_warn=True)


@program
def items_as_ints_everywhere(torch, compile):
    @compile
    def f(n):
        k = n.item()
        names = ["a", "b", "c", "d", "e", "f", "g"]
        return [
            names[k],
            names[:k],
            names * k,
            "ab" * k,
            list(range(k)),
            range(k)[-1:],
            k & 1,
            k | 8,
            k ^ 3,
            k << 2,
            k >> 1,
            ~k,
            k // 2,
            k % 2 == 0,
            divmod(k, 2),
            k / 2,
            2**k,
            -k,
            bin(k),
            f"{k:03d}",
            str(k),
            k.bit_length(),
            operator.index(k),
            np.zeros(k).shape,
            torch.zeros(k).shape,
            {k: 1},
            k in (1, 2),
            math.factorial(k),
            math.gcd(k, 4),
            float(k),
            bool(k),
            hash(k),
            chr(65 + k),
            bytes(k),
            [0] * k,
            pow(k, 2, 5),
            k.to_bytes(2, "big"),
        ]

    return Case(f, [(torch.tensor(k),) for k in (3, 0, 1, 6, 3)], may_warn=True)


@program
def items_meet_tensors_of_other_dtypes(torch, compile):
    @compile
    def f(x, n):
        v, k = x[0].item(), n.item()
        ints, halves, singles = torch.arange(3), torch.ones(2, dtype=torch.float16), torch.ones(2)
        return [
            ints * v,
            ints * k,
            ints + True * k,
            halves * v,
            singles + k,
            singles * v,
            x * k,
            v * ints,
            k - singles,
            torch.full((2,), v),
            torch.full((2,), k),
            torch.tensor([v, 1.0]),
            torch.tensor([k, 2]),
            torch.tensor(v),
            torch.tensor((k, v)),
            torch.as_tensor(v),
            torch.where(singles > 0, v, 0.0),
            torch.clamp(x, max=v),
            singles.new_tensor([v]),
            torch.linspace(0, v, 3),
            torch.arange(k),
            x**k,
            torch.pow(2.0, x),
        ]

    return Case(f, [(x[0], torch.tensor(i + 1)) for i, x in enumerate(vectors(torch, False))])


@program
def nan_and_infinite_items(torch, compile):
    @compile
    def f(x):
        v = x.sum().item()
        if v != v:
            return "nan", x.nan_to_num()
        if v == math.inf:
            return "inf", x.clamp(max=1)
        if v == 0:
            return "zero", math.copysign(1.0, v), x
        return "finite", v, x

    nan, inf = float("nan"), float("inf")
    xs = ([1.0, 2.0], [nan, 1.0], [inf, 1.0], [0.0, 0.0], [-0.0, -0.0], [inf, -inf])
    return Case(f, [(f64(torch, x),) for x in xs])


@program
def unpacked_zipped_and_reversed(torch, compile):
    @compile
    def f(x, y):
        a, b = x
        first, *rest = y
        total = sum(p * q for p, q in zip(x, y))
        back = list(reversed(y))
        both = dict(zip("ab", x))
        return a * b, first + sum(rest), total, back[0], both["b"], [*x, *y][2], list(map(torch.sin, x))[0]

    v = vectors(torch)
    return Case(f, [(v[i][0], v[(i + 1) % 5][0]) for i in range(5)], order=2)


@program
def numpy_functions_on_tensors(torch, compile):
    @compile
    def f(x):
        a = np.asarray(x.detach())
        return torch.as_tensor(np.sin(a)) * x, float(np.mean(a)), np.allclose(a, 0), a.shape

    return Case(f, vectors(torch), may_warn=True)


@program
def returned_array_is_not_shared(torch, compile):
    f = compile(lambda x: (x * 2).detach().numpy())

    def g(x):
        a = f(x)
        first = a.copy()
        with contextlib.suppress(ValueError):
            a[0] = 99.0
        return first, f(x)

    return Case(g, vectors(torch), joint=False)


@program
def two_courses_in_one_backward(torch, compile):
    f = compile(lambda x: (x**3).sum() if x.sum() > 0 else x.exp().sum())

    def g(x):
        return f(x) * 2 + f(-x) * f(x * 0.5)

    return Case(g, vectors(torch), order=3)


@program
def backward_after_another_call(torch, compile):
    f = compile(lambda x: (x.sin() * x.exp()).sum())
    others = [x[0] for x in vectors(torch)]

    def g(x):
        first = f(x)
        for other in others:
            f(other)
        second = f(x * 2)
        (b,) = torch.autograd.grad(second, x, retain_graph=True)
        (a,) = torch.autograd.grad(first, x)
        return a, b

    return Case(g, vectors(torch), order=0)


@program
def input_written_before_backward(torch, compile):
    f = compile(lambda x: (x.sin() * x).sum())

    def g(x):
        y = x * 1
        out = f(y)
        y.mul_(3)
        return torch.autograd.grad(out, x)

    return Case(g, vectors(torch), order=0, may_succeed=True)


@program
def captured_weight_written_before_backward(torch, compile):
    w = f64(torch, [1.0, 2.0], True)
    f = compile(lambda x: (w * x * w).sum())

    def g(x):
        out = f(x)
        with torch.no_grad():
            w.add_(1)
        return torch.autograd.grad(out, x)

    return Case(g, vectors(torch), order=0, state=lambda: w, may_succeed=True)


@program
def exception_in_a_hook(torch, compile):
    f = compile(lambda x: (x * x).sum())

    def g(x):
        y = x * 1
        y.register_hook(lambda grad: (_ for _ in ()).throw(KeyError("hook")) if x[0] > 0 else grad)
        return torch.autograd.grad(f(y), x)

    return Case(g, vectors(torch), order=0)


@program
def vmap_over_a_decision(torch, compile):
    f = compile(lambda x: x * 2 if x.sum() > 0 else x)
    xs = [torch.stack([a[0], b[0]]) for a, b in zip(vectors(torch, False), vectors(torch, False)[1:])]
    return Case(lambda x: torch.func.vmap(f)(x), [(x,) for x in xs], order=0)


@program
def transforms_over_a_decision(torch, compile):
    f = compile(lambda x: (x**3).sum() if x.sum() > 0 else (x**2 * x[0]).sum())

    def g(x):
        t = torch.ones_like(x)
        return (
            torch.func.grad(f)(x),
            torch.func.jvp(f, (x,), (t,))[1],
            torch.func.hessian(f)(x),
            torch.func.vjp(f, x)[0],
        )

    return Case(g, vectors(torch, False), order=0)


@program
def compiled_transforms_of_a_loop(torch, compile):
    def f(x):
        while x.abs().sum() < 50:
            x = x * x.abs().sum().clamp(min=1.5)
        return x.sum()

    g = compile(torch.func.grad(f))
    h = compile(torch.func.hessian(f))
    j = compile(lambda x: torch.func.jvp(f, (x,), (torch.ones_like(x),)))
    return Case(lambda x: (g(x), h(x), j(x)), vectors(torch, False), order=0)


@program
def mutual_recursion(torch, compile):
    fast = {}

    def even(x):
        return x * 10 if x < 1 else fast["odd"](x - 1)

    def odd(x):
        return x * -10 if x < 1 else fast["even"](x - 1)

    fast["even"], fast["odd"] = compile(even), compile(odd)
    return Case(fast["even"], [(f64(torch, v, True),) for v in (0.5, 1.5, 2.5, 5.5)])


@program
def compiled_function_made_inside_a_compiled_one(torch, compile):
    @compile
    def f(x, k):
        inner = compile(lambda y: y * k if y.sum() > 0 else -y, counted=False)
        return inner(x) + inner(-x)

    return Case(f, [(x[0], float(i)) for i, x in enumerate(vectors(torch))], order=2)


@program
def generator_function_compiled(torch, compile):
    @compile
    def pieces(x):
        for v in x:
            if v > 0:
                yield v * 2

    return Case(lambda x: list(pieces(x)), vectors(torch), may_refuse=True, may_warn=True, joint=False)


@program
def closure_returned(torch, compile):
    @compile
    def f(x):
        y = x * 2
        return lambda z: y * z

    return Case(lambda x: f(x)(3.0), vectors(torch, False), may_refuse=True, may_warn=True, joint=False)


@program
def object_returned(torch, compile):
    class Box:
        def __init__(self, value):
            self.value = value

    @compile
    def f(x):
        return Box(x * 2 if x.sum() > 0 else x)

    return Case(lambda x: f(x).value, vectors(torch, False), may_refuse=True, may_warn=True, joint=False)


@program
def attributes_set_on_an_argument(torch, compile):
    class Holder:
        value = None

    @compile
    def f(x, holder):
        holder.value = x * 2
        return x.sum()

    holders = [Holder() for _ in range(5)]
    calls = [(x[0], holder) for x, holder in zip(vectors(torch, False), holders)]
    return Case(f, calls, state=lambda: [h.value for h in holders], may_refuse=True, may_warn=True, joint=False)


@program
def list_argument_changed(torch, compile):
    @compile
    def f(xs, table):
        xs.append(xs[0] * 2)
        table["n"] = len(xs)
        return sum(xs)

    calls = [([x[0]], {"n": 0}) for x in vectors(torch, False)]
    return Case(f, calls, may_warn=True, may_refuse=True)


@program
def same_output_twice(torch, compile):
    @compile
    def f(x):
        y = x * 2
        return y, y, [y], y[0]

    return Case(f, vectors(torch), order=2)


@program
def captured_index_advances(torch, compile):
    data = [x[0] for x in vectors(torch)]
    position = [0]

    @compile
    def f(k):
        return data[position[0]] * k

    def g():
        out = f(2.0)
        position[0] = (position[0] + 1) % 5
        return out

    return Case(g, [()] * 12, wrt=data, joint=False)


@program
def captured_tensor_made_anew_each_time(torch, compile):
    state = {"h": f64(torch, [0.0, 0.0])}

    @compile
    def f(x):
        return torch.tanh(state["h"] + x)

    def g(x):
        state["h"] = f(x).detach()
        return state["h"]

    return Case(g, vectors(torch) * 3, order=0, at_most=2, joint=False)


@program
def decision_on_a_captured_tensor(torch, compile):
    switch = torch.tensor(True)
    level = torch.tensor(0)

    @compile
    def f(x):
        if switch:
            return x * level
        return x + [10, 20, 30][level]

    def change(s, n):
        return lambda: (switch.fill_(s), level.fill_(n))

    case = Case(f, vectors(torch), order=1)
    for made, (s, n) in zip(case.calls, ((True, 0), (False, 2), (False, 0), (True, 3), (False, 2))):
        made.before = change(s, n)
    return case


@program
def requires_grad_set_between_calls(torch, compile):
    w = f64(torch, [1.0, 2.0])
    f = compile(lambda x: (x * w).sum() if x.sum() > 0 else (x + w).sum())
    case = Case(f, vectors(torch), wrt=[w], order=2)
    case.calls[2].before = lambda: w.requires_grad_(True)
    case.calls[4].before = lambda: w.requires_grad_(False)
    return case


@program
def strings_and_bools_from_values(torch, compile):
    @compile
    def f(x):
        signs = "".join("+" if v > 0 else "-" for v in x)
        flags = [bool(v > 1) for v in x]
        table = {"++": 1.0, "--": 2.0}
        return signs, flags, x * table.get(signs, 0.5), any(flags), [*map(int, x)]

    return Case(f, vectors(torch))


@program
def sets_of_items(torch, compile):
    @compile
    def f(n):
        seen, out = set(), []
        for v in n:
            key = v.item()
            if key not in seen:
                seen.add(key)
                out.append(v)
        return torch.stack(out), sorted(seen), len(seen)

    return Case(f, [(torch.tensor(n),) for n in ([1, 1, 2], [3, 3, 3], [5, 4, 3], [1, 1, 2])])


@program
def memoised_recursion(torch, compile):
    @compile
    def f(x, n):
        memo = {}

        def fib(k):
            if k < 2:
                return x[k]
            if k not in memo:
                memo[k] = fib(k - 1) + fib(k - 2)
            return memo[k]

        return fib(int(n))

    return Case(f, [(x[0], torch.tensor(k)) for x, k in zip(vectors(torch), (5, 1, 8, 2, 5))], order=1)


@program
def while_with_two_conditions_and_else(torch, compile):
    @compile
    def f(x, limit):
        n = 0
        while x.norm() > limit and n < 6:
            x = x * 0.6
            n += 1
        else:
            x = x + 1
        return x, n

    return Case(f, [(x[0], lim) for x, lim in zip(vectors(torch), (1.0, 0.01, 3.0, 100.0, 2.0))], order=2, at_most=12)


@program
def del_and_rebinding(torch, compile):
    @compile
    def f(x):
        y = x * 2
        z = y.sin()
        del y
        x = z + 1
        if x.sum() > 2:
            y = x
            del z
        else:
            y = z
        return y * 3

    return Case(f, vectors(torch), order=2)


@program
def anomaly_mode_and_saved_tensor_hooks(torch, compile):
    f = compile(lambda x: (x.sin() * x).sum() if x.sum() > 0 else x.sum())

    def g(x):
        seen = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: (seen.append(1), t)[1], lambda t: t):
            out = f(x)
        return out

    return Case(g, vectors(torch), order=1, may_warn=True)
