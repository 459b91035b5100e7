"""Expressions over every name of the public surface, with the inputs that each is tried on.

An expression is Python text over `t` (torch or tracegrad) and the tensors x, y, z, so that a failure can be pasted into a session.
"""

from __future__ import annotations

from typing import Any

import numpy as np

DTYPES = ("float32", "float64", "float16", "int64", "int32", "uint8", "bool")
FLOATS = ("float32", "float64")

UNARY = ("neg", "abs", "sign", "exp", "log", "log1p", "expm1", "sin", "cos", "tan", "tanh", "sigmoid", "sqrt", "rsqrt", "square", "reciprocal", "relu", "erf",
         "floor", "ceil", "trunc", "round", "isfinite", "isnan", "isinf", "logical_not", "positive", "clone", "detach")  # fmt: skip
BINARY = ("add", "sub", "mul", "div", "pow", "maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor", "fmod",
          "remainder", "floor_divide")  # fmt: skip
NO_METHOD_IN_PLACE = ("isfinite", "isnan", "isinf", "positive", "clone", "maximum", "minimum")
OPERATORS = ("+", "-", "*", "/", "**", "//", "%", "==", "!=", "<", "<=", ">", ">=")

SHAPES_ONE = ((), (0,), (3,), (2, 3), (2, 0, 3))
SHAPES_TWO = (
    ((), ()),
    ((3,), ()),
    ((), (2,)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((0, 3), (3,)),
    ((1,), (0,)),
    ((2, 3), (2, 3)),
    ((2, 3), (2,)),
)

# values at which elementary functions are tried, positive and negative
MAGNITUDES = (0.0, 1e-30, 1e-8, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 20.5, 88.0, 90.0, 1e4, 1e30, np.inf)
SPECIAL = np.array([*MAGNITUDES, *(-m for m in MAGNITUDES), np.nan])
HALF = SPECIAL[(abs(SPECIAL) < 6e4) | ~np.isfinite(SPECIAL)].astype(np.float16)

REDUCTIONS = ("sum", "mean", "prod", "amax", "amin", "max", "min", "argmax", "argmin", "var", "std", "norm", "any", "all", "logsumexp", "cumsum", "softmax",
              "log_softmax")  # fmt: skip
ARGUMENTS = ("", "0", "-1", "1", "2", "0, True", "dim=0", "dim=-1, keepdim=True", "(0,)", "dim=(0, -1)", "(0, 0)", "dim=()", "dim=None", "dim=0, dtype=t.float64",
             "dtype=t.float32", "keepdim=True", "dim=[0], keepdim=True", "1.0", "'a'")  # fmt: skip
SHAPES_REDUCED = ((), (3,), (2, 3), (2, 3, 2), (0,), (2, 0), (0, 3))


def draw(seed: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Values of a dtype: few different ones, so that there are ties; zeros among them."""
    generator = np.random.default_rng(seed)
    if dtype == "bool":
        return np.asarray(generator.random(shape) < 0.5)
    if dtype == "uint8":
        return np.asarray(generator.integers(0, 6, shape)).astype(dtype)
    if dtype.startswith("int"):
        return np.asarray(generator.integers(-3, 4, shape)).astype(dtype)
    return np.asarray(np.round(generator.uniform(-2.0, 2.0, shape) * 4) / 4).astype(dtype)


def compiled(text: str) -> Any:
    """The function of (t, *tensors) that an expression is."""
    return eval(compile(f"lambda t, x=None, y=None, z=None: {text}", text, "eval"))


def unary_cases() -> dict[str, list[tuple[str, tuple[np.ndarray, ...]]]]:
    """Every elementwise function of one tensor: as function, method, keyword, in place, over dtypes, shapes and layouts."""
    cases: dict[str, list[Any]] = {}
    for name in UNARY:
        forms = [
            f"t.{name}(x)",
            f"x.{name}()",
            f"t.{name}(input=x)",
            f"t.{name}(x.transpose(0, -1))",
            f"t.{name}(x[..., ::2])",
            f"t.{name}(2.0)",
            f"t.{name}()",
        ]
        if name not in NO_METHOD_IN_PLACE and name != "detach":
            forms += [f"x.clone().{name}_()", f"x.clone().t().{name}_()"]
        cases[name] = []
        for i, dtype in enumerate(DTYPES):
            for shape in SHAPES_ONE:
                for form in forms[: None if dtype in FLOATS or len(shape) == 2 else 2]:
                    cases[name].append((form, (draw(i, shape, dtype),)))
    return cases


def binary_cases() -> dict[str, list[tuple[str, tuple[np.ndarray, ...]]]]:
    """Every elementwise function of two tensors or a tensor and a number, over pairs of dtypes and shapes."""
    cases: dict[str, list[Any]] = {}
    for name in BINARY:
        other = "exponent" if name == "pow" else "other"
        found = cases[name] = []
        for i, a in enumerate(DTYPES):
            for j, b in enumerate(DTYPES):
                for shapes in SHAPES_TWO if a == b == "float32" else (SHAPES_TWO[3], SHAPES_TWO[1], SHAPES_TWO[2]):
                    arrays = (draw(i, shapes[0], a), draw(j + 20, shapes[1], b))
                    found.append((f"t.{name}(x, y)", arrays))
                if name not in NO_METHOD_IN_PLACE:
                    found.append((f"x.clone().{name}_(y)", (draw(i, (2, 3), a), draw(j, (3,), b))))
            one = (draw(i, (2, 3), a),)
            found += [
                (f"t.{name}({text})", one)
                for text in (
                    "x, 2",
                    "x, 2.5",
                    "x, True",
                    "x, -1",
                    "x, 0",
                    "x, 0.0",
                    "2, x",
                    "2.5, x",
                    "True, x",
                    "x, None",
                    "x, 'a'",
                    "x, [1]",
                    "x",
                )
            ]
            found += [(f"x.{name}(2)", one), (f"t.{name}(input=x, {other}=x)", one), (f"x.{name}({other}=2.5)", one)]
            found += [(f"t.{name}(x.t(), x.t()[:, ::2][:, :1])", one)]
            if name not in NO_METHOD_IN_PLACE:
                found += [(f"x.clone().{name}_({text})", one) for text in ("2", "2.5", "True", "x", "x[:1]", "x[0, 0]")]
                found += [(f"x.clone().t().{name}_(x.t())", one)]
        found.append((f"t.{name}(x, y)", (draw(0, (2, 3), "float32"), draw(0, (4,), "float32"))))
    for sign in OPERATORS:
        found = cases[f"operator {sign}"] = []
        for i, a in enumerate(DTYPES):
            one = (draw(i, (2, 3), a),)
            found += [
                (text, one)
                for text in (
                    f"x {sign} 2",
                    f"2 {sign} x",
                    f"x {sign} 2.5",
                    f"2.5 {sign} x",
                    f"x {sign} True",
                    f"x {sign} x[:1]",
                    f"True {sign} x",
                )
            ]
            found += [(f"x {sign} y", (draw(i, (3,), a), draw(5, (3,), b))) for b in DTYPES]
    return cases


def reduction_cases() -> dict[str, list[tuple[str, tuple[np.ndarray, ...]]]]:
    """Every fold with every argument, over shapes and dtypes, with ties and with nan."""
    cases: dict[str, list[Any]] = {}
    for name in REDUCTIONS:
        found = cases[name] = []
        for i, dtype in enumerate(DTYPES):
            for shape in SHAPES_REDUCED:
                arrays = (draw(i, shape, dtype),)
                for arguments in ARGUMENTS if dtype in ("float32", "int64") else ARGUMENTS[:5:2] + ARGUMENTS[5:9]:
                    found.append((f"x.{name}({arguments})", arrays))
                    found.append((f"t.{name}(x, {arguments})", arrays))
        nan = np.array(
            [
                [1.0, np.nan, 3.0],
                [np.inf, 2.0, np.nan],
                [-np.inf, np.inf, 0.0],
                [np.inf, np.inf, 1.0],
                [-np.inf, -np.inf, -np.inf],
            ]
        )
        for arguments in ("", "0", "1", "dim=1, keepdim=True"):
            found.append((f"x.{name}({arguments})", (nan,)))
            found.append((f"x.{name}({arguments})", (np.zeros((2, 3)),)))
            found.append((f"x.t().{name}({arguments})", (draw(3, (2, 3), "float64"),)))
            found.append((f"x[:, ::2].{name}({arguments})", (draw(3, (2, 5), "float64"),)))
            found.append(
                (
                    f"x.{name}({arguments})",
                    (
                        np.array(
                            [
                                [1e20 if name != "std" else 1e9, 3.0, 1e-20],
                                [200.0, 88.0, -1e30 if name != "std" else 1.0],
                            ],
                            np.float32,
                        ),
                    ),
                )
            )
            found.append((f"x.{name}({arguments})", (np.linspace(0, 3, 4096, dtype=np.float16).reshape(4, 1024),)))
    return cases


def special_cases() -> dict[str, list[tuple[str, tuple[np.ndarray, ...]]]]:
    """Elementwise functions at infinities, nan, zeros of both signs, huge and tiny values."""
    cases: dict[str, list[Any]] = {}
    for name in (*UNARY, "softplus"):
        text = f"t.nn.functional.{name}(x)" if name == "softplus" else f"t.{name}(x)"
        cases[name] = [(text, (SPECIAL.astype(d),)) for d in FLOATS] + [(text, (HALF,))]
    values = np.array([0.0, 0.5, 1.0, 2.0, 3.0, 1e30, np.inf, np.nan, -0.0, -0.5, -1.0, -2.0, -3.0, -1e30, -np.inf])
    for name in BINARY:
        cases[name] = [(f"t.{name}(x[:, None], y)", (values.astype(d), values.astype(d))) for d in FLOATS]
        cases[name] += [
            (f"t.{name}(x, {number})", (values,))
            for number in (
                "0",
                "1",
                "2",
                "3",
                "-1",
                "-2",
                "0.5",
                "-0.5",
                "2.5",
                "float('inf')",
                "-float('inf')",
                "float('nan')",
            )
            if name not in ("logical_and", "logical_or", "logical_xor", "maximum", "minimum")
        ]
        if name in ("add", "sub", "mul", "div", "pow"):
            cases[name] += [
                (f"t.{name}({number}, x)", (values,)) for number in ("0", "1", "2", "-1", "0.5", "float('inf')")
            ]
    for bounds in (
        "0, 1",
        "-1, None",
        "None, 2",
        "min=0",
        "max=1",
        "2, -2",
        "x * 0, x * 0 + 1",
        "None, x * 0",
        "float('nan')",
        "0.0, float('inf')",
    ):
        cases.setdefault("clamp", []).append((f"x.clamp({bounds})", (values,)))
    cases["where"] = [
        ("t.where(x > 0, x, y)", (values, values[::-1].copy())),
        ("t.where(x > 0, x * 2, 0.0)", (values,)),
        ("x.where(x > 0, 2)", (values,)),
        ("t.where(x > 0, 1.0, x)", (values,)),
    ]
    for name in (
        "amax",
        "amin",
        "max",
        "min",
        "sum",
        "prod",
        "mean",
        "std",
        "var",
        "norm",
        "logsumexp",
        "softmax",
        "log_softmax",
        "cumsum",
        "argmax",
        "argmin",
        "any",
        "all",
    ):
        rows = np.array(
            [
                [a, b, c]
                for a in (0.0, 1.0, np.inf, -np.inf, np.nan, 1e30)
                for b in (1.0, np.inf, np.nan, -np.inf)
                for c in (2.0, -np.inf, np.inf)
            ]
        )
        cases.setdefault(name, []).extend(
            [(f"x.{name}(1)" if name != "norm" else "x.norm(dim=1)", (rows.astype(d),)) for d in FLOATS]
        )
    return cases


def _pairs(
    texts: str, *shapes: tuple[int, ...], dtypes: tuple[str, ...] = ("float32", "float64", "int64", "uint8", "bool")
) -> list[tuple[str, Any]]:
    """Each line of texts with operands of these shapes, in each dtype."""
    return [
        (text.strip(), tuple(draw(7 * i + n, s, d) for n, s in enumerate(shapes)))
        for i, d in enumerate(dtypes)
        for text in texts.strip().splitlines()
    ]


PRODUCT_SHAPES = (((3,), (3,)), ((3,), (4,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((2, 3), (4, 3)), ((5, 2, 3), (3,)), ((3,), (5, 3, 2)), ((5, 2, 3), (3, 4)),
                  ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)), ((5, 2, 3), (4, 3, 4)), ((4, 1, 2, 3), (5, 3, 2)), ((2, 0), (0, 3)), ((0,), (0,)), ((), (3,)), ((2, 2), ()),
                  ((0, 2, 3), (3, 2)), ((1, 2, 3), (1, 3, 1)), ((2, 3), (2,)))  # fmt: skip

NO_PRODUCT = (((3,), (4,)), ((2, 3), (4, 3)), ((5, 2, 3), (4, 3, 4)))

MOVEMENTS = """
x.t()
x.T
x.mT
t.t(input=x)
x.transpose(0, 1)
x.transpose(-1, 0)
x.transpose(dim0=0, dim1=-1)
x.transpose(0, 3)
t.transpose(x, 0, -2)
x.permute(1, 0)
x.permute((1, 0))
x.permute(-1, 0)
t.permute(x, (1, 0))
t.permute(x, dims=(1, 0))
x.permute(0, 0)
x.permute(2, 0, 1)
x.reshape(-1)
x.reshape(3, -1)
x.reshape((6,))
t.reshape(x, (2, -1))
t.reshape(input=x, shape=(-1, 1))
x.reshape(-1, -1)
x.reshape(5)
x.reshape(2, -2)
x.reshape(())
x.t().reshape(-1)
x.view(-1)
x.view(6)
x.view((3, 2))
x.t().view(-1)
x.t().view(3, 2)
x.flatten()
x.flatten(0, 1)
x.flatten(start_dim=1)
x.flatten(-1, 0)
t.flatten(x, 0, -1)
x.flatten(3)
x.ravel()
x.expand(2, 2, 3)
x.expand(-1, -1)
x.expand(2, -1)
x.expand(4, 3)
x.expand(-1, 2, 3)
x[:1].expand(5, 3)
x[:, :1].expand(-1, 7)
x.expand_as(t.zeros(2, 2, 3))
t.broadcast_to(x, (2, 2, 3))
x.broadcast_to(3)
x.unsqueeze(0)
x.unsqueeze(-1)
x.unsqueeze(dim=2)
x.unsqueeze(4)
t.unsqueeze(x, -3)
x[None].squeeze()
x[None].squeeze(0)
x[:, None].squeeze(dim=1)
x[:, None].squeeze(2)
x[None, :, None].squeeze((0, 2))
x.squeeze(0)
x.squeeze(5)
t.squeeze(x[None], -3)
x.flip(0)
x.flip((0, 1))
x.flip(-1, 0)
t.flip(x, dims=(1,))
x.flip(0, 0)
x.flip(2)
t.flip(x, [])
x.diagonal()
x.diagonal(1)
x.diagonal(offset=-1)
x.diagonal(0, 1, 0)
x.diagonal(dim1=0, dim2=0)
t.diagonal(x, 2, dim1=-2, dim2=-1)
x.diagonal(9)
x.trace()
t.trace(input=x)
x.tril()
x.tril(1)
x.triu(-1)
x.triu(diagonal=2)
t.tril(x, diagonal=-1)
x[None].triu()
x[0].tril()
t.cat((x, x))
t.cat([x, x], 1)
t.cat([x, x], dim=-1)
t.cat(tensors=(x, x.t()), dim=0)
t.cat([])
t.cat([x, 1])
t.cat((x, x), 2)
t.cat([x, t.zeros(0)])
t.cat([x, x.double()])
t.cat([x, x[:, :2]], 1)
t.cat([x[:0], x])
t.concat((x, x))
t.stack((x, x))
t.stack([x, x], 1)
t.stack([x, x], dim=-1)
t.stack([x, x.t()])
t.stack([])
t.stack([x, x], 3)
t.stack([x, x * 2.5])
x.split(1)
x.split(2, 1)
x.split([1, 2], dim=1)
x.split([1, 1], 1)
x.split(-1)
t.split(x, 2, dim=-1)
t.split(tensor=x, split_size_or_sections=[2, 1], dim=1)
x.chunk(2)
x.chunk(2, 1)
x.chunk(5, dim=-1)
x.chunk(0)
t.chunk(input=x, chunks=3, dim=1)
x.unbind()
x.unbind(1)
t.unbind(x, dim=-1)
x.narrow(1, 0, 2)
x.narrow(1, -2, 2)
x.narrow(1, 2, 2)
x.select(0, 1)
x.select(1, -1)
x.select(dim=1, index=0)
x.select(0, 2)
x.index_select(0, t.tensor([1, 0, 1]))
x.index_select(1, t.tensor([2]))
t.index_select(x, dim=-1, index=t.tensor([0, 2], dtype=t.int32))
x.index_select(0, t.tensor([2]))
x.index_select(0, t.tensor([-1]))
x.index_select(0, t.tensor([[0]]))
x.index_select(0, t.tensor([0.0]))
x.index_select(0, t.tensor(1))
x.gather(0, t.tensor([[0, 1, 0]]))
x.gather(1, t.tensor([[0], [2]]))
t.gather(x, dim=-1, index=t.tensor([[0, 0, 1, 2]]))
x.gather(1, t.tensor([[3]]))
x.gather(1, t.tensor([0]))
x.gather(1, t.tensor([[0.0]]))
x.gather(0, t.tensor([[0, 1], [1, 0], [0, 0]]))
x.gather(1, t.tensor([[0], [0], [0]]))
x.scatter_add(0, t.tensor([[0, 1, 0]]), x)
x.scatter_add(1, t.tensor([[0, 0, 2], [1, 1, 1]]), x)
t.scatter_add(x, dim=1, index=t.tensor([[2]]), src=x)
x.scatter_add(1, t.tensor([[5]]), x)
x.scatter_add(1, t.tensor([[0]]), x.double())
x.clone().scatter_add_(0, t.tensor([[0, 1, 0]]), x)
x[0]
x[-1]
x[2]
x[0, 1]
x[..., 0]
x[:, ::2]
x[None, 0]
x[:, None, 1:]
x[1:0]
x[5:]
x[::-1]
x[True]
x[False]
x[t.tensor([1, 0])]
x[t.tensor([[0, 1], [1, 1]]), 0]
x[:, t.tensor([0, 2])]
x[t.tensor([0, 1]), t.tensor([2, 0])]
x[t.tensor([1]), :, None]
x[[1, 0]]
x[[0, 1], [1, 2]]
x[x > 0]
x[x[:, 0] > 0]
x[:, t.tensor([True, False, True])]
x[t.tensor([True, False]), 1:]
x[t.tensor([True, False, True])]
x[t.tensor([2])]
x[t.tensor([-3])]
x[t.tensor([0.5])]
x[0.5]
x['a']
x[0, 0, 0]
x[t.tensor(1)]
x[t.tensor(1), t.tensor(2)]
x[t.tensor([0, 1]), ..., t.tensor([0, 1])]
x[t.tensor([0, 1], dtype=t.uint8)]
x[:, [0, 2]][:, t.tensor([1])]
x[t.zeros(0, dtype=t.int64)]
x.masked_fill(x > 0, 2)
x.masked_fill(x > 0, -1)
t.where(x > 0, x, t.zeros(3))
t.where(x > 0, x, 1)
t.where(x > 0)
x.where(x > 0, x * 2)
t.where(x, x, x)
t.where(condition=x > 0, input=x, other=x)
x.clamp(0, 1)
x.clamp(min=1)
x.clamp(max=0.5)
x.clamp()
t.clamp(x, -1, 1)
t.clamp(input=x, min=x * 0, max=x * 0 + 1)
x.clamp(1, 0)
x.clip(0.5)
t.clamp(x, 'a')
x.clone().clamp_(0, 1)
x.clone().clamp_(min=0.5)
x.clone().clamp_min_(1)
x.detach()
x.clone()
x.float()
x.double()
x.long()
x.int()
x.bool()
x.half()
x.to(t.float64)
x.to(t.int32)
x.to(dtype=t.float32)
x.to('cpu')
x.to('cpu', t.float64)
x.to(t.device('cpu'))
x.to(t.zeros(1, dtype=t.float64))
x.to(x)
x.type(t.float64)
x.type_as(t.zeros(1))
x.cpu()
x.contiguous()
x.t().contiguous()
x.clone().zero_()
x.clone().fill_(3)
x.clone().fill_(2.5)
x.clone().fill_(t.tensor(2))
x.clone().fill_(t.tensor([2]))
x.clone().copy_(x * 2)
x.clone().copy_(x[0])
x.clone().copy_(x[:, :2])
x.clone().copy_(t.zeros(3, dtype=t.float64))
x.clone().copy_(2)
t.zeros_like(x)
t.ones_like(x)
t.full_like(x, 1)
t.full_like(x, 2.5)
t.ones_like(x, dtype=t.float64)
t.zeros_like(x, requires_grad=True)
t.empty_like(x).shape
x.new_zeros(2)
x.new_ones((2, 3))
x.new_full((2,), 3)
x.new_tensor([1, 2])
t.tensor(x)
t.as_tensor(x)
x.numel()
x.size()
x.size(0)
x.size(-1)
x.size(3)
x.dim()
t.zeros(x.shape).stride()
x.is_contiguous()
x.t().is_contiguous()
x.element_size()
x.tolist()
x.sum().item()
x.item()
x.softmax(-1)
x.softmax(dim=0)
x.log_softmax(1)
t.softmax(x, 1)
t.softmax(x, dim=2)
t.softmax(input=x, dim=0, dtype=t.float64)
t.nn.functional.softmax(x, dim=-1)
t.nn.functional.softplus(x)
t.nn.functional.softplus(x, beta=2, threshold=1)
t.nn.functional.relu(x)
t.cumsum(x, dim=1)
t.cumsum(x, 0, dtype=t.float64)
t.cumsum(x, 2)
t.cumsum(x)
x.clone().cumsum_(1)
x.round(decimals=1)
t.round(x * 1.37, decimals=2)
t.div(x, 2, rounding_mode='floor')
t.div(x, 2, rounding_mode='trunc')
t.div(x, 2, rounding_mode='x')
t.add(x, x, alpha=2)
t.sub(x, x, alpha=0.5)
x.add(1, alpha=3)
x.clone().add_(x, alpha=-1)
x.clone().sub_(1, alpha=2)
t.rsub(x, 2)
1 / x
2 - x
-x
+x
~x
abs(x)
x & 1
x | x
x ^ True
x << 1
x @ x.t()
x @ 2
2 @ x
x @ x
x.max(x * 0)
x.max(1)
x.max(dim=0, keepdim=True)
x.min(0)[0]
x.max(1).indices
t.max(x, dim=1).values
t.std(x, 1)
t.std(x, dim=1, unbiased=False)
t.var(x, dim=0, correction=0)
x.var(False)
x.std(1, True, True)
t.norm(x, p=1)
t.norm(x, float('inf'), 1)
t.norm(x, 3, dim=(0, 1))
x.norm(2, 1, True)
x.norm(0)
t.outer(x[0], x[1])
x.expand(size=(2, 2, 3))
x.permute(dims=(1, 0))
x.reshape(shape=(3, 2))
x.view(size=(3, 2))
x.flip(dims=(0,))
x.unbind(dim=1)
x.tril(diagonal=1)
t.triu(input=x, diagonal=0)
x.masked_fill(mask=x > 0, value=1)
x.clone().masked_fill_(x > 0, 1)
x.index_select(dim=0, index=t.tensor([1]))
x.gather(dim=1, index=t.tensor([[0], [1]]))
t.gather(input=x, dim=1, index=t.tensor([[0], [1]]))
t.index_select(input=x, dim=0, index=t.tensor([1]))
x.clone().add_(other=x)
x.clone().fill_(value=1)
x.clone().copy_(other=x)
x.clone().copy_(x, non_blocking=True)
x.clone().mul_(other=2)
x.clone().div_(2, rounding_mode="floor")
x.clone().clamp_max_(1)
x.clamp_min(0.5)
x.clamp_max(max=1)
t.clamp_min(x, min=0)
x.to(device='cpu', dtype=t.float64)
x.to(t.float32, copy=True)
x.to(t.float64, non_blocking=True)
x.type(dtype=t.float64)
x.std(dim=0, unbiased=False, keepdim=True)
x.var(dim=1, correction=0, keepdim=True)
t.var(input=x, dim=0)
x.norm(p=1, dim=0, keepdim=True)
x.norm(p='fro')
x.softmax(dim=1, dtype=t.float64)
t.log_softmax(input=x, dim=0, dtype=t.float32)
t.logsumexp(input=x, dim=0, keepdim=True)
t.argmax(input=x, dim=1, keepdim=True)
t.argmin(x, 0)
t.argmax(x, dim=None)
x.argmax(keepdim=True)
t.amax(input=x, dim=(0, 1), keepdim=True)
t.prod(input=x, dim=0, keepdim=True, dtype=t.float64)
t.sum(input=x, dim=1, dtype=t.float64)
t.mean(input=x, dim=[0, 1])
t.any(input=x, dim=0)
t.all(x > 0, dim=1, keepdim=True)
t.cumsum(input=x, dim=0)
x.pow(exponent=2)
x.clone().pow_(2)
x.eq(other=x)
t.eq(input=x, other=1)
t.where(x > 0, input=x, other=x)
t.squeeze(input=x[None], dim=0)
t.unsqueeze(input=x, dim=0)
t.flatten(input=x, start_dim=0, end_dim=-1)
t.permute(input=x, dims=(1, 0))
t.transpose(input=x, dim0=0, dim1=1)
t.broadcast_to(input=x, size=(2, 2, 3))
t.flip(input=x, dims=[0])
t.diagonal(input=x, offset=0, dim1=0, dim2=1)
t.chunk(x, chunks=2, dim=1)
t.stack(tensors=[x, x], dim=0)
t.norm(input=x, p=2, dim=1, keepdim=False, dtype=t.float64)
t.max(input=x, dim=0, keepdim=True)
t.min(x, 1, True)
t.max(input=x, other=x * 2)
t.round(input=x, decimals=0)
t.sum(x, axis=0)
x.sum(axis=1, keepdims=True)
t.mean(x, axis=0)
x.max(axis=0)
t.softmax(x, axis=0)
t.cat((x, x), axis=1)
t.stack((x, x), axis=1)
x.argmax(axis=1)
t.add(x, other=x, alpha=3)
t.sub(input=x, other=1, alpha=2)
x.unsqueeze_(0) if x.ndim > 9 else x
x.scatter_add(dim=0, index=t.tensor([[0, 1, 0]]), src=x)
x.view(-1, 3).view(2, 3).view(t.Size([3, 2]))
x.view(3, 3)
x.view()
x.reshape()
x.permute()
x.transpose(0)
x.sum(0, 1, 2)
x.sum(dims=0)
x.exp(1)
x.add()
x.matmul()
t.exp()
t.where(x > 0, x)
x.unsqueeze()
x.gather(0)
x.flip()
t.stack(x)
t.cat(x)
t.cat((x, None))
t.stack((x, 1))
x.expand()
x.expand(3, 3, 3)
x.expand('a')
x.reshape('a')
x.reshape(1.5)
x.chunk(1.5)
x.split('a')
x.split(1.5)
x.unsqueeze(0.5)
x.squeeze('a')
x.transpose('a', 0)
x.permute('ab')
x.index_select(0, [0])
x.gather(0, [[0]])
x.index_select(0, 1)
x.tril('a')
x.flip('a')
x.diagonal('a')
t.addmm(x, x[:, :2], t.ones_like(x)[:2])
"""


def product_cases() -> dict[str, list[tuple[str, tuple[np.ndarray, ...]]]]:
    """Every product over pairs of shapes that fit and that do not, and over pairs of dtypes."""
    cases: dict[str, list[Any]] = {}
    for name in ("matmul", "mm", "mv", "dot", "bmm"):
        found = cases[name] = []
        for a, b in PRODUCT_SHAPES:
            found += _pairs(f"t.{name}(x, y)\nx.{name}(y)", a, b)
        found += _pairs(
            f"t.{name}(x, 2)\nt.{name}(x, 'a')\nt.{name}(x, [1.0])\nt.{name}(x)\nt.{name}(2, x)\nt.{name}(x, None)",
            (3,),
        )
        found += [
            (f"t.{name}(x, y)", (draw(1, (2, 3), a), draw(2, (3, 2), b)))
            for a in ("float32", "int64")
            for b in ("float64", "int32", "float16", "bool")
        ]
    cases["layout"] = _pairs(
        "x.t() @ y.t()\nx[::2] @ y[:, ::2]\nx.t().mm(y.t())\nt.mv(x.t(), y[:, 0])\nt.dot(x[:, 0], y[0])\nx.flip(0) @ y\nx[None].expand(3, 3, 3) @ y",
        (3, 3),
        (3, 3),
    )
    cases["operator @"] = [("x @ y", (draw(1, a, "float32"), draw(2, b, "float32"))) for a, b in PRODUCT_SHAPES]
    cases["mm"] += _pairs("t.mm(input=x, mat2=y)\nt.matmul(input=x, other=y)", (2, 3), (3, 2))
    cases["mv"] += _pairs("t.mv(input=x, vec=y)", (2, 3), (3,))
    cases["dot"] += _pairs("t.dot(input=x, tensor=y)", (3,), (3,))
    return cases


def movement_cases() -> dict[str, list[tuple[str, tuple[np.ndarray, ...]]]]:
    """Every function that moves, picks, converts or makes elements, in each dtype."""
    return {
        "movements": _pairs(
            MOVEMENTS, (2, 3), dtypes=("float32", "float64", "int64", "int32", "uint8", "bool", "float16")
        ),
        "of a vector": _pairs(MOVEMENTS, (3,), dtypes=("float32", "int64")),
        "of one value": _pairs(MOVEMENTS, (), dtypes=("float32", "int64", "bool")),
        "of nothing": _pairs(MOVEMENTS, (0, 3), dtypes=("float32", "int64")),
    }


# Where tracegrad differs from torch on purpose: a pattern of `expression | dtypes and shapes`, and why
ON_PURPOSE = {
    r"\.(eq|ne|lt|le|gt|ge|logical_\w+)_\(": "in-place tests keep no history: torch keeps a step whose derivative is zero or, for the logical ones, wrong",
    r"t\.(relu|maximum|minimum)\(|\.clamp\(": "which of 0.0 and -0.0 is the larger depends on torch's vector instructions",
    r"t\.remainder\((2|2.5|True), x\)|(2|2\.5|True) % x": "the derivative exists; torch has none",
    r"True \*\* x": "torch fails internally",
    r"\.(sum|mean)\(.*(dim=\(\)|dim=None)": "the step is named SumBackward0 where dim says nothing",
    r"\.(sum|mean|prod|max|min)\((x, )?(keepdim=True|dim=None)\)": "None is all axes everywhere",
    r"logsumexp\(.* \| float\d\d\[(72|5), 3\]": "a row of -inf alone has derivative 0; torch has nan",
    r"logsumexp\(.*dim=\(\)": "no axes named is all axes; torch fails without keepdim",
    r"(std|var)\(.*dim=\(\)": "torch's derivative counts no elements",
    r"softmax\(.*\| u?int\w+\[.*\b0\b|softmax\(.*\| bool\[.*\b0\b": "integers are refused whatever the shape",
    r"(amax|amin|argmax|argmin)\(.*\(0|(amax|amin)\(.*\(0, -1\)": "of two mistakes in one call another is named",
    r"(std|var|mean)\(.*1\.0\) \| (u?int|bool)": "of two mistakes in one call another is named",
    r"^x\.std\(1\) \| float32\[72": "torch computes float32 in float64 inside",
    r"prod\(.*float16\[4, 1024\]|prod\(.*float32\[2, 3\]": "overflow in between, in another order",
    r"t\.(matmul|mm)\(x, y\) \| bool|x\.(matmul|mm)\(y\) \| bool": "bools have no products, whatever the shape",
    r"<<": "shifts are not part of this version",
    r"round\(input=x, decimals=0\)": "decimals=0 rounds as no decimals do",
    r"('a'|1\.5)\) \| \w+\[3?\]": "of two mistakes in one call another is named",
    r"addmm": "the step has the name of the sum",
    r"x\.mT \| \w+\[\]|x\['a'\] \| \w+\[\]|(transpose|trace)\(.*\| \w+\[\]": "a value without axes",
    r"\.(lt|le|gt|ge)\(x, -1\) \| uint8": "torch compares with the wrapped 255",
    r"\.(mean|var|std)\(.*'a'\) \| (u?int|bool)|norm\(.*\) \| (u?int|bool)": "of two mistakes in one call another is named",
    r"softplus\(x, beta=2, threshold=1\)": "the second derivative on the threshold itself",
    r"t\.where\(x, x, x\) \| uint8": "a deprecated form",
    r"cumsum_\(1\) \| bool": "RuntimeError by another class",
    r"index_select\(.*\| \w+\[0": "a position outside an empty axis is an IndexError, as everywhere",
}
# expressions whose results are not those of one recorded program
NOT_RECORDED = (
    r"half|dtype=t.float32|rand|empty_like|tolist|item|t\.tensor\(x\)|as_tensor|new_tensor|x\[x|t\.where\(x > 0\)$"
)
READS_VALUES = r"x\[(True|False)|\[True, False|dtype=t\.uint8\)\]"
