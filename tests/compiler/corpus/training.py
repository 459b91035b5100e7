"""Whole training steps: forward, backward, and update inside one compiled function."""

import copy

from tests.compiler.corpus.base import Case, call, f64, program

X = [[[0.5, -1.0, 2.0], [1.5, 0.3, -0.7]], [[1.0, 1.0, 1.0], [0.0, -2.0, 0.5]], [[3.0, 0.1, 0.2], [0.4, 0.5, 0.6]]]
Y = [[[1.0], [0.0]], [[0.5], [-0.5]], [[2.0], [1.0]]]


def batches(torch, turns=(0, 1, 2, 0, 1)):
    return [(f64(torch, X[i]), f64(torch, Y[i])) for i in turns]


def fill(torch, module):
    """Parameters that do not depend on a library's random numbers."""
    with torch.no_grad():
        for k, p in enumerate(module.parameters()):
            p.copy_((torch.arange(p.numel(), dtype=p.dtype) * 0.7 + k).sin().reshape(p.shape) * 0.5)
    return module


def mlp(torch, out=1, activation="Tanh"):
    nn = torch.nn
    return fill(torch, nn.Sequential(nn.Linear(3, 4), getattr(nn, activation)(), nn.Linear(4, out)).double())


def stepping(torch, compile, model, opt, loss_function=None, **options):
    """The step that everybody writes, as a case."""
    loss_function = loss_function or torch.nn.functional.mse_loss

    @compile
    def step(x, y):
        opt.zero_grad()
        loss = loss_function(model(x), y)
        loss.backward()
        opt.step()
        return loss

    return Case(step, batches(torch), state=lambda: [model, opt.state_dict()], order=0, **options)


@program
def plain_tensors(torch, compile):
    w, b = f64(torch, [[0.1], [0.2], [0.3]], True), f64(torch, [0.0], True)

    @compile
    def step(x, y):
        loss = ((x @ w + b - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for p in (w, b):
                p -= 0.1 * p.grad
                p.grad = None
        return loss.item()

    return Case(step, batches(torch), state=lambda: [w, b], order=0, at_most=4)


@program
def gradients_zeroed_in_place(torch, compile):
    w = f64(torch, [[0.1], [0.2], [0.3]], True)

    @compile
    def step(x, y):
        if w.grad is not None:
            w.grad.zero_()
        loss = ((x @ w - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w.sub_(w.grad, alpha=0.1)
        return loss

    return Case(step, batches(torch), state=lambda: w, order=0)


@program
def parameters_by_data(torch, compile):
    w = f64(torch, [[0.1], [0.2], [0.3]], True)

    @compile
    def step(x, y):
        loss = ((x @ w - y) ** 2).mean()
        (g,) = torch.autograd.grad(loss, w)
        w.data = w.data - 0.1 * g
        return loss.detach()

    return Case(step, batches(torch), state=lambda: w, order=0)


@program
def parameters_as_arguments(torch, compile):
    @compile
    def step(params, x, y):
        leaves = {k: p.detach().requires_grad_() for k, p in params.items()}
        loss = ((x @ leaves["w"] + leaves["b"] - y) ** 2).mean()
        grads = torch.autograd.grad(loss, list(leaves.values()))
        return {k: p - 0.1 * g for (k, p), g in zip(params.items(), grads)}, loss.detach()

    params = {"w": f64(torch, [[0.1], [0.2], [0.3]]), "b": f64(torch, [0.0])}
    return Case(step, [(params, *b) for b in batches(torch)], at_most=1)


@program
def linear_and_sgd(torch, compile):
    model = fill(torch, torch.nn.Linear(3, 1).double())
    return stepping(torch, compile, model, torch.optim.SGD(model.parameters(), lr=0.1), at_most=3)


@program
def sgd_momentum(torch, compile):
    model = mlp(torch)
    return stepping(torch, compile, model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), at_most=4)


@program
def sgd_with_all_options(torch, compile):
    model = mlp(torch)
    options = {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01}
    return stepping(torch, compile, model, torch.optim.SGD(model.parameters(), lr=0.05, **options))


@program
def sgd_dampening_and_maximize(torch, compile):
    model = mlp(torch)
    options = {"momentum": 0.8, "dampening": 0.3, "maximize": True}
    return stepping(torch, compile, model, torch.optim.SGD(model.parameters(), lr=0.01, **options))


@program
def adam(torch, compile):
    model = mlp(torch)
    return stepping(torch, compile, model, torch.optim.Adam(model.parameters(), lr=0.05), at_most=4)


@program
def adam_amsgrad_and_decay(torch, compile):
    model = mlp(torch)
    opt = torch.optim.Adam(model.parameters(), lr=0.05, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.1, amsgrad=True)
    return stepping(torch, compile, model, opt)


@program
def adamw(torch, compile):
    model = mlp(torch, activation="GELU")
    return stepping(torch, compile, model, torch.optim.AdamW(model.parameters(), lr=0.05, weight_decay=0.1), at_most=4)


@program
def many_steps_of_adam(torch, compile):
    model = mlp(torch)
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    case = stepping(torch, compile, model, opt, at_most=4)
    case.calls = case.calls * 6
    return case


@program
def two_parameter_groups(torch, compile):
    model = mlp(torch)
    groups = [{"params": model[0].parameters(), "lr": 0.01}, {"params": model[2].parameters(), "weight_decay": 0.1}]
    return stepping(torch, compile, model, torch.optim.SGD(groups, lr=0.1, momentum=0.9))


@program
def classification_with_cross_entropy(torch, compile):
    model = mlp(torch, out=3, activation="ReLU")
    opt = torch.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x, labels):
        opt.zero_grad()
        logits = model(x)
        loss = torch.nn.functional.cross_entropy(logits, labels)
        loss.backward()
        opt.step()
        return loss.item(), (logits.argmax(1) == labels).sum().item()

    data = [(f64(torch, X[i]), torch.tensor([i, 2 - i])) for i in (0, 1, 2, 1)]
    return Case(step, data, state=lambda: model, order=0)


@program
def convolutional_network(torch, compile):
    nn = torch.nn
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 1))
    model = fill(torch, model.double())
    opt = torch.optim.SGD(model.parameters(), lr=0.05)

    @compile
    def step(x):
        opt.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        opt.step()
        return loss

    images = [torch.arange(32, dtype=torch.float64).add(k).sin().reshape(2, 1, 4, 4) for k in range(4)]
    return Case(step, [(x,) for x in images], state=lambda: model, order=0)


@program
def accumulation_over_micro_batches(torch, compile):
    model = mlp(torch)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(parts):
        opt.zero_grad()
        total = 0.0
        for x, y in parts:
            loss = torch.nn.functional.mse_loss(model(x), y) / len(parts)
            loss.backward()
            total += loss.item()
        opt.step()
        return total

    b = batches(torch)
    return Case(step, [(b[:2],), (b[1:3],), (b[2:],), (b,)], state=lambda: model, order=0)


@program
def accumulation_across_calls(torch, compile):
    model = mlp(torch)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x, y, update):
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        if update:
            opt.step()
            opt.zero_grad()
        return loss

    b = batches(torch)
    calls = [(*b[i], i % 2 == 1) for i in range(5)]
    return Case(step, calls, state=lambda: model, order=0)


@program
def clipped_by_norm(torch, compile):
    model = mlp(torch)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x, y):
        opt.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        opt.step()
        return loss, norm

    return Case(step, batches(torch), state=lambda: model, order=0)


@program
def clipped_if_large(torch, compile):
    model = mlp(torch)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x, y):
        opt.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
        clipped = norm > 1.0
        if clipped:
            for p in model.parameters():
                p.grad.mul_(1.0 / norm)
        opt.step()
        return loss, bool(clipped)

    return Case(step, batches(torch), state=lambda: model, order=0)


@program
def step_skipped_when_not_finite(torch, compile):
    model = mlp(torch)
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    @compile
    def step(x, y):
        opt.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        if not torch.isfinite(loss):
            return None
        loss.backward()
        opt.step()
        return loss

    b = batches(torch)
    bad = (f64(torch, [[float("nan"), 1.0, 1.0], [0.0, 0.0, 0.0]]), b[0][1])
    return Case(step, [b[0], bad, b[1], bad, b[2]], state=lambda: [model, opt.state_dict()], order=0)


@program
def learning_rate_changed_between_calls(torch, compile):
    model = mlp(torch)
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    case = stepping(torch, compile, model, opt, at_most=4)

    def halve():
        opt.param_groups[0]["lr"] *= 0.5

    for made in case.calls[1:]:
        made.before = halve
    return case


@program
def scheduler_between_calls(torch, compile):
    model = mlp(torch)
    opt = torch.optim.Adam(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(opt, step_size=2, gamma=0.1)
    case = stepping(torch, compile, model, opt, at_most=4)
    for made in case.calls[1:]:
        made.before = schedule.step
    return case


@program
def moving_average_of_weights(torch, compile):
    model, average = mlp(torch), mlp(torch)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x, y):
        opt.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        opt.step()
        with torch.no_grad():
            for slow, p in zip(average.parameters(), model.parameters()):
                slow.mul_(0.9).add_(p, alpha=0.1)
        return loss

    return Case(step, batches(torch), state=lambda: [model, average], order=0)


@program
def tied_weights(torch, compile):
    nn = torch.nn

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.into, self.out = nn.Linear(3, 3, bias=False), nn.Linear(3, 3)
            self.out.weight = self.into.weight

        def forward(self, x):
            return self.out(torch.tanh(self.into(x))).sum(1, keepdim=True)

    model = fill(torch, Tied().double())
    return stepping(torch, compile, model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))


@program
def frozen_parameters(torch, compile):
    model = mlp(torch)
    for p in model[0].parameters():
        p.requires_grad_(False)
    opt = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.05)
    return stepping(torch, compile, model, opt)


@program
def unfrozen_between_calls(torch, compile):
    model = mlp(torch)
    model[0].requires_grad_(False)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    case = stepping(torch, compile, model, opt)
    case.calls[2].before = lambda: model[0].requires_grad_(True)
    return case


@program(random=True)
def dropout_in_training(torch, compile):
    nn = torch.nn
    model = fill(torch, nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 1)).double())
    case = stepping(torch, compile, model, torch.optim.SGD(model.parameters(), lr=0.1))
    case.calls[3].before = lambda: model.eval()
    case.calls[4].before = lambda: model.train()
    return case


@program
def batch_norm(torch, compile):
    nn = torch.nn
    model = fill(torch, nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1)).double())
    case = stepping(torch, compile, model, torch.optim.SGD(model.parameters(), lr=0.1))
    case.calls[2].before = lambda: model.eval()
    case.calls[4].before = lambda: model.train()
    return case


@program
def two_optimizers(torch, compile):
    nn = torch.nn
    generator, critic = mlp(torch, out=3), mlp(torch)
    opt_g = torch.optim.Adam(generator.parameters(), lr=0.02)
    opt_c = torch.optim.SGD(critic.parameters(), lr=0.05)
    bce = nn.functional.binary_cross_entropy_with_logits

    @compile
    def step(real, noise):
        opt_c.zero_grad()
        fake = generator(noise)
        ones, zeros = torch.ones(2, 1, dtype=real.dtype), torch.zeros(2, 1, dtype=real.dtype)
        loss_c = bce(critic(real), ones) + bce(critic(fake.detach()), zeros)
        loss_c.backward()
        opt_c.step()
        opt_g.zero_grad()
        loss_g = bce(critic(fake), ones)
        loss_g.backward()
        opt_g.step()
        return loss_c.item(), loss_g.item()

    xs = [f64(torch, x) for x in X]
    calls = [(xs[0], xs[1]), (xs[1], xs[2]), (xs[2], xs[0]), (xs[0], xs[2])]
    return Case(step, calls, state=lambda: [generator, critic, opt_g.state_dict()], order=0)


@program
def closure_given_to_step(torch, compile):
    model = mlp(torch)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x, y):
        def closure():
            opt.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x), y)
            loss.backward()
            return loss

        return opt.step(closure)

    return Case(step, batches(torch), state=lambda: model, order=0)


@program
def backward_twice_through_one_graph(torch, compile):
    w = f64(torch, [[0.1], [0.2], [0.3]], True)

    @compile
    def step(x, y):
        out = x @ w
        loss, penalty = ((out - y) ** 2).mean(), out.abs().mean()
        loss.backward(retain_graph=True)
        first = w.grad.clone()
        penalty.backward()
        both = w.grad
        with torch.no_grad():
            w.sub_(0.1 * both)
        w.grad = None
        return first, both

    return Case(step, batches(torch), state=lambda: w, order=0)


@program
def gradient_penalty(torch, compile):
    model = mlp(torch)
    opt = torch.optim.SGD(model.parameters(), lr=0.05)

    @compile
    def step(x, y):
        x = x.detach().requires_grad_()
        opt.zero_grad()
        out = model(x)
        (g,) = torch.autograd.grad(out.sum(), x, create_graph=True)
        loss = torch.nn.functional.mse_loss(out, y) + 0.1 * (g.norm(dim=1) - 1).pow(2).mean()
        loss.backward()
        opt.step()
        return loss

    return Case(step, batches(torch), state=lambda: model, order=0)


@program
def maml_step(torch, compile):
    w = f64(torch, [[0.1], [0.2], [0.3]], True)

    @compile
    def meta(x, y):
        inner = ((x @ w - y) ** 2).mean()
        (g,) = torch.autograd.grad(inner, w, create_graph=True)
        outer = ((x.flip(0) @ (w - 0.1 * g) - y) ** 2).mean()
        outer.backward()
        with torch.no_grad():
            w.add_(w.grad, alpha=-0.05)
            w.grad.zero_()
        return outer.detach()

    return Case(meta, batches(torch), state=lambda: w, order=0)


@program
def buffer_written_in_place(torch, compile):
    class Normaliser(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.zeros(3, dtype=torch.float64))
            self.register_buffer("count", torch.zeros((), dtype=torch.int64))
            self.scale = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))

        def forward(self, x):
            self.mean.mul_(0.9).add_(x.detach().mean(0), alpha=0.1)
            self.count += 1
            return (x - self.mean) * self.scale

    model = Normaliser()
    f = compile(model)
    return Case(f, [(x,) for x, _ in batches(torch)], state=lambda: model, order=1, wrt=[model.scale], joint=False)


@program
def python_counter(torch, compile):
    class Trainer:
        def __init__(self):
            self.w, self.steps = f64(torch, [[0.1], [0.2], [0.3]], True), 0

        @compile
        def step(self, x, y):
            self.steps += 1
            loss = ((x @ self.w - y) ** 2).mean() * self.steps
            loss.backward()
            with torch.no_grad():
                self.w -= 0.1 * self.w.grad
            self.w.grad = None
            return loss

    trainer = Trainer()
    return Case(
        trainer.step, batches(torch), state=lambda: [trainer.w, trainer.steps], order=0, may_warn=True, joint=False
    )


@program
def losses_appended_to_a_list(torch, compile):
    w, history = f64(torch, [[0.1], [0.2], [0.3]], True), []

    @compile
    def step(x, y):
        loss = ((x @ w - y) ** 2).mean()
        history.append(loss.item())
        return loss

    return Case(step, batches(torch), state=lambda: [w, history], order=1, wrt=[w], may_warn=True)


@program
def exception_in_the_middle(torch, compile):
    model = mlp(torch)
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    @compile
    def step(x, y):
        opt.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        opt.step()
        if loss > 3:
            raise ValueError("diverged")
        return loss

    def careful(x, y):
        """Whether a failed step left the model before the step or after it; then the model as before."""
        before = {k: v.clone() for k, v in model.state_dict().items()}
        momentum = copy.deepcopy(opt.state_dict())
        try:
            return step(x, y)
        except ValueError:
            kept = model.state_dict()
            same = [torch.equal(before[k], kept[k]) for k in before]
            whole = all(same) or not any(same)
            model.load_state_dict(before)
            opt.load_state_dict(momentum)
            opt.zero_grad()
            return "failed", whole

    b = batches(torch)
    bad = (b[0][0], f64(torch, [[100.0], [-100.0]]))
    return Case(careful, [b[0], bad, b[1], bad, b[2]], state=lambda: model, order=0, joint=False)


@program
def exception_before_any_effect(torch, compile):
    model = mlp(torch)
    opt = torch.optim.Adam(model.parameters(), lr=0.1)

    @compile
    def step(x, y):
        loss = torch.nn.functional.mse_loss(model(x), y)
        if loss > 100:
            raise OverflowError("loss")
        opt.zero_grad()
        loss.backward()
        opt.step()
        return loss

    b = batches(torch)
    bad = (b[0][0], f64(torch, [[100.0], [-100.0]]))
    return Case(step, [b[0], bad, b[1], bad, b[2]], state=lambda: [model, opt.state_dict()], order=0)


@program
def zero_grad_that_keeps_zeros(torch, compile):
    model = mlp(torch)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x, y):
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        opt.step()
        opt.zero_grad(set_to_none=False)
        return loss

    return Case(step, batches(torch), state=lambda: model, order=0)


@program
def several_steps_in_one_call(torch, compile):
    w = f64(torch, [[0.1], [0.2], [0.3]], True)
    opt = torch.optim.SGD([w], lr=0.05, momentum=0.9)

    @compile
    def epoch(data):
        losses = []
        for x, y in data:
            opt.zero_grad()
            loss = ((x @ w - y) ** 2).mean()
            loss.backward()
            opt.step()
            losses.append(loss.detach())
        return torch.stack(losses).mean()

    b = batches(torch)
    return Case(epoch, [(b[:3],), (b[1:4],), (b[2:5],), (b[:1],)], state=lambda: [w, opt.state_dict()], order=0)


@program
def train_until_converged(torch, compile):
    @compile
    def fit(w, x, y):
        w = w.clone().requires_grad_()
        for n in range(30):  # noqa: B007
            loss = ((x @ w - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= 0.2 * w.grad
            if w.grad.norm() < 0.3:
                break
            w.grad = None
        return w.detach(), n

    w = f64(torch, [[0.1], [0.2], [0.3]])
    return Case(fit, [(w, *b) for b in batches(torch)])


@program
def evaluation_between_steps(torch, compile):
    model = mlp(torch)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x, y, train):
        if train:
            opt.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x), y)
            loss.backward()
            opt.step()
        else:
            with torch.no_grad():
                loss = torch.nn.functional.mse_loss(model(x), y)
        return loss

    b = batches(torch)
    calls = [call(*b[i], train=i != 2 and i != 3) for i in range(5)]
    return Case(step, calls, state=lambda: model, order=0)


@program
def compiled_forward_only(torch, compile):
    model = mlp(torch)
    fast = compile(model)
    opt = torch.optim.Adam(model.parameters(), lr=0.05)

    def step(x, y):
        opt.zero_grad()
        loss = torch.nn.functional.mse_loss(fast(x), y)
        loss.backward()
        opt.step()
        return loss

    return Case(step, batches(torch), state=lambda: [model, opt.state_dict()], order=0, at_most=1, joint=False)


@program
def float32_step(torch, compile):
    model = fill(torch, torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1)))
    opt = torch.optim.AdamW(model.parameters(), lr=0.01)

    @compile
    def step(x, y):
        opt.zero_grad(set_to_none=True)
        loss = torch.nn.functional.smooth_l1_loss(model(x), y)
        loss.backward()
        opt.step()
        return loss.detach()

    return Case(step, [(x.float(), y.float()) for x, y in batches(torch)], state=lambda: model, order=0)
