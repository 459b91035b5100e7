"""Dual tensors: a directional derivative, products with the Hessian both ways, a Newton step, a module, a Function with jvp."""

import torch
import torch.autograd.forward_ad as fwAD


def rosenbrock(p):
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


point = torch.tensor([-1.2, 1.0])
direction = torch.tensor([1.0, 0.5])
with fwAD.dual_level():
    dual = fwAD.make_dual(point, direction)
    print(dual)
    value, slope = fwAD.unpack_dual(rosenbrock(dual))
    print(value, slope)
    print(fwAD.unpack_dual(point))

# the gradient from one direction at a time
columns = []
for unit in torch.eye(2):
    with fwAD.dual_level():
        columns.append(fwAD.unpack_dual(rosenbrock(fwAD.make_dual(point, unit))).tangent)
print(torch.stack(columns))

# the product with the Hessian, forward over reverse and reverse over forward
leaf = point.clone().requires_grad_()
with fwAD.dual_level():
    dual = fwAD.make_dual(leaf, direction)
    (gradient,) = torch.autograd.grad(rosenbrock(dual), dual)
    print(fwAD.unpack_dual(gradient).tangent)
with fwAD.dual_level():
    slope = fwAD.unpack_dual(rosenbrock(fwAD.make_dual(leaf, direction))).tangent
print(torch.autograd.grad(slope, leaf)[0])

# writes in place
with fwAD.dual_level():
    dual = fwAD.make_dual(point.clone(), direction)
    buffer = torch.zeros(2, 2)
    buffer[0] = dual
    buffer[1].add_(dual * dual)
    print(fwAD.unpack_dual(buffer).tangent)
    row = buffer[1]
    buffer.mul_(2)
    print(fwAD.unpack_dual(row).tangent)
    buffer.zero_()
    print(fwAD.unpack_dual(row).tangent)


class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x * factor, x.argmax()

    @staticmethod
    def backward(ctx, g, _):
        return g * ctx.factor, None

    @staticmethod
    def jvp(ctx, t, _):
        return t * ctx.factor, None


class NoRule(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


with fwAD.dual_level():
    dual = fwAD.make_dual(point, direction)
    scaled, at = Scale.apply(dual, 3.0)
    print(scaled, at)
    try:
        NoRule.apply(dual)
    except NotImplementedError:
        print("no jvp")

for mistake in (
    lambda: fwAD.make_dual(point, direction),
    lambda: fwAD.exit_dual_level(),
):
    try:
        mistake()
    except RuntimeError as error:
        print("RuntimeError")
with fwAD.dual_level():
    for mistake in (
        lambda: fwAD.make_dual(point, torch.ones(3)),
        lambda: fwAD.make_dual(torch.arange(2), direction),
        lambda: fwAD.enter_dual_level(),
        lambda: fwAD.make_dual(fwAD.make_dual(point, direction), direction),
    ):
        try:
            mistake()
        except (RuntimeError, ValueError) as error:
            print("ValueError" if isinstance(error, ValueError) else "RuntimeError")
