import torch


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, grad_out):
        (x,) = ctx.saved_tensors
        return grad_out * 2 * x


class Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        result = torch.exp(x)
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx, grad_out):
        (result,) = ctx.saved_tensors
        return result * grad_out


class Sinh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        expx = torch.exp(x)
        expnegx = torch.exp(-x)
        ctx.save_for_backward(expx, expnegx)
        return (expx - expnegx) / 2, expx, expnegx

    @staticmethod
    def backward(ctx, grad_out, _grad_out_exp, _grad_out_negexp):
        expx, expnegx = ctx.saved_tensors
        grad_input = grad_out * (expx + expnegx) / 2
        grad_input = grad_input + _grad_out_exp * expx
        return grad_input - _grad_out_negexp * expnegx


x = torch.tensor(3.0, requires_grad=True, dtype=torch.double)
print(torch.autograd.gradcheck(Square.apply, x), torch.autograd.gradgradcheck(Square.apply, x))
print(torch.autograd.gradcheck(Exp.apply, x), torch.autograd.gradgradcheck(Exp.apply, x))
out = Square.apply(x)
(grad_x,) = torch.autograd.grad(out, x, create_graph=True)
print(out, grad_x)
(grad_grad_x,) = torch.autograd.grad(grad_x, x)
print(grad_grad_x)
s = Sinh.apply(x)
print(s)
(gx,) = torch.autograd.grad(s[0], x, create_graph=True)
print(gx, torch.autograd.grad(gx, x, create_graph=True))
print(torch.autograd.gradgradcheck(lambda v: Sinh.apply(v)[0], x))
