"""Writes inside compiled functions: to arguments, captured tensors, views and intermediates; aliases; .data; .grad."""

from tests.compiler.corpus.base import Case, f64, program

VALUES = ([1.0, -2.0, 3.0, 0.5], [4.0, 5.0, -6.0, 0.1], [0.0, 0.0, 0.0, 0.0], [9.0, 8.0, 7.0, 6.0])


def vectors(torch, grad=False):
    return [(f64(torch, v, grad),) for v in VALUES]


@program
def add_to_an_argument(torch, compile):
    @compile
    def f(x):
        x.add_(1)
        return x.sum()

    return Case(f, vectors(torch), at_most=1)


@program
def set_an_element(torch, compile):
    @compile
    def f(x):
        x[0] = 5
        x[1:3] *= 2
        x[-1] += x[0]
        return x * 1

    return Case(f, vectors(torch))


@program
def nothing_returned(torch, compile):
    @compile
    def f(x, y):
        x.mul_(y).clamp_(min=0)
        y.zero_()

    return Case(f, [(x[0], f64(torch, VALUES[3 - i])) for i, x in enumerate(vectors(torch))])


@program
def out_argument(torch, compile):
    @compile
    def f(x, out):
        torch.add(x, 1, out=out)
        torch.exp(x, out=out[:4])
        return out.sum()

    out = torch.zeros(4, dtype=torch.float64)
    return Case(f, [(x[0], out) for x in vectors(torch)], state=lambda: out, may_refuse=True)


@program
def captured_tensor_written(torch, compile):
    total = torch.zeros(4, dtype=torch.float64)
    count = torch.zeros((), dtype=torch.int64)

    @compile
    def f(x):
        total.add_(x)
        count.add_(1)
        return total / count

    return Case(f, vectors(torch), state=lambda: [total, count], at_most=1)


@program
def captured_view_written(torch, compile):
    table = torch.zeros(3, 4, dtype=torch.float64)
    row = table[1]

    @compile
    def f(x):
        row.copy_(x)
        table[2].add_(row)
        return table.sum(0)

    return Case(f, vectors(torch), state=lambda: [table, row])


@program
def view_of_an_intermediate(torch, compile):
    @compile
    def f(x):
        y = x * 2
        first = y[:2]
        first.mul_(10)
        y.view(2, 2)[1].add_(1)
        return y, first.sum()

    return Case(f, vectors(torch, True), order=2, at_most=1)


@program
def aliases_of_an_argument(torch, compile):
    @compile
    def f(x):
        a, b = x[:3], x[1:]
        a.add_(1)
        b.mul_(2)
        return a + b

    return Case(f, vectors(torch))


@program
def write_then_read_then_write(torch, compile):
    @compile
    def f(x):
        y = x.clone()
        z = y + 1
        y.mul_(3)
        w = z.sin() + y
        y.sub_(w)
        return y * w

    return Case(f, vectors(torch, True), order=3)


@program
def buffer_filled_in_a_loop(torch, compile):
    @compile
    def scan(x):
        out = torch.zeros_like(x)
        state = x.new_zeros(())
        for i in range(len(x)):
            state = 0.5 * state + x[i]
            out[i] = state.tanh()
        return out

    return Case(scan, vectors(torch, True), order=2)


@program
def matrix_filled_by_rows(torch, compile):
    @compile
    def gram(x):
        m = torch.empty(4, 4, dtype=x.dtype)
        for i in range(4):
            for j in range(i + 1):
                m[i, j] = m[j, i] = x[i] * x[j] + (i == j)
        return torch.linalg.det(m), m

    return Case(gram, vectors(torch, True), order=1)


@program
def masked_write(torch, compile):
    @compile
    def f(x):
        y = x.clone()
        y[y < 0] = 0
        y[x > 5] += 1
        y.masked_fill_(x == 0.5, -1)
        return y

    return Case(f, vectors(torch, True), order=1)


@program
def write_in_a_branch(torch, compile):
    @compile
    def f(x):
        if x.sum() > 5:
            x.zero_()
        else:
            x += 10
        return x.mean()

    return Case(f, vectors(torch))


@program
def write_before_a_raised_exception_is_seen_or_undone(torch, compile):
    total = torch.zeros((), dtype=torch.float64)

    @compile
    def f(x):
        total.add_(x.sum())
        if x.max() > 6:
            raise ValueError("too large")
        return total * 2

    def careful(x):
        before = total.clone()
        try:
            return f(x)
        except ValueError:
            whole = total.item() in (before.item(), (before + x.sum()).item())
            total.copy_(before)
            return whole

    return Case(careful, vectors(torch), state=lambda: total, joint=False)


@program
def data_of_a_parameter(torch, compile):
    w = f64(torch, [1.0, 2.0, 3.0, 4.0], True)

    @compile
    def f(x):
        w.data.mul_(0.5)
        w.data[0] = x[0]
        return w.detach() * x

    return Case(f, vectors(torch), state=lambda: w)


@program
def data_assigned(torch, compile):
    w = f64(torch, [1.0, 2.0, 3.0, 4.0], True)

    @compile
    def f(x):
        w.data = w.data + x
        return (w * x).sum()

    return Case(f, vectors(torch), state=lambda: w, order=1, wrt=[w], joint=False, may_warn=True)


@program
def requires_grad_inside(torch, compile):
    @compile
    def f(x):
        y = x.clone().requires_grad_()
        (y**2).sum().backward()
        y.requires_grad_(False)
        return y.grad, y.is_leaf

    return Case(f, vectors(torch))


@program
def detached_in_place(torch, compile):
    @compile
    def f(x):
        y = x * 3
        y.detach_()
        return (y * x).sum()

    return Case(f, vectors(torch, True), order=2)


@program
def grad_of_an_argument(torch, compile):
    @compile
    def f(x):
        (x**3).sum().backward()
        return x.grad * 2

    return Case(f, vectors(torch, True), order=0, joint=False)


@program
def grad_read_scaled_and_cleared(torch, compile):
    w = f64(torch, [1.0, 2.0, 3.0, 4.0], True)

    @compile
    def f(x):
        first = w.grad is None
        (w * x).sin().sum().backward()
        w.grad *= 0.5
        found = w.grad.clone()
        if found.norm() > 2:
            w.grad = None
        return found, first

    return Case(f, vectors(torch), order=0, state=lambda: w)


@program
def leaf_written_in_grad_mode(torch, compile):
    @compile
    def f(x):
        x.mul_(2)
        return x.sum()

    return Case(f, vectors(torch, True), joint=False)


@program
def saved_value_overwritten(torch, compile):
    @compile
    def f(x):
        y = x.exp()
        z = (y * y).sum()
        y.add_(1)
        return torch.autograd.grad(z, x)

    return Case(f, vectors(torch, True), joint=False, may_refuse=True, may_succeed=True)


@program
def swap_in_place(torch, compile):
    @compile
    def f(x, y):
        kept = x.clone()
        x.copy_(y)
        y.copy_(kept)
        return x - y

    return Case(f, [(x[0], f64(torch, VALUES[(i + 1) % 4])) for i, x in enumerate(vectors(torch))])


@program
def same_tensor_twice_with_a_write(torch, compile):
    @compile
    def f(a, b):
        a.add_(1)
        return b * 2

    xs = [x[0] for x in vectors(torch)]
    return Case(f, [(xs[0], xs[0]), (xs[1], xs[2]), (xs[3], xs[3]), (xs[0], xs[1])])


@program
def overlapping_views_with_a_write(torch, compile):
    @compile
    def f(a, b):
        a.mul_(2)
        return a.sum() + b.sum()

    xs = [x[0] for x in vectors(torch)]
    calls = [(xs[0][:3], xs[0][1:]), (xs[1], xs[1][::2]), (xs[2][:2], xs[2][2:]), (xs[3], xs[0])]
    return Case(f, calls, state=lambda: xs, may_warn=True)


@program
def argument_and_captured_are_one(torch, compile):
    kept = f64(torch, VALUES[0])

    @compile
    def f(x):
        x.add_(1)
        return kept * 2

    others = [x[0] for x in vectors(torch)]
    return Case(f, [(kept,), (others[0],), (kept[:],), (others[1],)], state=lambda: kept, may_warn=True)


@program
def running_maximum(torch, compile):
    class Best:
        def __init__(self):
            self.value = torch.full((), -float("inf"), dtype=torch.float64)
            self.where = torch.zeros(4, dtype=torch.float64)

        @compile
        def update(self, x):
            if x.sum() > self.value:
                self.value.copy_(x.sum())
                self.where.copy_(x)
            return self.value * 1

    best = Best()
    return Case(best.update, vectors(torch), state=lambda: [best.value, best.where], joint=False)


@program
def attribute_replaced_by_a_tensor(torch, compile):
    class Filter:
        def __init__(self):
            self.state = torch.zeros(4, dtype=torch.float64)

        @compile
        def step(self, x):
            self.state = 0.9 * self.state + x
            return self.state.sum()

    made = Filter()
    return Case(made.step, vectors(torch), state=lambda: made.state, may_warn=True, joint=False)


@program
def cell_of_a_list_of_tensors_replaced(torch, compile):
    states = [torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)]

    @compile
    def f(x):
        states[0] = states[0] + x
        states[1], old = x * states[1], states[1]
        return old.sum()

    return Case(f, vectors(torch), state=lambda: states, may_warn=True)


@program
def scatter_and_index_put(torch, compile):
    @compile
    def f(x, i):
        y = torch.zeros(6, dtype=x.dtype)
        y.index_add_(0, i, x)
        y.scatter_(0, i[:2], x[:2] * 2)
        y[i[2:]] = x[2:]
        return y

    i = [torch.tensor(v) for v in ([0, 1, 2, 3], [5, 5, 5, 4], [0, 0, 1, 1], [3, 2, 1, 0])]
    return Case(f, [(x[0], k) for x, k in zip(vectors(torch, True), i)], order=1)


@program
def cumulative_in_place_chain(torch, compile):
    @compile
    def f(x):
        y = x.clone()
        for _ in range(3):
            y.mul_(x).add_(1).sin_()
            y[::2].sub_(y[1::2])
        return y.sum()

    return Case(f, vectors(torch, True), order=3)


@program
def transposed_view_written(torch, compile):
    @compile
    def f(x):
        m = x.clone().view(2, 2)
        m.t()[0] = 7
        m.diagonal().mul_(m[0].exp())
        m.unsqueeze(0).add_(1)
        return m

    return Case(f, vectors(torch, True), order=2)


@program
def integer_and_bool_buffers(torch, compile):
    seen = torch.zeros(4, dtype=torch.bool)
    hits = torch.zeros(4, dtype=torch.int32)

    @compile
    def f(x):
        seen.logical_or_(x > 4)
        hits.add_((x > 0).int())
        hits[0] -= 1
        return seen.sum(), hits.max()

    return Case(f, vectors(torch), state=lambda: [seen, hits])
