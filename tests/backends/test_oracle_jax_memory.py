"""Memory shared by JAX and NumPy: no copies, no races, no results that change each other, donated arguments, threads."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.backends.base import Target, backend

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")
memory = pytest.importorskip("tracegrad.backends.jax_memory")


def compiled(function, *examples, **options):
    """The executable of a function, without the front of compile()."""
    return backend("jax", **options)(tg.capture(function, *examples))


def donor(function, *examples, donate):
    """An executable that may use the memory of the arguments of these names."""
    target = Target("jax", {"donate": donate}, donate)
    return backend(target)(tg.capture(function, *examples))


def aligned(count, dtype=np.float32, offset=0):
    """An array of ones whose address is `offset` bytes after a multiple of 64."""
    raw = np.empty(count * np.dtype(dtype).itemsize + 128, np.uint8)
    start = -raw.ctypes.data % 64 + offset
    made = raw[start : start + count * np.dtype(dtype).itemsize].view(dtype)
    made[:] = 1
    return made


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "complex64", "bool", "float16"])
def test_a_result_is_memory_of_xla_and_can_be_written(dtype):
    x = tg.ones(5, dtype=getattr(tg, dtype))
    (out,) = compiled(lambda x: tg.cat([x, x]), x)(x.numpy())
    assert type(out.base) is memory.Resident
    assert out.flags.writeable and address(out) % 64 == 0
    out[:] = 0
    assert not out.any() and out.dtype == x.numpy().dtype


def test_bfloat16_comes_as_a_copy():
    x = tg.ones(5, dtype=tg.bfloat16)
    out = tg.compile(lambda x: x + x, backend="jax")(x)
    assert out.dtype is tg.bfloat16 and out.float().tolist() == [2.0] * 5
    out += 1
    assert out.float().tolist() == [3.0] * 5


def test_the_next_program_gets_the_array_of_jax():
    f = compiled(lambda x: x * 2, tg.ones(5))
    (out,) = f(np.ones(5, np.float32))
    assert memory.taken(out, f._device) is out.base.array
    assert memory.taken(out[:], f._device) is not out.base.array


def test_a_write_to_a_result_reaches_the_next_program():
    f = tg.compile(lambda x: x * 2, backend="jax")
    y = f(tg.ones(1000))
    f(y)
    y.add_(1)
    y[0] = 7
    y.numpy()[1] = 9
    np.testing.assert_array_equal(f(y).numpy(), np.concatenate([[14, 18], np.full(998, 6)]).astype(np.float32))


def test_views_of_results_are_read_as_they_are():
    f = tg.compile(lambda x: x * 2, backend="jax")
    y = f(tg.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(f(y.t()).numpy(), np.arange(6.0).reshape(2, 3).T * 4)
    np.testing.assert_array_equal(f(y[:, 1:]).numpy(), np.arange(6.0).reshape(2, 3)[:, 1:] * 4)
    np.testing.assert_array_equal(f(y.flip(0)).numpy(), np.arange(6.0).reshape(2, 3)[::-1] * 4)


@pytest.mark.parametrize("offset", [0, 4, 16])
def test_overwriting_an_argument_right_after_the_call_changes_no_result(offset):
    f = compiled(lambda x: x * 2 + 1, tg.ones(1 << 20))
    for _ in range(5):
        x = aligned(1 << 20, offset=offset)
        (out,) = f(x)
        x[:] = 100
        np.testing.assert_array_equal(out, np.full(1 << 20, 3.0, np.float32))


@pytest.mark.parametrize("offset", [0, 4])
def test_a_result_that_is_an_argument_has_memory_of_its_own(offset):
    f = compiled(lambda x: (x, x.reshape(-1), x + 0, x), tg.ones(64))
    x = aligned(64, offset=offset)
    for given in (x, f(x)[0]):
        results = f(given)
        for i, r in enumerate(results):
            r[:] = i + 10
        assert [r[0] for r in results] == [10, 11, 12, 13]
        assert given[0] == 1


def test_constants_and_equal_results_do_not_share_memory():
    table = tg.arange(100.0)
    f = tg.compile(lambda x: (tg.zeros(100), table * 1, tg.zeros(100), x + 1, x + 1), backend="jax")
    first = f(tg.ones(100))
    for r in first:
        r.fill_(-5)
    second = f(tg.ones(100))
    assert [r[3].item() for r in second] == [0, 3, 0, 2, 2]
    assert table[3].item() == 3


def test_memory_of_a_result_lives_as_long_as_its_views():
    f = compiled(lambda x: x * 2, tg.ones(1000))
    part = f(np.ones(1000, np.float32))[0][10:20]
    for _ in range(50):
        f(np.full(1000, 5, np.float32))
    gc.collect()
    np.testing.assert_array_equal(part, np.full(10, 2.0, np.float32))


def test_strided_reversed_and_spread_arrays_are_arguments():
    f = compiled(lambda x: x * 2, tg.ones(4, 3))
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    for x in (base[:, ::2], base[::-1, 3:], np.broadcast_to(base[0, :3], (4, 3)), np.asfortranarray(base[:, :3])):
        np.testing.assert_array_equal(f(x)[0], x * 2)


def test_numbers_and_other_dtypes_are_converted_to_those_of_the_program():
    f = compiled(lambda x, y: x * y, tg.ones(3), tg.tensor(2.0))
    np.testing.assert_array_equal(f(np.arange(3), 2.0)[0], np.array([0, 2, 4], np.float32))
    with pytest.raises(TypeError, match=r"f32\[3\], f32\[\]"):
        f(np.ones(4, np.float32), 2.0)
    with pytest.raises(TypeError, match="got 1"):
        f(np.ones(3, np.float32))


def test_a_donated_argument_gives_its_memory_to_the_result():
    f = donor(lambda w, x: w - x, tg.ones(1000), tg.ones(1000), donate=("w",))
    x = np.ones(1000, np.float32)
    (w,) = f(np.full(1000, 10, np.float32), x)
    for step in range(5):
        before = address(w)
        (w,) = f.donating(w, x)
        assert address(w) == before
        np.testing.assert_array_equal(w, np.full(1000, 8.0 - step, np.float32))


def test_the_old_array_of_a_donated_argument_stays_valid_memory():
    f = donor(lambda w, x: w - x, tg.ones(1000), tg.ones(1000), donate=("w",))
    x = np.ones(1000, np.float32)
    (w,) = f(x, x)
    (new,) = f.donating(w, x)
    del new
    gc.collect()
    for _ in range(20):
        f(x * 7, x)
    np.testing.assert_array_equal(w, np.full(1000, -1.0, np.float32))


def test_memory_of_numpys_is_never_given_away():
    f = donor(lambda w, x: w - x, tg.ones(1000), tg.ones(1000), donate=("w",))
    w = aligned(1000)
    (out,) = f.donating(w, np.ones(1000, np.float32))
    assert address(out) != address(w)
    np.testing.assert_array_equal(w, np.ones(1000))


def test_an_argument_whose_memory_another_one_shows_is_not_given_away():
    f = donor(lambda w, x: w - x, tg.ones(1000), tg.ones(1000), donate=("w",))
    (w,) = f(np.full(1000, 3, np.float32), np.ones(1000, np.float32))
    for other in (w, w[:], w[::-1]):
        (out,) = f.donating(w, other)
        assert not out.any()
        np.testing.assert_array_equal(w, np.full(1000, 2.0, np.float32))


def test_donated_arguments_may_be_exchanged_or_returned():
    f = donor(lambda a, b, x: (b, a + x, x), *[tg.ones(50)] * 3, donate=("a", "b"))
    a, b, _ = f(*(np.full(50, v, np.float32) for v in (1, 2, 10)))  # 2, 11
    for _ in range(3):
        expected = (b.copy(), a + 10)
        a, b, x = f.donating(a, b, np.full(50, 10, np.float32))
        np.testing.assert_array_equal((a, b, x), (*expected, np.full(50, 10.0)))
    assert len({address(v) for v in (a, b, x)}) == 3


def test_an_argument_is_kept_where_no_result_has_its_type():
    f = donor(lambda w, x: (w * x).sum(), tg.ones(10), tg.ones(10), donate=("w",))
    assert f.donating is f


def test_donate_of_compile_reuses_memory_between_steps():
    fast = tg.compile(lambda w, x: w - 0.5 * x, backend="jax", donate="w")
    x, w = tg.ones(1000), tg.full((1000,), 4.0)
    first = fast(w, x)
    w = first
    for step in range(4):
        before = w.data_ptr()
        w = fast(w, x)
        assert w.data_ptr() == before
        assert w[5].item() == 3.0 - 0.5 * step
    assert first[5].item() == w[5].item()


def test_donated_arguments_that_the_tape_saves_are_kept():
    fast = tg.compile(lambda w, x: w * w * x, backend="jax", donate=("w", "x"))
    w = fast(tg.full((100,), 2.0), tg.ones(100)).requires_grad_()
    x = tg.full((100,), 3.0)
    out = fast(w, x)
    assert w[0].item() == 4.0 and out[0].item() == 48.0
    out.sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), np.full(100, 24.0))


def test_a_thread_with_the_users_own_float32_jax_and_float64_programs_do_not_meet():
    before = jax.config.jax_enable_x64
    failures = []
    start = threading.Barrier(3)

    def user():
        start.wait()
        for i in range(60):
            got = jax.jit(lambda x, i=i: jnp.sin(x) * (1.5 + i))(np.ones(4))
            if got.dtype != jnp.float32 or jnp.asarray(1).dtype != jnp.int32 or jnp.ones(2).dtype != jnp.float32:
                failures.append((i, got.dtype))

    def ours(seed):
        start.wait()
        for i in range(12):
            x = tg.tensor(np.linspace(0, 1, 5 + i))
            got = tg.compile(lambda v, i=i: (v * (1.5 + i + seed)).exp(), backend="jax")(x)
            if got.dtype is not tg.float64 or not np.allclose(got.numpy(), np.exp(x.numpy() * (1.5 + i + seed)), 1e-13):
                failures.append((seed, i))

    threads = [threading.Thread(target=user), threading.Thread(target=ours, args=(0,)), threading.Thread(target=ours, args=(1,))]  # fmt: skip
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == []
    assert jax.config.jax_enable_x64 == before
    assert jnp.asarray(1.0).dtype == jnp.float32


def test_two_threads_may_make_the_first_call_of_one_program():
    f = compiled(lambda x: (x.sin() * 2).sum(), tg.ones(100))
    found, start = [], threading.Barrier(4)

    def call():
        start.wait()
        found.append(float(f(np.ones(100, np.float32))[0]))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(set(found)) == 1 and len(found) == 4
    assert len(f._programs) == 1


def test_strict_settings_of_the_users_jax_do_not_matter():
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        out = tg.compile(lambda x, y: (x.round() + y * 2).pow(2) / (y + 1).mean(), backend="jax")(tg.ones(2, 3), tg.ones(3))  # fmt: skip
    np.testing.assert_allclose(out.numpy(), np.full((2, 3), 4.5))
