"""A linear layer as an autograd.Function with an optional bias, used on random data and compared with finite differences."""

import tracegrad as torch
from tracegrad.autograd import Function, gradcheck


class LinearFunction(Function):
    """input @ weight^T + bias."""

    @staticmethod
    def forward(ctx, input, weight, bias=None):
        ctx.save_for_backward(input, weight, bias)
        output = input.mm(weight.t())
        if bias is not None:
            output += bias.unsqueeze(0).expand_as(output)
        return output

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


def main():
    x = torch.randn(2, 3).requires_grad_()
    weight = torch.randn(4, 3).requires_grad_()
    y = LinearFunction.apply(x, weight)
    print(y)
    y.sum().backward()
    print(x.grad)
    print(weight.grad)

    bias = torch.randn(4).requires_grad_()
    LinearFunction.apply(x, weight, bias).sum().backward()
    print(bias.grad)

    linear = LinearFunction.apply
    input = (
        torch.randn(20, 20, dtype=torch.double, requires_grad=True),
        torch.randn(30, 20, dtype=torch.double, requires_grad=True),
    )
    test = gradcheck(linear, input, eps=1e-6, atol=1e-4)
    print(test)


if __name__ == "__main__":
    main()
