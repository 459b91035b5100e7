"""Functions of one's own under func's transforms, as the notes on extending torch.func write them: with NumPy inside, with a vmap of one's own, with a derived one."""

import numpy as np
import torch
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap


def to_numpy(tensor):
    return tensor.detach().cpu().numpy()


class NumpySort(torch.autograd.Function):
    @staticmethod
    def forward(x, dim):
        x = to_numpy(x)
        ind = np.argsort(x, axis=dim)
        ind_inv = np.argsort(ind, axis=dim)
        result = np.take_along_axis(x, ind, axis=dim)
        return torch.tensor(result), torch.tensor(ind), torch.tensor(ind_inv)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, dim = inputs
        _, ind, ind_inv = output
        ctx.mark_non_differentiable(ind, ind_inv)
        ctx.save_for_backward(ind, ind_inv)
        ctx.dim = dim

    @staticmethod
    def backward(ctx, grad_output, _0, _1):
        ind, ind_inv = ctx.saved_tensors
        return NumpyTake.apply(grad_output, ind_inv, ind, ctx.dim), None

    @staticmethod
    def vmap(info, in_dims, x, dim):
        x_bdim, _ = in_dims
        x = x.movedim(x_bdim, 0)
        dim = dim if dim >= 0 else dim + x.dim() - 1
        return NumpySort.apply(x, dim + 1), (0, 0, 0)


class NumpyTake(torch.autograd.Function):
    @staticmethod
    def forward(x, ind, ind_inv, dim):
        return torch.tensor(np.take_along_axis(to_numpy(x), to_numpy(ind), dim))

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ind, ind_inv, dim = inputs
        ctx.save_for_backward(ind, ind_inv)
        ctx.dim = dim

    @staticmethod
    def backward(ctx, grad_output):
        ind, ind_inv = ctx.saved_tensors
        return NumpyTake.apply(grad_output, ind_inv, ind, ctx.dim), None, None, None

    @staticmethod
    def vmap(info, in_dims, x, ind, ind_inv, dim):
        x_bdim, ind_bdim, ind_inv_bdim, _ = in_dims
        logical_dim = x.dim() if x_bdim is None else x.dim() - 1
        dim = dim if dim >= 0 else dim + logical_dim

        def front(t, bdim):
            if bdim is None:
                return t.expand(info.batch_size, *t.shape)
            return t.movedim(bdim, 0)

        return NumpyTake.apply(front(x, x_bdim), front(ind, ind_bdim), front(ind_inv, ind_inv_bdim), dim + 1), 0


class MyCube(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        result = x**3
        dx = 3 * x**2
        return result, dx

    @staticmethod
    def setup_context(ctx, inputs, output):
        (x,) = inputs
        result, dx = output
        ctx.save_for_backward(x, dx)
        ctx.save_for_forward(x, dx)

    @staticmethod
    def backward(ctx, grad_output, grad_dx):
        x, dx = ctx.saved_tensors
        return grad_output * dx + grad_dx * 6 * x

    @staticmethod
    def jvp(ctx, x_t):
        x, dx = ctx.saved_tensors
        return x_t * dx, 6 * x * x_t


def my_cube(x):
    result, _ = MyCube.apply(x)
    return result


def numpy_sort(x, dim=-1):
    result, _, _ = NumpySort.apply(x, dim)
    return result


x = torch.tensor([[3.0, 1.0, 2.0], [0.5, 4.0, -1.0]])
weights = torch.tensor([1.0, 10.0, 100.0])
print(numpy_sort(x))
print(grad(lambda t: (numpy_sort(t) * weights).sum())(x))
print(vmap(numpy_sort)(x))
print(vmap(grad(lambda t: (numpy_sort(t) * weights).sum()))(x))
print(grad(lambda t: (vmap(numpy_sort)(t) * weights).sum())(x))
print(jacrev(numpy_sort)(x[0]))

leaf = x.clone().requires_grad_()
(numpy_sort(leaf) * weights).sum().backward()
print(leaf.grad)

y = torch.tensor([0.5, -1.0, 2.0])
print(my_cube(y))
print(grad(lambda t: my_cube(t).sum())(y))
print(grad(grad(lambda s: my_cube(s)))(torch.tensor(2.0)))
print(vmap(my_cube)(x))
print(jvp(my_cube, (y,), (torch.ones(3),)))
print(jacfwd(my_cube)(y))
print(jacrev(my_cube)(y))
print(hessian(lambda t: my_cube(t).sum())(y))


class Plain(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t):
        return t * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


class NoRules(torch.autograd.Function):
    @staticmethod
    def forward(t):
        return t * 2

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, g):
        return g * 2


for name, mistake in (
    ("grad without setup_context", lambda: grad(lambda t: Plain.apply(t).sum())(y)),
    ("vmap without setup_context", lambda: vmap(Plain.apply)(y)),
    ("vmap without a rule", lambda: vmap(NoRules.apply)(y)),
    ("jvp without a rule", lambda: jvp(NoRules.apply, (y,), (y,))),
):
    try:
        mistake()
    except RuntimeError as error:
        print(name, isinstance(error, NotImplementedError))
