"""Switches of torch programs: what they remember, what they refuse, and dtypes that have a name only."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import tracegrad as tg


@pytest.mark.parametrize("make", [lambda d: tg.zeros(2, dtype=d), lambda d: tg.ones(2).to(d), lambda d: tg.tensor([1.0], dtype=d), lambda d: tg.promote_types(d, tg.float32),
                                  lambda d: tg.arange(3, dtype=d)])  # fmt: skip
@pytest.mark.parametrize("name", ["uint16", "uint32", "uint64"])
def test_a_dtype_that_has_a_name_only_holds_no_tensors(name, make):
    with pytest.raises(NotImplementedError, match=f"there are no tensors of torch.{name}"):
        make(getattr(tg, name))


def test_a_dtype_that_has_a_name_only_can_be_compared_and_copied():
    assert tg.uint16 != tg.uint32
    assert copy.deepcopy(tg.uint16) is tg.uint16
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


@pytest.mark.parametrize(
    "make", [lambda: tg.autocast("cuda"), lambda: tg.amp.GradScaler(), lambda: tg.cuda.amp.autocast()]
)
def test_mixed_precision_for_cuda_turns_itself_off_with_a_warning(make):
    with pytest.warns(UserWarning, match="CUDA is not available"):
        make()


def test_mixed_precision_on_the_cpu_is_refused_unless_it_is_disabled():
    with pytest.raises(NotImplementedError, match="enabled=False"):
        tg.autocast("cpu", dtype=tg.bfloat16)
    with tg.autocast("cpu", enabled=False):
        assert (tg.ones(1) * 2).dtype is tg.float32


@pytest.mark.parametrize("name", ["current_device", "get_device_name", "synchronize"])
def test_there_is_no_cuda_device(name):
    with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
        getattr(tg.cuda, name)()


def test_a_subclass_makes_its_data_in_new_and_has_arguments_of_its_own():
    class Tagged(tg.Tensor):
        def __new__(cls, data, tag):
            return tg.Tensor.__new__(cls, data)

        def __init__(self, data, tag):
            self.tag = tag

    x = Tagged([1.0, 2.0], tag="t")
    assert (x.tolist(), x.tag, type(x * 2)) == ([1.0, 2.0], "t", Tagged)


def test_the_text_of_a_subclass_is_its_own():
    class Quiet(tg.Tensor):
        def __repr__(self):
            return "quiet"

    assert str(tg.ones(2).as_subclass(Quiet)) == "quiet"


def test_python_repeats_a_sequence_by_an_integer_tensor():
    assert [0, 1] * tg.tensor(2) == [0, 1, 0, 1]
    assert tg.tensor([3]) * (0,) == (0, 0, 0)
    with pytest.raises(TypeError):
        [0] * tg.tensor([1, 2])


@pytest.mark.parametrize("function", [tg.xlogy, tg.special.xlog1py] if hasattr(tg, "special") else [tg.xlogy])
def test_nothing_times_a_logarithm_is_constant(function):
    y = tg.tensor([0.0, 2.0] if function is tg.xlogy else [-1.0, 1.0], requires_grad=True)
    function(tg.tensor([0.0, 3.0]), y).sum().backward()
    assert y.grad is not None
    assert y.grad.tolist() == [0.0, 1.5]
