"""Known algorithms as people write them: clustering, decoding, sampling, solvers, filters, attacks."""

import math

from tests.compiler.corpus.base import Case, f64, program


def waves(torch, *shape, shift=0.0, grad=False):
    """Float64 numbers between -1 and 1 that do not depend on a library's random numbers."""
    count = math.prod(shape)
    return torch.arange(count, dtype=torch.float64).mul(1.7).add(shift).sin().reshape(shape).requires_grad_(grad)


@program
def k_means_until_nothing_moves(torch, compile):
    @compile
    def cluster(x, centres):
        labels = None
        for step in range(20):  # noqa: B007
            new = ((x[:, None] - centres[None]) ** 2).sum(-1).argmin(1)
            if labels is not None and torch.equal(new, labels):
                break
            labels = new
            rows = []
            for k in range(centres.shape[0]):
                members = x[labels == k]
                rows.append(members.mean(0) if len(members) else centres[k])
            centres = torch.stack(rows)
        return centres, labels, step

    calls = [(waves(torch, 6, 2, shift=s), waves(torch, 2, 2, shift=s + 1)) for s in (0.0, 1.0, 2.5, 4.0)]
    return Case(cluster, calls)


@program
def conjugate_gradients(torch, compile):
    @compile
    def solve(a, b):
        x = torch.zeros_like(b)
        r = b - a @ x
        p, rs = r, r @ r
        n = 0
        while rs > 1e-12 and n < 10:
            ap = a @ p
            alpha = rs / (p @ ap)
            x = x + alpha * p
            r = r - alpha * ap
            new = r @ r
            p = r + (new / rs) * p
            rs = new
            n += 1
        return x, n

    calls = []
    for s, scale in ((0.0, 1.0), (1.0, 1.0), (2.0, 0.0), (3.0, 1.0)):
        m = waves(torch, 3, 3, shift=s)
        calls.append(((m @ m.T + 3 * torch.eye(3, dtype=m.dtype)), waves(torch, 3, shift=s) * scale))
    return Case(solve, calls)


@program
def gram_schmidt_with_a_rank_test(torch, compile):
    @compile
    def basis(vectors):
        kept = []
        for v in vectors:
            for q in kept:
                v = v - (q @ v) * q
            norm = v.norm()
            if norm > 1e-6:
                kept.append(v / norm)
        return torch.stack(kept), len(kept)

    a = waves(torch, 3, 3)
    b = torch.stack([a[0], 2 * a[0], a[1]])
    c = torch.stack([a[0], a[1], a[0] + a[1]])
    return Case(basis, [(x.clone().requires_grad_(),) for x in (a, b, c, a * 2)], order=1)


@program
def greedy_decoding_until_the_end_token(torch, compile):
    table = waves(torch, 5, 5, shift=0.4)

    @compile
    def decode(start, end):
        tokens, score = [start], torch.zeros((), dtype=torch.float64)
        while len(tokens) < 8:
            logits = torch.log_softmax(table[tokens[-1]] - 0.3 * len(tokens), -1)
            best = logits.argmax().item()
            score = score + logits[best]
            if best == end:
                break
            tokens.append(best)
        return tokens, score

    return Case(decode, [(0, 4), (1, 2), (2, 0), (3, 3)], order=0)


@program
def padded_sequences_by_length(torch, compile):
    w = waves(torch, 2, 2, grad=True)

    @compile
    def encode(x, lengths):
        finals = []
        for row, n in zip(x, lengths.tolist()):
            h = torch.zeros(2, dtype=x.dtype)
            for t in range(n):
                h = torch.tanh(row[t] + w @ h)
            finals.append(h)
        return torch.stack(finals)

    x = waves(torch, 2, 4, 2, grad=True)
    lengths = ([1, 4], [4, 2], [0, 3], [1, 4])
    return Case(encode, [(x, torch.tensor(n)) for n in lengths], order=2, wrt=[w])


@program
def mixture_of_experts(torch, compile):
    nn = torch.nn
    experts = [nn.Linear(2, 2).double(), nn.Linear(2, 2).double()]
    for k, expert in enumerate(experts):
        with torch.no_grad():
            expert.weight.copy_(waves(torch, 2, 2, shift=k))
            expert.bias.copy_(waves(torch, 2, shift=k))
    gate = waves(torch, 2, 2, shift=3.0, grad=True)

    @compile
    def route(x):
        p = torch.softmax(x @ gate, -1)
        chosen = p.argmax(-1)
        out = torch.zeros_like(x)
        for k, expert in enumerate(experts):
            rows = (chosen == k).nonzero().flatten()
            if rows.numel() == 0:
                continue
            out = out.index_add(0, rows, expert(x[rows]) * p[rows, k : k + 1])
        return out

    return Case(route, [(waves(torch, 4, 2, shift=s, grad=True),) for s in (0.0, 1.0, 2.0, 3.0)], order=1, wrt=[gate])


@program(random=True)
def metropolis_hastings(torch, compile):
    @compile
    def chain(x, steps):
        accepted = 0
        logp = -(x**2).sum() / 2
        for _ in range(steps):
            proposal = x + torch.randn(2, dtype=x.dtype)
            new = -(proposal**2).sum() / 2
            if torch.rand(()).log() < new - logp:
                x, logp = proposal, new
                accepted += 1
        return x, accepted

    return Case(chain, [(waves(torch, 2, shift=s), 4) for s in (0.0, 1.0, 2.0, 3.0)])


@program(random=True)
def particles_resampled_when_few_are_left(torch, compile):
    @compile
    def filtered(weights, particles):
        weights = weights / weights.sum()
        if 1.0 / (weights**2).sum() < 2.5:
            chosen = torch.multinomial(weights, 4, replacement=True)
            return particles[chosen], torch.full((4,), 0.25, dtype=torch.float64)
        return particles, weights

    weights = ([1.0, 1.0, 1.0, 1.0], [10.0, 0.1, 0.1, 0.1], [1.0, 1.0, 1.0, 0.5], [0.1, 0.1, 9.0, 0.1])
    return Case(filtered, [(f64(torch, w), waves(torch, 4)) for w in weights])


@program
def kalman_filter_with_gating(torch, compile):
    q = f64(torch, 0.1, True)

    @compile
    def estimate(observations):
        mean, variance = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
        skipped = 0
        for y in observations:
            variance = variance + q
            innovation = y - mean
            if innovation**2 / (variance + 0.5) > 9:
                skipped += 1
                continue
            gain = variance / (variance + 0.5)
            mean = mean + gain * innovation
            variance = (1 - gain) * variance
        return mean, variance, skipped

    ys = ([0.1, 0.2, 0.1], [0.1, 50.0, 0.3], [9.0, 9.0, 9.0], [-0.5, 0.5, 100.0])
    return Case(estimate, [(f64(torch, y, True),) for y in ys], order=2, wrt=[q])


@program
def projected_gradient_attack(torch, compile):
    w = waves(torch, 3, 2)

    @compile
    def attack(x, label):
        adversarial = x.clone()
        for _ in range(5):
            adversarial = adversarial.detach().requires_grad_(True)
            logits = adversarial @ w
            if logits.argmax() != label:
                break
            loss = torch.nn.functional.cross_entropy(logits[None], label[None])
            (g,) = torch.autograd.grad(loss, adversarial)
            adversarial = torch.clamp(adversarial + 0.1 * g.sign(), x - 0.3, x + 0.3)
        return adversarial.detach(), logits.argmax()

    return Case(
        attack, [(waves(torch, 3, shift=s), torch.tensor(k)) for s, k in ((0.0, 0), (0.0, 1), (2.0, 0), (4.0, 1))]
    )


@program
def levenberg_marquardt(torch, compile):
    t = torch.linspace(0, 1, 5, dtype=torch.float64)

    @compile
    def fit(y, p):
        damping = 1e-2

        def residual(p):
            return p[0] * torch.exp(p[1] * t) - y

        for n in range(8):  # noqa: B007
            r = residual(p)
            j = torch.func.jacrev(residual)(p)
            h = j.T @ j + damping * torch.eye(2, dtype=p.dtype)
            step = torch.linalg.solve(h, j.T @ r)
            if (residual(p - step) ** 2).sum() < (r**2).sum():
                p, damping = p - step, damping / 3
            else:
                damping *= 4
            if step.norm() < 1e-3:
                break
        return p, n, damping

    ys = [a * torch.exp(b * t) for a, b in ((1.0, 0.5), (2.0, -1.0), (0.5, 1.0), (3.0, 0.1))]
    return Case(fit, [(y, f64(torch, [1.0, 0.0])) for y in ys])


@program
def adagrad_until_the_loss_is_small(torch, compile):
    @compile
    def fit(x, target):
        x = x.clone().requires_grad_()
        sums = torch.zeros_like(x)
        loss = None
        for n in range(40):  # noqa: B007
            loss = ((x - target) ** 4).sum()
            if loss.item() < 1e-2:
                break
            (g,) = torch.autograd.grad(loss, x)
            with torch.no_grad():
                sums += g * g
                x -= 0.5 * g / (sums.sqrt() + 1e-8)
        return loss.detach(), n

    return Case(fit, [(waves(torch, 2), waves(torch, 2, shift=s)) for s in (0.1, 1.0, 2.0, 3.0)])


@program
def quicksort_of_tensors(torch, compile):
    @compile
    def quicksort(x):
        if len(x) <= 1:
            return x
        pivot, rest = x[0], x[1:]
        return torch.cat([quicksort(rest[rest < pivot]), pivot[None], quicksort(rest[rest >= pivot])])

    return Case(quicksort, [(waves(torch, 4, shift=s, grad=True),) for s in (0.0, 1.0, 2.0, 3.0)], order=1)


@program
def decision_tree_walk(torch, compile):
    thresholds = {"": (0, 0.0), "l": (1, -0.5), "r": (1, 0.5)}
    leaves = waves(torch, 4, grad=True)

    @compile
    def predict(x):
        out = []
        for row in x:
            node = ""
            while node in thresholds:
                axis, limit = thresholds[node]
                node += "l" if row[axis] <= limit else "r"
            out.append(leaves[["ll", "lr", "rl", "rr"].index(node)] * row.sum())
        return torch.stack(out)

    return Case(
        predict, [(waves(torch, 3, 2, shift=s, grad=True),) for s in (0.0, 1.0, 2.0)] * 2, order=2, wrt=[leaves]
    )


@program
def q_learning_step(torch, compile):
    table = torch.zeros(3, 2, dtype=torch.float64)

    @compile
    def learn(state, action, reward, after):
        best = table[after].max()
        if reward < 0:
            best = best * 0
        table[state, action] += 0.5 * (reward + 0.9 * best - table[state, action])
        return table[state].argmax()

    one = torch.tensor
    steps = [(0, 1, 1.0, 2), (2, 0, -1.0, 0), (0, 1, 0.5, 2), (1, 1, 2.0, 0), (2, 1, -0.5, 1)]
    calls = [(one(s), one(a), one(r, dtype=torch.float64), one(n)) for s, a, r, n in steps]
    return Case(learn, calls, state=lambda: table)


@program
def hungarian_style_greedy_matching(torch, compile):
    @compile
    def match(cost):
        cost = cost.clone()
        pairs = []
        for _ in range(min(cost.shape)):
            flat = cost.argmin()
            i, j = divmod(int(flat), cost.shape[1])
            if math.isinf(cost[i, j].item()):
                break
            pairs.append((i, j))
            cost[i, :] = float("inf")
            cost[:, j] = float("inf")
        return pairs

    return Case(match, [(waves(torch, 3, 3, shift=s),) for s in (0.0, 1.0, 2.0, 3.0)])


@program
def non_maximum_suppression(torch, compile):
    @compile
    def suppress(boxes, scores, limit):
        order = scores.argsort(descending=True)
        kept = []
        while order.numel() > 0:
            best = order[0]
            kept.append(best.item())
            if order.numel() == 1:
                break
            rest = boxes[order[1:]]
            low, high = torch.maximum(boxes[best, 0], rest[:, 0]), torch.minimum(boxes[best, 1], rest[:, 1])
            overlap = (high - low).clamp(min=0)
            order = order[1:][overlap <= limit]
        return torch.tensor(kept)

    boxes = f64(torch, [[0.0, 2.0], [1.0, 3.0], [2.5, 4.0], [0.1, 2.1]])
    scores = ([0.9, 0.8, 0.7, 0.6], [0.1, 0.2, 0.3, 0.4], [0.5, 0.9, 0.1, 0.7], [0.4, 0.3, 0.2, 0.9])
    return Case(suppress, [(boxes, f64(torch, s), 0.5) for s in scores])


@program
def mandelbrot_counts(torch, compile):
    @compile
    def escape(c):
        z = torch.zeros_like(c)
        counts = torch.zeros(c.shape, dtype=torch.int64)
        for _ in range(12):
            alive = z.abs() <= 2
            if not alive.any():
                break
            z = torch.where(alive, z * z + c, z)
            counts += alive
        return counts

    cs = ([0j, 1 + 1j], [2 + 2j, 3 + 0j], [-1 + 0j, 0.3 + 0.5j], [0.5 + 0.5j, 9j])
    return Case(escape, [(torch.tensor(c, dtype=torch.complex128),) for c in cs])


@program
def ode_event(torch, compile):
    @compile
    def time_of_impact(height, speed, gravity):
        t = torch.zeros((), dtype=torch.float64)
        y, v = height, speed
        for _ in range(60):
            new = y + 0.1 * v
            if new <= 0:
                return t + 0.1 * y / (y - new)
            y, v, t = new, v - 0.1 * gravity, t + 0.1
        return t

    g = f64(torch, 9.8, True)
    heights = [f64(torch, h, True) for h in (1.0, 5.0, 0.05, 20.0)]
    return Case(time_of_impact, [(h, f64(torch, 0.5, True), g) for h in heights], order=2)


@program
def anderson_style_history(torch, compile):
    @compile
    def iterate(x):
        history = []
        for n in range(10):  # noqa: B007
            new = torch.cos(x) * 0.7
            history.append((new - x).norm())
            x = new
            if len(history) > 2 and history[-1] > 0.9 * history[-2]:
                x = (x + history[-1]) / 2
            if history[-1] < 0.05:
                break
        return x, torch.stack(history), n

    return Case(iterate, [(waves(torch, 2, shift=s, grad=True),) for s in (0.0, 2.0, 4.0, 5.0)], order=2)


@program
def newton_in_two_dimensions(torch, compile):
    def equations(x, a):
        return torch.stack([x[0] ** 2 + x[1] ** 2 - a, x[0] - x[1] ** 3])

    @compile
    def solve(x, a):
        for n in range(15):  # noqa: B007
            f = equations(x, a)
            if f.abs().max() < 1e-7:
                break
            x = x - torch.linalg.solve(torch.func.jacfwd(equations)(x, a), f)
        return x, n

    start = f64(torch, [1.0, 1.0])
    return Case(solve, [(start, f64(torch, a, True)) for a in (2.0, 1.0, 5.0, 0.5)], order=1)


@program
def viterbi(torch, compile):
    transition, emission = waves(torch, 2, 2), waves(torch, 2, 3, shift=1.0)

    @compile
    def best_path(observed):
        score, back = emission[:, observed[0]], []
        for o in observed[1:]:
            table = score[:, None] + transition
            score, where = table.max(0)
            score = score + emission[:, o]
            back.append(where)
        path = [int(score.argmax())]
        for where in reversed(back):
            path.append(int(where[path[-1]]))
        return path[::-1], score.max()

    return Case(best_path, [(torch.tensor(o),) for o in ([0, 1, 2], [2, 2, 0], [1, 0, 1], [0, 0, 0])])


@program
def dynamic_time_warping(torch, compile):
    @compile
    def distance(x, y):
        n, m = len(x), len(y)
        d = torch.full((n + 1, m + 1), float("inf"), dtype=x.dtype)
        d[0, 0] = 0
        for i in range(n):
            for j in range(m):
                cost = (x[i] - y[j]) ** 2
                d[i + 1, j + 1] = cost + min(d[i, j + 1].clone(), d[i + 1, j].clone(), d[i, j].clone())
        return d[n, m]

    calls = [
        (waves(torch, n, grad=True), waves(torch, m, shift=1.0, grad=True)) for n, m in ((2, 3), (3, 2), (3, 3), (1, 2))
    ]
    return Case(distance, calls, order=1)


@program
def deep_equilibrium_with_a_hook_free_backward(torch, compile):
    w = waves(torch, 2, 2, grad=True)

    @compile
    def layer(x):
        with torch.no_grad():
            z = torch.zeros_like(x)
            for _ in range(30):
                new = torch.tanh(0.3 * (w @ z) + x)
                if (new - z).norm() < 1e-6:
                    break
                z = new
        return torch.tanh(0.3 * (w @ z) + x)

    return Case(layer, [(waves(torch, 2, shift=s, grad=True),) for s in (0.0, 1.0, 2.0, 3.0)], order=1, wrt=[w])


@program
def trust_region_radius(torch, compile):
    class Region:
        def __init__(self):
            self.radius = torch.ones((), dtype=torch.float64)

        @compile
        def step(self, x):
            leaf = x.detach().requires_grad_()
            value = (leaf**4).sum()
            (g,) = torch.autograd.grad(value, leaf)
            move = -g * torch.minimum(self.radius / g.norm(), torch.ones_like(self.radius))
            gain = (value - ((x + move) ** 4).sum()) / -(g @ move)
            if gain > 0.75:
                self.radius.mul_(2)
            elif gain < 0.25:
                self.radius.mul_(0.25)
                return x
            return x + move

    region = Region()
    xs = ([1.0, 1.0], [0.1, 0.1], [3.0, -2.0], [0.5, 2.0])
    return Case(region.step, [(f64(torch, x),) for x in xs], state=lambda: region.radius, joint=False)
