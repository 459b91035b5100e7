"""The tables of docs/speed.md, from what operators.py measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BEGIN, END = "<!-- measured -->", "<!-- end of what is measured -->"
Measured = dict[str, dict[str, dict[str, float]]]  # "family: name" -> forward and backward -> library -> ratio


def _ratio(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def _families(every: Measured) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for key, times in every.items():
        family, _, name = key.partition(": ")
        found.setdefault(family, {})[name] = times
    return found


def against_torch(every: Measured, limit: float = 2.0) -> str:
    """How many figures of each family are within the limit, and all others."""
    rows, within, count = [], 0, 0
    for family, cases in _families(every).items():
        if family == "special":
            continue
        figures, above = [], []
        for name, times in cases.items():
            pair = [times[way].get("torch") for way in ("forward", "backward")]
            figures += [v for v in pair if v is not None]
            parts = [mark + _ratio(v) for mark, v in zip(("", "∂ "), pair, strict=True) if v is not None and v > limit]
            if parts:
                above.append(f"{name} {', '.join(parts)}")
        good = sum(v <= limit for v in figures)
        within, count = within + good, count + len(figures)
        if figures:
            rows.append(f"| {family} | {good} of {len(figures)} | {'; '.join(above)} |")
    head = f"Against PyTorch {within} of {count} figures are at most {limit:g}. All others are in this table, with ∂ for backward:"
    return "\n".join([head, "", f"| Family | Within {limit:g} | Above |", "|---|---|---|", *rows])


def against_scipy(every: Measured, limit: float = 1.2) -> str:
    """The ratio of every special function to SciPy's ufunc, float32 and float64."""
    pairs: dict[str, dict[str, float]] = {}
    for name, times in _families(every).get("special", {}).items():
        if "scipy" in times["forward"]:
            plain = name.removesuffix(" f64")
            pairs.setdefault(plain, {})[name[len(plain) :]] = times["forward"]["scipy"]
    values = [v for pair in pairs.values() for v in pair.values()]
    good = sum(v <= limit for v in values)
    head = f"Against SciPy's ufuncs {good} of {len(values)} figures are at most {limit:g}:"
    cells = lambda pair: " | ".join(f"{pair[e]:.2f}" if e in pair else "" for e in ("", " f64"))  # noqa: E731
    rows = [f"| {name} | {cells(pair)} |" for name, pair in pairs.items()]
    return "\n".join([head, "", "| Function | float32 | float64 |", "|---|---|---|", *rows])


def write(page: Path, every: Measured) -> None:
    """Put both tables between the marks of a page."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"{page} has no lines {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{against_torch(every)}\n\n{against_scipy(every)}\n\n{END}{after}")
