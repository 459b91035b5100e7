"""Options of the JAX backend: devices, donated arguments, fusion, errors that name the user's line."""

from __future__ import annotations

import time

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.backends.base import Target, backend
from tracegrad.ops.arithmetic import Square

jax = pytest.importorskip("jax")
jax_backend = pytest.importorskip("tracegrad.backends.jax_backend")
jax_direct = pytest.importorskip("tracegrad.backends.jax_direct")


def double(x):
    return x * 2


@pytest.mark.parametrize("device", ["cpu", "cpu:0", tg.device("cpu"), jax.devices()[0]])
def test_a_device_that_is_there_runs_the_program(device):
    assert tg.compile(double, backend="jax", device=device)(tg.ones(2)).tolist() == [2.0, 2.0]


@pytest.mark.parametrize("device", ["cuda", "cuda:1", tg.device("cuda"), "gpu", "tpu:3", "mps", "cpu:99"])
def test_a_device_that_is_not_there_is_named_with_those_that_are(device):
    if "cpu" not in str(device) and jax.default_backend() != "cpu":
        pytest.skip("there is an accelerator")
    with pytest.raises(AssertionError, match=rf"no device '{device}'.*It has cpu:0"):
        tg.compile(double, backend="jax", device=device)


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"meshes": 3}, TypeError, "unexpected keyword argument 'meshes'"),
        ({"options": {"max_autotune": True}}, TypeError, "unexpected keyword argument 'max_autotune'"),
        ({"fusion": "no"}, TypeError, "fusion must be True, False or None"),
        ({"donate": "y"}, ValueError, r"'y' is not a parameter of the function \(x\)"),
        ({"donate": 1}, ValueError, "no argument 1"),
        ({"donate": [2.5]}, TypeError, "names and positions"),
        ({"mesh": 8}, TypeError, "mesh must be"),
        ({"mesh": {"data": 10_000}}, AssertionError, "needs 10000 devices"),
        ({"in_specs": "data"}, TypeError, "need a mesh"),
        ({"mesh": {"data": 1}, "device": "cpu"}, TypeError, "exclude each other"),
        ({"mesh": {"data": 1}, "in_specs": ("data", "data")}, ValueError, "2 entries for 1 parameters"),
        ({"mesh": {"data": 1}, "in_specs": 3}, TypeError, "PartitionSpec"),
        ({"device": "nowhere"}, RuntimeError, "device type"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_compiled(options, kind, text):
    with pytest.raises(kind, match=text):
        tg.compile(double, backend="jax", **options)


def test_options_in_a_dict_are_those_of_keywords():
    assert tg.compile(double, backend="jax", options={"fusion": False, "device": "cpu"})(tg.ones(2)).tolist() == [2, 2]


def test_the_numpy_backend_has_none_of_them():
    with pytest.raises(TypeError, match="'mesh': backend 'numpy' has no options"):
        tg.compile(double, mesh={"data": 1})


def test_a_decorator_with_options_keeps_them():
    @tg.compile(backend="jax", donate=("w",))
    def step(w, x):
        return w - x

    w, x = step(tg.full((100,), 5.0), tg.ones(100)), tg.ones(100)
    place = w.data_ptr()
    assert step(w, x).data_ptr() == place


@pytest.mark.parametrize("fusion", [True, False, None])
def test_fusion_changes_the_speed_only(fusion):
    out = tg.compile(lambda x: (x.sin() * x).sum(), backend="jax", fusion=fusion)(tg.ones(5))
    np.testing.assert_allclose(out.item(), 5 * np.sin(1.0), rtol=1e-6)


def chain(count):
    def f(x):
        v = x
        for _ in range(count):
            v = v.sin() * v + x * 0.1
        return v.sum()

    return f


@pytest.mark.parametrize(
    ("function", "size", "fused"),
    [
        (chain(20), 10, True),
        (chain(300), 10, True),
        (tg.func.grad(chain(20)), 10, True),
        (tg.func.grad(chain(150)), 10, False),
        (tg.func.grad(chain(150)), 100_000, True),
        (tg.func.grad(chain(900)), 100_000, False),
    ],
)
def test_long_programs_that_read_values_twice_are_not_fused(function, size, fused):
    assert jax_backend.fuses(tg.capture(function, tg.zeros(size))) is fused


def test_the_body_of_a_loop_counts():
    long = tg.func.grad(chain(150))
    graph = tg.capture(lambda x: tg.scan(lambda c, _: (c + long(x), c), x, tg.zeros(3, 1))[0], tg.zeros(10))
    assert len(graph.nodes) < 20
    assert not jax_backend.fuses(graph)


def test_compile_time_of_a_long_gradient_grows_with_its_length():
    """With fusion the gradient of 500 steps takes 50 to 100 times as long as that of 100; the bound leaves room for a busy machine."""
    times = []
    for count in (100, 500):
        graph = tg.capture(tg.func.grad(chain(count)), tg.full((64,), 0.1))
        start = time.perf_counter()
        backend("jax", fusion=False if count == 100 else None)(graph)(np.full(64, 0.1, np.float32))
        times.append(time.perf_counter() - start)
    assert times[1] < 15 * times[0], times


def test_an_operator_that_jax_refuses_is_named_with_the_users_line(monkeypatch):
    graph = tg.capture(lambda x: x.sin().square(), tg.ones(3))
    monkeypatch.setattr(Square, "jax", "jnp.reshape({x}, 17)")
    with pytest.raises(RuntimeError, match=r"could not compile the program: jnp.reshape\(v0, 17\) \(f32\[3\]\) at test_oracle_jax_options.py:\d+ gave TypeError: cannot reshape") as caught:  # fmt: skip
        backend("jax")(graph)(np.ones(3, np.float32))
    assert type(caught.value) is tg.errors.BackendError
    assert caught.value.__cause__ is not None


def test_an_operator_that_jax_lacks_is_a_missing_implementation(monkeypatch):
    graph = tg.capture(lambda x: x.sin().square(), tg.ones(3))
    monkeypatch.setattr(Square, "jax", "jax.lax.linalg.eigh({x}, subset_by_index=(1, 2), bad=1)")
    with pytest.raises(RuntimeError, match=r"at test_oracle_jax_options.py:\d+"):
        backend("jax")(graph)(np.ones(3, np.float32))


def test_a_result_of_another_type_is_a_fault(monkeypatch):
    graph = tg.capture(lambda x: x.square(), tg.ones(3))
    monkeypatch.setattr(Square, "jax", "jnp.sum({x})")
    with pytest.raises(tg.errors.VerifyError, match=r"output 0 should be f32\[3\], XLA gives float32\[\]"):
        backend("jax")(graph)(np.ones(3, np.float32))


def test_an_operator_that_fails_while_it_runs_is_named_with_the_users_line():
    graph = tg.capture(lambda x: (x.expand(4, 3) * 2).exp(), tg.ones(3))
    large = tg.ir.graph.Graph.from_text(str(graph).replace("4,3", "1099511627776,3").replace("(4, 3)", "(1099511627776, 3)"))  # fmt: skip
    with pytest.raises(RuntimeError, match=r"could not run the program: .* at test_oracle_jax_options.py:\d+ gave .*Out of memory"):  # fmt: skip
        backend("jax")(large)(np.ones(3, np.float32))


def test_errors_of_kernels_on_the_host_keep_their_class(monkeypatch):
    def refuse(x):
        raise tg.errors.LinAlgError("square: it has no root")

    graph = tg.capture(lambda x: x.square(), tg.ones(3))
    monkeypatch.setattr(jax_backend.jax_kernels, "refuse", refuse, raising=False)
    monkeypatch.setattr(Square, "jax", "jax.pure_callback(K.refuse, {x}, {x})")
    with pytest.raises(tg.errors.LinAlgError, match="it has no root"):
        backend("jax")(graph)(np.ones(3, np.float32))


def test_a_position_outside_is_refused_and_a_donated_argument_kept():
    fast = tg.compile(lambda w, i: w - w[i].sum(), backend="jax", donate="w")
    w = fast(tg.arange(5.0), tg.tensor([0, 1]))
    with pytest.raises(IndexError, match="index 5 is out of bounds"):
        fast(w, tg.tensor([0, 5]))
    assert w.tolist() == [-1.0, 0.0, 1.0, 2.0, 3.0]


def test_operators_over_equal_types_are_functions_of_lax():
    text = jax_backend.jax_source(
        tg.capture(lambda x, y: ((x + y) * 2 > x, -x.exp(), x * y[0]), tg.ones(3), tg.ones(3))
    )
    assert "jax.lax.add(a0, a1)" in text and "jax.lax.full((3,), 2, np.float32)" in text
    assert "jax.lax.gt(" in text and "jax.lax.neg(" in text
    assert "jnp.multiply(a0, " in text  # broadcasts


def every_operator(x, y):
    """Elementwise operators that go to StableHLO in runs, with numbers on either side, masks, and values that are read elsewhere."""
    found = []
    for v in (x, y, x * y, x - y, x / y, 2.0 - x, 1.5 / y, x + 3, tg.maximum(x, y), tg.minimum(x, 0.5 * y)):
        w = v.sin() * v.cos() + (-v).tanh() - v.abs().sqrt() + (v * 0.1).exp()
        w = w + (v.abs() + 1).log() + v.abs().log1p() - (v * 0.1).expm1() + v.floor() - v.ceil() + v.square()
        w = w * (v.abs() + 2).reciprocal() + v.sigmoid() - v.relu() + (v * v + 1).rsqrt()
        masks = [v > w, v >= 0.5, v < y, v <= x, v == w, v != w]
        found += [w, *masks, tg.where(masks[0], w, v), tg.where(masks[1], 0.0, w), w.sum()]
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(7,), (), (2, 3), (0,)])
def test_runs_of_operators_have_the_values_of_eager_code(dtype, shape):
    count = int(np.prod(shape))
    x = tg.linspace(-3, 3, count, dtype=getattr(tg, dtype)).reshape(shape)
    y = tg.linspace(5, -1, count, dtype=getattr(tg, dtype)).reshape(shape)
    fast = tg.compile(every_operator, backend="jax")
    for got, want in zip(fast(x, y), every_operator(x, y), strict=True):
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-12 if dtype == "float64" else 2e-5, atol=1e-6)
        assert got.dtype is want.dtype and got.shape == want.shape
    _, runs = jax_direct.direct_text(fast.graph, {})
    assert sum(len(r.nodes) for r in runs) > 200


def test_values_that_are_no_numbers_pass_through_runs_as_through_operators():
    x = tg.tensor([float("nan"), float("inf"), -float("inf"), -0.0, 0.0])

    def f(x):
        v = x
        for i in range(30):
            v = tg.maximum(tg.where(v > i, v, v - i), v.relu() - float("inf"))
        return v, tg.minimum(x, v), x.relu(), 1.0 / x, (x * -0.0) + -0.0, x == x

    for got, want in zip(tg.compile(f, backend="jax")(x), f(x), strict=True):
        np.testing.assert_array_equal(got.numpy(), want.numpy())
        np.testing.assert_array_equal(np.signbit(got.numpy()) & (got.numpy() == 0), np.signbit(want.numpy()) & (want.numpy() == 0))  # fmt: skip


def test_a_program_whose_runs_jax_does_not_take_is_compiled_as_text(monkeypatch):
    def refuse(*values):
        raise TypeError("another JAX")

    monkeypatch.setattr(jax_backend, "caller", lambda runs: refuse)
    x = tg.linspace(-1, 1, 7)
    np.testing.assert_allclose(
        tg.compile(chain(50), backend="jax")(x).numpy(), chain(50)(x).numpy(), rtol=1e-5, atol=1e-6
    )


def test_the_text_of_a_program_with_runs_has_every_operator():
    fast = tg.compile(chain(50), backend="jax")
    fast(tg.ones(7))
    assert fast.source.count("jax.lax.sin(") == 50 and "RUN" not in fast.source


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, -2, float("inf"), float("-inf"), float("nan"), 1e-30])
def test_numbers_in_programs_keep_their_value(dtype, value):
    x = tg.tensor([1.0, -0.0, 2.5], dtype=getattr(tg, dtype))
    for f in (
        lambda x: x * value,
        lambda x: x + value,
        lambda x: tg.maximum(x, x.detach() * 0 + value),
        lambda x: x < value,
    ):
        np.testing.assert_array_equal(tg.compile(f, backend="jax")(x).numpy(), f(x).numpy())
    signs = tg.compile(lambda x: x * value, backend="jax")(tg.ones(1, dtype=x.dtype)).signbit()
    assert signs.item() == np.signbit(value) or np.isnan(value)


def test_a_target_is_its_name():
    target = Target("jax", {"fusion": True}, ("x",))
    assert target == "jax" and hash(target) == hash("jax")
    assert jax_backend.read_options({"donate": 0, "out_specs": None}, ("x",), backward=True).donate == frozenset()
