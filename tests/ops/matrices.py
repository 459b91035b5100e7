"""Matrices that tests of linear algebra share."""

from __future__ import annotations

import numpy as np


def draw(shape, kind):
    """Normal numbers; for kinds that start with p positive definite."""
    generator = np.random.default_rng(sum(shape) + 7)
    x = generator.normal(size=shape)
    x = x + 1j * generator.normal(size=shape) if kind.endswith("c") else x
    return x @ x.conj().swapaxes(-1, -2) + np.eye(shape[-1]) if kind.startswith("p") else x
