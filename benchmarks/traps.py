"""Derivatives through selections: what PyTorch, JAX and tracegrad give where the branch that was not taken has no finite derivative.

    python benchmarks/traps.py [--write docs/masks.md]

Each trap is a function of an array, a point, and the exact gradient and row sums of the Hessian there, from a formula that needs no selection.  Prints
a Markdown table; --write puts it into a page between its two markers.  A library that is not installed has no column.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from trap_list import TRAPS, Trap

import tracegrad as tg

Pair = tuple[np.ndarray, np.ndarray]
BEGIN, END = "<!-- begin of the table -->", "<!-- end of the table -->"


class JaxNames:
    """PyTorch's names for what the traps use, over jax.numpy."""

    def __init__(self, jax: Any) -> None:
        self.jnp = jnp = jax.numpy
        self.where, self.sqrt, self.log, self.exp, self.sin, self.log1p = (
            jnp.where,
            jnp.sqrt,
            jnp.log,
            jnp.exp,
            jnp.sin,
            jnp.log1p,
        )
        self.isnan, self.abs, self.maximum, self.minimum, self.relu = (
            jnp.isnan,
            jnp.abs,
            jnp.maximum,
            jnp.minimum,
            jax.nn.relu,
        )
        self.atan2, self.nan_to_num = jnp.arctan2, jnp.nan_to_num
        self.tan, self.tanh, self.sigmoid = jnp.tan, jnp.tanh, jax.nn.sigmoid
        self.softmax, self.log_softmax, self.logsumexp = jax.nn.softmax, jax.nn.log_softmax, jax.nn.logsumexp

    def tensor(self, values: Any) -> Any:
        return self.jnp.asarray(values)

    def masked_fill(self, x: Any, mask: Any, value: float) -> Any:
        return self.jnp.where(mask, value, x)

    def clamp(self, x: Any, min: float) -> Any:  # noqa: A002
        return self.jnp.clip(x, min)

    def gather(self, x: Any, dim: int, index: Any) -> Any:
        return self.jnp.take_along_axis(x, index, dim)

    def index_select(self, x: Any, dim: int, index: Any) -> Any:
        return self.jnp.take(x, index, dim)

    def amax(self, x: Any, dim: int) -> Any:
        return self.jnp.max(x, dim)

    def cumsum(self, x: Any, dim: int) -> Any:
        return self.jnp.cumsum(x, dim)

    def norm(self, x: Any, dim: int) -> Any:
        return self.jnp.linalg.norm(x, axis=dim)

    def std(self, x: Any, dim: int) -> Any:
        return self.jnp.std(x, dim, ddof=1)

    def tril(self, x: Any) -> Any:
        return self.jnp.tril(x)

    def diagonal(self, x: Any) -> Any:
        return self.jnp.diagonal(x)


def by_tape(library: Any, trap: Trap) -> Pair:
    """The gradient, by an ordinary backward, and the row sums of the Hessian, by a second one through the recorded first."""
    x = library.tensor(trap.point, dtype=library.float64).requires_grad_()
    trap.function(library, x).sum().backward()
    (g,) = library.autograd.grad(trap.function(library, x).sum(), x, create_graph=True)
    if not g.requires_grad:
        return x.grad.numpy(), np.zeros(g.shape)
    (h,) = library.autograd.grad(g.sum(), x, allow_unused=True)
    return x.grad.numpy(), np.zeros(g.shape) if h is None else h.numpy()


def by_jax(trap: Trap) -> Pair:
    """The same with jax.grad."""
    import jax

    jax.config.update("jax_enable_x64", True)
    names = JaxNames(jax)
    first = jax.grad(lambda x: trap.function(names, x).sum())
    second = jax.grad(lambda x: first(x).sum())
    x = jax.numpy.asarray(trap.point)
    return np.asarray(first(x)), np.asarray(second(x))


def by_torch(trap: Trap) -> Pair:
    """The same with PyTorch."""
    import torch

    torch.set_default_dtype(torch.float64)
    return by_tape(torch, trap)


def by_tracegrad(trap: Trap) -> Pair:
    """The same with tracegrad's tape."""
    before = tg.get_default_dtype()
    tg.set_default_dtype(tg.float64)
    try:
        return by_tape(tg, trap)
    finally:
        tg.set_default_dtype(before)


LIBRARIES: dict[str, tuple[str, Callable[[Trap], Pair]]] = {
    "PyTorch": ("torch", by_torch),
    "JAX": ("jax", by_jax),
    "tracegrad": ("tracegrad", by_tracegrad),
}


def verdict(got: np.ndarray, exact: Any) -> str:
    """Whether a derivative is right, not finite, or another number."""
    if np.allclose(got, np.asarray(exact, float), rtol=1e-9, atol=1e-12):
        return "right"
    return "wrong" if np.isfinite(got).all() else "**NaN**" if np.isnan(got).any() else "**inf**"


def table() -> str:
    """The Markdown table over the traps and the libraries that are there."""
    present = {name: run for name, (package, run) in LIBRARIES.items() if importlib.util.find_spec(package)}
    lines = [
        "| function of `x` | at | " + " | ".join(f"{n} 1st | 2nd" for n in present) + " |",
        "|---" * (2 + 2 * len(present)) + "|",
    ]
    right = dict.fromkeys(present, 0)
    for trap in TRAPS:
        cells = []
        for name, run in present.items():
            found = [verdict(got, exact) for got, exact in zip(run(trap), (trap.first, trap.second), strict=True)]
            right[name] += found == ["right", "right"]
            cells += found
        point = ", ".join(f"{v:g}" for v in np.ravel(trap.point))
        lines.append(f"| {trap.text} | {point} | " + " | ".join(cells) + " |")
    lines.append(f"| **both right, of {len(TRAPS)}** | | " + " | ".join(f"**{right[n]}** |" for n in present) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, or put it into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, help="the page between whose markers the table goes")
    page = parser.parse_args().write
    found = table()
    print(found)
    if page is not None:
        before, rest = page.read_text().split(BEGIN)
        page.write_text(f"{before}{BEGIN}\n{found}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
