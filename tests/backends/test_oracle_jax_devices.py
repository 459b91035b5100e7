"""Values on accelerators: they stay there between calls, and come to the host when something asks for them.  A device of the CPU stands for an accelerator."""

from __future__ import annotations

import copy
import io
import os
import pickle
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

import tracegrad as tg

jax = pytest.importorskip("jax")
devices = pytest.importorskip("tracegrad.backends.jax_devices")


class Transfers:
    """How often values went to the device and came back."""

    def __init__(self):
        self.into = self.back = 0

    def clear(self):
        self.into = self.back = 0


@pytest.fixture
def transfers(monkeypatch):
    """The CPU counts as an accelerator named cuda, and what is copied is counted."""
    found, placed, gathered = Transfers(), devices.placed, devices.gathered

    def counting_placed(*args):
        found.into += 1
        return placed(*args)

    def counting_gathered(*args):
        found.back += 1
        return gathered(*args)

    monkeypatch.setattr(devices, "HOSTS", frozenset())
    monkeypatch.setattr(devices, "NAMES", {"cpu": "cuda"})
    monkeypatch.setattr(devices, "placed", counting_placed)
    monkeypatch.setattr(devices, "gathered", counting_gathered)
    devices.place_of.cache_clear()
    yield found
    devices.place_of.cache_clear()


def double(x):
    return x * 2


def remote(*shape, value=1.0, **options):
    """A Tensor on the device."""
    return tg.compile(lambda x: x * value, backend="jax")(tg.ones(shape, **options))


def network(seed=0):
    tg.manual_seed(seed)
    return tg.nn.Sequential(tg.nn.Linear(4, 8), tg.nn.Tanh(), tg.nn.Linear(8, 1))


def trainer(model, optimizer):
    x = tg.linspace(-1, 1, 64).reshape(16, 4)
    y = (x[:, :1] * 3).sin()

    def step():
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


def test_a_hundred_chained_calls_fetch_nothing(transfers):
    fast = tg.compile(lambda w, x: (w * x).sin(), backend="jax")
    w, x, expected = tg.ones(4), tg.full((4,), 1.5), tg.ones(4)
    for _ in range(100):
        w, expected = fast(w, x), (expected * x).sin()
    assert (transfers.back, transfers.into) == (0, 101)  # x is NumPy's memory, which may change between calls
    np.testing.assert_allclose(w.numpy(), expected.numpy(), rtol=1e-5)
    assert transfers.back == 1


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_parameters_and_optimizer_state_stay_on_the_device_between_a_hundred_steps(transfers, name):
    model, other = network(), network()
    options = {"momentum": 0.9} if name == "SGD" else {}
    expected = trainer(other, getattr(tg.optim, name)(other.parameters(), lr=0.01, **options))
    fast = tg.compile(trainer(model, getattr(tg.optim, name)(model.parameters(), lr=0.01, **options)), backend="jax")
    losses = [tg.tensor(fast().item()) for _ in range(4)]
    transfers.clear()
    losses += [fast() for _ in range(100)]
    assert transfers.back == 0
    assert transfers.into == 200  # x and y
    assert all(p.device == tg.device("cuda:0") and p.grad.device == p.device for p in model.parameters())
    np.testing.assert_allclose([loss.item() for loss in losses], [expected().item() for _ in range(104)], rtol=1e-4)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-3, atol=1e-5)


def test_what_is_known_of_a_result_is_known_without_fetching_it(transfers):
    t = remote(2, 3, dtype=tg.float64)
    transfers.clear()
    assert t.shape == t.size() == (2, 3) and t.size(1) == 3 and t.dtype is tg.float64
    assert (t.ndim, t.dim(), t.numel(), t.nelement(), len(t), t.stride(), t.stride(0)) == (2, 2, 6, 6, 2, (3, 1), 3)
    assert t.is_leaf and not t.requires_grad and t.grad is None and t.grad_fn is None
    assert t.device == tg.device("cuda:0") and t.is_cuda and not t.is_cpu and t.get_device() == 0
    assert t.is_contiguous() and t.is_floating_point() and not t.is_complex() and t.element_size() == t.itemsize == 8
    assert t.nbytes == 48 and isinstance(t, tg.Tensor) and t.__class__ is tg.Tensor and tg.is_tensor(t)
    assert str(type(t)) == "<class 'torch.Tensor'>"
    t.requires_grad_()
    assert t.requires_grad and t.is_leaf
    assert transfers.back == 0
    with pytest.raises(TypeError, match="len"):
        len(t.sum())


@pytest.mark.parametrize(
    ("read", "found"),
    [
        (lambda t: t.item(), 2.0),
        (float, 2.0),
        (int, 2),
        (bool, True),
        (lambda t: t.tolist(), 2.0),
        (lambda t: f"{t:.1f}", "2.0"),
        (repr, "tensor(2., device='cuda:0')"),
        (lambda t: t.cpu().item(), 2.0),
        (lambda t: t.to("cpu").item(), 2.0),
    ],
)
def test_reading_the_values_leaves_them_on_the_device(transfers, read, found):
    t = remote(value=2.0)
    assert read(t) == found
    assert transfers.back == 1 and t.device.type == "cuda"


@pytest.mark.parametrize(
    "use",
    [
        lambda t: t + 1,
        lambda t: t.numpy(),
        lambda t: np.asarray(t),
        lambda t: t[0],
        lambda t: t.view(3, 2),
        lambda t: t.data_ptr(),
        lambda t: tg.cat([t, t]),
        lambda t: t.sum(),
        lambda t: list(t),
        lambda t: t == t,
        lambda t: t.T,
        lambda t: t.double(),
    ],
)
def test_eager_code_brings_the_values_to_the_host_once(transfers, use):
    t = remote(2, 3, value=2.0)
    use(t)
    use(t)
    assert transfers.back == 1
    assert type(t) is tg.Tensor and t.device == tg.device("cpu")
    assert t.tolist() == [[2.0] * 3] * 2


def test_eager_results_are_those_of_ordinary_tensors(transfers):
    t = remote(2, 3, value=2.0)
    assert repr(remote(3) + 1) == "tensor([2., 2., 2.])"
    assert (t @ tg.ones(3)).tolist() == [6.0, 6.0]
    a = remote(3).requires_grad_()
    (a * remote(3, value=4.0)).sum().backward()
    assert a.grad.tolist() == [4.0] * 3
    with tg.no_grad():
        assert (remote(2) * 2).tolist() == [2.0, 2.0]
    with tg.inference_mode():
        inside = remote(2) * 2
        assert inside.is_inference() and inside.tolist() == [2.0, 2.0]


def test_a_write_brings_the_values_to_the_host_and_reaches_the_next_call(transfers):
    fast = tg.compile(double, backend="jax")
    t = fast(tg.ones(3))
    t.add_(1)
    t[0] = 7.0
    assert fast(t).tolist() == [14.0, 6.0, 6.0]
    t = fast(tg.ones(3))
    t.numpy()[1] = 5.0
    assert fast(t).tolist() == [4.0, 10.0, 4.0]


def test_views_and_detached_tensors_share_the_memory(transfers):
    t = remote(2, 3)
    transfers.clear()
    apart = t.detach()
    assert transfers.back == 0 and apart.device.type == "cuda" and apart is not t
    part = t[1]
    part.fill_(5.0)
    assert t.tolist() == apart.tolist() == [[1.0] * 3, [5.0] * 3]
    apart.zero_()
    assert not t.any() and not part.any()
    assert transfers.back == 1


def test_a_compiled_write_reaches_other_names_of_the_memory(transfers):
    total = tg.zeros(3)
    fast = tg.compile(lambda x: total.add_(x), backend="jax")
    for _ in range(3):
        fast(tg.ones(3))
    assert total.device.type == "cuda"
    other = total.detach()
    fast(tg.ones(3))
    assert other.tolist() == [4.0] * 3
    view = total[:2]
    fast(tg.ones(3))
    assert view.tolist() == [5.0] * 2 and other.tolist() == total.tolist() == [5.0] * 3
    array = total.numpy()
    fast(tg.ones(3))
    assert array.tolist() == [6.0] * 3


def test_memory_that_the_caller_holds_is_written_in_place(transfers):
    array = np.zeros(3, np.float32)
    total = tg.from_numpy(array)
    fast = tg.compile(lambda x: total.add_(x), backend="jax")
    for i in range(3):
        fast(tg.ones(3))
        assert array.tolist() == [i + 1.0] * 3


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda t: pickle.loads(pickle.dumps(t)),
        lambda t: tg.from_dlpack(t),
        lambda t: t.clone(),
        lambda t: saved_and_loaded(t),
    ],
)
def test_copies_pickles_and_exchange_have_the_values(transfers, copied):
    t = remote(2, 3, value=3.0)
    assert copied(t).tolist() == [[3.0] * 3] * 2 == t.tolist()
    assert type(copied(t)) is tg.Tensor


def saved_and_loaded(t):
    file = io.BytesIO()
    tg.save({"t": t}, file)
    file.seek(0)
    return tg.load(file)["t"]


def test_a_trained_model_is_copied_and_loaded_like_any_other(transfers):
    model = network()
    fast = tg.compile(trainer(model, tg.optim.Adam(model.parameters())), backend="jax")
    for _ in range(4):
        fast()
    again, loaded = copy.deepcopy(model), network(1)
    state = model.state_dict()
    loaded.load_state_dict(state)
    for p, q, r in zip(model.parameters(), again.parameters(), loaded.parameters(), strict=True):
        assert isinstance(p, tg.nn.Parameter) and p.requires_grad and type(q) is tg.nn.Parameter
        np.testing.assert_array_equal(q.detach().numpy(), p.detach().numpy())
        np.testing.assert_array_equal(r.detach().numpy(), p.detach().numpy())
    fast()
    assert not tg.equal(next(iter(model.parameters())), next(iter(again.parameters())))


def test_devices_are_asked_for_as_in_torch(transfers):
    t = remote(2)
    transfers.clear()
    assert t.to("cuda") is t and t.to(tg.device("cuda:0")) is t and t.cuda() is t and t.cuda(0) is t
    assert transfers.back == 0
    here = t.cpu()
    assert type(here) is tg.Tensor and here.device.type == "cpu" and t.device.type == "cuda"
    here.zero_()
    assert t.tolist() == [1.0, 1.0]
    assert t.to(tg.float64).dtype is tg.float64
    with pytest.raises(AssertionError, match="CUDA"):
        remote(2).to("cuda:5")


def test_weak_references_and_attributes_survive_the_fetch(transfers):
    t = remote(2)
    reference, t.note = weakref.ref(t), "mine"
    assert (t + 1).tolist() == [2.0, 2.0]
    assert reference() is t and t.note == "mine"


def test_threads_that_ask_at_once_get_the_same_memory(transfers):
    for _ in range(20):
        t = remote(1000)
        start, found = threading.Barrier(4), []

        def ask(t=t, start=start, found=found):
            start.wait()
            found.append(t.data_ptr())

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4 and len(set(found)) == 1


def test_the_tape_has_the_values_of_the_call_and_saves_on_the_device(transfers):
    fast = tg.compile(lambda w, x: (w * x).sin().sum(), backend="jax")
    w, x = tg.full((3,), 0.5, requires_grad=True), tg.compile(double, backend="jax")(tg.ones(3))
    expected = 2 * np.cos(1.0)
    for _ in range(2):
        (found,) = tg.autograd.grad(fast(w, x), w)
        np.testing.assert_allclose(found.numpy(), np.full(3, expected), rtol=1e-6)
    (first,) = tg.autograd.grad(fast(w, x), w, create_graph=True)
    (second,) = tg.autograd.grad(first.sum(), w)
    np.testing.assert_allclose(second.numpy(), np.full(3, -4 * np.sin(1.0)), rtol=1e-6)
    seen = []
    out = fast(w, x)
    out.grad_fn.register_hook(lambda *grads: seen.append(grads))
    out.backward()
    assert seen
    np.testing.assert_allclose(w.grad.numpy(), np.full(3, expected), rtol=1e-6)


@pytest.mark.parametrize("write", ["compiled", "eager"])
def test_the_tape_refuses_a_value_that_was_written_since(transfers, write):
    w = remote(3, value=2.0)
    double_it = tg.compile(lambda: w.mul_(2), backend="jax")
    product = tg.compile(lambda w, x: (w * x * x).sum(), backend="jax")
    x = tg.ones(3, requires_grad=True)
    product(w, x).backward()
    for _ in range(3):
        double_it()
    assert w.device.type == "cuda"
    out = product(w, x)
    assert w.device.type == "cuda"
    double_it() if write == "compiled" else w.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()
    product(w, x).backward()
    assert x.grad.tolist() == [4.0 + 64.0] * 3


@pytest.mark.parametrize(
    "look", [lambda t: None, lambda t: t.detach(), lambda t: t.detach().numpy(), lambda t: t.clone(), lambda t: t.cpu()]
)
def test_a_buffer_that_the_call_itself_writes_is_saved_as_it_was(transfers, look):
    def trained(compile):
        mean, scale, found = tg.zeros(3), tg.ones(3, requires_grad=True), []

        def f(x):
            mean.mul_(0.5).add_(x, alpha=0.5)
            return ((x - mean) * scale).sum()

        f = compile(f)
        for i in range(5):
            out = f(tg.full((3,), float(i)))
            seen = look(mean)
            out.backward()
            found += [scale.grad.tolist(), mean.tolist()]
            del seen
        return found

    assert trained(lambda f: tg.compile(f, backend="jax")) == trained(lambda f: f)


def test_comparisons_with_captured_values_are_the_same_in_all_recordings(transfers):
    class Best:
        def __init__(self):
            self.value = tg.full((), -float("inf"))

        def update(self, x):
            if x.sum() > self.value:
                self.value.copy_(x.sum())
            return self.value * 1

    best, other = Best(), Best()
    fast = tg.compile(best.update, backend="jax")
    for i in (1.0, 3.0, 2.0, 5.0, 4.0, 6.0):
        assert fast(tg.full((2,), i)).item() == other.update(tg.full((2,), i)).item()


def test_looking_at_the_surroundings_fetches_nothing(transfers):
    model = network()
    train = tg.compile(trainer(model, tg.optim.SGD(model.parameters(), lr=0.01)), backend="jax")
    part = tg.compile(lambda x: model[0](x).sum(), backend="jax")  # can read the last layer as well
    x = tg.ones(1, 4)
    evaluate = tg.no_grad()(part)
    for _ in range(4):
        train_result, part_result = train(), evaluate(x)
    transfers.clear()
    for _ in range(40):
        train_result, part_result = train(), evaluate(x)
    assert transfers.back == 0
    assert train_result.device == part_result.device == tg.device("cuda:0")
    np.testing.assert_allclose(part_result.item(), model[0](x).sum().item(), rtol=1e-5)


def test_parameters_that_are_only_read_move_to_the_device_once(transfers):
    model, x = network(), tg.linspace(-1, 1, 8).reshape(2, 4)
    expected = model(x).detach()
    fast = tg.no_grad()(tg.compile(model, backend="jax"))
    for _ in range(3):
        out = fast(x)
    transfers.clear()
    for _ in range(20):
        out = fast(x)
    assert (transfers.into, transfers.back) == (20, 0)
    np.testing.assert_allclose(out.numpy(), expected.numpy(), rtol=1e-5)
    assert all(p.device.type == "cuda" and p.requires_grad for p in model.parameters())
    with tg.no_grad():
        for p in model.parameters():
            p.mul_(2)
    for _ in range(4):
        np.testing.assert_allclose(fast(x).numpy(), model(x).detach().numpy(), rtol=1e-5)
    model(x).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_parameters_whose_memory_others_show_or_write_stay_on_the_host(transfers):
    model, x = network(), tg.ones(2, 4)
    fast = tg.no_grad()(tg.compile(model, backend="jax"))
    held = [p.detach().numpy() for p in model.parameters()]
    for _ in range(5):
        fast(x)
    assert all(p.device.type == "cpu" for p in model.parameters())
    for array in held:
        array *= 0.5
    np.testing.assert_allclose(fast(x).numpy(), model(x).detach().numpy(), rtol=1e-5)
    del held, array
    for _ in range(3):
        with tg.no_grad():
            for p in model.parameters():
                p.add_(1)
        np.testing.assert_allclose(fast(x).numpy(), model(x).detach().numpy(), rtol=1e-5)
        assert all(p.device.type == "cpu" for p in model.parameters())


def test_a_state_that_every_call_replaces_stays_on_the_device(transfers):
    class Cell:
        def __init__(self):
            self.state = tg.zeros(3)

        def step(self, x):
            self.state = tg.tanh(self.state * 0.5 + x)
            return self.state.sum()

    cell, other = Cell(), Cell()
    fast = tg.compile(cell.step, backend="jax")
    x = tg.linspace(-1, 1, 3)
    for _ in range(4):
        fast(x), other.step(x)
    transfers.clear()
    for _ in range(40):
        fast(x), other.step(x)
    assert transfers.back == 0 and cell.state.device.type == "cuda"
    np.testing.assert_allclose(cell.state.numpy(), other.state.numpy(), rtol=1e-5)


def test_decisions_read_the_one_value_that_decides(transfers):
    def f(x):
        y = x * 2
        return y.sin() if y.sum() > 0 else y.cos()

    fast = tg.compile(f, backend="jax")
    x = remote(5)
    for t in (x, x.detach(), remote(5, value=-1.0)):
        np.testing.assert_allclose(fast(t).numpy(), f(t.cpu()).numpy(), rtol=1e-6)
    transfers.clear()
    fast(remote(5))
    assert transfers.back == 1


def test_a_result_goes_into_programs_of_other_backends(transfers):
    t = remote(3, value=2.0)
    assert tg.compile(double)(t).tolist() == [4.0] * 3
    assert tg.func.grad(lambda t: (t * t).sum())(remote(3)).tolist() == [2.0] * 3
    assert tg.func.vmap(double)(remote(3)).tolist() == [2.0] * 3


def test_recordings_read_captured_values_on_the_device(transfers):
    t = remote(3, value=2.0)
    fast = tg.compile(lambda x: x * t + len(t) + t.size(0), backend="jax")
    for _ in range(3):
        assert fast(tg.ones(3)).tolist() == [8.0] * 3


def test_donated_memory_goes_to_the_result(transfers):
    fast = tg.compile(lambda w, x: w - 0.5 * x, backend="jax", donate="w")
    x, w = tg.ones(1000), tg.full((1000,), 4.0)
    for step in range(4):
        old, w = w, fast(w, x)
        assert w[:1].tolist() == [3.5 - 0.5 * step] if step == 3 else w.device.type == "cuda"
        if 0 < step < 3:
            with pytest.raises(RuntimeError, match="donated"):
                old.tolist()


def test_memory_that_others_have_is_not_given_away(transfers):
    fast = tg.compile(lambda w, x: w - x, backend="jax", donate="w")
    own = jax.numpy.ones(1000)
    for x in (tg.ones(1000), own):
        assert fast(own, x).sum().item() == 0.0
        assert own.sum() == 1000
    w = fast(tg.full((1000,), 3.0), tg.ones(1000))
    assert not fast(w, w).any() and w[0].item() == 2.0
    w = fast(tg.full((1000,), 3.0), tg.ones(1000))
    y = tg.ones(1000, requires_grad=True)
    out = tg.compile(lambda w, y: (w * y).sum(), backend="jax")(w, y)
    fast(w, tg.ones(1000))
    out.backward()
    assert y.grad[0].item() == 2.0


def test_overwriting_an_argument_right_after_the_call_changes_no_result(transfers):
    fast = tg.compile(lambda x: (x * 2 + 1, x.clone()), backend="jax")
    for _ in range(5):
        x = tg.ones(1 << 18)
        out, same = fast(x)
        x.fill_(100.0)
        assert (out == 3).all() and (same == 1).all()
        out.zero_()
        assert (same == 1).all()


@pytest.mark.parametrize("dtype", ["float64", "int64", "bool", "complex64", "float16", "bfloat16", "int8"])
def test_every_dtype_stays_what_it_is(transfers, dtype):
    x = tg.ones(3, dtype=getattr(tg, dtype))
    fast = tg.compile(lambda x: tg.cat([x, x]), backend="jax")
    found = fast(fast(x))
    assert found.dtype is x.dtype and found.shape == (12,)
    assert tg.equal(found, tg.ones(12, dtype=x.dtype))
    assert not jax.config.jax_enable_x64


def test_results_of_inference_mode_are_inference_tensors_on_the_device(transfers):
    fast = tg.compile(double, backend="jax")
    fast(tg.ones(3))
    with tg.inference_mode():
        t = fast(tg.ones(3))
        again = fast(t)
    transfers.clear()
    assert t.is_inference() and again.device.type == "cuda" and transfers.back == 0
    assert again.tolist() == [4.0] * 3


def test_arrays_of_jax_are_arguments(transfers):
    fast = tg.compile(lambda x, y: x * 2 + y, backend="jax")
    x = jax.numpy.arange(3.0)
    for y in (tg.ones(3), x, np.ones(3, np.float32)):
        out = fast(x, y)
        np.testing.assert_allclose(out.numpy(), np.asarray(x) * 2 + np.asarray(y))
    transfers.clear()
    fast(x, x)
    assert (transfers.into, transfers.back) == (0, 0)
    assert x.tolist() == [0.0, 1.0, 2.0]


def test_a_position_outside_is_refused_on_the_device(transfers):
    fast = tg.compile(lambda w, i: w[i].sum(), backend="jax")
    w = remote(5)
    assert fast(w, tg.tensor([0, 4])).item() == 2.0
    with pytest.raises(IndexError, match="index 5 is out of bounds"):
        fast(w, tg.tensor([0, 5]))


def test_ordinary_tensors_and_the_cpu_are_as_before():
    t = tg.compile(double, backend="jax")(tg.ones(3))
    assert type(t) is tg.Tensor and type(t.numpy().base) is not type(None) and t.device == tg.device("cpu")
    assert repr(t) == "tensor([2., 2., 2.])"


SEVERAL = """
import jax, numpy as np, tracegrad as tg
from tracegrad.backends import jax_devices as devices
devices.HOSTS, devices.NAMES, counts = frozenset(), {"cpu": "cuda"}, [0, 0]
placed, gathered = devices.placed, devices.gathered
devices.placed = lambda *args: (counts.__setitem__(0, counts[0] + 1), placed(*args))[1]
devices.gathered = lambda *args: (counts.__setitem__(1, counts[1] + 1), gathered(*args))[1]
first, third = (tg.compile(lambda x: x * 2, backend="jax", device=f"cpu:{i}") for i in (1, 3))
x = first(tg.ones(5))
assert x.device == tg.device("cuda:1"), x.device
for _ in range(10):
    y = third(x)
    x = first(x.detach())
assert y.device == tg.device("cuda:3") and y.get_device() == 3
assert counts == [3, 1], counts  # a recording reads the values
spread = tg.compile(lambda x: x + 1, backend="jax", mesh={"d": 8}, in_specs="d", out_specs="d")
z = spread(spread(spread(tg.ones(16))))
assert counts == [4, 1], counts
assert first(z).tolist() == [8.0] * 16 and z.shape == (16,)
with jax.default_device(jax.devices()[2]):
    assert tg.compile(lambda x: x - 1, backend="jax")(z).device == tg.device("cuda:2")
assert y.tolist() == [2.0**11] * 5
"""


def test_values_go_from_device_to_device_and_between_meshes_without_the_host():
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", SEVERAL], env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
