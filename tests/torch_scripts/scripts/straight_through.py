import torch


class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, g):
        return g


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.sign(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (x.abs() <= 1).to(g.dtype)


def ste(x):
    return x + (x.round() - x).detach()


x = torch.tensor([0.2, 0.7, 1.5, -2.6], requires_grad=True)
y = ste(x)
print(y, Round.apply(x), Sign.apply(x))
(y * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
print(x.grad)
print(torch.autograd.grad(Sign.apply(x).sum(), x), torch.autograd.grad(x.round().sum(), x))
x.grad = None
s = torch.sigmoid(x)
loss = (s * s.detach().log()).sum()
loss.backward()
print(loss, x.grad)
a = torch.tensor(2.0, requires_grad=True)
stop = a.detach() * a
stop.backward()
print(a.grad, stop.detach().requires_grad, a.data, (a.data * 2).requires_grad)
y_hard = torch.eye(4)[torch.softmax(x, 0).argmax()]
y_soft = torch.softmax(x, 0)
st = (y_hard - y_soft).detach() + y_soft
print(st, torch.autograd.grad(st[1], x))
