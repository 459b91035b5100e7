"""Switches of torch programs: what they remember, what they refuse, and dtypes that have a name only."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import tracegrad as tg


@pytest.mark.parametrize("make", [lambda d: tg.zeros(2, dtype=d), lambda d: tg.ones(2).to(d), lambda d: tg.tensor([1.0], dtype=d), lambda d: tg.promote_types(d, tg.float32),
                                  lambda d: tg.arange(3, dtype=d)])  # fmt: skip
@pytest.mark.parametrize("name", ["bfloat16", "uint16", "uint64"])
def test_a_dtype_that_has_a_name_only_holds_no_tensors(name, make):
    with pytest.raises(NotImplementedError, match=f"there are no tensors of torch.{name}"):
        make(getattr(tg, name))


def test_the_method_for_bfloat16_is_refused():
    with pytest.raises(NotImplementedError, match="bfloat16"):
        tg.ones(2).bfloat16()


def test_a_dtype_that_has_a_name_only_can_be_compared_and_copied():
    assert tg.bfloat16 != tg.float16
    assert copy.deepcopy(tg.bfloat16) is tg.bfloat16
    assert tg.finfo(tg.bfloat16).max == pytest.approx(3.3895313892515355e38)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_the_default_device_is_the_cpu(device):
    with pytest.raises((AssertionError, NotImplementedError), match=r"CPU|CUDA"):
        tg.set_default_device(device)
    with pytest.raises((AssertionError, NotImplementedError), match=r"CPU|CUDA"), tg.device(device):
        pass


@pytest.mark.parametrize("count", [0, -1])
def test_a_number_of_threads_is_positive(count):
    with pytest.raises(RuntimeError, match="positive"):
        tg.set_num_threads(count)


def test_an_unknown_precision_of_products_warns_and_changes_nothing():
    with pytest.warns(UserWarning, match="is not one of"):
        tg.set_float32_matmul_precision("best")
    assert tg.get_float32_matmul_precision() == "highest"


def test_a_fork_of_the_generator_leaves_it_as_it_was():
    tg.manual_seed(0)
    with tg.random.fork_rng():
        first = tg.rand(3)
    assert tg.equal(first, tg.rand(3))


@pytest.mark.parametrize("made", [lambda x: x.conj(), lambda x: x.mH])
def test_numpy_refuses_a_conjugate_unless_it_is_forced(made):
    x = made(tg.tensor([[1 + 2j]]))
    with pytest.raises(RuntimeError, match="conjugate bit"):
        x.numpy()
    assert x.numpy(force=True)[0, 0] == x.resolve_conj().numpy()[0, 0] == np.complex64(1 - 2j)


def test_a_whole_module_is_not_saved(tmp_path):
    with pytest.raises(TypeError, match="state_dict"):
        tg.save(tg.nn.Linear(1, 1), tmp_path / "model.pt")
