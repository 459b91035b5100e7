"""explain(), profile(), the cache on disk, errors and random numbers with the JAX backend."""

import io

import pytest

jax = pytest.importorskip("jax")

import tracegrad as tg  # noqa: E402
from tracegrad import config  # noqa: E402
from tracegrad.compiler import disk_cache  # noqa: E402


def line_of(mark):
    """The number of the line of this file that ends with the comment `mark`."""
    with open(__file__, encoding="utf-8") as file:
        return next(i for i, text in enumerate(file, 1) if text.rstrip().endswith(f"# {mark}"))


def energy(x, w):
    return (tg.softmax(x @ w, 1) * tg.tanh(x @ w)).sum()


def values():
    return tg.arange(12.0).reshape(3, 4) / 10, tg.eye(4)


def test_the_time_that_xla_takes_is_a_stage():
    fast = tg.compile(energy, backend="jax")
    fast(*values())
    found = fast.explain(*values())
    assert found.times["compile"] > 0 and found.backend == "jax" and "compiled by XLA" in str(found)


def test_a_profile_runs_each_operator_alone():
    out = io.StringIO()
    found = tg.compile(energy, backend="jax").profile(*values(), file=out)
    assert {"softmax", "tanh", "sum"} <= {row.operation for row in found.rows}
    assert all(row.location is not None and row.location[0] == __file__ for row in found.rows)
    assert not found.exact and "each operator alone" in out.getvalue()


def test_programs_are_kept_by_their_options(tmp_path, monkeypatch):
    monkeypatch.setattr(config.settings, "cache_dir", str(tmp_path))
    monkeypatch.setattr(disk_cache, "SMALLEST", 1)
    expected, kept = energy(*values()).item(), []
    for options in ({}, {}, {"fusion": False}, {"fusion": False}):
        fast = tg.compile(energy, backend="jax", **options)
        assert fast(*values()).item() == pytest.approx(expected)
        kept.append(fast.explain().programs[0].cached)
    assert kept == [False, True, False, True]


def test_a_position_outside_of_its_axis_names_the_line():
    def function(x, i):
        y = x * 2
        return y[i] + 1  # reads

    fast = tg.compile(function, backend="jax")
    fast(tg.ones(3), tg.tensor([0, 1]))
    with pytest.raises(IndexError, match=f"test_oracle_explain_jax.py:{line_of('reads')}"):
        fast(tg.ones(3), tg.tensor([0, 7]))


def decisions(x):
    u = tg.rand(3)
    if u.sum() > 1.5:
        return u + tg.rand(3)
    return u * tg.randn(3)


def exceptions(x):
    if tg.rand(()) > 0.5:
        raise KeyError("early")
    return tg.rand(3)


def failing(x):
    return x[tg.randint(0, 4, (2,))] + tg.rand(2)


@pytest.mark.parametrize("function", [decisions, exceptions, failing])
def test_compiled_code_draws_what_eager_code_draws(function):
    def drawn(run):
        tg.manual_seed(5)
        found = []
        for _ in range(10):
            try:
                found.append(run(tg.ones(3)))
            except (KeyError, IndexError) as error:
                found.append(type(error).__name__)
        return [*found, tg.rand(2)]

    expected, made = drawn(function), drawn(tg.compile(function, backend="jax"))
    for m, e in zip(made, expected, strict=True):
        assert m == e if isinstance(e, str) else tg.allclose(m, e, atol=1e-6)
