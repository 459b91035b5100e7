"""Sizes that change at nearly every call: a handful of compiled programs serves them all."""

from tests.compiler.corpus.base import Case, program

SIZES = (5, 9, 3, 12, 2, 17, 6, 31, 1, 8, 40, 23, 0, 11)
AT_MOST = 8


def filled(torch, *shape, k=0.0, grad=True):
    """A float64 tensor with other values for every shape and k."""
    count = 1
    for n in shape:
        count *= n
    return torch.arange(count, dtype=torch.float64).mul(0.37).add(k + count).sin().reshape(shape).requires_grad_(grad)


def rows(torch, sizes=SIZES, width=4, grad=True):
    """One matrix of (size, width) for each size."""
    return [(filled(torch, n, width, k=i, grad=grad),) for i, n in enumerate(sizes)]


@program(only_numpy=True)
def regression_of_any_batch(torch, compile):
    w, b = filled(torch, 4, 3), filled(torch, 3)
    f = compile(lambda x: torch.nn.functional.mse_loss((x @ w + b).relu(), torch.zeros(x.shape[0], 3, dtype=x.dtype)))
    return Case(f, rows(torch, [n for n in SIZES if n]), order=2, wrt=[w, b], at_most=AT_MOST)


@program(only_numpy=True)
def cross_entropy_of_any_batch(torch, compile):
    w = filled(torch, 4, 5)

    @compile
    def f(x):
        labels = torch.arange(x.shape[0]) % 5
        return torch.nn.functional.cross_entropy(x @ w, labels, label_smoothing=0.1), (x @ w).argmax(1) == labels

    return Case(f, rows(torch, [n for n in SIZES if n]), order=1, wrt=[w], at_most=AT_MOST)


@program(only_numpy=True)
def convolution_of_any_picture(torch, compile):
    w, b = filled(torch, 4, 2, 3, 3), filled(torch, 4)

    @compile
    def f(x):
        y = torch.nn.functional.conv2d(x, w, b, padding=1).relu()
        y = torch.nn.functional.max_pool2d(y, 2)
        return y.mean((2, 3)), y.flatten(1).sum(1) / y[0].numel()

    sizes = [(2, 6, 8), (3, 6, 8), (3, 8, 6), (5, 10, 12), (4, 7, 9), (6, 9, 9), (2, 12, 8), (7, 6, 10)]
    return Case(f, [(filled(torch, n, 2, h, w),) for n, h, w in sizes], order=1, wrt=[w, b], at_most=len(sizes))


@program(only_numpy=True)
def masked_attention_of_any_length(torch, compile):
    q, k, v = (filled(torch, 4, 4, k=i) for i in range(3))

    @compile
    def attention(x):
        scores = (x @ q) @ (x @ k).transpose(-2, -1) / 4**0.5
        later = torch.triu(torch.ones(x.shape[-2], x.shape[-2], dtype=torch.bool), 1)
        return torch.softmax(scores.masked_fill(later, float("-inf")), -1) @ (x @ v)

    sizes = [(2, 3), (3, 5), (2, 7), (5, 4), (4, 9), (3, 8), (7, 6), (6, 2), (2, 11)]
    return Case(attention, [(filled(torch, n, t, 4),) for n, t in sizes], order=1, wrt=[q, k, v], at_most=AT_MOST)


@program(only_numpy=True)
def ragged_batches_in_two_axes(torch, compile):
    w = filled(torch, 3, 3)

    @compile
    def f(x, lengths):
        inside = torch.arange(x.shape[1]) < lengths[:, None]
        y = torch.tanh(x @ w) * inside[..., None]
        return y.sum(1) / lengths[:, None], y.sum() / (x.shape[0] * x.shape[1])

    sizes = [(2, 3), (3, 2), (3, 5), (4, 4), (5, 7), (7, 3), (2, 9), (6, 6), (9, 2)]
    calls = [(filled(torch, n, t, 3), torch.arange(n) % t + 1) for n, t in sizes]
    return Case(f, calls, order=2, wrt=[w], at_most=AT_MOST)


@program(only_numpy=True)
def padded_and_cut(torch, compile):
    @compile
    def f(x):
        n = x.shape[0]
        longer = torch.nn.functional.pad(x, (0, 0, 2, 3))
        both = torch.cat([longer, x * 2, x.new_ones(n + 1, 4)])
        return both[n : 2 * n + 3].sum(0), both[:-n].prod(1) if n else both.sum(), longer[2:-3] - x

    return Case(f, rows(torch), order=1, at_most=10)


@program(only_numpy=True)
def statistics_of_any_size(torch, compile):
    @compile
    def f(x):
        n = len(x)
        centred = x - x.mean(0)
        return centred.t() @ centred / (n - 1), x.var(0), x.std(1), torch.logsumexp(x, 0) - torch.tensor(float(n)).log()

    return Case(f, rows(torch, [n for n in SIZES if n > 1]), order=1, at_most=AT_MOST)


@program(only_numpy=True)
def sorted_and_gathered(torch, compile):
    @compile
    def f(x):
        values, order = x.sort(0, descending=True)
        half = values.gather(0, order.flip(0))[: x.shape[0] // 2]
        return values.cumsum(0), half, x.topk(2, 1).values.mean(), x[torch.arange(len(x) - 1, -1, -1)]

    return Case(f, rows(torch, [n for n in SIZES if n]), order=1, at_most=10)


@program(only_numpy=True, random=True)
def dropout_of_any_batch(torch, compile):
    w = filled(torch, 4, 3)
    f = compile(lambda x: torch.nn.functional.dropout(x @ w, 0.4).sum() / x.shape[0])
    return Case(f, rows(torch, [n for n in SIZES if n]), order=1, wrt=[w], at_most=AT_MOST)


@program(only_numpy=True)
def recurrent_network_over_batches(torch, compile):
    w, u = filled(torch, 4, 4), filled(torch, 4, 4, k=1.0)

    @compile
    def f(x):
        h = x.new_zeros(x.shape[0], 4)
        for t in range(x.shape[1]):
            h = torch.tanh(x[:, t] @ u + h @ w)
        return h.mean() / x.shape[1]

    sizes = [(2, 3), (3, 3), (5, 3), (4, 3), (9, 3), (2, 4), (6, 4), (8, 4)]
    return Case(f, [(filled(torch, n, t, 4),) for n, t in sizes], order=1, wrt=[w, u], at_most=AT_MOST)


@program(only_numpy=True, random=True)
def normalised_batches_in_training(torch, compile):
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.ReLU(), torch.nn.Linear(6, 2)
    ).double()
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)

    @compile
    def step(x):
        opt.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x), torch.arange(x.shape[0]) % 2)
        loss.backward()
        opt.step()
        return loss

    return Case(step, rows(torch, [n for n in SIZES if n > 1], grad=False), order=0, state=lambda: net, at_most=10)


@program(only_numpy=True)
def decisions_by_sizes_and_values(torch, compile):
    @compile
    def f(x):
        y = x * 2 if x.shape[0] > 8 else x.exp()
        if y.sum() > 0:
            y = y / x.shape[0]
        return y.sum(0)

    return Case(f, rows(torch, [n for n in SIZES if n]), order=2, at_most=16)


@program(only_numpy=True)
def sizes_that_were_equal_part(torch, compile):
    f = compile(lambda x, y: (x.sum(0) * x.shape[0] + y.sum(0) * y.shape[0]) / (len(x) + len(y)))
    sizes = [(2, 2), (3, 3), (5, 5), (4, 7), (7, 4), (6, 6), (3, 6), (9, 2)]
    return Case(f, [(filled(torch, n, 3), filled(torch, m, 3)) for n, m in sizes], order=2, at_most=AT_MOST)


@program(only_numpy=True)
def a_size_meets_a_constant(torch, compile):
    w = filled(torch, 6, 6)
    f = compile(lambda x: (x[:6] @ w[:, : min(len(x), 5)]).sum() / max(len(x), 4) + torch.cat([x, w])[4:9].sum())
    return Case(f, [(filled(torch, n, 6),) for n in (3, 4, 5, 6, 7, 8, 20, 2, 30, 9)], order=1, wrt=[w], at_most=10)


@program(only_numpy=True)
def constants_made_of_sizes(torch, compile):
    @compile
    def f(x):
        n = x.shape[0]
        weights = torch.linspace(0, 1, n, dtype=x.dtype)
        return (
            (x * weights[:, None]).sum(),
            x * (n * (n + 1) // 2),
            x.sum() * (n % 3),
            torch.full((n, n), 1 / n, dtype=x.dtype) @ x,
            x.pow(n % 4),
            torch.eye(n, dtype=x.dtype) - torch.ones(n, n, dtype=x.dtype) / n,
        )

    return Case(f, rows(torch, [n for n in SIZES if n > 1]), order=1, at_most=14)


@program(only_numpy=True)
def integers_among_the_arguments(torch, compile):
    f = compile(lambda x, k: (x.roll(k, 0) * k).cumsum(0) + x.repeat_interleave(k, 0).sum() / k)
    return Case(f, [(filled(torch, 4, 3), k) for k in range(2, 12)], order=1, at_most=AT_MOST)


@program(only_numpy=True)
def large_and_small(torch, compile):
    w = filled(torch, 16, 16)
    f = compile(lambda x: torch.where(x @ w > 0, x @ w, 0.0).sum(0) / len(x))
    return Case(
        f, [(filled(torch, n, 16),) for n in (5, 700, 6, 900, 3000, 7, 12, 400)], order=1, wrt=[w], at_most=AT_MOST
    )


@program(only_numpy=True)
def inverses_of_any_order(torch, compile):
    @compile
    def f(x):
        a = x @ x.t() + torch.eye(len(x), dtype=x.dtype) * len(x)
        return torch.linalg.solve(a, x), torch.logdet(a), torch.linalg.cholesky(a).diagonal().prod()

    return Case(f, rows(torch, (5, 3, 2, 7, 9, 4, 6)), order=1, at_most=AT_MOST)


@program(only_numpy=True)
def einsum_and_outer(torch, compile):
    @compile
    def f(x, y):
        return (
            torch.einsum("ik,jk->ij", x, y).softmax(1),
            torch.outer(x[:, 0], y[:, 1]).sum(0),
            (x[:, None] - y).norm(dim=-1),
        )

    sizes = [(2, 3), (3, 5), (5, 2), (7, 7), (4, 6), (6, 4), (8, 9)]
    return Case(f, [(filled(torch, n, 4), filled(torch, m, 4, k=1.0)) for n, m in sizes], order=1, at_most=AT_MOST)


@program(only_numpy=True)
def halves_and_strides(torch, compile):
    @compile
    def f(x):
        n = x.shape[0]
        return x[::2].sum(0) - x[1::2].sum(0), x[n // 2 :].mean(0), x[: n // 2 + 1].flip(0), x.view(-1)[n:].sum()

    return Case(f, rows(torch, [n for n in SIZES if n > 1]), order=1, at_most=14)


@program(only_numpy=True)
def selections_of_any_count(torch, compile):
    @compile
    def f(x, mask):
        kept = x[mask]
        return kept.sum(0) / max(len(kept), 1), kept.sort(0).values * kept.shape[0], mask.nonzero().shape

    masks = [[i % k != 1 for i in range(n)] for n in (4, 7, 9, 12, 6, 15) for k in (2, 3)]
    return Case(f, [(filled(torch, len(m), 3), torch.tensor(m)) for m in masks], order=1, at_most=10)
