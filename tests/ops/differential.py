"""A program of any operands run with torch and with tracegrad: values, dtypes, names, derivatives of both orders and error classes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import tracegrad as tg
from tests.ops.oracle import same_class

DERIVED = {np.dtype(np.float32): 2e-3, np.dtype(np.complex64): 2e-3}


def flat(found: Any) -> list[Any]:
    """All tensors of a result."""
    return [v for part in found for v in flat(part)] if isinstance(found, (tuple, list)) else [found]


def weights(t: Any, order: int, values: Any) -> list[Any]:
    """A fixed random cotangent for every value."""
    made = []
    for i, v in enumerate(values):
        generator = np.random.default_rng(10 * order + i)
        w = generator.uniform(0.5, 1.5, tuple(v.shape))
        made.append(t.tensor(w + 1j * generator.uniform(0.5, 1.5, w.shape) if v.is_complex() else w, dtype=v.dtype))
    return made


def run(t: Any, program: Any, arrays: Any, orders: int) -> list[list[Any]]:
    """The results, then the derivatives of each order."""
    inputs = [t.tensor(a, requires_grad=orders > 0 and a.dtype.kind in "fc") for a in arrays]
    values = flat(program(t, *inputs))
    found = [
        [(v.detach().resolve_conj().numpy(force=True), str(v.dtype), v.grad_fn and v.grad_fn.name()) for v in values]
    ]
    for order in range(1, orders + 1):
        values, wanted = [v for v in values if v.requires_grad], [x for x in inputs if x.requires_grad]
        slopes = t.autograd.grad(
            values,
            wanted,
            weights(t, order, values),
            create_graph=order < orders,
            allow_unused=True,
            materialize_grads=True,
        )
        found.append([(v.detach().resolve_conj().numpy(force=True), str(v.dtype), None) for v in slopes])
        values = list(slopes)
        if not any(v.requires_grad for v in values):
            break
    return found


def check(
    torch: Any, program: Any, *arrays: np.ndarray[Any, Any], orders: int = 2, names: bool = True, least: float = 1e-7
) -> None:
    """Everything equals torch's within the tolerance, which is `least` or that of the dtypes, or the same class is raised."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, about names that it will remove
            wanted = run(torch, program, arrays, orders)
    except Exception as theirs:  # noqa: BLE001
        try:
            run(tg, program, arrays, orders)
        except Exception as ours:  # noqa: BLE001
            assert same_class(ours, theirs), (ours, theirs)
            if isinstance(theirs, torch.linalg.LinAlgError):
                assert isinstance(ours, tg.linalg.LinAlgError), ours
            return
        raise AssertionError(f"torch raises {type(theirs).__name__}: {theirs}") from theirs
    got = run(tg, program, arrays, orders)
    tolerance = max([least, *(DERIVED.get(a.dtype, 0) for a in arrays)])
    for order, (ours, theirs) in enumerate(zip(got, wanted, strict=False)):
        assert len(ours) == len(theirs)
        for (a, a_dtype, a_name), (b, b_dtype, b_name) in zip(ours, theirs, strict=True):
            assert (a.shape, a_dtype) == (b.shape, b_dtype)
            assert a_name == b_name or not names
            size = max(1.0, float(np.max(np.abs(b[np.isfinite(b)]), initial=0)))
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * size, err_msg=f"order {order}")
