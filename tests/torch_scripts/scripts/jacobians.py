import torch
from torch.autograd.functional import hessian, jacobian, jvp, vjp


def exp_reducer(x):
    return x.exp().sum(dim=1)


inputs = torch.tensor([[0.1, 0.2], [0.3, -0.4]])
print(jacobian(exp_reducer, inputs))
print(jacobian(exp_reducer, inputs, create_graph=True).grad_fn is not None)


def exp_adder(x, y):
    return 2 * x.exp() + 3 * y


print(jacobian(exp_adder, (inputs[0], inputs[1])))


def pow_adder_reducer(x, y):
    return (2 * x.pow(2) + 3 * y.pow(2)).sum()


print(hessian(pow_adder_reducer, (inputs[0], inputs[1])))
print(vjp(exp_reducer, inputs, torch.ones(2)))
print(jvp(exp_reducer, inputs, torch.ones(2, 2)))
x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
y = x**2
J = []
for i in range(3):
    J.append(torch.autograd.grad(y[i], x, retain_graph=True)[0])
print(torch.stack(J))
basis = torch.eye(3)
print(torch.autograd.grad(y, x, basis, is_grads_batched=True))
out, pull = torch.func.vjp(lambda a: a.sin().sum(), x.detach())
print(out, pull(torch.tensor(1.0))[0])
(g,) = pull(torch.tensor(2.0))
print(g)
