"""Random Python programs over the public API, as source text: what every way of running a function must agree on.

A program is grown statement by statement and run eagerly while it grows, so that every statement fits the shapes that are there; one that
raises, or gives numbers too large to compare, is dropped.  Programs are printable, so a failure shows the whole program.
"""

from __future__ import annotations

import linecache
import warnings
from typing import Any

import numpy as np

import tracegrad as tg

PARAMETERS = ("x", "y", "z", "p", "s", "i")
SHAPES = ((), (3,), (4,), (2, 3), (3, 4), (4, 3), (2, 3, 4), (1, 3), (3, 1), (0, 3))
UNARY = (
    "tg.sin({a})", "{a}.cos()", "tg.tanh({a})", "tg.sigmoid({a})", "({a} * 0.3).exp()", "({a}.abs() + 0.5).log()", "({a}.square() + 1).sqrt()",
    "-{a}", "tg.relu({a})", "{a}.clamp(-0.7, 0.9)", "{a}.clamp(min=0.1)", "{a} * 2 - 1", "1 - {a}", "3 / ({a} * {a} + 2)", "{a} ** 2", "{a} ** 3", "2 ** ({a} * 0.5)",
    "tg.expm1({a} * 0.2)", "tg.log1p({a} * {a})", "tg.erf({a})", "tg.rsqrt({a} * {a} + 1)", "tg.reciprocal({a} * {a} + 1)", "{a}.detach() + {a}", "{a} * s",
    "s - {a}", "{a} / (s + 3)", "{a}.clone()", "{a} * i", "({a} * 3).floor() * {a}", "tg.round({a} * 2) + {a}", "{a}.sign() * {a}", "{a}.float() * 1.5", "{a}.double()",
    "{a}.to(tg.float32).to(tg.float64)", "{a} * True", "({a} * 4).long() + {a}", "({a} * 4).int() % 3 + {a}", "tg.where({a} > 0.1, {a}, {a} * 0.1)", "tg.where({a} > 0.1, 0.5, {a})",
    "{a}.masked_fill({a} < 0, 0.25)", "tg.ones_like({a}) * {a}", "tg.zeros_like({a}) + 0.5", "tg.full_like({a}, 0.7) * {a}", "({a} > 0).float() * {a}", "tg.tan({a} * 0.3)",
)  # fmt: skip
BINARY = (
    "{a} + {b}", "{a} - {b}", "{a} * {b}", "{a} / ({b} * {b} + 1)", "tg.maximum({a}, {b} * 0.9)", "tg.minimum({a}, {b} + 0.1)", "tg.where({a} < {b}, {a}, {b})",
    "tg.where(({a} < {b}) & ({b} > 0), {a} * {b}, {b})", "({a} * {a} + 1) ** {b}", "tg.add({a}, {b}, alpha=2)", "({a} != {b}) * {a}", "({a} >= {b}).double() - {b}",
)  # fmt: skip
ANY_RANK = (
    "{a}.sum()", "{a}.mean()", "{a}.prod()", "({a} * {a} + 0.1).norm()", "{a}.reshape(-1)", "{a}.flatten()", "{a}.unsqueeze(0)", "{a}.unsqueeze(-1)", "{a}[None]", "{a}[..., None]",
    "tg.stack([{a}, {a} * 2])", "tg.stack(({a}, {a}.sin()), dim=-1)", "{a}.expand(2, *{a}.shape)", "tg.logsumexp({a}.reshape(-1), dim=0)", "{a}.reshape(1, -1)",
    "{a}.broadcast_to((2, *{a}.shape))", "{a}.amax()", "{a}.max()", "{a}.min() * {a}", "tg.func.grad(lambda u: (u * u * {a}).sum())({a})",
    "tg.func.jvp(lambda u: u.sin() * {a}, ({a},), ({a} * 0.5,))[1]", "tg.func.vjp(lambda u: (u * u).tanh(), {a})[1]({a})[0]", "tg.func.grad(lambda u: tg.func.grad(lambda v: (v ** 3 * u).sum())(u).sum())({a})",
    "tg.func.value_and_grad(lambda u: (u * {a}).cos().sum())({a})[1]", "{a}.squeeze()", "tg.func.jvp(lambda u: tg.func.grad(lambda v: (v ** 3).sum())(u), ({a},), ({a},))[1]",
)  # fmt: skip
RANKED = (
    "{a}.sum(dim={d})", "{a}.sum({d}, keepdim=True)", "{a}.mean({d})", "{a}.var(dim={d})", "{a}.std({d}, keepdim=True)", "{a}.amax({d})", "{a}.amin(dim={d}, keepdim=True)",
    "{a}.max({d}).values", "{a}.min(dim={d})[0]", "tg.softmax({a}, dim={d})", "{a}.log_softmax({d})", "tg.logsumexp({a}, dim={d})", "{a}.cumsum({d})", "{a}.prod({d})", "{a}.norm(dim={d})",
    "tg.cat([{a}, {a} * 2], dim={d})", "tg.cat(({a}, {a}.cos(), {a}), {d})", "{a}.split(2, dim={d})[0]", "{a}.chunk(2, {d})[-1]", "{a}.flip({d})", "{a}.select({d}, 0)", "{a}.narrow({d}, 0, 1)",
    "{a}.transpose({d}, 0)", "{a}[1:]", "{a}[:-1]", "{a}[::2]", "{a}[-1]", "{a}[0]", "{a}[..., 0]", "{a}[..., ::2]", "{a}[tg.tensor([0, 1, 0])]", "{a}[[1, 0]]", "{a}[..., tg.tensor([0, 0, 1])]",
    "{a}.index_select({d}, tg.tensor([0, 0]))", "{a}.unbind({d})[0]", "{a}.argmax({d}) + 0.5", "tg.func.vmap(lambda r: (r * r).sum())({a})", "tg.func.vmap(tg.func.grad(lambda r: (r.sin() * r).sum()))({a})",
    "tg.func.vmap(lambda r: r.tanh() * 2, in_dims={d}, out_dims={d})({a})", "{a} - {a}.mean({d}, keepdim=True)", "{a} / ({a}.norm() + 1)", "tg.func.vmap(lambda r: r * s + {a}.sum())({a})",
    "tg.func.grad(lambda u: tg.func.vmap(lambda r: r.prod())(u).sum())({a})", "{a}[:, None]", "{a}[None, :1]", "tg.where({a} > {a}.mean(), {a}, 0.0).sum({d})",
    "tg.nn.functional.relu({a}) @ {a}.t() if {a}.ndim == 2 else {a}", "tg.func.jacrev(lambda u: u.sin().sum({d}))({a}).sum(0)", "{a}.gather({d}, {a}.argmax({d}, keepdim=True))",
    "tg.zeros_like({a}).scatter_add({d}, {a}.argmin({d}, keepdim=True), {a})",
)  # fmt: skip
MATRIX = ("{a} @ {a}.T", "{a}.t()", "{a}.tril()", "{a}.triu(1)", "{a}.diagonal()", "{a}.T @ {a}", "tg.mm({a}, {a}.t()).tanh()", "{a}[:, 0]", "{a}[0, :]", "{a}[tg.tensor([0, 1]), tg.tensor([1, 0])]",
          "{a}.permute(1, 0)", "{a} @ {a}[0]", "{a}[1:, :2]", "{a}.mv({a}[0])", "tg.dot({a}[0], {a}[1])", "tg.func.jacfwd(lambda u: u.sin())({a}[0])")  # fmt: skip
WRITES = (
    ("{v} = {a}.clone()", "{v} += {b1}"),
    ("{v} = {a} * 1", "{v}.mul_(0.5)", "{v}.add_({v})"),
    ("{v} = {a} + 0", "w_ = {v}[..., 0]", "w_ += 1", "{v} = {v} * w_.sum()"),
    ("{v} = {a} + 0", "{v}[...] = {a} * 2", "{v}[None].neg_()"),
    ("{v} = {a}.clone()", "{v}[1:] = 0.5"),
    ("{v} = {a}.clone()", "{v}[0] *= 2", "{v}[-1] += {v}[0]"),
    ("{v} = {a} + 0", "w_ = {v}[::2]", "w_.sin_()"),
    ("{v} = {a} + 0", "w_ = {v}.view(-1)", "w_[0] = s", "w_ *= s"),
    ("{v} = {a}.clone()", "{v}[{v} > 0.2] = 0.1"),
    ("{v} = {a}.clone()", "{v}[{v} < 0] = {v}.mean()"),
    ("{v} = tg.zeros({a}.shape, dtype={a}.dtype)", "{v}[0] = {a}[0]", "{v}[1:].copy_({a}[1:] * 2)"),
    ("{v} = {a} * 2", "w_ = {v} + 1", "{v}.zero_()", "{v} = {v} + w_"),
    ("{v} = {a}.clone()", "{v}[tg.tensor([0, 1])] = {a}[[1, 0]]"),
    ("{v} = {a}.clone()", "for k_ in range(2):", "    {v}[k_] = {v}[k_] * 0.5 + {v}[k_ - 1]"),
    ("{v} = {a}.clone()", "for r_ in range(len({v})):", "    {v}[r_].mul_(0.5)"),
    ("{v} = {a}.detach().clone()", "{v}[0] = {a}[0]"),
    ("with tg.no_grad():", "    w_ = {a} * 2", "{v} = {a} * w_"),
)
WRITES_ANY = (
    ("{v} = {a}.clone()", "{v} -= 0.5 * {v}"),
    ("{v} = {a} * 1", "{v}.clamp_(-0.5, 0.5)"),
    ("{v} = {a} * 1", "{v}.fill_(0.3)", "{v} = {v} * {a}"),
    ("{v} = {a} * 1", "w_ = {v}[None]", "w_.mul_(2)", "{v}.tanh_()"),
)


class Program:
    """Source text of one function, and how to make fresh arguments for it."""

    def __init__(self, seed: int, statements: int = 9, floats: tuple[str, ...] = ("float64",)) -> None:
        self.generator = np.random.default_rng(seed)
        self.seed, self.floats = seed, floats
        draw = self.generator
        self.specification = {
            name: (SHAPES[draw.integers(len(SHAPES))], floats[draw.integers(len(floats))])
            for name in ("x", "y", "z", "w", "t", "C")
        }
        self.lines: list[str] = []
        values = self.arguments()
        self.scope: dict[str, Any] = {"tg": tg, "C": self.captured(), **dict(zip(PARAMETERS, values, strict=True))}
        self.pool = ["x", "y", "z", 'p["w"]', 'p["t"][0]', "C"]
        for _ in range(statements * 4):
            if len(self.pool) >= 6 + statements:
                break
            self.try_statement()
        chosen = [f for f in self.pool[6:] if draw.integers(3) or f == self.pool[-1]] or ["x * 1"]
        half = len(chosen) // 2
        self.result = (
            f'{{"first": ({", ".join(chosen[:half])}{"," if half else ""}), "rest": [{", ".join(chosen[half:])}]}}'
        )
        self.text = "def f(x, y, z, p, s, i):\n" + "".join(
            f"    {line}\n" for line in [*self.lines, f"return {self.result}"]
        )

    def arguments(self, scale: float = 1.0) -> list[Any]:
        """Fresh arguments: tensors, nested containers of tensors, a float and an int; the values depend on `scale`."""
        x, y, z, w, t = (self.tensor(n, scale) for n in ("x", "y", "z", "w", "t"))
        return [x, y, z, {"w": w, "t": (t, [self.tensor("x", scale * 0.5)])}, 0.7 * scale, 2]

    def captured(self) -> Any:
        return self.tensor("C", 1.0)

    def tensor(self, name: str, scale: float) -> Any:
        shape, dtype = self.specification[name]
        values = np.random.default_rng(self.seed * 7 + ord(name[0])).uniform(-1.2, 1.2, shape) * scale
        return tg.tensor(np.asarray(values).astype(dtype))

    def try_statement(self) -> None:
        draw, name = self.generator, f"v{len(self.pool)}"
        pick = self.pool[-draw.integers(1, 4)] if draw.integers(2) else self.pool[draw.integers(len(self.pool))]
        a = eval(pick, self.scope)
        kinds = (
            ["unary", "unary", "binary", "binary", "any"]
            + ["ranked", "ranked", "write"] * bool(a.ndim)
            + ["matrix", "matrix"] * (a.ndim == 2)
            + ["write_any"]
        )
        kind = kinds[draw.integers(len(kinds))]
        d = int(draw.integers(-a.ndim, a.ndim)) if a.ndim else 0
        fitting = [n for n in self.pool if broadcasts(eval(n, self.scope).shape, a.shape)]
        b = fitting[draw.integers(len(fitting))]
        b1 = b if np.broadcast_shapes(tuple(eval(b, self.scope).shape), tuple(a.shape)) == tuple(a.shape) else "1"
        table: Any = {
            "unary": UNARY,
            "binary": BINARY,
            "any": ANY_RANK,
            "ranked": RANKED,
            "matrix": MATRIX,
            "write": WRITES,
            "write_any": WRITES_ANY,
        }[kind]
        form = table[draw.integers(len(table))]
        lines = form if isinstance(form, tuple) else (f"{{v}} = {form}",)
        lines = tuple(line.format(v=name, a=pick, b=b, b1=b1, d=d) for line in lines)
        scope = dict(self.scope)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec("\n".join(lines), scope)
        except Exception:
            return
        value = scope[name]
        if (
            value.numel() > 200
            or value.dtype not in (tg.float32, tg.float64)
            or not np.all(np.abs(value.detach().numpy()) < 50)
        ):
            return
        self.scope = scope
        self.lines += lines
        self.pool.append(name)

    def function(self) -> Any:
        """The program as a function of its own (with a captured tensor of its own)."""
        file = f"<program {self.seed}>"
        linecache.cache[file] = (len(self.text), None, self.text.splitlines(keepends=True), file)
        scope = {"tg": tg, "C": self.captured()}
        exec(compile(self.text, file, "exec"), scope)
        return scope["f"]


def broadcasts(a: Any, b: Any) -> bool:
    """Whether two shapes broadcast together."""
    try:
        np.broadcast_shapes(tuple(a), tuple(b))
    except ValueError:
        return False
    return True


def weighted(outputs: Any) -> Any:
    """One number from all results of a program: every element with a weight of its own."""
    total = tg.zeros((), dtype=tg.float64)
    for leaf in tg.pytree.leaves(outputs):
        weights = tg.cos(tg.arange(leaf.numel(), dtype=tg.float64) * 1.3 + 0.4).reshape(leaf.shape)
        total = total + (leaf.tanh() * weights).sum()
    return total


def gradient_of(f: Any) -> Any:
    """The gradient of `weighted` for the tensors among the arguments."""

    def loss(x: Any, y: Any, z: Any, p: Any, s: Any, i: Any) -> Any:
        return weighted(f(x, y, z, p, s, i))

    return tg.func.grad(loss, argnums=(0, 1, 2, 3))


def second_of(f: Any) -> Any:
    """The gradient of a weighted sum of the gradient: second derivatives."""
    first = gradient_of(f)
    return tg.func.grad(lambda *args: weighted(first(*args)), argnums=(0, 1, 2, 3))


def tolerance(program: Program, way: str) -> float:
    """How near two ways of computing a program must be."""
    single = "float" in program.text.replace("float64", "") or "float32" in {
        d for _, d in program.specification.values()
    }
    return (2e-4 if single else 1e-9) * (100 if way.startswith("second") else 1)


def wreck(tree: Any) -> None:
    """Overwrite every tensor in a tree."""
    for leaf in tg.pytree.leaves(tree):
        if isinstance(leaf, tg.Tensor):
            leaf.fill_(77.0)
