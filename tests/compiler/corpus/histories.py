"""Backwards inside and outside: histories of results behind updates, hooks and rules that decide, flags, and what a function makes for itself."""

from tests.compiler.corpus.base import Case, call, f64, program
from tests.compiler.corpus.training import batches, mlp

ROWS = [[0.5, -1.0], [2.0, 0.25]]


def scaled(torch, scales=(0.1, 1.0, -2.0, 0.5, 3.0)):
    return [(f64(torch, ROWS) * s,) for s in scales]


def leaf(torch):
    return f64(torch, [1.0, 2.0], True)


def again(result):
    """What another backward through each result does."""
    found = []
    for r in result:
        try:
            r.sum().backward()
            found.append("done")
        except RuntimeError:
            found.append("refused")
    return found


@program
def losses_of_two_players(torch, compile):
    g, d = mlp(torch, out=3), mlp(torch)
    og, od = (torch.optim.Adam(m.parameters(), lr=0.02, betas=(0.5, 0.999)) for m in (g, d))
    soft = torch.nn.functional.softplus

    @compile
    def step(x, y):
        fake = g(x)
        one = soft(-d(x)).mean() + soft(d(fake.detach())).mean()
        od.zero_grad()
        one.backward()
        od.step()
        two = soft(-d(fake)).mean()
        og.zero_grad()
        two.backward()
        og.step()
        return one, two

    def seen(x, y):
        result = step(x, y)
        return [r.detach() for r in result], [r.requires_grad for r in result], again(result)

    return Case(
        seen, batches(torch), state=lambda: [g, d, og.state_dict(), od.state_dict()], order=0, joint=False, at_most=1
    )


@program
def players_that_freeze_each_other(torch, compile):
    g, d = mlp(torch, out=3), mlp(torch)
    og, od = (torch.optim.SGD(m.parameters(), lr=0.05, momentum=0.9) for m in (g, d))

    @compile
    def step(x, y):
        losses = []
        for mine, other, opt, sign in ((d, g, od, 1), (g, d, og, -1)):
            mine.requires_grad_(True)
            other.requires_grad_(False)
            opt.zero_grad()
            loss = sign * d(g(x)).pow(2).mean()
            loss.backward()
            opt.step()
            losses.append(loss.detach())
        return losses

    return Case(step, batches(torch), state=lambda: [g, d], order=0)


@program
def loss_behind_the_update(torch, compile):
    w = leaf(torch)
    opt = torch.optim.Adam([w], lr=0.1)

    @compile
    def step(x):
        opt.zero_grad()
        (w * w * x).sum().backward()
        opt.step()
        return (w**3 * x).sum()

    def seen(x):
        loss = step(x)
        (first,) = torch.autograd.grad(loss, w, create_graph=True)
        (second,) = torch.autograd.grad((first**2).sum(), w)
        return loss.detach(), first.detach(), second

    return Case(seen, scaled(torch), state=lambda: w, order=0, joint=False)


@program
def written_after_its_value_was_needed(torch, compile):
    w = leaf(torch)

    @compile
    def step(x):
        needed, not_needed = (w * w * x).sum(), (w + x).sum()
        with torch.no_grad():
            w.mul_(0.9)
        return needed, not_needed, (w * x).sum()

    def seen(x):
        result = step(x)
        return [r.detach() for r in result], again(result)

    return Case(seen, scaled(torch), state=lambda: w, order=0, joint=False)


@program
def losses_that_share_nothing(torch, compile):
    w, v = leaf(torch), leaf(torch)

    @compile
    def both(x):
        return (w * w * x).sum(), (v**3 * x).sum(), (x + w).sum()

    def seen(x):
        w.grad = v.grad = None
        result = both(x)
        return [r.detach() for r in result], again(result), again(result), w.grad.clone(), v.grad.clone()

    return Case(seen, scaled(torch), state=lambda: [w, v], order=0, joint=False)


@program
def leaf_made_inside(torch, compile):
    @compile
    def attack(x):
        move = torch.zeros_like(x).requires_grad_()
        opt = torch.optim.Adam([move], lr=0.1)
        for _ in range(3):
            opt.zero_grad()
            loss = -((x + move) ** 3).sum()
            loss.backward()
            opt.step()
        return move, ((x + move) ** 3).sum()

    def seen(x):
        move, value = attack(x)
        value.backward()
        return move.detach(), value.detach(), move.grad, move.is_leaf

    return Case(seen, scaled(torch), order=0, joint=False, at_most=2)


@program
def optimizer_made_inside(torch, compile):
    model = mlp(torch)

    @compile
    def tune(x, y):
        before = [p.detach().clone() for p in model.parameters()]
        inner = torch.optim.AdamW(model.parameters(), lr=0.05)
        for _ in range(2):
            inner.zero_grad()
            torch.nn.functional.mse_loss(model(x), y).backward()
            inner.step()
        with torch.no_grad():
            for p, old in zip(model.parameters(), before):
                p.copy_(old + 0.5 * (p - old))

    return Case(tune, batches(torch), state=lambda: model, order=0, at_most=2)


@program
def saliency_of_an_argument(torch, compile):
    model = mlp(torch)

    @compile
    def saliency(x, y):
        x.requires_grad_()
        (model(x) - y).pow(2).sum().backward()
        return x.grad.abs().amax(1)

    return Case(saliency, batches(torch), state=lambda: model, order=0)


@program
def layers_thawed_on_the_way(torch, compile):
    model = mlp(torch)
    model[0].requires_grad_(False)
    opt = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.05)

    def thaw():
        model[0].requires_grad_(True)
        opt.add_param_group({"params": model[0].parameters(), "lr": 0.01})

    @compile
    def step(x, y):
        opt.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        opt.step()
        return loss.detach()

    calls = [
        call(*batch, before=thaw if i == 3 else None) for i, batch in enumerate(batches(torch, (0, 1, 2, 0, 1, 2)))
    ]
    return Case(step, calls, state=lambda: [model, opt.state_dict()], order=0, at_most=2)


@program
def hook_that_bounds(torch, compile):
    w = leaf(torch)

    @compile
    def f(x):
        h = w * x
        h.register_hook(lambda g: g / g.norm() if g.norm() > 2 else g)
        return (h * h).sum()

    return Case(f, scaled(torch), wrt=[w], order=2, at_most=1)


@program
def hooks_inside_a_step(torch, compile):
    w = leaf(torch)
    opt = torch.optim.SGD([w], lr=0.05, momentum=0.9)

    @compile
    def step(x):
        opt.zero_grad()
        h, size = w * x, x.abs().mean()
        h.register_hook(lambda g: g * size if g.norm() > 2 else g)
        h.register_hook(lambda g: g + 0.1)
        loss = (h * h).sum()
        loss.backward()
        opt.step()
        return loss.detach()

    return Case(step, scaled(torch), state=lambda: w, order=0)


@program
def hooks_of_modules(torch, compile):
    model, w = mlp(torch), f64(torch, [1.0, -0.5, 2.0], True)
    for module in model:
        module.register_full_backward_hook(
            lambda m, given, got: tuple(None if g is None else g * 2 if g.abs().max() > 0.1 else g for g in given)
        )
    model[0].register_full_backward_pre_hook(lambda m, got: (got[0] * 0.5,) if got[0].sum() > 0 else None)

    @compile
    def f(x, y):
        return (model(w * x) - y).pow(2).sum()

    return Case(f, batches(torch), wrt=[w, *model.parameters()], order=1, at_most=1)


@program
def rule_that_decides(torch, compile):
    w = leaf(torch)

    class Bounded(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * (g / g.norm() if g.norm() > 1 else g)

    @compile
    def f(x):
        h = Bounded.apply(w * x)
        return (h * h).sum() if h.sum() > 3 else h.sin().sum()

    return Case(f, scaled(torch), wrt=[w], order=2, at_most=4)


@program
def decision_behind_a_rule(torch, compile):
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g

    @compile
    def f(x):
        w = x.detach().requires_grad_()
        Square.apply(w).sum().backward()
        return w.grad / w.grad.norm() if w.grad.norm() > 1 else w.grad

    return Case(f, scaled(torch), order=0)


@program
def average_of_a_model(torch, compile):
    model = mlp(torch)
    averaged = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    opt = torch.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x, y):
        opt.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        opt.step()
        averaged.update_parameters(model)
        return loss.detach(), averaged(x).detach()

    return Case(step, batches(torch), state=lambda: [model, averaged], order=0, at_most=3)
