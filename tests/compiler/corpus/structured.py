"""Branches and loops as operators (tg.cond, while_loop, fori_loop, scan, map) beside decisions, training steps and effects."""

from tests.compiler.corpus.algorithms import waves
from tests.compiler.corpus.base import Case, f64, program


@program(only_tracegrad=True)
def branch_after_a_decision(tg, compile):
    @compile
    def f(x):
        if x.sum() > 0:
            x = x * 2
        return tg.cond(x.max() > 1, lambda v: v.sin(), lambda v: v.cos() * v, (x,))

    return Case(f, [(f64(tg, v, True),) for v in ([0.1, 0.2], [2.0, 1.0], [-1.0, 0.5])], order=3, at_most=3)


@program(only_tracegrad=True)
def scan_in_a_training_step(tg, compile):
    w = waves(tg, 3, 3, grad=True)
    opt = tg.optim.Adam([w], lr=0.01)

    @compile
    def step(xs):
        def cell(h, x):
            h = tg.tanh(h @ w + x)
            return h, h.sum()

        _, sums = tg.scan(cell, tg.zeros(3, dtype=tg.float64), xs)
        loss = (sums**2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        return loss

    return Case(step, [(waves(tg, 5, 3, shift=s),) for s in (0.0, 1.0, 2.0)], state=lambda: [w], order=0, at_most=2)


@program(only_tracegrad=True)
def while_loop_and_python_loop(tg, compile):
    @compile
    def f(x):
        y = tg.while_loop(lambda v: v.norm() < 5, lambda v: v * 1.5, x)
        count = 0
        while y.norm() > 2 and count < 5:
            y, count = y * 0.7, count + 1
        return y, count

    return Case(f, [(f64(tg, v),) for v in ([0.5, 0.1], [4.0, 1.0], [30.0, 1.0])], order=0)


@program(only_tracegrad=True)
def fori_loop_with_a_written_buffer(tg, compile):
    total = f64(tg, [0.0, 0.0])

    @compile
    def f(x):
        y = tg.fori_loop(0, 4, lambda i, v: v * 0.5 + i, x)
        total.add_(y.detach())
        if total.sum() > 20:
            total.zero_()
        return (y * total).sum()

    return Case(f, [(f64(tg, v, True),) for v in ([1.0, 2.0], [3.0, 1.0], [90.0, 90.0])], state=lambda: total, order=2)


@program(only_tracegrad=True)
def map_over_rows_then_a_choice(tg, compile):
    @compile
    def f(x, k):
        rows = tg.map(lambda r: (r * k).sin().sum(), x)
        best = int(rows.argmax())
        return x[best].sum() * rows, rows

    return Case(f, [(waves(tg, 3, 2, shift=s, grad=True), f64(tg, 1.0 + s, True)) for s in (0.0, 1.0, 2.0)], order=2)


@program(only_tracegrad=True)
def scan_of_branches(tg, compile):
    @compile
    def f(x):
        def step(carry, v):
            new = tg.cond(v > 0, lambda c, u: c * 0.9 + u, lambda c, u: c - u * c, (carry, v))
            return new, new**2

        last, squares = tg.scan(step, f64(tg, 0.5), x)
        return last + squares.sum()

    return Case(f, [(waves(tg, 6, shift=s, grad=True),) for s in (0.0, 1.0)], order=3, at_most=1)


@program(only_tracegrad=True)
def loop_under_a_python_branch_in_training(tg, compile):
    w = f64(tg, [0.5, -0.3], True)

    @compile
    def step(x):
        y = tg.fori_loop(0, 3, lambda i, v: (v * w).tanh() + v, x) if x.sum() > 0 else x * w
        loss = (y**2).sum()
        loss.backward()
        with tg.no_grad():
            w.sub_(0.1 * w.grad)
            w.grad = None
        return loss.detach()

    return Case(step, [(f64(tg, v),) for v in ([1.0, 1.0], [-1.0, 0.0], [2.0, 0.5])], state=lambda: w, order=0)


@program(only_tracegrad=True)
def loops_inside_loops(tg, compile):
    @compile
    def f(x):
        def outer(c, row):
            inner, _ = tg.scan(lambda a, v: (a * v.cos(), a), c, row)
            return inner, inner

        _, rows = tg.scan(outer, f64(tg, 1.0), x)
        return rows.sum() if rows.sum() > 0 else (rows**2).sum()

    return Case(f, [(waves(tg, 3, 4, shift=s, grad=True),) for s in (0.0, 1.0)], order=2)
