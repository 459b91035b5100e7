"""Tensors from data, shapes and bounds against torch 2.13: values, dtypes, printed devices, error classes."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tracegrad as tg  # noqa: E402
from tests.ops.oracle import assert_equal, same_class  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch's own advice
EXPRESSIONS = """
t.tensor(1)
t.tensor(1.5)
t.tensor(True)
t.tensor([1, 2.5])
t.tensor([1, True])
t.tensor([True, 2.5])
t.tensor([])
t.tensor([[]])
t.tensor(())
t.tensor([[1, 2], [3]])
t.tensor([[1], 2])
t.tensor([1, [2]])
t.tensor(np.ones(2))
t.tensor(np.ones((2, 3), np.float32))
t.tensor(np.arange(3, dtype=np.int16))
t.tensor(np.float32(1))
t.tensor(np.float64(1))
t.tensor([np.float64(1), 2])
t.tensor([np.float32(1), 2])
t.tensor([np.int32(1), 2])
t.tensor(np.int8(3))
t.tensor(np.bool_(True))
t.tensor([np.ones(2), np.zeros(2)])
t.tensor([t.tensor(1.0), t.tensor(2)])
t.tensor([t.tensor(1), 2])
t.tensor([t.tensor(1.0, dtype=t.float64), 2])
t.tensor([t.tensor([1.0]), t.tensor([3.0])])
t.tensor([t.tensor([1.0, 2.0]), t.tensor([3.0, 4.0])])
t.tensor(t.tensor([1.0, 2.0]))
t.tensor(1, requires_grad=True)
t.tensor(1.0, requires_grad=True)
t.tensor('a')
t.tensor(None)
t.tensor([None])
t.tensor({1, 2})
t.tensor(1 + 2j)
t.tensor([1 + 2j, 1])
t.tensor(2**70)
t.tensor(2**63)
t.tensor(-2**63)
t.tensor(300, dtype=t.uint8)
t.tensor(-1, dtype=t.uint8)
t.tensor(1.7, dtype=t.int64)
t.tensor([1.7, -1.7], dtype=t.int32)
t.tensor(1e300)
t.tensor(range(3))
t.tensor((1, 2))
t.tensor([1, 2], dtype=float)
t.tensor([1, 0], dtype=bool)
t.tensor([1, 2], dtype='float32')
t.tensor([1, 2], device='cpu')
t.tensor([1, 2], device='cuda')
t.tensor([1, 2], device='foo')
t.tensor([1.0], device=t.device('cpu', 0))
t.tensor(float('nan'))
t.tensor([float('inf'), 1])
t.as_tensor([1, 2])
t.as_tensor(np.ones(2, np.float32))
t.as_tensor(np.ones(2), dtype=t.float32)
t.as_tensor(np.ones(2)[::-1])
t.as_tensor(2.5)
t.as_tensor(t.tensor([1, 2]), dtype=t.float64)
t.from_numpy(np.arange(3))
t.from_numpy([1])
t.from_numpy(np.array(['a']))
t.from_numpy(np.float64(1))
t.from_numpy(np.ones(2)[::-1])
t.asarray([1.0, 2])
t.scalar_tensor(2)
t.zeros(2, 3)
t.zeros((2, 3))
t.zeros([2, 3], dtype=t.int64)
t.zeros(())
t.zeros()
t.zeros(2.0)
t.zeros(-1)
t.zeros(2, requires_grad=True)
t.zeros(size=(2,))
t.zeros(2, dtype=t.int64, requires_grad=True)
t.zeros(t.Size([2]))
t.zeros(t.tensor(2), 3)
t.zeros('a')
t.zeros(True)
t.zeros((2, 3), 4)
t.zeros(2, device=t.device('cuda'))
t.zeros(0, 3)
t.ones(2)
t.ones(2, 0)
t.ones(2, dtype=t.bool)
t.empty(2, 3).shape
t.full((2,), 1)
t.full((2,), 1.0)
t.full((2,), True)
t.full((2,), t.tensor(3.0))
t.full((2,), 1.5, dtype=t.int64)
t.full(2, 1.0)
t.full((2,), fill_value=2)
t.full((), -0.0)
t.full((2,), 1 + 2j)
t.full((1,), 1e300)
t.arange(5)
t.arange(5.0)
t.arange(1, 5)
t.arange(1, 5, 2)
t.arange(0, 1, 0.1)
t.arange(0.5, 3)
t.arange(5, 0, -1)
t.arange(5, 0, -2)
t.arange(0, 5, -1)
t.arange(0, 5, 0)
t.arange(0)
t.arange(5, dtype=t.float64)
t.arange(5, 1)
t.arange(1, 2, 0.3, dtype=t.int64)
t.arange(0.5, 5, dtype=t.int64)
t.arange(5, dtype=t.bool)
t.arange(float('nan'))
t.arange(0, float('inf'))
t.arange(end=5, start=1)
t.arange(t.tensor(3))
t.arange(t.tensor(3.0))
t.arange(True)
t.arange(-3, 3, 0.25, dtype=t.float64)
t.linspace(0, 1, 5)
t.linspace(0, 1, 1)
t.linspace(0, 1, 0)
t.linspace(0, 1, -1)
t.linspace(0, 1)
t.linspace(3, -3, 7)
t.linspace(0, 10, 5, dtype=t.int64)
t.linspace(0.1, 0.7, 13, dtype=t.float64)
t.linspace(0, 1, steps=3)
t.eye(2)
t.eye(2, 3)
t.eye(3, 2, dtype=t.int64)
t.eye(2, dtype=t.bool)
t.eye(0)
t.eye(-1)
t.rand(2, 3).shape
t.rand((2, 3), dtype=t.float64).dtype
t.rand(()).shape
t.rand(2, dtype=t.int64)
t.randn(2, 0).shape
t.randn(2, dtype=t.int64)
t.randn(2, requires_grad=True).requires_grad
t.randn(size=(2, 3)).shape
t.randint(5, (2,)).dtype
t.randint(5, (2,), dtype=t.float32).dtype
t.randint(2, 5, (2, 3)).shape
t.randint(low=0, high=5, size=(2,)).shape
t.randint(5, 5, (2,))
t.randint(0, (2,))
t.randint(0, 5, 2)
t.randint(0, 300, (2,), dtype=t.uint8)
t.randperm(5).dtype
t.randperm(-1)
t.manual_seed(2**64)
t.manual_seed('a')
t.ones_like(t.tensor([1, 2]))
t.ones_like(t.tensor([1, 2]), dtype=t.float32)
t.zeros_like(t.ones(2, 3))
t.zeros_like([1])
t.full_like(t.tensor([1.0]), 3)
t.full_like(t.tensor([1]), 3.5)
t.empty_like(t.tensor([1])).dtype
t.rand_like(t.tensor([1, 2]))
t.rand_like(t.ones(2, dtype=t.float64)).dtype
t.randn_like(t.ones(2, 3)).shape
t.randint_like(t.ones(2), 5).dtype
""".strip().splitlines()


def outcome(t, expression):
    try:
        return eval(expression, {"t": t, "np": np})
    except Exception as error:
        return error


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions(expression):
    wanted, got = outcome(torch, expression), outcome(tg, expression)
    if isinstance(wanted, Exception):
        assert isinstance(got, Exception), f"torch raises {wanted!r}; this gave {got}"
        assert isinstance(got, AssertionError) if isinstance(wanted, AssertionError) else same_class(got, wanted), (
            wanted,
            got,
        )
        return
    if isinstance(got, Exception):
        raise got
    if isinstance(wanted, torch.Tensor):
        assert_equal(got, wanted, expression)
        np.testing.assert_array_equal(got.detach().numpy(), wanted.detach().numpy())
        np.testing.assert_array_equal(np.signbit(got.detach().numpy().real), np.signbit(wanted.detach().numpy().real))
        assert (got.requires_grad, got.is_leaf) == (wanted.requires_grad, wanted.is_leaf)
    else:
        assert repr(got) == repr(wanted)


@pytest.mark.parametrize(
    "make",
    [
        "t.tensor(a)",
        "t.as_tensor(a)",
        "t.from_numpy(a)",
        "t.as_tensor(a, dtype=t.float32)",
        "t.asarray(a)",
        "t.asarray(a, copy=True)",
    ],
)
def test_who_shares_memory_with_the_array(make):
    seen = []
    for t in (torch, tg):
        a = np.ones(3)
        made = eval(make, {"t": t, "a": a})
        a[0] = 5.0
        seen.append(made.tolist())
    assert seen[0] == seen[1]


@pytest.mark.parametrize("expression", ["t.arange(0, 1000, 0.7)", "t.linspace(-1, 2, 1001)", "t.arange(-3, 77, 0.013)"])
def test_long_ranges_agree_to_the_rounding_of_one_step(expression):
    # torch's vector loop rounds each eighth base and adds the step; here every element is rounded once
    wanted, got = outcome(torch, expression), outcome(tg, expression)
    np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=3e-7, atol=2e-7)
