"""Every optimizer's trajectory, state and printed form, and every schedule's rates."""
import torch
from torch.optim import lr_scheduler

METHODS = [
    (torch.optim.SGD, dict(lr=0.1)),
    (torch.optim.SGD, dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)),
    (torch.optim.Adam, dict(lr=0.1)),
    (torch.optim.Adam, dict(lr=0.1, amsgrad=True, weight_decay=0.01)),
    (torch.optim.AdamW, dict(lr=0.1, maximize=True)),
    (torch.optim.RMSprop, dict(lr=0.05, momentum=0.9, centered=True, weight_decay=0.1)),
    (torch.optim.Adagrad, dict(lr=0.1, lr_decay=0.1, initial_accumulator_value=0.5)),
]
for method, settings in METHODS:
    p = torch.tensor([1.0, 2.0], requires_grad=True)
    optimizer = method([p], **settings)
    for _ in range(3):
        optimizer.zero_grad()
        (p**2).sum().backward()
        optimizer.step()
    print(optimizer)
    print(p, optimizer.state_dict())

SCHEDULES = [
    ("step", lambda o: lr_scheduler.StepLR(o, 2, 0.5)),
    ("milestones", lambda o: lr_scheduler.MultiStepLR(o, [1, 3, 3], 0.5)),
    ("exponential", lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
    ("lambda", lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 0.95**epoch)),
    ("cosine", lambda o: lr_scheduler.CosineAnnealingLR(o, 4, eta_min=0.01)),
    ("linear", lambda o: lr_scheduler.LinearLR(o, total_iters=3)),
    ("constant", lambda o: lr_scheduler.ConstantLR(o, 0.5, 2)),
]
for name, make in SCHEDULES:
    p = torch.tensor([1.0], requires_grad=True)
    optimizer = torch.optim.SGD([p], lr=0.1)
    schedule = make(optimizer)
    rates = []
    for _ in range(10):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    print(name, [f"{r:.8f}" for r in rates], schedule.last_epoch)

optimizer = torch.optim.SGD([torch.tensor([1.0], requires_grad=True)], lr=0.1)
plateau = lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
for value in (1.0, 0.9, 0.9, 0.9, 0.9, 0.8, 0.8):
    plateau.step(value)
    print(value, f"{optimizer.param_groups[0]['lr']:.5f}")


class SignDescent(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-2, beta=0.9):
        super().__init__(params, dict(lr=lr, beta=beta))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if len(state) == 0:
                    state["mean"] = torch.zeros_like(p)
                state["mean"].mul_(group["beta"]).add_(p.grad, alpha=1 - group["beta"])
                p.add_(state["mean"].sign(), alpha=-group["lr"])
        return loss


p = torch.nn.Parameter(torch.tensor([1.0, -1.0]))
optimizer = SignDescent([p], lr=0.1)


def closure():
    optimizer.zero_grad()
    loss = (p**2).sum()
    loss.backward()
    return loss


for _ in range(3):
    print(optimizer.step(closure))
print(p, optimizer)
print(optimizer.state_dict())
