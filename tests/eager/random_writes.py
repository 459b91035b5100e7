"""Random programs of views and in-place writes, the same for every library."""

import numpy as np


def random_view(rng, v):
    """A view of v, chosen by rng in the same way for both libraries."""
    choice, n = rng.integers(7), len(v.shape)
    if n and choice == 0 and v.shape[0] > 1:
        return v[int(rng.integers(v.shape[0]))]
    if n and choice == 1 and v.shape[0] > 1:
        return v[1:]
    if n and choice == 2:
        return v[..., :: int(rng.integers(1, 3))]
    if n > 1 and choice == 3:
        return v.transpose(0, 1)
    if choice == 4 and v.is_contiguous():
        return v.view(-1)
    if choice == 5:
        return v.unsqueeze(0)
    return v.detach() if choice == 6 and rng.random() < 0.2 else v[...]


def random_write(rng, v, x):
    choice = rng.integers(20)
    assert v.grad_fn is None or v.requires_grad  # torch gives a view its new history only when it is asked for
    if choice == 0:
        v.mul_(float(rng.uniform(0.5, 2)))
    elif choice == 1:
        v.add_(x.sum())
    elif choice == 2:
        v.copy_(x[0, 0] * 2)
    elif choice == 3:
        v.mul_(v)
    elif choice == 4:
        v.zero_()
    elif choice == 5:
        v.sub_(v.detach().clone() * 0.5)
    elif choice == 6:
        v.fill_(1.5)
    elif choice == 7:
        v.sin_()
    elif choice < 14:
        positional_write(choice, v, x)
    else:
        reshaping_write(choice, v, x)


def positional_write(choice, v, x):
    """A write to some elements of v."""
    if choice == 8:
        v.masked_fill_(v > 0.5, 0.25)
    elif choice == 9 and v.shape:
        v[..., :1] = x[0, 1]
    elif choice == 10 and v.shape:
        v[..., [0, -1]] += x[1, 2]
    elif choice == 11:
        v.lerp_(v.detach().clone() * 0 + x[2, 3], 0.25)
    elif choice == 12:
        v[v.detach() < 0] *= 2
    else:
        v.clamp_(-0.75, 1.5)


def reshaping_write(choice, v, x):
    """A write that changes what the name v shows."""
    if choice == 14:
        v.unsqueeze_(0)
    elif choice == 15:
        v.squeeze_()
    elif choice == 16 and len(v.shape) > 1:
        v.transpose_(0, 1)
    elif choice == 17 and len(v.shape) == 2:
        v.t_().mul_(x[1, 1])
    elif choice == 18 and len(v.shape) == 1:
        v.unsqueeze_(1).add_(x[0, 3])
    else:
        v.addcmul_(v.detach().clone(), x[0, 0] + v.detach() * 0, value=0.5)


def scalar_of(t, x, rng, seed, names):
    """A number that depends on x through a random program; `names` collects the tensors of the program."""
    base = (x.t() * 1 if seed % 5 == 0 else x * 2) if seed % 3 else t.ones(3, 4, dtype=t.float64)
    names.append(base)
    read = []
    for _ in range(int(rng.integers(3, 12))):
        v = names[rng.integers(len(names))]
        kind = rng.integers(4)
        if kind < 2:
            names.append(random_view(rng, v))
        elif kind == 2:
            random_write(rng, v, x)
        else:
            read.append((v * 3 if rng.random() < 0.5 else v * v).sum())
    total = x.sum() * 0
    for part in [*read, *((v * v).sum() for v in names)]:
        total = total + part
    return total


def argument(t, seed):
    """The 3x4 argument of the program with this seed, and the generator that goes on with it."""
    rng = np.random.default_rng(seed)
    return t.tensor(rng.uniform(-1, 1, (3, 4)).tolist(), dtype=t.float64), rng
