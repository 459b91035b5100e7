"""Programs on several devices: the values are those of one device, whatever the specs; virtual devices and processes run in subprocesses."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.ir.types import Type

jax = pytest.importorskip("jax")
jax_options = pytest.importorskip("tracegrad.backends.jax_options")
P = jax.sharding.PartitionSpec
EXAMPLE = Path(__file__).parents[2] / "examples" / "data_parallel.py"
F32 = np.dtype(np.float32)

PROGRAM = """
import numpy as np, jax, tracegrad as tg
from jax.sharding import PartitionSpec as P
assert len(jax.devices()) == 8
"""


def run(script, *arguments, devices=8):
    """What a script prints with so many virtual devices."""
    flags = f"--xla_force_host_platform_device_count={devices}" if devices > 1 else ""
    command = [sys.executable, *(["-c", PROGRAM + script] if isinstance(script, str) else [str(script)]), *arguments]
    done = subprocess.run(command, env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}, capture_output=True, text=True, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def losses(text):
    """The losses that the example prints."""
    return [float(v) for v in re.search(r"losses: (.*)", text)[1].split()]


@pytest.fixture(scope="module")
def on_one_device():
    return losses(run(EXAMPLE, devices=1))


def test_training_on_one_device_makes_the_loss_smaller(on_one_device):
    assert on_one_device[-1] < 0.1 * on_one_device[0]


def test_training_on_eight_devices_has_the_same_losses(on_one_device):
    text = run(EXAMPLE)
    assert "devices: 8, processes: 1" in text
    np.testing.assert_allclose(losses(text), on_one_device, rtol=3e-6)


def test_training_in_two_processes_has_the_same_losses(on_one_device):
    text = run(EXAMPLE, "--processes", "2", devices=1)
    assert "devices: 2, processes: 2" in text
    np.testing.assert_allclose(losses(text), on_one_device, rtol=3e-6)


def test_arguments_are_cut_as_their_specs_say():
    print_shapes = """
from tracegrad.backends import jax_devices
given = jax_devices.placed
def placed(array, sharding):
    made = given(array, sharding)
    print(made.shape, {s.data.shape for s in made.addressable_shards})
    return made
jax_devices.placed = placed
f = lambda w, batch: (batch["x"] @ w).sum() + batch["y"].sum()
specs = (P(), {"x": P("data", "model"), "y": "data"})
fast = tg.compile(f, backend="jax", mesh={"data": 4, "model": 2}, in_specs=specs)
batch = {"x": tg.arange(32.0).reshape(8, 4), "y": tg.ones(8)}
out = fast(tg.ones(4, 3), batch)
assert out.item() == f(tg.ones(4, 3), batch).item()
"""
    assert sorted(run(print_shapes).splitlines()) == ["(4, 3) {(4, 3)}", "(8, 4) {(2, 2)}", "(8,) {(2,)}"]


def test_results_come_whole_writable_and_in_float64_whatever_out_specs_say():
    run("""
x = tg.arange(64.0, dtype=tg.float64).reshape(8, 8)
mesh = jax.make_mesh((8,), ("d",))
for in_specs, out_specs in (("d", "d"), (None, "d"), ("d", None), (P(None, "d"), (P(None, "d"), "d")), ((P("d"),), (None, P()))):
    a, b = tg.compile(lambda x: (x @ x.t(), x.cumsum(0)), backend="jax", mesh=mesh, in_specs=in_specs, out_specs=out_specs)(x)
    np.testing.assert_array_equal(a.numpy(), (x @ x.t()).numpy())
    np.testing.assert_array_equal(b.numpy(), x.cumsum(0).numpy())
    a.add_(1)
    assert a.dtype is tg.float64 and not jax.config.jax_enable_x64
""")


def test_gradients_of_a_program_on_a_mesh_are_those_of_one_device():
    run("""
def loss(w, x):
    return ((x @ w).tanh() ** 2).mean()
found = []
for options in ({}, {"mesh": {"d": 8}, "in_specs": (None, "d"), "out_specs": P()}):
    w = tg.linspace(-1, 1, 12).reshape(4, 3).requires_grad_()
    x = tg.linspace(0, 2, 64).reshape(16, 4)
    fast = tg.compile(loss, backend="jax", **options)
    for _ in range(2):
        value = fast(w, x)
        value.backward()
    (first,) = tg.autograd.grad(fast(w, x), w, create_graph=True)
    (second,) = tg.autograd.grad(first.sum(), w)
    found.append((value.item(), w.grad.numpy(), second.numpy()))
for one, many in zip(*found):
    np.testing.assert_allclose(many, one, rtol=1e-5, atol=1e-7)
""")


def test_overwriting_an_argument_after_the_call_changes_no_result_on_a_mesh():
    run("""
fast = tg.compile(lambda x: x * 2 + 1, backend="jax", mesh={"d": 8}, in_specs="d", out_specs="d")
for _ in range(5):
    x = tg.ones(1 << 20)
    out = fast(x)
    x.fill_(9)
    assert (out == 3).all()
""")


@pytest.mark.parametrize(
    ("in_specs", "kind", "text"),
    [
        ("data", RuntimeError, r"axis 0 of argument 'x' has 6 entries, which 4 devices cannot share evenly .*f32\[6\]"),
        ("rows", ValueError, "names the axis 'rows', the mesh has 'data'"),
        (P(None, "data"), ValueError, "more axes than the value"),
    ],
)
def test_specs_that_do_not_fit_a_value_are_refused(in_specs, kind, text):
    mesh = jax.sharding.AbstractMesh((4,), ("data",))
    options = jax_options.Options(mesh=mesh, in_specs=in_specs, parameters=("x",))
    with pytest.raises(kind, match=text):
        options.sharding(options.in_spec("x"), Type((6,), F32), "argument 'x'")


@pytest.mark.parametrize(
    ("in_specs", "name", "found"),
    [
        (None, "x", None),
        ("data", "y_3", P("data")),
        ((None, "data"), "x", None),
        ((None, "data"), "y", P("data")),
        ((None, "data"), "y_1", P("data")),
        ((None, ("data", P())), "y_1", P()),
        ((None, {"a": None, "b": "data"}), "y_1", P("data")),
        ({"y": "data"}, "x", None),
        ({"y": "data"}, "y_0", P("data")),
        (("data",), "y", None),
        (("data",), "value0", None),
    ],
)
def test_the_spec_of_a_leaf_is_that_of_its_argument(in_specs, name, found):
    assert jax_options.Options(in_specs=in_specs, parameters=("x", "y")).in_spec(name) == found


def test_there_is_one_spec_for_all_results_or_one_for_each():
    assert jax_options.Options(out_specs="data").out_spec(3, 5) == P("data")
    assert jax_options.Options(out_specs=(None, {"a": "data"})).out_spec(1, 2) == P("data")
    with pytest.raises(ValueError, match="2 entries for 3 results"):
        jax_options.Options(out_specs=("data", None)).out_spec(0, 3)


def test_a_mesh_of_one_device_changes_nothing():
    f = tg.compile(lambda x, y: (x * y).sum(), backend="jax", mesh={"data": 1}, in_specs=("data", None))
    assert f(tg.ones(3), tg.ones(3)).item() == 3.0


COUNTING = """
from tracegrad.backends import jax_devices
counts = {"in": 0, "out": 0}
placed, gathered = jax_devices.placed, jax_devices.gathered
def counted(name, function):
    def call(*args):
        counts[name] += 1
        return function(*args)
    return call
jax_devices.placed, jax_devices.gathered = counted("in", placed), counted("out", gathered)
def network(seed):
    tg.manual_seed(seed)
    return tg.nn.Sequential(tg.nn.Linear(4, 8), tg.nn.Tanh(), tg.nn.Linear(8, 1))
x = tg.linspace(-1, 1, 64).reshape(16, 4)
y = (x[:, :1] * 3).sin()
def trainer(model):
    optimizer = tg.optim.Adam(model.parameters(), lr=0.01)
    def step(x, y):
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss.detach()
    return step
"""


def test_parameters_that_a_step_updates_stay_on_the_mesh_between_calls():
    run(
        COUNTING
        + """
step, plain = trainer(network(0)), trainer(network(0))
expected = [plain(x, y).item() for _ in range(20)]
fast = tg.compile(step, backend="jax", mesh={"data": 8}, in_specs=("data", "data"))
losses = [fast(x, y) for _ in range(4)]
counts.update({"in": 0, "out": 0})
losses += [fast(x, y) for _ in range(16)]
assert counts == {"in": 32, "out": 0}, counts
np.testing.assert_allclose([loss.item() for loss in losses], expected, rtol=2e-5)
"""
    )


def test_results_that_become_arguments_are_not_placed_again():
    run(
        COUNTING
        + """
def step(w, x):
    return w - 0.1 * tg.func.grad(lambda w: ((x @ w) ** 2).mean())(w)
def last(**options):
    fast, w = tg.compile(step, backend="jax", **options), tg.linspace(-1, 1, 8).reshape(8, 1)
    for i in range(50):
        if i == 1:
            counts.update({"in": 0, "out": 0})
        w = fast(w, z)
    return w
z = tg.linspace(-1, 1, 128).reshape(16, 8)
for spec in (P(), "data"):
    w = last(mesh={"data": 8}, in_specs=(spec, P()), out_specs=spec)
    assert counts == {"in": 49, "out": 0}, counts
    np.testing.assert_allclose(w.numpy(), last().numpy(), rtol=1e-5, atol=1e-7)
"""
    )


def test_specs_for_results_leave_out_what_the_function_writes():
    run(
        COUNTING
        + """
total = tg.zeros(16, 4)
def add(x):
    total.add_(x)
    return x.sum(), x * 2
fast = tg.compile(add, backend="jax", mesh={"data": 8}, in_specs=("data",), out_specs=(P(), "data"))
for _ in range(3):
    s, double = fast(x)
np.testing.assert_allclose(total.numpy(), 3 * x.numpy(), rtol=1e-6)
np.testing.assert_array_equal(double.numpy(), 2 * x.numpy())
"""
    )
