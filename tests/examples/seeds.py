"""Runs the seeds' programs under tracegrad or torch with the same random numbers, and gives what they print.

`python -m tests.examples.seeds` writes torch's output into tests/examples/expected/.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import re
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[2] / "examples"
EXPECTED = Path(__file__).parent / "expected"
NAMES = (
    "basics",
    "gaussian_process",
    "gradient_penalty",
    "legendre_polynomial",
    "linear_function",
    "logistic_layer",
    "mul_constant",
    "my_relu",
    "vector_jacobian",
)


def printed(name: str, library: str) -> str:
    """What the program prints under `library` ("tracegrad" or "torch"), with object addresses masked."""
    text = (FOLDER / f"{name}.py").read_text().replace("import tracegrad as torch", f"import {library} as torch")
    text = text.replace("from tracegrad", f"from {library}")
    out = io.StringIO()
    with contextlib.redirect_stdout(out), same_random_numbers(library):
        exec(compile(text, f"<{name} under {library}>", "exec"), {"__name__": "__main__"})
    return re.sub(r"0x[0-9a-f]+", "0x", out.getvalue())


@contextlib.contextmanager
def same_random_numbers(library: str):
    """Inside, `randn` and the first values of nn.Linear come from one NumPy generator."""
    lib, linear = importlib.import_module(library), importlib.import_module(f"{library}.nn").Linear
    generator = np.random.default_rng(7)

    def randn(*shape, dtype=None, requires_grad=False):
        values = generator.standard_normal(shape)
        return lib.tensor(values.tolist(), dtype=dtype or lib.float32, requires_grad=requires_grad)

    def reset_parameters(self):
        with lib.no_grad():
            for p in self.parameters():
                p.copy_(randn(*p.shape))

    before = lib.randn, linear.reset_parameters
    lib.randn, linear.reset_parameters = randn, reset_parameters
    try:
        yield
    finally:
        lib.randn, linear.reset_parameters = before


if __name__ == "__main__":
    EXPECTED.mkdir(exist_ok=True)
    for each in NAMES:
        (EXPECTED / f"{each}.txt").write_text(printed(each, "torch"))
