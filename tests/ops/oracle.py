"""Run one expression with torch and with tracegrad and compare everything a user can see: values, dtype, shape, grad_fn name, derivatives, error class."""

from __future__ import annotations

from typing import Any

import numpy as np

import tracegrad as tg

BUILTIN = (NotImplementedError, RuntimeError, IndexError, TypeError, ValueError, AttributeError)
TOLERANCE = {"float32": 2e-6, "float64": 1e-12, "float16": 2e-3}


def outcome(t: Any, function: Any, arrays: Any, grad: bool) -> Any:
    """The result, or the exception."""
    try:
        tensors = [t.tensor(a, requires_grad=grad and a.dtype.kind == "f") for a in arrays]
        return tensors, function(t, *tensors)
    except BUILTIN as error:
        return tensors, error


def results(found: Any) -> list[Any]:
    """One result or several as a list."""
    return list(found) if isinstance(found, (tuple, list)) else [found]


def same_class(ours: BaseException, theirs: BaseException) -> bool:
    """Whether `except` written for torch's error catches ours."""
    return isinstance(ours, next(c for c in BUILTIN if isinstance(theirs, c)))


def assert_same(torch: Any, function: Any, *arrays: Any, orders: int = 2, names: bool = True) -> None:
    """The same values, dtypes, shapes, names, derivatives up to `orders`, or an error of the same class."""
    theirs, wanted = outcome(torch, function, arrays, orders > 0)
    ours, got = outcome(tg, function, arrays, orders > 0)
    if isinstance(wanted, BaseException):
        assert isinstance(got, BaseException), f"torch raises {type(wanted).__name__}: {wanted}; this gave {got}"
        assert same_class(got, wanted), (
            f"torch raises {type(wanted).__name__}: {wanted}; this {type(got).__name__}: {got}"
        )
        return
    if isinstance(got, BaseException):
        raise got
    wanted, got = results(wanted), results(got)
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted, strict=True):
        assert_equal(a, b, "value")
        if names:
            assert name_of(a) == name_of(b), f"grad_fn {name_of(a)}, torch has {name_of(b)}"
    if orders:
        derive(torch, [v for v in theirs if v.requires_grad], [v for v in ours if v.requires_grad], wanted, got, orders)


def name_of(value: Any) -> str | None:
    """The name of the step that made a value."""
    return None if value.grad_fn is None else value.grad_fn.name()


def derive(torch: Any, theirs: Any, ours: Any, wanted: Any, got: Any, orders: int) -> None:
    """Derivatives of weighted sums, order after order; those of a value that does not depend on the inputs are zero."""
    for order in range(1, orders + 1):
        wanted, got = slopes(torch, theirs, wanted, order, orders), slopes(tg, ours, got, order, orders)
        for a, b in zip(got, wanted, strict=True):
            assert_equal(a, b, f"derivative of order {order}")


def slopes(t: Any, inputs: Any, values: Any, order: int, orders: int) -> list[Any]:
    """The gradients of the values, each weighted by its position, at the inputs."""
    pairs = [
        (v, t.tensor(np.random.default_rng(order + i).uniform(0.5, 1.5, tuple(v.shape)), dtype=v.dtype))
        for i, v in enumerate(values)
        if v.requires_grad
    ]
    if not pairs:
        return [t.zeros_like(x) for x in inputs]
    return list(
        t.autograd.grad(
            [v for v, _ in pairs],
            inputs,
            [w for _, w in pairs],
            create_graph=order < orders,
            allow_unused=True,
            materialize_grads=True,
        )
    )


def assert_equal(a: Any, b: Any, what: str) -> None:
    """Shape, dtype and values; nan equals nan."""
    assert str(a.dtype) == str(b.dtype), f"{what}: dtype {a.dtype}, torch has {b.dtype}"
    assert tuple(a.shape) == tuple(b.shape), f"{what}: shape {tuple(a.shape)}, torch has {tuple(b.shape)}"
    tolerance = TOLERANCE.get(str(b.dtype).removeprefix("torch."), 0)
    np.testing.assert_allclose(
        a.detach().numpy(), b.detach().numpy(force=True), rtol=tolerance, atol=tolerance, err_msg=what
    )


def draw(seed: int, shape: Any, dtype: str = "float64", low: float = -2.0, high: float = 2.0) -> np.ndarray:
    """Random values of a dtype with a fixed seed."""
    generator = np.random.default_rng(seed)
    if dtype == "bool":
        return np.asarray(generator.random(shape) < 0.5)
    if dtype.startswith(("int", "uint")):
        return np.asarray(generator.integers(0 if dtype[0] == "u" else -4, 5, shape)).astype(dtype)
    return np.asarray(generator.uniform(low, high, shape)).astype(dtype)
