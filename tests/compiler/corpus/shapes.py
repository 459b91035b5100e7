"""Shapes: sizes that change from call to call, and sizes in arithmetic, loops and decisions."""

from tests.compiler.corpus.base import Case, f64, program

SIZES = (2, 3, 5, 8, 3, 1)


def batches(torch, sizes=SIZES, width=3, grad=True):
    """Tensors of (size, width)."""
    made = []
    for k, n in enumerate(sizes):
        x = torch.arange(n * width, dtype=torch.float64).mul(0.7).add(k).sin().reshape(n, width)
        made.append((x.requires_grad_(grad),))
    return made


@program
def batch_size_changes(torch, compile):
    w = f64(torch, [[0.5, 1.0], [-0.3, 0.2], [0.8, -1.0]], True)
    f = compile(lambda x: torch.tanh(x @ w).pow(2).sum())
    return Case(f, batches(torch), order=2, wrt=[w], at_most=6)


@program
def mean_by_hand(torch, compile):
    f = compile(lambda x: (x**2).sum() / x.shape[0])
    return Case(f, batches(torch), order=2)


@program
def arange_of_a_size(torch, compile):
    @compile
    def f(x):
        positions = torch.arange(x.shape[0], dtype=x.dtype)
        return (x * positions[:, None]).sum(), positions / len(x), torch.linspace(0, 1, x.size(0))

    return Case(f, batches(torch), order=1)


@program
def view_by_sizes(torch, compile):
    @compile
    def f(x):
        flat = x.view(x.size(0), -1, 1)
        again = flat.reshape(x.numel()).view(-1, x.shape[1])
        return again.transpose(0, 1).reshape(3, len(x)), flat.shape, x.shape[0] * 2

    return Case(f, batches(torch), order=1)


@program
def loop_over_the_rows(torch, compile):
    @compile
    def f(x):
        total = torch.zeros(3, dtype=x.dtype)
        for i in range(x.shape[0]):
            total = total * 0.5 + x[i] * i
        return total

    return Case(f, batches(torch), order=1)


@program
def decision_by_a_size(torch, compile):
    @compile
    def f(x):
        if x.shape[0] > 3:
            return x.sum(0) / x.shape[0]
        if len(x) == 1:
            return x[0]
        return x.max(0).values

    return Case(f, batches(torch), order=1)


@program
def new_tensors_of_a_size(torch, compile):
    @compile
    def f(x):
        n, d = x.shape
        return torch.zeros(n, d), torch.eye(n), torch.ones(d, n + 1, dtype=x.dtype) @ torch.cat([x, x[:1]])

    return Case(f, batches(torch), order=1)


@program
def softmax_over_lengths(torch, compile):
    @compile
    def attention(x):
        scores = x @ x.t() / x.shape[-1] ** 0.5
        mask = torch.tril(torch.ones(len(x), len(x), dtype=torch.bool))
        return torch.softmax(scores.masked_fill(~mask, float("-inf")), -1) @ x

    return Case(attention, batches(torch), order=2)


@program(only_numpy=True)
def five_hundred_batch_sizes(torch, compile):
    w = f64(torch, [[0.5], [-0.3]], True)
    f = compile(lambda x: (x @ w).tanh().sum() / x.shape[0])
    xs = [torch.ones(n, 2, dtype=torch.float64) * 0.01 * n for n in range(1, 501)]
    return Case(f, [(x,) for x in xs], order=1, wrt=[w], at_most=8, joint=False)


@program(only_numpy=True)
def five_hundred_batch_sizes_of_a_training_step(torch, compile):
    w = f64(torch, [[0.5], [-0.3]], True)

    @compile
    def step(x):
        loss = ((x @ w - 1) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w.sub_(w.grad, alpha=0.01)
        w.grad = None
        return loss

    xs = [torch.ones(n % 250 + 1, 2, dtype=torch.float64) * 0.1 for n in range(0, 1000, 2)]
    return Case(step, [(x,) for x in xs], order=0, state=lambda: w, at_most=8)


@program
def ragged_lists(torch, compile):
    @compile
    def f(xs):
        longest = max(len(x) for x in xs)
        padded = torch.stack([torch.cat([x, x.new_zeros(longest - len(x))]) for x in xs])
        lengths = torch.tensor([len(x) for x in xs])
        return padded.sum(1) / lengths, lengths

    pieces = [torch.arange(n, dtype=torch.float64).add(1).requires_grad_() for n in (1, 2, 3, 4, 5)]
    return Case(f, [(pieces[:2],), (pieces[1:4],), (pieces[::2],), (pieces[:1],), (pieces,)], order=1)


@program
def both_sizes_change(torch, compile):
    f = compile(lambda a, b: (a @ b).sum() / (a.shape[0] * b.shape[1]))
    sizes = [(2, 3, 4), (3, 3, 2), (2, 5, 4), (7, 1, 1), (4, 4, 4)]
    calls = [(batches(torch, (n,), k)[0][0], batches(torch, (k,), m)[0][0]) for n, k, m in sizes]
    return Case(f, calls, order=2)


@program
def number_of_dimensions_changes(torch, compile):
    @compile
    def f(x):
        while x.dim() > 1:
            x = x.mean(-1)
        return x.sum() * x.ndim

    x = torch.arange(24, dtype=torch.float64)
    xs = [x, x.reshape(4, 6), x.reshape(2, 3, 4), x.reshape(2, 2, 2, 3)]
    return Case(f, [(x.requires_grad_(),) for x in [y.detach().clone() for y in xs]], order=1)


@program
def broadcast_of_one_row(torch, compile):
    f = compile(lambda x, y: (x * y).sum(0))
    x = [b[0] for b in batches(torch, (4, 1, 4, 1, 6))]
    y = [b[0] for b in batches(torch, (4, 4, 1, 1, 1))]
    return Case(f, list(zip(x, y)), order=2)


@program
def wrong_size_after_right_ones(torch, compile):
    f = compile(lambda x, y: (x + y).sum())
    xs = [b[0] for b in batches(torch, (2, 3, 4))]
    return Case(f, [(xs[0], xs[0]), (xs[1], xs[1]), (xs[1], xs[2]), (xs[2], xs[2]), (xs[0], xs[2])])


@program
def chunks_and_splits(torch, compile):
    @compile
    def f(x):
        halves = x.chunk(2)
        rest = x.split(2)
        return sum(h.sum() * (i + 1) for i, h in enumerate(halves)), len(rest), rest[-1]

    return Case(f, batches(torch), order=1)


@program
def windows(torch, compile):
    @compile
    def f(x):
        flat = x.flatten()
        return flat.unfold(0, 2, 1).prod(1), flat[-2:], flat[len(flat) // 2 :], flat[: -(len(x))]

    return Case(f, batches(torch), order=2)


@program
def sizes_returned_and_formatted(torch, compile):
    @compile
    def f(x):
        n = x.shape[0]
        return n, x.size(), f"{n} rows", x.sum() / n, n / 2, n // 2, n % 2 == 0, [0] * n, float(n)

    return Case(f, batches(torch))


@program
def sizes_in_python_containers(torch, compile):
    table = {2: "two", 3: "three", 5: "five"}

    @compile
    def f(x):
        return table.get(x.shape[0], "many"), max(x.shape), min(len(x), 4), sum(x.shape), x.shape == (3, 3)

    return Case(f, batches(torch))


@program
def batch_norm_of_changing_batches(torch, compile):
    bn = torch.nn.BatchNorm1d(3).double()
    f = compile(bn)
    return Case(f, batches(torch, (2, 3, 5, 8, 3)), order=1, state=lambda: bn, joint=False)


@program
def recurrent_network_of_changing_lengths(torch, compile):
    w, u = f64(torch, [[0.5, 0.1], [-0.3, 0.4]], True), f64(torch, [[0.2, 0.3], [0.1, -0.6], [0.7, 0.1]], True)

    @compile
    def f(x):
        h = torch.zeros(2, dtype=x.dtype)
        states = []
        for row in x:
            h = torch.tanh(row @ u + h @ w)
            states.append(h)
        return torch.stack(states).sum(0)

    return Case(f, batches(torch), order=1, wrt=[w, u])


@program
def empty_batch_among_others(torch, compile):
    f = compile(lambda x: (x.sum(), (x * 2).shape, x.sum() / max(x.shape[0], 1)))
    return Case(f, batches(torch, (3, 0, 2, 0, 4)), order=1)


@program
def marked_dynamic(torch, compile):
    w = f64(torch, [0.5, -0.3, 0.2], True)
    f = compile(lambda x: (x @ w).exp().sum() / x.shape[0], dynamic=True)
    return Case(f, batches(torch, (2, 3, 5, 8, 13, 21)), order=2, wrt=[w])


@program
def repeat_and_expand_by_a_size(torch, compile):
    @compile
    def f(x):
        n = x.shape[0]
        return x.sum(0).repeat(n, 1), x[:1].expand(n + 1, -1), torch.cat([x] * n).sum(), x.new_full((n,), n)

    return Case(f, batches(torch), order=1)


@program
def squared_distances(torch, compile):
    @compile
    def f(x):
        n = x.shape[0]
        d = ((x[:, None] - x[None]) ** 2).sum(-1)
        return d[torch.triu_indices(n, n, 1).unbind()].sum() / max(n * (n - 1) // 2, 1)

    return Case(f, batches(torch), order=2)
