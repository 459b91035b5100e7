"""benchmarks/calls.py measures what it says, and the overhead of a compiled call is a fraction of jax.jit's call of an empty function."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jax")

import tracegrad as tg  # noqa: E402
from tracegrad import pytree  # noqa: E402

_spec = importlib.util.spec_from_file_location("calls", Path(__file__).parents[2] / "benchmarks" / "calls.py")
calls = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(calls)


def test_the_compiled_calls_compute_what_their_arithmetic_does():
    arrays = [np.random.default_rng(0).random(4, np.float32) for _ in range(4)]
    for name, (call, raw) in calls.calls(arrays).items():
        if name in ("None", "a constant", "no arguments"):
            assert not isinstance(call(), tg.Tensor)
            continue
        found, want = pytree.flatten(call())[0], pytree.flatten(raw())[0]
        for a, b in zip(found, want, strict=True):
            np.testing.assert_allclose(a.numpy(), b, rtol=1e-6, err_msg=name)


def test_the_overhead_of_a_call_is_a_fraction_of_an_empty_one_of_jax(monkeypatch):
    monkeypatch.setattr(tg.config.settings, "verify", False)  # as users run it
    monkeypatch.setattr(calls, "NUMBER", 3000)
    for _ in range(3):  # where other work disturbs
        overhead, empty = calls.measured(7)
        four = empty["jax, four arrays"]
        limits = {
            "a + b + c + d": 0.3,
            "a * b + c * d": 0.3,
            "an argument": 0.3,
            "None": 0.15,
            "a constant": 0.15,
            "captured": 0.3,
            "nested": 0.4,
        }
        over = {name: overhead[name] / four for name, limit in limits.items() if overhead[name] > limit * four}
        if not over:
            return
    pytest.fail(f"overhead, as parts of JAX's: {over}")
