"""ReLU as an autograd.Function whose backward assigns through a mask, trained for some steps and compared with finite differences."""

import tracegrad as torch


class MyReLU(torch.autograd.Function):
    """max(input, 0)."""

    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return input.clamp(min=0)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        grad_input = grad_output.clone()
        grad_input[input < 0] = 0
        return grad_input


def main(steps=50):
    x = torch.randn(16, 8)
    y = torch.randn(16, 2)
    w1 = torch.randn(8, 12, requires_grad=True)
    w2 = torch.randn(12, 2, requires_grad=True)
    print(MyReLU.apply(x.mm(w1)).grad_fn)

    learning_rate = 1e-3
    for t in range(steps):
        relu = MyReLU.apply
        y_pred = relu(x.mm(w1)).mm(w2)
        loss = (y_pred - y).pow(2).sum()
        if t % 10 == 9:
            print(t, f"{loss.item():.3f}")
        loss.backward()
        with torch.no_grad():
            w1 -= learning_rate * w1.grad
            w2 -= learning_rate * w2.grad
            w1.grad.zero_()
            w2.grad.zero_()

    point = torch.randn(4, 5, dtype=torch.double, requires_grad=True)
    print(torch.autograd.gradcheck(MyReLU.apply, (point,), eps=1e-6, atol=1e-4))


if __name__ == "__main__":
    main()
