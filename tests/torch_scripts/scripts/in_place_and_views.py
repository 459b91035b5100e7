import torch


def attempt(label, action):
    try:
        print(label, action())
    except Exception as error:
        print(label, type(error).__mro__[-3].__name__ if isinstance(error, RuntimeError) is False else "RuntimeError")


w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
y = w * 2
view = y[1:]
y.add_(1)
print(y, view)
view.mul_(10)
print(y)
print(view)
print(y._version, view._version, view._base is y)
y.sum().backward()
print(w.grad)
attempt("leaf", lambda: w.add_(1))
attempt("view of leaf", lambda: w[0].mul_(2))
attempt("float to int", lambda: torch.ones(2, dtype=torch.int64).add_(1.5))
attempt("shape", lambda: torch.ones(2).add_(torch.ones(3)))
attempt("expanded", lambda: torch.ones(1).expand(3).add_(1))


def overwritten():
    u = w * 1
    s = u.sin()
    u.add_(1)
    s.sum().backward()


attempt("overwritten", overwritten)
with torch.no_grad():
    w -= 0.5
    w[0] = 7
print(w, w.is_leaf)
total = torch.zeros(2)
for k in range(3):
    total += k * w[:2]
print(total)
buffer = torch.zeros(2, 3)
buffer[0] = w
buffer[1, 1:] = w[1:] * 2
buffer[:, 0] += 1
print(buffer)
buffer[buffer > 5] = 0
print(buffer)
buffer.sum().backward()
print(w.grad)
t = torch.arange(6.0).view(2, 3)
t.t()[0, 1] = 50
print(t, t.t().is_contiguous(), t.t().stride())
print(torch.zeros(3).copy_(torch.tensor([1, 2, 3])), torch.empty(2, 2).fill_(3.5), torch.ones(2).zero_())
d = w.detach()
d[0] = -1
print(w, d.requires_grad)
w.data = torch.zeros(2)
print(w)
