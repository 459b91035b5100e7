import torch
from torch.autograd import Function


class LinearFunction(Function):
    @staticmethod
    def forward(input, weight, bias):
        output = input.mm(weight.t())
        if bias is not None:
            output += bias.unsqueeze(0).expand_as(output)
        return output

    @staticmethod
    def setup_context(ctx, inputs, output):
        input, weight, bias = inputs
        ctx.save_for_backward(input, weight, bias)

    @staticmethod
    def backward(ctx, grad_output):
        input, weight, bias = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_input = grad_output.mm(weight)
        if ctx.needs_input_grad[1]:
            grad_weight = grad_output.t().mm(input)
        if bias is not None and ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)
        return grad_input, grad_weight, grad_bias


class MulConstant(Function):
    @staticmethod
    def forward(tensor, constant):
        return tensor * constant

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, constant = inputs
        ctx.constant = constant
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, grad_output):
        if grad_output is None:
            return None, None
        return grad_output * ctx.constant, None


x = (torch.arange(6.0).view(2, 3) / 5 - 0.4).double().requires_grad_()
w = (torch.arange(12.0).view(4, 3) / 9 - 0.5).double().requires_grad_()
b = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.double, requires_grad=True)
out = LinearFunction.apply(x, w, b)
print(out)
(out**2).sum().backward()
print(x.grad, w.grad, b.grad, sep="\n")
print(LinearFunction.apply(x, w, None))
print(torch.autograd.gradcheck(LinearFunction.apply, (x, w, b), eps=1e-6, atol=1e-4))
print(torch.autograd.gradgradcheck(LinearFunction.apply, (x, w, b)))
print(MulConstant.apply(x, 3.5), MulConstant.apply(x, 2).grad_fn.next_functions)
print(torch.autograd.grad(MulConstant.apply(x, 3.5).sum(), x))
