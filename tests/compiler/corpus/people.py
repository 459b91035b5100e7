"""Whole programs as people write them in tutorials of other libraries: solvers, samplers, generative models, reinforcement, filters, fits."""

import itertools
import math

from tests.compiler.corpus.algorithms import waves
from tests.compiler.corpus.base import Case, f64, program
from tests.compiler.corpus.training import fill


def small(torch, *sizes):
    """A network of linear layers with tanh between them, the same in both libraries."""
    layers = []
    for i, o in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(i, o, dtype=torch.float64), torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers[:-1])
    fill(torch, model)
    return model


@program
def adversarial_pair(torch, compile):
    generator, critic = small(torch, 2, 4, 2), small(torch, 2, 4, 1)
    og = torch.optim.Adam(generator.parameters(), lr=0.01, betas=(0.5, 0.9))
    oc = torch.optim.Adam(critic.parameters(), lr=0.02)
    bce = torch.nn.functional.binary_cross_entropy_with_logits

    @compile
    def step(real, noise):
        oc.zero_grad()
        fake = generator(noise)
        a, b = critic(real), critic(fake.detach())
        loss_c = bce(a, torch.ones_like(a)) + bce(b, torch.zeros_like(b))
        loss_c.backward()
        oc.step()
        og.zero_grad()
        score = critic(fake)
        loss_g = bce(score, torch.ones_like(score))
        loss_g.backward()
        og.step()
        return loss_c.detach(), loss_g.detach()

    calls = [(waves(torch, 4, 2, shift=s), waves(torch, 4, 2, shift=s + 2)) for s in (0.0, 1.0, 2.0)]
    return Case(step, calls, state=lambda: [generator, critic], order=0, at_most=1)


@program
def armijo_and_wolfe(torch, compile):
    def rosenbrock(p):
        return (1 - p[0]) ** 2 + 20 * (p[1] - p[0] ** 2) ** 2

    @compile
    def descend(p):
        taken = 0
        for _ in range(4):
            p = p.detach().requires_grad_()
            value = rosenbrock(p)
            (g,) = torch.autograd.grad(value, p)
            if g.norm() < 1e-3:
                break
            t = 1.0
            while rosenbrock(p - t * g) > value - 1e-4 * t * g.dot(g):
                t *= 0.5
                taken += 1
            p = p - t * g
        return p.detach(), taken

    return Case(descend, [(f64(torch, v),) for v in ([0.0, 0.0], [1.2, 1.4], [1.0, 1.0], [-0.5, 0.7])], order=0)


@program
def quasi_newton_with_a_closure(torch, compile):
    w = f64(torch, [-0.5, 1.0], True)
    opt = torch.optim.LBFGS([w], lr=0.5, max_iter=4, history_size=3)

    def step(target):
        def closure():
            opt.zero_grad()
            loss = ((w - target) ** 2).sum() + 0.1 * (w**4).sum()
            loss.backward()
            return loss

        return opt.step(closure)

    return Case(
        compile(step),
        [(f64(torch, v),) for v in ([1.0, 2.0], [1.0, 2.0], [0.0, -1.0])],
        state=lambda: w,
        order=0,
        may_warn=True,
    )


@program
def hidden_markov_likelihood(torch, compile):
    @compile
    def score(start, move, emit, seen):
        alpha = start.log_softmax(0) + emit.log_softmax(1)[:, seen[0]]
        for o in seen[1:]:
            alpha = torch.logsumexp(alpha[:, None] + move.log_softmax(1), 0) + emit.log_softmax(1)[:, o]
        return torch.logsumexp(alpha, 0)

    models = [
        (
            waves(torch, 3, shift=s, grad=True),
            waves(torch, 3, 3, shift=s, grad=True),
            waves(torch, 3, 2, shift=s, grad=True),
        )
        for s in (0.0, 1.0)
    ]
    calls = [(*models[0], [0, 1, 1]), (*models[1], [1, 0]), (*models[1], [0, 1, 1])]
    return Case(score, calls, order=3)


@program
def mixture_fitted_by_expectation(torch, compile):
    @compile
    def fit(x, means):
        before = -math.inf
        for rounds in range(25):
            logits = -((x[:, None] - means) ** 2) / 2
            total = torch.logsumexp(logits, 1).sum()
            if total - before < 1e-3:
                return means, rounds
            before = total
            share = logits.softmax(1)
            means = (share * x[:, None]).sum(0) / share.sum(0)
        return means, -1

    calls = [
        (waves(torch, 8, shift=s) * 3, f64(torch, m))
        for s, m in ((0.0, [-1.0, 1.0]), (1.0, [-2.0, 0.5]), (0.3, [0.1, 0.2]))
    ]
    return Case(fit, calls, order=0)


@program
def gaussian_process_evidence(torch, compile):
    x = torch.linspace(0, 1, 5, dtype=torch.float64)

    @compile
    def evidence(log_scale, log_noise, y):
        d = x[:, None] - x
        k = torch.exp(-0.5 * d**2 / torch.exp(2 * log_scale)) + torch.exp(log_noise) * torch.eye(5, dtype=torch.float64)
        low = torch.linalg.cholesky(k)
        a = torch.cholesky_solve(y[:, None], low)[:, 0]
        return 0.5 * y.dot(a) + low.diagonal().log().sum()

    calls = [
        (f64(torch, s, True), f64(torch, n, True), waves(torch, 5, shift=s)) for s, n in ((-1.0, -2.0), (0.0, -1.0))
    ]
    return Case(evidence, calls, order=2)


@program
def cholesky_with_growing_jitter(torch, compile):
    @compile
    def factor(a):
        jitter = 1e-8
        while True:
            low, info = torch.linalg.cholesky_ex(a + jitter * torch.eye(3, dtype=torch.float64))
            if info.item() == 0:
                return low.diagonal().log().sum(), jitter
            jitter *= 100

    ones = torch.ones(3, 3, dtype=torch.float64)
    return Case(
        factor,
        [(ones + 2 * torch.eye(3, dtype=torch.float64),), (ones - 0.05 * torch.eye(3, dtype=torch.float64),)],
        order=1,
    )


@program
def coupling_flow(torch, compile):
    nets = [small(torch, 1, 3, 2), small(torch, 1, 3, 2)]
    params = [p for n in nets for p in n.parameters()]

    @compile
    def negative_log_likelihood(x):
        total = torch.zeros((), dtype=torch.float64)
        a, b = x[:, :1], x[:, 1:]
        for net in nets:
            s, t = net(a).chunk(2, dim=1)
            b = b * s.tanh().exp() + t
            total = total + s.tanh().sum()
            a, b = b, a
        z = torch.cat([a, b], 1)
        return 0.5 * (z**2).sum() - total

    return Case(
        negative_log_likelihood,
        [(waves(torch, 3, 2, shift=s, grad=True),) for s in (0.0, 1.0)],
        wrt=params,
        order=2,
        at_most=1,
    )


@program(random=True)
def hamiltonian_sampler(torch, compile):
    def energy(q):
        return 0.5 * (q**2).sum() + 0.1 * (q**4).sum()

    slope = torch.func.grad(energy)

    @compile
    def sample(q):
        p = torch.randn_like(q)
        old = energy(q) + 0.5 * (p**2).sum()
        new, v = q, p - 0.05 * slope(q)
        for i in range(5):
            new = new + 0.1 * v
            v = v - (0.1 if i < 4 else 0.05) * slope(new)
        h = energy(new) + 0.5 * (v**2).sum()
        if torch.rand(()) < torch.exp(old - h):
            return new, True
        return q, False

    return Case(sample, [(f64(torch, v),) for v in ([0.5, -0.5], [2.0, 1.0], [0.0, 0.0], [3.0, -3.0])], order=0)


@program(random=True)
def annealed_search(torch, compile):
    @compile
    def search(x, heat):
        best = (x**2).sum()
        for _ in range(6):
            step = x + 0.3 * torch.randn_like(x)
            value = (step**2).sum()
            if value < best or torch.rand(()).item() < math.exp(-(value.item() - best.item()) / heat):
                x, best = step, value
            heat *= 0.7
        return x, best

    return Case(search, [(f64(torch, [1.0, -1.0]), 1.0), (f64(torch, [0.1, 0.2]), 0.5)], order=0)


@program
def neural_differential_equation(torch, compile):
    net = small(torch, 2, 4, 2)

    @compile
    def flow(y, steps):
        h = 1.0 / steps
        for _ in range(steps):
            k1 = net(y)
            k2 = net(y + h / 2 * k1)
            k3 = net(y + h / 2 * k2)
            y = y + h / 6 * (k1 + 4 * k2 + k3)
        return y

    calls = [(waves(torch, 2, shift=s, grad=True), n) for s, n in ((0.0, 2), (1.0, 2), (0.0, 3))]
    return Case(flow, calls, wrt=list(net.parameters()), order=2)


@program
def embedded_runge_kutta_with_rejections(torch, compile):
    @compile
    def solve(y, rate):
        t, h, rejected = 0.0, 0.5, 0
        while t < 1.0:
            h = min(h, 1.0 - t)
            k1 = -rate * y
            k2 = -rate * (y + h * k1)
            high, low = y + h / 2 * (k1 + k2), y + h * k1
            error = (high - low).abs().max().item()
            if error > 0.05:
                h, rejected = h / 2, rejected + 1
                continue
            y, t = high, t + h
            if error < 0.01:
                h = h * 2
        return y, rejected

    calls = [(f64(torch, v, True), f64(torch, r, True)) for v, r in (([1.0], 1.0), ([1.0], 3.0), ([0.1], 0.5))]
    return Case(solve, calls, order=2)


@program
def generalised_advantages(torch, compile):
    @compile
    def advantages(rewards, values, done):
        found, running = [], 0.0
        for t in reversed(range(rewards.shape[0] - 1)):
            alive = 0.0 if done[t] else 1.0
            delta = rewards[t] + 0.9 * alive * values[t + 1] - values[t]
            running = delta + 0.9 * 0.95 * alive * running
            found.insert(0, running)
        return torch.stack(found)

    ends = [[False, True, False, False], [False] * 4, [True] * 4]
    return Case(
        advantages,
        [
            (waves(torch, 4, shift=i, grad=True), waves(torch, 4, shift=-i, grad=True), torch.tensor(e))
            for i, e in enumerate(ends)
        ],
        order=2,
    )


@program
def clipped_policy_ratio(torch, compile):
    policy = small(torch, 3, 4, 2)
    opt = torch.optim.Adam(policy.parameters(), lr=0.01)

    @compile
    def epoch(states, actions, old, advantage):
        stopped = False
        for _ in range(4):
            logs = policy(states).log_softmax(-1).gather(1, actions[:, None])[:, 0]
            ratio = (logs - old).exp()
            loss = -torch.minimum(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).mean()
            opt.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(policy.parameters(), 0.5)
            opt.step()
            with torch.no_grad():
                if (old - logs).mean().abs() > 0.02:
                    stopped = True
                    break
        return loss.detach(), stopped

    calls = [
        (
            waves(torch, 5, 3, shift=s),
            torch.tensor([0, 1, 1, 0, 1]),
            waves(torch, 5, shift=s) - 1.0,
            waves(torch, 5, shift=2 * s),
        )
        for s in (0.0, 1.0)
    ]
    return Case(epoch, calls, state=lambda: policy, order=0)


@program
def inner_loop_learning_rates(torch, compile):
    @compile
    def meta(w, rates, x, y):
        for k in range(3):
            loss = ((x @ w - y) ** 2).mean()
            (g,) = torch.autograd.grad(loss, w, create_graph=True)
            w = w - rates[k].exp() * g
        return ((x @ w - y) ** 2).mean()

    calls = [
        (waves(torch, 2, shift=s, grad=True), waves(torch, 3, shift=s, grad=True), waves(torch, 4, 2), waves(torch, 4))
        for s in (0.0, 1.0)
    ]
    return Case(meta, calls, order=2, at_most=1)


@program
def root_with_its_implicit_derivative(torch, compile):
    class Root(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            x = torch.ones_like(a)
            for _ in range(30):
                x = x - (x**3 + x - a) / (3 * x**2 + 1)
            ctx.save_for_backward(x)
            return x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g / (3 * x**2 + 1)

    return Case(
        compile(lambda a: (Root.apply(a) * a).sum()),
        [(waves(torch, 3, shift=s, grad=True),) for s in (0.0, 2.0)],
        order=1,
        at_most=1,
    )


@program
def optimal_transport(torch, compile):
    @compile
    def sinkhorn(cost, a, b):
        f, g = torch.zeros_like(a), torch.zeros_like(b)
        for count in range(40):  # noqa: B007
            f_new = a.log() - torch.logsumexp(g - cost, 1)
            g = b.log() - torch.logsumexp(f_new[:, None] - cost, 0)
            if (f_new - f).abs().max() < 1e-2:
                break
            f = f_new
        return ((f_new[:, None] + g - cost).exp() * cost).sum(), count

    half = f64(torch, [0.5, 0.5])
    calls = [(waves(torch, 2, 2, shift=s, grad=True).abs() + 0.1, half, f64(torch, [0.3, 0.7])) for s in (0.0, 1.0)]
    return Case(sinkhorn, calls, order=1)


@program
def planets(torch, compile):
    @compile
    def orbit(position, speed):
        for _ in range(20):
            d = position[None] - position[:, None]
            r = (d**2).sum(-1) + 0.05
            force = (d / r[..., None] ** 1.5).sum(1)
            speed = speed + 0.02 * force
            position = position + 0.02 * speed
        return position

    calls = [(waves(torch, 3, 2, shift=s, grad=True), waves(torch, 3, 2, shift=s + 1, grad=True)) for s in (0.0, 1.0)]
    return Case(orbit, calls, order=2, at_most=1)


@program
def heat_by_implicit_steps(torch, compile):
    eye = torch.eye(5, dtype=torch.float64)
    laplace = (
        2 * eye - torch.diag(torch.ones(4, dtype=torch.float64), 1) - torch.diag(torch.ones(4, dtype=torch.float64), -1)
    )

    @compile
    def diffuse(u, k):
        for _ in range(3):
            u = torch.linalg.solve(eye + k * laplace, u)
        return u

    return Case(diffuse, [(waves(torch, 5, grad=True), f64(torch, k, True)) for k in (0.1, 0.5)], order=3, at_most=1)


@program
def extended_kalman_filter(torch, compile):
    def move(x):
        return torch.stack([x[0] + 0.1 * x[1], x[1] - 0.1 * torch.sin(x[0])])

    jacobian = torch.func.jacrev(move)

    @compile
    def track(x, p, seen):
        accepted = 0
        for z in seen:
            f = jacobian(x)
            x, p = move(x), f @ p @ f.T + 0.01 * torch.eye(2, dtype=torch.float64)
            s = p[0, 0] + 0.1
            surprise = (z - x[0]) ** 2 / s
            if surprise > 4:
                continue
            gain = p[:, 0] / s
            x, p = x + gain * (z - x[0]), p - torch.outer(gain, p[0])
            accepted += 1
        return x, p, accepted

    eye = torch.eye(2, dtype=torch.float64)
    calls = [
        (f64(torch, [0.5, 0.0], True), eye, f64(torch, z)) for z in ([0.4, 0.3, 0.2], [0.4, 9.0, 0.2], [9.0, 9.0, 9.0])
    ]
    return Case(track, calls, order=1)


@program
def rank_of_pages(torch, compile):
    @compile
    def rank(links):
        p = torch.full((links.shape[0],), 1.0 / links.shape[0], dtype=torch.float64)
        for n in range(100):
            new = 0.15 / links.shape[0] + 0.85 * (links / links.sum(0)) @ p
            if torch.linalg.vector_norm(new - p, ord=1) < 1e-3:
                return new, n
            p = new
        return p, -1

    return Case(rank, [(waves(torch, 4, 4, shift=s, grad=True).abs() + 0.1,) for s in (0.0, 1.0, 2.0)], order=1)


@program
def lasso_by_shrinking(torch, compile):
    @compile
    def solve(a, y, penalty):
        w = z = torch.zeros(a.shape[1], dtype=torch.float64)
        t = 1.0
        for _ in range(15):
            step = z - 0.1 * a.T @ (a @ z - y)
            new = torch.sign(step) * torch.relu(step.abs() - 0.1 * penalty)
            if ((z - new) * (new - w)).sum() > 0:
                t = 1.0
            after = (1 + math.sqrt(1 + 4 * t * t)) / 2
            z, w, t = new + (t - 1) / after * (new - w), new, after
        return w, int((w != 0).sum())

    calls = [
        (waves(torch, 5, 3, shift=s, grad=True), waves(torch, 5, shift=s), f64(torch, p))
        for s, p in ((0.0, 0.1), (1.0, 1.0))
    ]
    return Case(solve, calls, order=1)


@program
def logistic_regression_by_weighted_squares(torch, compile):
    @compile
    def fit(x, y):
        w = torch.zeros(x.shape[1], dtype=torch.float64)
        for count in range(10):  # noqa: B007
            p = torch.sigmoid(x @ w)
            h = x.T @ (x * (p * (1 - p))[:, None]) + 0.1 * torch.eye(x.shape[1], dtype=torch.float64)
            step = torch.linalg.solve(h, x.T @ (p - y) + 0.1 * w)
            w = w - step
            if step.abs().max() < 1e-6:
                break
        return w, count

    labels = f64(torch, [0.0, 1.0, 1.0, 0.0, 1.0])
    return Case(fit, [(waves(torch, 5, 2, shift=s, grad=True), labels) for s in (0.0, 1.0)], order=2)


@program
def elimination_with_pivots(torch, compile):
    @compile
    def determinant(a):
        rows = [a[i] for i in range(a.shape[0])]
        result = torch.ones((), dtype=torch.float64)
        for k in range(len(rows)):
            best = max(range(k, len(rows)), key=lambda i: rows[i][k].abs().item())
            if best != k:
                rows[k], rows[best] = rows[best], rows[k]
                result = -result
            if rows[k][k] == 0:
                return torch.zeros((), dtype=torch.float64)
            result = result * rows[k][k]
            for i in range(k + 1, len(rows)):
                rows[i] = rows[i] - rows[k] * (rows[i][k] / rows[k][k])
        return result

    return Case(determinant, [(waves(torch, 3, 3, shift=s, grad=True),) for s in (0.0, 1.0, 2.0)], order=2)


@program
def adaptive_quadrature(torch, compile):
    def simpson(f, a, b):
        return (b - a) / 6 * (f(a) + 4 * f((a + b) / 2) + f(b))

    def area(f, a, b, whole, depth):
        middle = (a + b) / 2
        left, right = simpson(f, a, middle), simpson(f, middle, b)
        if depth == 0 or (left + right - whole).abs() < 1e-3:
            return left + right
        return area(f, a, middle, left, depth - 1) + area(f, middle, b, right, depth - 1)

    @compile
    def integral(k):
        def f(x):
            return torch.sin(k * x) ** 2

        a, b = f64(torch, 0.0), f64(torch, 1.0)
        return area(f, a, b, simpson(f, a, b), 4)

    return Case(integral, [(f64(torch, k, True),) for k in (0.5, 3.0, 9.0)], order=2)


@program
def simplex_search(torch, compile):
    def f(p):
        return ((p - 0.3) ** 2).sum() + 0.2 * p[0] * p[1]

    @compile
    def search(points):
        points = [points[i] for i in range(3)]
        for _ in range(6):
            points.sort(key=lambda p: f(p).item())
            centre = (points[0] + points[1]) / 2
            flipped = 2 * centre - points[2]
            if f(flipped) < f(points[0]):
                far = 3 * centre - 2 * points[2]
                points[2] = far if f(far) < f(flipped) else flipped
            elif f(flipped) < f(points[1]):
                points[2] = flipped
            else:
                points[2] = (points[2] + centre) / 2
        return torch.stack(points)

    return Case(search, [(waves(torch, 3, 2, shift=s, grad=True),) for s in (0.0, 1.0)], order=1)


@program
def edit_distance(torch, compile):
    @compile
    def distance(a, b):
        row = list(range(len(b) + 1))
        for i, x in enumerate(a.tolist()):
            new = [i + 1]
            for j, y in enumerate(b.tolist()):
                new.append(min(row[j] + (x != y), row[j + 1] + 1, new[-1] + 1))
            row = new
        return row[-1]

    pairs = [([1, 2, 3], [1, 3]), ([1, 2, 3], [1, 2]), ([4, 4, 4], [1, 3])]
    return Case(distance, [(torch.tensor(a), torch.tensor(b)) for a, b in pairs], order=0)


@program
def best_weights_and_patience(torch, compile):
    model = small(torch, 2, 3, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.3)
    best = [p.detach().clone() for p in model.parameters()]
    lowest = f64(torch, math.inf)

    @compile
    def epoch(x, y):
        loss = ((model(x) - y) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        with torch.no_grad():
            held = ((model(x.flip(0)) - y) ** 2).mean()
            if held < lowest:
                lowest.copy_(held)
                for b, p in zip(best, model.parameters(), strict=True):
                    b.copy_(p)
        return held

    calls = [(waves(torch, 4, 2, shift=s), waves(torch, 4, 1, shift=s)) for s in (0.0, 0.1, 3.0, 0.2)]
    return Case(epoch, calls, state=lambda: [model, best, lowest], order=0, at_most=3)


@program
def rate_halved_on_a_plateau(torch, compile):
    w, rate, last = f64(torch, [2.0, -1.0], True), f64(torch, 0.6), f64(torch, math.inf)

    @compile
    def step(target):
        loss = ((w - target) ** 4).sum()
        (g,) = torch.autograd.grad(loss, w)
        with torch.no_grad():
            if loss > 0.9 * last:
                rate.mul_(0.5)
            last.copy_(loss)
            w.sub_(rate * g / (1 + g.norm()))
        return loss.detach()

    return Case(
        step,
        [(f64(torch, v),) for v in ([0.0, 0.0], [0.0, 0.0], [3.0, 0.0], [0.0, 0.0])],
        state=lambda: [w, rate, last],
        order=0,
    )


@program
def consolidated_weights(torch, compile):
    model = small(torch, 2, 2)
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    anchors = [p.detach().clone() for p in model.parameters()]
    fisher = [torch.zeros_like(p) for p in anchors]

    @compile
    def step(x, y, new_task):
        logits = model(x)
        loss = torch.nn.functional.cross_entropy(logits, y)
        penalty = sum((f * (p - a) ** 2).sum() for f, p, a in zip(fisher, model.parameters(), anchors, strict=True))
        opt.zero_grad()
        (loss + 10 * penalty).backward()
        if new_task:
            for f, p, a in zip(fisher, model.parameters(), anchors, strict=True):
                f.add_(p.grad**2)
                a.copy_(p.detach())
        opt.step()
        return loss

    y = torch.tensor([0, 1, 1])
    return Case(
        step,
        [(waves(torch, 3, 2, shift=s), y, n) for s, n in ((0.0, False), (1.0, True), (2.0, False))],
        state=lambda: [model, anchors, fisher],
        order=0,
    )


@program
def slow_copy_of_a_network(torch, compile):
    online, target = small(torch, 3, 3, 2), small(torch, 3, 3, 2)
    opt = torch.optim.AdamW(online.parameters(), lr=0.01)

    @compile
    def step(a, b):
        p = torch.nn.functional.normalize(online(a), dim=-1)
        with torch.no_grad():
            z = torch.nn.functional.normalize(target(b), dim=-1)
        loss = (2 - 2 * (p * z).sum(-1)).mean()
        loss.backward()
        opt.step()
        opt.zero_grad(set_to_none=True)
        with torch.no_grad():
            for t, o in zip(target.parameters(), online.parameters(), strict=True):
                t.lerp_(o, 0.1)
        return loss

    calls = [(waves(torch, 4, 3, shift=s), waves(torch, 4, 3, shift=s + 0.1)) for s in (0.0, 1.0)]
    return Case(step, calls, state=lambda: [online, target], order=0, at_most=2)


@program
def tree_of_cells(torch, compile):
    cell = small(torch, 4, 2)

    def encode(node):
        return node if not isinstance(node, tuple) else cell(torch.cat([encode(node[0]), encode(node[1])])).tanh()

    leaves = [waves(torch, 2, shift=s, grad=True) for s in (0.0, 1.0, 2.0)]
    a, b, c = leaves
    return Case(compile(encode), [(((a, b), c),), ((a, (b, c)),), (((c, a), b),)], wrt=list(cell.parameters()), order=2)


@program
def attacked_until_fooled(torch, compile):
    model = small(torch, 2, 3, 2)

    @compile
    def attack(x, label):
        moved = x.detach()
        for tries in range(8):
            moved = moved.detach().requires_grad_()
            logits = model(moved)
            if logits.argmax() != label:
                return moved.detach(), tries
            (g,) = torch.autograd.grad(torch.nn.functional.cross_entropy(logits[None], label[None]), moved)
            moved = moved + 0.3 * g.sign()
        return moved.detach(), -1

    return Case(
        attack, [(waves(torch, 2, shift=s), torch.tensor(k)) for s, k in ((0.0, 0), (0.0, 1), (2.0, 1))], order=0
    )


@program
def teacher_forced_by_confidence(torch, compile):
    cell, head = torch.nn.GRUCell(3, 4, dtype=torch.float64), torch.nn.Linear(4, 3, dtype=torch.float64)
    fill(torch, cell)
    fill(torch, head)

    @compile
    def loss(tokens):
        h, inputs, total = (
            torch.zeros(1, 4, dtype=torch.float64),
            torch.eye(3, dtype=torch.float64)[tokens[0]][None],
            0.0,
        )
        for token in tokens[1:]:
            h = cell(inputs, h)
            probabilities = head(h).softmax(-1)
            total = total - probabilities[0, token].log()
            guess = probabilities.argmax(-1)
            use = guess if probabilities.max() > 0.4 else token[None]
            inputs = torch.eye(3, dtype=torch.float64)[use]
        return total

    calls = [(torch.tensor(t),) for t in ([0, 1, 2, 1], [2, 2, 0, 0], [0, 1])]
    return Case(loss, calls, wrt=[*cell.parameters(), *head.parameters()], order=2)


@program
def eigenvalues_by_rotations(torch, compile):
    @compile
    def jacobi(a):
        turns = 0
        while True:
            off = a - torch.diag(a.diagonal())
            place = int(off.abs().argmax())
            i, j = divmod(place, a.shape[0])
            if off[i, j].abs() < 1e-3 or turns > 12:
                return a.diagonal().sort().values, turns
            angle = 0.5 * torch.atan2(2 * a[i, j], a[j, j] - a[i, i])
            c, s = torch.cos(angle), torch.sin(angle)
            turn = torch.eye(a.shape[0], dtype=torch.float64)
            turn[i, i] = turn[j, j] = c
            turn[i, j], turn[j, i] = s, -s
            a = turn.T @ a @ turn
            turns += 1

    calls = [
        (f64(torch, m, True),)
        for m in (
            [[2.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 1.0]],
            [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0]],
        )
    ]
    return Case(jacobi, calls, order=1)


@program
def harder_examples_as_the_loss_falls(torch, compile):
    w = f64(torch, [0.1, -0.2], True)
    level = torch.tensor(1)

    @compile
    def lesson(x, y):
        count = int(level)
        loss = ((x[:count] @ w - y[:count]) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w.sub_(0.1 * w.grad)
            w.grad.zero_()
            if loss < 0.5 and level < x.shape[0]:
                level.add_(1)
        return loss

    return Case(
        lesson,
        [(waves(torch, 4, 2, shift=s), waves(torch, 4, shift=s)) for s in (0.0, 1.0, 2.0)],
        state=lambda: [w, level],
        order=0,
    )
