"""A gradient penalty: the norm of a gradient is a part of the loss, so the loss differentiates twice."""

import tracegrad as torch


def main():
    model = torch.nn.Linear(4, 3)

    input = torch.randn(3, 4).requires_grad_(True)
    output = model(input)
    print(output.grad_fn)

    target = torch.randn(3, 3)
    loss = torch.nn.MSELoss()(output, target)
    print(loss)

    grad_output = torch.ones_like(output)
    gradient = torch.autograd.grad([output], [input], grad_outputs=[grad_output], create_graph=True)[0]
    gradient_penalty = torch.pow((gradient.norm(2, dim=1) - 1), 2).mean()
    print(gradient_penalty)

    combined_loss = loss + gradient_penalty
    combined_loss.backward()
    print(combined_loss)
    print(input.grad)
    print(model.weight.grad)
    print(model.bias.grad)


if __name__ == "__main__":
    main()
