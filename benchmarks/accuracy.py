"""Errors of functions and their derivatives at hard points, in units in the last place (ulp), of tracegrad, PyTorch and JAX, against mpmath.

    python benchmarks/accuracy.py [--write docs/accuracy.md]

Each row is a function; each cell the largest error over the row's points of the value, the first and the second derivative.  A right infinity or a right 0 is 0;
a wrong one, or a nan, is shown as such.  A library that is not installed has no column, and `-` stands where it has no such function or derivative.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np
from accuracy_cases import CASES, WHOLE, Case, Whole

import tracegrad as tg

DIGITS = 60
DTYPES = {"float64": np.float64, "float32": np.float32}
Results = list[np.ndarray | None]


class JaxNames:
    """PyTorch's names over JAX; each is asked for in jax.numpy, jax.nn and jax.scipy.special."""

    def __init__(self, jax: Any) -> None:
        self._places = (jax.numpy, jax.nn, jax.scipy.special, jax.numpy.linalg)
        self._renamed = {
            "lgamma": "gammaln", "igamma": "gammainc", "igammac": "gammaincc", "asin": "arcsin", "acos": "arccos", "acosh": "arccosh", "atanh": "arctanh",
            "atan2": "arctan2", "logsigmoid": "log_sigmoid",
        }  # fmt: skip
        self.special = self.nn = self.functional = self

    def __getattr__(self, name: str) -> Any:
        for place in self._places:
            found = getattr(place, self._renamed.get(name, name), None)
            if found is not None:
                return found
        raise AttributeError(name)

    def gelu(self, x: Any, approximate: str = "none") -> Any:
        return self._places[1].gelu(x, approximate == "tanh")

    def var(self, x: Any) -> Any:
        return self._places[0].var(x, ddof=1)


def by_tape(library: Any, function: Callable[[Any, Any], Any], point: np.ndarray) -> Results:
    """Value, gradient of the sum and row sums of the Hessian; None where the library refuses."""
    x = library.tensor(point.tolist(), dtype=getattr(library, point.dtype.name)).requires_grad_()
    out: Results = [None, None, None]
    try:
        y = function(library, x)
        out[0] = y.detach().numpy()
        (g,) = library.autograd.grad(y.sum(), x, create_graph=True)
        out[1] = g.detach().numpy()
        h = library.autograd.grad(g.sum(), x, allow_unused=True)[0] if g.requires_grad else None
        out[2] = np.zeros_like(point) if h is None else h.numpy()
    except (RuntimeError, AttributeError):
        pass
    return out


def by_jax(function: Callable[[Any, Any], Any], point: np.ndarray) -> Results:
    """The same with jax.grad."""
    import jax

    jax.config.update("jax_enable_x64", True)
    names, x = JaxNames(jax), jax.numpy.asarray(point)
    first = jax.grad(lambda v: function(names, v).sum())
    out: Results = []
    for step in (lambda v: function(names, v), first, jax.grad(lambda v: first(v).sum())):
        try:
            out.append(np.asarray(step(x)))
        except (NotImplementedError, TypeError, AttributeError, ValueError):
            out.append(None)
    return out


def by_torch(function: Callable[[Any, Any], Any], point: np.ndarray) -> Results:
    """The same with PyTorch."""
    import torch

    return by_tape(torch, function, point)


def by_tracegrad(function: Callable[[Any, Any], Any], point: np.ndarray) -> Results:
    """The same with tracegrad's tape."""
    return by_tape(tg, function, point)


LIBRARIES: dict[str, tuple[str, Callable[..., Results]]] = {
    "tracegrad": ("tracegrad", by_tracegrad),
    "PyTorch": ("torch", by_torch),
    "JAX": ("jax", by_jax),
}


def derivative(function: Callable[[Any], Any], x: Any, order: int) -> Any:
    """A derivative at x that is not 0, by differences in x's own scale."""
    return mp.diff(lambda t: function(x * (1 + t)), 0, order) / x**order if order else function(x)


def exact(case: Case | Whole, point: np.ndarray) -> list[list[Any]]:
    """Value, first and second derivative at each element, as numbers of mpmath."""
    if isinstance(case, Whole):
        return [[mp.mpf(v) for v in np.ravel(part)] for part in (case.value, case.first, case.second)]
    with mp.workdps(DIGITS):
        return [[derivative(case.exact, mp.mpf(float(p)), order) for p in point] for order in range(3)]


def ulps(got: np.ndarray, want: list[Any]) -> float:
    """The largest distance of got's elements from exact numbers, in units in the last place of its dtype; nan or inf where they are not finite."""
    worst = 0.0
    limits = np.finfo(got.dtype)
    with mp.workdps(DIGITS):
        for a, b in zip(np.ravel(got), want, strict=True):
            if np.isnan(a):
                return float("nan")
            if abs(b) > mp.mpf(float(limits.max)):
                error = 0.0 if np.isinf(a) and (a > 0) == (b > 0) else float("inf")
            elif np.isinf(a):
                error = float("inf")
            else:
                size = max(abs(b), mp.mpf(float(limits.tiny)))
                unit = mp.ldexp(1, int(mp.floor(mp.log(size, 2))) - limits.nmant)
                error = float(abs(mp.mpf(float(a)) - b) / unit)
            worst = max(worst, error)
    return worst


def shown(error: float | None) -> str:
    """An error as the table shows it: in steps that do not change with the last bit of a run."""
    if error is None:
        return "-"
    if np.isnan(error) or np.isinf(error):
        return "**nan**" if np.isnan(error) else "**inf**"
    for bound in (1, 2, 5, 10, 20, 50, 100):
        if error <= bound:
            return f"{bound}" if error else "0"
    return f"1e{int(np.ceil(np.log10(error)))}"


def point_of(case: Case | Whole, dtype: str) -> np.ndarray | None:
    """Where a row is taken in a dtype; None if it has no point there."""
    if isinstance(case, Whole):
        return np.asarray(case.point, DTYPES[dtype])
    points = case.points if dtype == "float64" else case.single
    return np.asarray(points, DTYPES[dtype]) if points else None


def errors_of(
    case: Case | Whole, point: np.ndarray, run: Callable[..., Results], want: list[list[Any]]
) -> list[float | None]:
    """The errors of value, first and second derivative by one library."""
    with np.errstate(all="ignore"):
        found = run(case.function, point)
    return [None if got is None else ulps(got, exact) for got, exact in zip(found, want, strict=True)]


def table(dtype: str) -> str:
    """The Markdown table of a dtype over the libraries that are there."""
    present = {name: run for name, (package, run) in LIBRARIES.items() if importlib.util.find_spec(package)}
    lines = [
        "| function | at | " + " | ".join(f"{n} value | 1st | 2nd" for n in present) + " |",
        "|---" * (2 + 3 * len(present)) + "|",
    ]
    for case in (*CASES, *WHOLE):
        point = point_of(case, dtype)
        if point is None:
            continue
        want = exact(case, point)
        cells = [shown(e) for run in present.values() for e in errors_of(case, point, run, want)]
        at = ", ".join(f"{v:.6g}" for v in np.ravel(point))
        lines.append(f"| {case.text} | {at} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables, or put them into a page between its markers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, help="the page between whose markers the tables go")
    page = parser.parse_args().write
    for dtype in DTYPES:
        found = table(dtype)
        print(f"{dtype}\n\n{found}\n")
        if page is not None:
            begin, end = f"<!-- begin of {dtype} -->", f"<!-- end of {dtype} -->"
            before, rest = page.read_text().split(begin)
            page.write_text(f"{before}{begin}\n{found}\n{end}{rest.split(end)[1]}")


if __name__ == "__main__":
    main()
