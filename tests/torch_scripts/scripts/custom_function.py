import torch
from torch.autograd import Function, gradcheck


class Exp(Function):
    @staticmethod
    def forward(ctx, i):
        result = i.exp()
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx, grad_output):
        (result,) = ctx.saved_tensors
        return grad_output * result


class MulConstant(Function):
    @staticmethod
    def forward(ctx, tensor, constant):
        ctx.constant = constant
        return tensor * constant

    @staticmethod
    def backward(ctx, grad_output):
        print("needs", ctx.needs_input_grad)
        return grad_output * ctx.constant, None


x = torch.tensor([0.0, 1.0], dtype=torch.double, requires_grad=True)
y = Exp.apply(x)
print(y)
y.sum().backward()
print(x.grad)
x.grad = None
MulConstant.apply(x, 3).sum().backward()
print(x.grad)
print(gradcheck(Exp.apply, (x,)))
(g,) = torch.autograd.grad(Exp.apply(x).sum(), x, create_graph=True)
g.sum().backward()
print(x.grad)
