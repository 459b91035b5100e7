"""Training of models as in tutorials and repositories: recurrent nets, transformers, target networks, hooks, schedules inside the step."""

import copy

from tests.compiler.corpus.base import Case, f64, program
from tests.compiler.corpus.training import batches, fill, mlp


def image(torch, k, *shape):
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float64).mul(0.9).add(k).sin().reshape(shape)


def trained(torch, compile, model, opt, calls, loss_of, state=(), **options):
    """The usual step as a case: loss_of(*call) is differentiated."""

    @compile
    def step(*args):
        opt.zero_grad()
        loss = loss_of(*args)
        loss.backward()
        opt.step()
        return loss.detach()

    return Case(step, calls, state=lambda: [model, *state], order=0, **options)


@program
def lstm_language_model(torch, compile):
    nn = torch.nn

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.lstm, self.out = nn.Embedding(5, 3), nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 5)

        def forward(self, tokens):
            states, _ = self.lstm(self.embed(tokens))
            return self.out(states)

    model = fill(torch, Model().double())
    opt = torch.optim.Adam(model.parameters(), lr=0.05)

    def loss_of(tokens):
        return nn.functional.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())

    tokens = ([[0, 1, 2, 3]], [[4, 3, 2, 1]], [[1, 1, 1, 1]], [[0, 2, 4, 0]])
    return trained(torch, compile, model, opt, [(torch.tensor(t),) for t in tokens], loss_of)


@program
def gru_cell_unrolled(torch, compile):
    model = fill(torch, torch.nn.GRUCell(3, 2).double())
    opt = torch.optim.SGD(model.parameters(), lr=0.1)

    def loss_of(x, y):
        h = torch.zeros(2, 2, dtype=x.dtype)
        for _ in range(4):
            h = model(x, h)
        return ((h.sum(1, keepdim=True) - y) ** 2).mean()

    return trained(torch, compile, model, opt, batches(torch), loss_of)


@program
def transformer_block(torch, compile):
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.first, self.second = nn.LayerNorm(4), nn.LayerNorm(4)
            self.feed = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 4))

        def forward(self, x):
            h = self.first(x)
            x = x + self.attention(h, h, h, need_weights=False)[0]
            return x + self.feed(self.second(x))

    model = fill(torch, Block().double())
    opt = torch.optim.AdamW(model.parameters(), lr=0.01)
    calls = [(image(torch, k, 2, n, 4),) for k, n in enumerate((3, 3, 5, 3))]
    return trained(torch, compile, model, opt, calls, lambda x: (model(x) ** 2).mean())


@program
def convolution_with_batch_norm(torch, compile):
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)
    )
    model = fill(torch, model.double())
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    calls = [(image(torch, k, n, 1, 5, 5), torch.arange(n) % 2) for k, n in enumerate((2, 2, 3, 2))]
    return trained(torch, compile, model, opt, calls, lambda x, y: nn.functional.cross_entropy(model(x), y))


@program
def other_optimizers(torch, compile):
    model = mlp(torch)
    layers = [list(model[0].parameters()), list(model[2].parameters())]
    opts = [
        torch.optim.RMSprop(layers[0], lr=0.01, momentum=0.5, centered=True),
        torch.optim.Adagrad(layers[1], lr=0.1),
    ]

    @compile
    def step(x, y):
        for opt in opts:
            opt.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        for opt in opts:
            opt.step()
        return loss

    return Case(step, batches(torch), state=lambda: [model, *(o.state_dict() for o in opts)], order=0)


@program
def schedule_inside_the_step(torch, compile):
    model = mlp(torch)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(opt, lambda epoch: 0.5**epoch)

    @compile
    def step(x, y):
        opt.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        opt.step()
        schedule.step()
        return loss, opt.param_groups[0]["lr"]

    return Case(step, batches(torch), state=lambda: [model, schedule.get_last_lr()], order=0, may_warn=True)


@program
def target_network_copied_by_value(torch, compile):
    online, target = mlp(torch), mlp(torch)
    opt = torch.optim.Adam(online.parameters(), lr=0.05)
    age = torch.zeros((), dtype=torch.int64)

    @compile
    def step(x, y):
        with torch.no_grad():
            goal = y + 0.9 * target(x).clamp(-1, 1)
        loss = torch.nn.functional.huber_loss(online(x), goal)
        opt.zero_grad()
        loss.backward()
        opt.step()
        age.add_(1)
        if age % 2 == 0:
            target.load_state_dict(online.state_dict())
        return loss

    return Case(step, batches(torch), state=lambda: [online, target, age], order=0)


@program
def parameter_hooks_that_clamp(torch, compile):
    model = mlp(torch)
    for p in model.parameters():
        p.register_hook(lambda g: g.clamp(-0.1, 0.1))
    opt = torch.optim.SGD(model.parameters(), lr=0.5)
    case_loss = torch.nn.functional.mse_loss
    return trained(torch, compile, model, opt, batches(torch), lambda x, y: case_loss(model(x), y))


@program
def optimizer_inside_the_backward(torch, compile):
    model = mlp(torch)
    opts = {p: torch.optim.SGD([p], lr=0.1) for p in model.parameters()}

    def update(p):
        opts[p].step()
        opts[p].zero_grad()

    for p in model.parameters():
        p.register_post_accumulate_grad_hook(update)

    @compile
    def step(x, y):
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        return loss

    return Case(step, batches(torch), state=lambda: model, order=0)


@program
def sharpness_aware_minimisation(torch, compile):
    model = mlp(torch)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    mse = torch.nn.functional.mse_loss

    @compile
    def step(x, y):
        mse(model(x), y).backward()
        with torch.no_grad():
            norm = torch.sqrt(sum((p.grad**2).sum() for p in model.parameters()))
            moves = [0.05 * p.grad / norm for p in model.parameters()]
            for p, move in zip(model.parameters(), moves):
                p.add_(move)
        opt.zero_grad()
        loss = mse(model(x), y)
        loss.backward()
        with torch.no_grad():
            for p, move in zip(model.parameters(), moves):
                p.sub_(move)
        opt.step()
        opt.zero_grad()
        return loss

    return Case(step, batches(torch), state=lambda: model, order=0)


@program
def loss_scaling_with_overflow(torch, compile):
    model = mlp(torch)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    scale = torch.full((), 1e308, dtype=torch.float64)

    @compile
    def step(x, y):
        opt.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        (loss * scale).backward()
        grads = [p.grad for p in model.parameters()]
        if all(bool(g.isfinite().all()) for g in grads):
            for g in grads:
                g.div_(scale)
            opt.step()
            return loss, True
        scale.mul_(1e-300)
        return loss, False

    big = [(x, y + 100) for x, y in batches(torch)]
    return Case(step, big, state=lambda: [model, scale], order=0)


@program
def train_and_eval_inside(torch, compile):
    nn = torch.nn
    model = fill(torch, nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).double())
    opt = torch.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def epoch(x, y):
        model.train()
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        opt.step()
        model.eval()
        with torch.no_grad():
            after = nn.functional.mse_loss(model(x), y)
        return loss.item(), after.item(), bool(after < loss)

    return Case(epoch, batches(torch), state=lambda: model, order=0, may_warn=True)


@program
def functional_call_and_meta_gradients(torch, compile):
    model = mlp(torch)
    names = [name for name, _ in model.named_parameters()]
    call = torch.func.functional_call

    @compile
    def meta(x, y):
        params = dict(model.named_parameters())
        loss = torch.nn.functional.mse_loss(call(model, params, (x,)), y)
        grads = torch.autograd.grad(loss, list(params.values()), create_graph=True)
        moved = {n: p - 0.1 * g for n, p, g in zip(names, params.values(), grads)}
        return torch.nn.functional.mse_loss(call(model, moved, (x.flip(0),)), y)

    return Case(meta, batches(torch), order=1, wrt=list(model.parameters()), joint=False)


@program
def ensemble_with_vmap(torch, compile):
    models = [mlp(torch) for _ in range(3)]
    for k, model in enumerate(models):
        with torch.no_grad():
            model[0].bias.add_(0.1 * k)
    params, buffers = torch.func.stack_module_state(models)
    base = copy.deepcopy(models[0])

    @compile
    def predict(x):
        def one(p, b):
            return torch.func.functional_call(base, (p, b), (x,))

        return torch.func.vmap(one)(params, buffers).mean(0)

    return Case(predict, [(x,) for x, _ in batches(torch)], order=1, wrt=list(params.values()), joint=False)


@program
def physics_informed_loss(torch, compile):
    model = mlp(torch)
    opt = torch.optim.Adam(model.parameters(), lr=0.01)

    def loss_of(x, y):
        x = x.clone().requires_grad_(True)
        u = model(x)
        (du,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        (ddu,) = torch.autograd.grad(du[:, 0].sum(), x, create_graph=True)
        return ((ddu[:, 0] + u[:, 0]) ** 2).mean() + ((u - y) ** 2).mean()

    return trained(torch, compile, model, opt, batches(torch), loss_of)


@program
def contrastive_loss_with_a_queue(torch, compile):
    encoder = mlp(torch, out=2)
    opt = torch.optim.SGD(encoder.parameters(), lr=0.1)
    queue = image(torch, 0, 4, 2)
    place = torch.zeros((), dtype=torch.int64)
    functional = torch.nn.functional

    @compile
    def step(x, y):
        q = functional.normalize(encoder(x), dim=1)
        keys = functional.normalize(encoder(x + 0.1), dim=1).detach()
        logits = torch.cat([(q * keys).sum(1, keepdim=True), q @ queue.clone().T], 1) / 0.5
        loss = functional.cross_entropy(logits, torch.zeros(len(x), dtype=torch.long))
        opt.zero_grad()
        loss.backward()
        opt.step()
        at = int(place)
        queue[at : at + 2] = keys
        place.copy_((place + 2) % 4)
        return loss

    return Case(step, batches(torch), state=lambda: [encoder, queue, place], order=0)


@program(random=True)
def variational_autoencoder(torch, compile):
    encoder, decoder = mlp(torch, out=4), fill(torch, torch.nn.Linear(2, 3).double())
    opt = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.01)

    def loss_of(x, y):
        mean, log_variance = encoder(x).chunk(2, dim=1)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
        return ((decoder(z) - x) ** 2).sum() + divergence

    return trained(torch, compile, encoder, opt, batches(torch), loss_of, state=[decoder])


@program(random=True)
def policy_gradient(torch, compile):
    policy = mlp(torch, out=2)
    opt = torch.optim.SGD(policy.parameters(), lr=0.1)

    @compile
    def episode(x, y):
        losses, reward = [], 0.0
        for row in x:
            logp = torch.log_softmax(policy(row), -1)
            action = torch.multinomial(logp.exp(), 1).item()
            reward += 1.0 if action == 1 else -0.5
            losses.append(-logp[action] * reward)
            if reward < -0.4:
                break
        opt.zero_grad()
        torch.stack(losses).sum().backward()
        opt.step()
        return reward, len(losses)

    return Case(episode, batches(torch) * 2, state=lambda: policy, order=0)


@program
def spectral_norm_by_power_iteration(torch, compile):
    class Spectral(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(image(torch, 1, 2, 3))
            self.register_buffer("u", f64(torch, [1.0, 0.0]))

        def forward(self, x):
            if self.training:
                with torch.no_grad():
                    v = torch.nn.functional.normalize(self.weight.t() @ self.u, dim=0)
                    self.u.copy_(torch.nn.functional.normalize(self.weight @ v, dim=0))
            v = torch.nn.functional.normalize(self.weight.t() @ self.u, dim=0)
            sigma = self.u @ self.weight @ v
            return x @ (self.weight / sigma).t()

    model = Spectral()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    return trained(torch, compile, model, opt, batches(torch), lambda x, y: ((model(x) - y) ** 2).mean())


@program
def parameter_group_added_between_calls(torch, compile):
    model, extra = mlp(torch), f64(torch, [0.5], True)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    mse = torch.nn.functional.mse_loss
    case = trained(torch, compile, model, opt, batches(torch), lambda x, y: mse(model(x) * extra, y), state=[extra])
    case.calls[2].before = lambda: opt.add_param_group({"params": [extra], "lr": 0.5})
    return case


@program
def optimizer_state_loaded_between_calls(torch, compile):
    model = mlp(torch)
    opt = torch.optim.Adam(model.parameters(), lr=0.05)
    kept = {}
    mse = torch.nn.functional.mse_loss
    case = trained(torch, compile, model, opt, batches(torch), lambda x, y: mse(model(x), y))

    def save():
        kept.update(copy.deepcopy({"model": model.state_dict(), "opt": opt.state_dict()}))

    def load():
        model.load_state_dict(kept["model"])
        opt.load_state_dict(kept["opt"])

    case.calls[1].before, case.calls[3].before = save, load
    return case


@program
def embedding_bag_and_padding(torch, compile):
    nn = torch.nn
    table = fill(torch, nn.Embedding(6, 2, padding_idx=0).double())
    opt = torch.optim.SGD(table.parameters(), lr=0.5)

    def loss_of(tokens):
        mask = tokens != 0
        summed = (table(tokens) * mask[..., None]).sum(1)
        return (summed / mask.sum(1, keepdim=True).clamp(min=1)).pow(2).sum()

    tokens = ([[1, 2, 0], [3, 0, 0]], [[0, 0, 0], [5, 5, 5]], [[4, 3, 2], [1, 0, 0]], [[2, 2, 2], [0, 1, 0]])
    return trained(torch, compile, table, opt, [(torch.tensor(t),) for t in tokens], loss_of)


@program
def best_weights_kept_by_value(torch, compile):
    model, best = mlp(torch), mlp(torch)
    lowest = torch.full((), float("inf"), dtype=torch.float64)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x, y):
        opt.zero_grad()
        loss = torch.nn.functional.l1_loss(model(x), y)
        loss.backward()
        if loss < lowest:
            lowest.copy_(loss.detach())
            with torch.no_grad():
                for kept, p in zip(best.parameters(), model.parameters()):
                    kept.copy_(p)
        opt.step()
        return loss

    return Case(step, batches(torch), state=lambda: [model, best, lowest], order=0)
