"""A vector-Jacobian product through a loop whose length depends on the values."""

import tracegrad as torch


def main():
    x = torch.randn(3, requires_grad=True)
    y = x * 2
    while y.norm().item() < 1000:
        y = y * 2
    print(y)
    print(y.grad_fn.name())

    v = torch.tensor([0.1, 1.0, 0.0001], dtype=torch.float)
    y.backward(v)
    print(x.grad)

    print(x.requires_grad)
    print(x.pow(2).requires_grad)
    with torch.no_grad():
        print(x.pow(2).requires_grad)

    print(x.requires_grad)
    y = x.detach()
    print(y.requires_grad)
    print(x.eq(y).all().item())


if __name__ == "__main__":
    main()
