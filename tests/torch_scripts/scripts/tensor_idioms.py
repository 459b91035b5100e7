import torch

x = torch.arange(24).reshape(2, 3, 4)
print(
    x[..., -1],
    x[:, [0, 2]],
    x[x % 5 == 0],
    x[1, :, None, ::2].shape,
    x[torch.tensor([0, 1]), torch.tensor([2, 0])],
)
print(
    x.float().mean((0, 2)),
    x.sum(-1, keepdim=True).shape,
    x.amax((1, 2)),
    x.flatten(1).shape,
    x.movedim(0, -1).shape,
    x.swapaxes(0, 1).stride(),
)
print(
    torch.take_along_dim(x, x.argsort(dim=2, descending=True), dim=2)[0, 0],
    x.take(torch.tensor([0, 5, 23])),
    torch.take(x, torch.tensor([[1, 2]])),
)
print(
    torch.rot90(x[0]), x[0].fliplr(), x[0].flipud(), torch.tril(x[0].float(), 1), torch.triu_indices(3, 3, 1)
)
print(
    torch.hstack([x[0], x[1]]).shape,
    torch.vstack([x[0], x[1]]).shape,
    torch.dstack([x[0], x[1]]).shape,
    torch.column_stack([x[0, :, 0], x[1, :, 0]]),
    torch.block_diag(x[0, :1], x[1, :1]),
)
print(
    [t.tolist() for t in torch.tensor_split(torch.arange(7), 3)],
    [t.shape for t in x.split([1, 2], dim=1)],
    [t.shape for t in x.chunk(3, 2)],
    torch.unbind(x, 1)[0].shape,
)
print(
    x.repeat(1, 2, 1).shape,
    torch.repeat_interleave(torch.tensor([1, 2, 3]), torch.tensor([2, 0, 1])),
    x[0].repeat_interleave(2, dim=1)[0],
    torch.tile(x[0, 0], (2, 2)),
)
print(
    torch.broadcast_shapes((2, 1), (3,)),
    [t.shape for t in torch.broadcast_tensors(torch.ones(2, 1), torch.ones(3))],
    torch.atleast_2d(torch.tensor(3)).shape,
    torch.meshgrid(torch.arange(2), torch.arange(3), indexing="ij")[1],
)
print(
    torch.gcd(torch.tensor([12, 18]), torch.tensor([8, 27])),
    torch.lcm(torch.tensor(4), torch.tensor(6)),
    torch.tensor(5).bitwise_left_shift(2),
    torch.tensor(6) & 3,
    ~torch.tensor([True, False]),
    torch.tensor(7) ^ 2,
    torch.tensor(-7) // 2,
    torch.tensor(-7) % 3,
    torch.fmod(torch.tensor(-7), 3),
    torch.tensor(7.5) // 2,
)
print(
    torch.div(torch.tensor([7, -7]), 2, rounding_mode="trunc"),
    torch.div(torch.tensor([7, -7]), 2, rounding_mode="floor"),
    torch.tensor([7, -7]) / 2,
    torch.true_divide(torch.tensor(1), 3),
    torch.float_power(torch.tensor(2), 0.5),
    torch.frexp(torch.tensor([8.0, 0.3])),
    torch.ldexp(torch.tensor(0.5), torch.tensor(3)),
)
print(
    torch.nan_to_num(torch.tensor([torch.nan, torch.inf, -torch.inf])),
    torch.isclose(torch.tensor([1.0, torch.nan]), torch.tensor([1.0 + 1e-9, torch.nan]), equal_nan=True),
    torch.tensor([1.5, 2.5, -0.5]).round(),
    torch.round(torch.tensor(3.14159), decimals=2),
    torch.trunc(torch.tensor(-1.7)),
    torch.frac(torch.tensor(-1.7)),
    torch.signbit(torch.tensor(-0.0)),
    torch.copysign(torch.tensor(3.0), torch.tensor(-0.0)),
    torch.hypot(torch.tensor(3.0), torch.tensor(4.0)),
    torch.nextafter(torch.tensor(1.0), torch.tensor(2.0)) - 1,
)
print(
    torch.cummin(torch.tensor([3, 1, 2]), 0),
    torch.cumprod(torch.tensor([1.0, 0.0, 3.0]), 0),
    torch.diff(torch.tensor([1, 4, 9])),
    torch.logcumsumexp(torch.zeros(3), 0),
    torch.renorm(torch.ones(2, 3), 2, 0, 1.0),
    torch.vander(torch.tensor([1, 2, 3])),
    torch.searchsorted(torch.tensor([1, 3, 5]), 4),
)
print(
    torch.argwhere(x[0] > 8),
    x[0].nonzero(as_tuple=True),
    torch.count_nonzero(x),
    x.unique().shape,
    torch.isin(x[0], torch.tensor([3, 7])).sum(),
    (x == 3).any(),
    x.all(),
    torch.equal(x, x.clone()),
    x.argmax(),
    x.argmin(1),
    x.max(1),
    torch.maximum(x[0], x[1])[0],
    torch.fmax(torch.tensor(torch.nan), torch.tensor(1.0)),
)
print(
    x.dtype,
    x.float().dtype,
    x.to(torch.int8).sum().dtype,
    x.type(),
    x.is_floating_point(),
    x.element_size(),
    x.nbytes,
    x.ndim,
    x.dim(),
    x.numel(),
    x.size(1),
    x.T.shape if x.ndim == 2 else x.mT.shape,
    x.device,
    x.layout,
    x.is_contiguous(),
    x.permute(2, 0, 1).contiguous().stride(),
    x.new_zeros(2).dtype,
    x.new_tensor([1.5]),
    torch.zeros_like(x, dtype=torch.bool).any(),
)
print(
    torch.select_scatter(x[0], torch.zeros(4, dtype=torch.int64), 0, 1),
    torch.slice_scatter(torch.zeros(4), torch.ones(2), 0, 1, 3),
    torch.diagonal_scatter(torch.zeros(3, 3), torch.ones(3)),
    torch.masked_scatter(torch.zeros(3), torch.tensor([True, False, True]), torch.tensor([1.0, 2.0])),
    torch.index_put(torch.zeros(3), (torch.tensor([0, 0]),), torch.tensor([1.0, 2.0]), accumulate=True),
)
print(
    torch.unflatten(torch.arange(6), 0, (2, -1)),
    torch.as_strided(torch.arange(6), (2, 2), (1, 2)),
    torch.arange(10).unfold(0, 4, 3),
    torch.view_as_real(torch.tensor([1 + 2j])),
    torch.tensor(1 + 2j).conj(),
    torch.polar(torch.tensor(2.0), torch.tensor(0.5)),
    torch.unravel_index(torch.tensor(7), (3, 4)),
    torch.trapezoid(torch.tensor([1.0, 2.0, 3.0]), dx=2),
)
print(
    f"{torch.tensor(3.14159):.2f} {torch.tensor(5):d} {torch.tensor([1.0])}",
    torch.tensor([1e-5, 1.0]),
    torch.tensor([1e6, 1.0]),
    torch.tensor([12345678.0]),
    torch.tensor([0.1, 100000.5]),
    torch.tensor([]),
    torch.zeros(2, 0),
    torch.tensor([True]),
    torch.tensor(1e-10),
    torch.tensor([1 + 1e-3j]),
    torch.tensor([float("nan"), 1.0]),
)
print(
    len(x),
    list(torch.arange(3)),
    int(torch.tensor(3.7)),
    float(torch.tensor(2)),
    torch.tensor([3])[0].item(),
    3 in torch.arange(5),
    hash(torch.tensor(1)) is not None,
    torch.tensor([1, 2]).tolist(),
    max(torch.tensor([3, 1])),
    sum(torch.tensor([1, 2])),
    sorted(torch.tensor([3, 1, 2]).tolist()),
    round(torch.tensor(2.567).item(), 2),
    torch.arange(3) * 2.5,
    2 - torch.arange(3),
    1 / torch.arange(1, 3),
    2 ** torch.arange(3),
    torch.arange(3)[-1] ** 2.0,
    -torch.arange(3),
    abs(torch.tensor(-2)),
    torch.tensor(3) == 3,
    torch.tensor([1, 2]) != torch.tensor([1, 3]),
)
