"""Fit y = a + b P3(c + d x) to sin x by gradient descent, with P3(x) = (5 x^3 - 3 x) / 2 as an autograd.Function of its own."""

import math

import tracegrad as torch


class LegendrePolynomial3(torch.autograd.Function):
    """P3 with a handwritten derivative."""

    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


def main(steps=2000):
    dtype = torch.float
    device = torch.device("cpu")

    x = torch.linspace(-math.pi, math.pi, 2000, device=device, dtype=dtype)
    y = torch.sin(x)

    a = torch.full((), 0.0, device=device, dtype=dtype, requires_grad=True)
    b = torch.full((), -1.0, device=device, dtype=dtype, requires_grad=True)
    c = torch.full((), 0.0, device=device, dtype=dtype, requires_grad=True)
    d = torch.full((), 0.3, device=device, dtype=dtype, requires_grad=True)
    print((a + b * LegendrePolynomial3.apply(c + d * x))[:3])
    print(LegendrePolynomial3.apply(c).grad_fn)

    learning_rate = 5e-6
    for t in range(steps):
        P3 = LegendrePolynomial3.apply
        y_pred = a + b * P3(c + d * x)
        loss = (y_pred - y).pow(2).sum()
        if t % 100 == 99:
            print(t, f"{loss.item():.3f}")
        loss.backward()

        with torch.no_grad():
            a -= learning_rate * a.grad
            b -= learning_rate * b.grad
            c -= learning_rate * c.grad
            d -= learning_rate * d.grad
            a.grad = None
            b.grad = None
            c.grad = None
            d.grad = None

    a, b, c, d = (round(v.item(), 3) + 0.0 for v in (a, b, c, d))
    print(f"Result: y = {a} + {b} * P3({c} + {d} x)")


if __name__ == "__main__":
    main()
