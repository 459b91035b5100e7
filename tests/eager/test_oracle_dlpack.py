"""Memory shared with PyTorch and JAX through DLPack, both ways, seen by writes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
jnp = pytest.importorskip("jax.numpy")

import tracegrad as tg  # noqa: E402

VALUES = {
    "float32": np.arange(3, dtype=np.float32),
    "int64": np.arange(6).reshape(2, 3),
    "bool": np.array([True, False]),
    "complex64": np.array([1 + 2j], np.complex64),
    "float16": np.ones(2, np.float16),
    "0-d": np.array(2.5, np.float32),
    "empty": np.zeros((0, 3), np.float32),
    "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
}


@pytest.mark.parametrize("name", VALUES)
def test_torch_and_tracegrad_read_each_other(name):
    x = tg.from_numpy(VALUES[name].copy(order="K"))
    there = torch.from_dlpack(x)
    back = tg.from_dlpack(there)
    assert str(there) == str(x) == str(back) and (there.stride() == x.stride() or not x.numel())
    assert back.data_ptr() == x.data_ptr() == there.data_ptr() or not x.numel()


def test_writes_are_seen_in_torch_and_here():
    x = tg.arange(3.0)
    there = torch.from_dlpack(x)
    there[0] = 9
    x[1] = 8
    tg.from_dlpack(there)[2] = 7
    assert x.tolist() == there.tolist() == [9, 8, 7]


def test_spaced_and_expanded_tensors_go_to_torch():
    for x in (tg.arange(6)[::2], tg.zeros(1, 3).expand(2, 3)):
        there = torch.from_dlpack(x)
        assert there.tolist() == x.tolist() and there.stride() == x.stride()


def test_what_requires_grad_is_refused_in_both_directions():
    with pytest.raises(BufferError, match="require gradient"):
        torch.from_dlpack(tg.ones(2, requires_grad=True))
    with pytest.raises(BufferError, match="require gradient"):
        tg.from_dlpack(torch.ones(2, requires_grad=True))


@pytest.mark.parametrize("name", [n for n in VALUES if n != "int64"])
def test_jax_and_tracegrad_read_each_other(name):
    x = tg.from_numpy(VALUES[name].copy(order="K"))
    there = jnp.from_dlpack(x)
    assert np.array_equal(there, VALUES[name]) and there.dtype == VALUES[name].dtype
    assert tg.equal(tg.from_dlpack(there), x)


def test_the_memory_of_a_jax_array_is_not_written():
    there = jnp.arange(3.0)
    x = tg.from_dlpack(there)
    for write in (lambda: x.add_(1), lambda: x.__setitem__(0, 1.0), lambda: x.zero_(), lambda: x.copy_(tg.ones(3))):
        with pytest.raises(RuntimeError, match="read-only"):
            write()
    assert there.tolist() == [0, 1, 2] and (x * 2).tolist() == [0, 2, 4]


@pytest.mark.parametrize("make", [tg.tensor, tg.as_tensor, tg.asarray])
def test_jax_and_torch_arrays_are_data(make):
    assert make(jnp.arange(3.0)).tolist() == make(torch.arange(3.0)).tolist() == [0, 1, 2]
    assert make([jnp.float32(1.5), 2]).tolist() == [1.5, 2]


def test_a_torch_tensor_that_requires_grad_is_no_data():
    with pytest.raises(RuntimeError, match="Can't call numpy"):
        tg.tensor(torch.ones(2, requires_grad=True))
