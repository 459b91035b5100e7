import torch

x = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
w = torch.tensor([100.0, 0.5, -4.0], requires_grad=True)
log = []


def clip(g):
    log.append(g.clone())
    return g.clamp(-1, 1)


h = w.register_hook(clip)
y = x * w
y.register_hook(lambda g: print("grad of y:", g))
z = y**2
z.retain_grad()
z.sum().backward()
print(w.grad, x.grad, z.grad, log)
h.remove()
w.grad = None
(x * w).pow(2).sum().backward()
print(w.grad, y.grad_fn, z.retains_grad)
y = x * w
y.grad_fn.register_hook(lambda gi, go: print("node", gi, go))
y.sum().backward()
y.grad_fn.register_prehook(lambda go: print("pre", go))
w2 = torch.ones(3, requires_grad=True)
w2.register_post_accumulate_grad_hook(lambda p: print("accumulated", p.grad))
(w2 * 3).sum().backward()
try:
    torch.ones(2).register_hook(print)
except RuntimeError:
    print("RuntimeError")
total = torch.stack([p.grad.norm() for p in (x, w, w2)]).norm()
print(total)
for p in (x, w, w2):
    p.grad.mul_(min(1.0, 1.0 / (total.item() + 1e-6)))
print(x.grad)
