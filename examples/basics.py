"""Tensors that track their history: names, gradients, repeated backward, and no_grad."""

import tracegrad as torch


def main():
    x = torch.ones(2, 2, requires_grad=True)
    print(x)
    print(x.data)
    print(x.grad)
    print(x.grad_fn)

    y = x + 2
    print(y)
    print(y.grad_fn)
    print(y.grad_fn.name())

    z = y * y * 3
    out = z.mean()
    print(z, out)
    print(z.grad_fn.name())
    print(out.grad_fn.name())

    a = torch.randn(2, 2)
    a = (a * 3) / (a - 1)
    print(a.requires_grad)
    a.requires_grad_(True)
    print(a.requires_grad)
    b = (a * a).sum()
    print(b.grad_fn)

    out.backward()
    print(x.grad)

    x = torch.ones(2, 2, requires_grad=True)
    y = x + 2
    y.backward(torch.ones(2, 2), retain_graph=True)
    print(x.grad)
    z = y * y
    print(z)
    gradient = torch.randn(2, 2)
    y.backward(gradient)
    print(x.grad)

    print(x.requires_grad)
    print((x**2).requires_grad)
    with torch.no_grad():
        print((x**2).requires_grad)
    print(x.detach().requires_grad)
    print(x.eq(x.detach()).all().item())


if __name__ == "__main__":
    main()
