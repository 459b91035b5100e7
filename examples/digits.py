"""Trains a two-layer network on scikit-learn's handwritten digits: eagerly, compiled for NumPy, and compiled for XLA where JAX is installed.

All ways take the same steps in turn; the script checks that their losses agree, and prints how long a step takes in units of an eager one.
Beside the loss plot it writes what was compiled: the IR of the loss and its gradient, and the source generated from it.

    python examples/digits.py [--backend numpy] [--steps 200] [--dtype float64] [--out output/digits]
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import tracegrad as tg

HIDDEN, BATCH, RATE = 64, 256, 0.5
TOLERANCE = {"float64": 1e-9, "float32": 1e-5}


def scores(w1, b1, w2, b2, x):
    """How much each digit is favoured.  x: (images, 64) -> (images, 10)."""
    return tg.tanh(x @ w1 + b1) @ w2 + b2


def loss(w1, b1, w2, b2, x, y):
    """Mean negative log-probability of the right digits y."""
    return -tg.log_softmax(scores(w1, b1, w2, b2, x), dim=1).gather(1, y.unsqueeze(1)).mean()


def data(dtype):
    """Images of 64 numbers in [0, 1] for training and held out, then their digits."""
    digits = load_digits()
    parts = train_test_split(digits.data / 16.0, digits.target, test_size=0.25, random_state=0, stratify=digits.target)
    return *(tg.tensor(part, dtype=dtype) for part in parts[:2]), *(tg.tensor(part) for part in parts[2:])


def first_parameters(dtype):
    """The same random weights for every way of training."""
    draw = np.random.default_rng(0).standard_normal
    shapes = ((64, HIDDEN), (HIDDEN,), (HIDDEN, 10), (10,))
    return [tg.tensor(draw(s) / s[0] ** 0.5 if len(s) == 2 else np.zeros(s), dtype=dtype) for s in shapes]


def eager(*arguments):
    """The loss and its gradient from the tape of this very call."""
    value = loss(*arguments)
    return value, tg.autograd.grad(value, arguments[:4])


def take_step(parameters, value_and_grad, x, y):
    """One step of gradient descent; the loss before it."""
    value, gradients = value_and_grad(*parameters, x, y)
    with tg.no_grad():
        for p, g in zip(parameters, gradients, strict=True):
            p -= RATE * g
    return value.item()


def write_results(out, losses, compiled):
    """The loss plot, and for each backend the IR and the generated source."""
    out.mkdir(parents=True, exist_ok=True)
    axes = (figure := Figure()).subplots()
    for name, values in losses.items():
        axes.plot(values, label=name, linestyle="-" if name == "eager" else "--")
    axes.set(xlabel="step", ylabel="loss")
    axes.legend()
    figure.savefig(out / "loss.png")
    for name, fast in compiled.items():
        (out / f"gradient_{name}.ir").write_text(f"{fast.graph}\n")
        (out / f"gradient_{name}.py").write_text(fast.source)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=["all", "numpy", "jax"], default="all")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--dtype", choices=sorted(TOLERANCE), default="float64")
    parser.add_argument("--out", type=Path, default=Path("output/digits"))
    options = parser.parse_args(arguments)
    dtype = getattr(tg, options.dtype)
    images, held_images, labels, held_labels = data(dtype)
    installed = ["numpy", *["jax"] * bool(importlib.util.find_spec("jax"))]
    backends = installed if options.backend == "all" else [options.backend]
    compiled = {name: tg.compile(tg.func.value_and_grad(loss, argnums=(0, 1, 2, 3)), backend=name) for name in backends}
    ways = {"eager": eager, **compiled}
    parameters = {name: [p.requires_grad_(name == "eager") for p in first_parameters(dtype)] for name in ways}
    losses, seconds = {name: [] for name in ways}, {name: [] for name in ways}
    for i in tqdm(range(options.steps), desc="training", unit="step"):
        rows = np.arange(i * BATCH, (i + 1) * BATCH) % len(labels)
        x, y = images[rows], labels[rows]
        for name, value_and_grad in ways.items():
            start = time.perf_counter()
            losses[name].append(take_step(parameters[name], value_and_grad, x, y))
            seconds[name].append(time.perf_counter() - start)
    write_results(options.out, losses, compiled)
    for name in backends:
        difference = max(abs(a - b) for a, b in zip(losses["eager"], losses[name], strict=True))
        ratio = statistics.median(a / b for a, b in zip(seconds[name], seconds["eager"], strict=True))
        print(f"{name}: a step takes {ratio:.2f} of an eager step; the losses differ by at most {difference:.1e}")
        if not difference <= TOLERANCE[options.dtype]:
            raise SystemExit(f"{name}: the losses differ by more than {TOLERANCE[options.dtype]}")
    guesses = scores(*(p.detach() for p in parameters[backends[0]]), held_images).argmax(dim=1)
    accuracy = (guesses == held_labels).double().mean().item()
    print(f"accuracy on {len(held_labels)} held-out digits: {accuracy:.1%}; results are in {options.out}")
    return accuracy


if __name__ == "__main__":
    main()
