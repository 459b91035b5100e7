import torch

a = torch.sin(torch.linspace(0, 3, 6)).requires_grad_()
b = torch.sin(torch.linspace(0.3, 3.2, 5)).requires_grad_()


def softmin(values, gamma):
    return -gamma * torch.logsumexp(-torch.stack(values) / gamma, dim=0)


def soft_dtw(a, b, gamma=0.1):
    D = torch.cdist(a[:, None], b[:, None]).pow(2)
    n, m = D.shape
    inf = torch.tensor(float("inf"))
    R = {(0, 0): torch.tensor(0.0)}
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            prev = [R.get((i - 1, j), inf), R.get((i, j - 1), inf), R.get((i - 1, j - 1), inf)]
            R[i, j] = D[i - 1, j - 1] + softmin(prev, gamma)
    return R[n, m]


def hard_dtw(a, b):
    D = (a[:, None] - b[None]).abs()
    R = torch.full((len(a) + 1, len(b) + 1), torch.inf)
    R[0, 0] = 0
    for i in range(len(a)):
        for j in range(len(b)):
            R[i + 1, j + 1] = D[i, j] + torch.stack([R[i, j + 1], R[i + 1, j], R[i, j]]).min()
    return R[-1, -1]


d = soft_dtw(a, b)
print(d)
d.backward()
print(a.grad, b.grad)
h = hard_dtw(a, b)
print(h)
try:
    print(torch.autograd.grad(h, a))
except RuntimeError as e:
    print("RuntimeError")


def edit(s, t):
    row = torch.arange(len(t) + 1)
    for i, c in enumerate(s, 1):
        new = [torch.tensor(i)]
        for j, k in enumerate(t, 1):
            new.append(torch.minimum(torch.minimum(new[-1] + 1, row[j] + 1), row[j - 1] + int(c != k)))
        row = torch.stack(new)
    return row[-1]


print(edit("kitten", "sitting"), edit("", "ab"))


def ewma(x, alpha):
    out, s = [], x[0]
    for v in x:
        s = torch.lerp(s, v, alpha)
        out.append(s)
    return torch.stack(out)


al = torch.tensor(0.3, requires_grad=True)
e = ewma(a.detach(), al)
e.sum().backward()
print(e, al.grad)
