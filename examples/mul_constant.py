"""Multiplication by a constant as an autograd.Function: an argument that is no tensor gets None for its gradient."""

import tracegrad as torch
from tracegrad.autograd import Function


class MulConstant(Function):
    """tensor * constant."""

    @staticmethod
    def forward(ctx, tensor, constant):
        ctx.constant = constant
        return tensor * constant

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * ctx.constant, None


def main():
    x = torch.randn(2).requires_grad_()
    y = MulConstant.apply(x, 5.5)
    print(y)
    print(y.grad_fn)
    y.sum().backward()
    print(x.grad)


if __name__ == "__main__":
    main()
