"""A handful of compiled programs serves all sizes, and none is used where it is not known to be right."""

import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.compiler import unproved
from tracegrad.compiler.compile import SIGNATURES, Compiled
from tracegrad.compiler.formulas import Columns
from tracegrad.compiler.generalise import Family
from tracegrad.compiler.program import Backward, Program
from tracegrad.compiler.recent import Recent
from tracegrad.compiler.sizes import form_and_numbers


def rows(n, width=3, grad=False):
    tg.manual_seed(n)
    return tg.rand(n, width, dtype=tg.float64, requires_grad=grad)


def scaled(x):
    return (x.tanh().sum(0) / x.shape[0], tg.arange(x.shape[0]), x.reshape(-1).mean())


@pytest.mark.parametrize("sizes", [range(2, 60), [7, 3, 90, 2, 5], [64, 17, 33, 9, 1000]])
def test_all_sizes_are_served_by_at_most_three_programs(sizes):
    fast = tg.compile(scaled)
    for n in sizes:
        for made, expected in zip(fast(rows(n)), scaled(rows(n)), strict=True):
            assert made.dtype == expected.dtype
            np.testing.assert_allclose(made.numpy(), expected.numpy(), rtol=1e-14)
    assert fast.compilations <= 3


def test_derivatives_for_all_sizes_are_served_by_a_few_programs(monkeypatch):
    made = []
    compiled = Backward._compile
    monkeypatch.setattr(Backward, "_compile", lambda self: (made.append(self), compiled(self))[1])
    fast = tg.compile(lambda x: x.exp().mean() / x.shape[0])
    for n in range(2, 40):
        x = rows(n, grad=True)
        fast(x).backward()
        np.testing.assert_allclose(x.grad.numpy(), np.exp(x.detach().numpy()) / (3 * n * n), rtol=1e-13)
    assert 1 <= len(made) <= 3


def test_a_size_that_was_met_is_not_recorded_again(monkeypatch):
    recorded = []
    record = Compiled._recorded
    monkeypatch.setattr(
        Compiled, "_recorded", lambda self, call, *rest: (recorded.append(call), record(self, call, *rest))[1]
    )
    fast = tg.compile(lambda x: x * len(x))
    for n in [2, 3, 4, 5, 6, 7] * 3:
        assert fast(rows(n)).tolist() == (rows(n) * n).tolist()
    assert len(recorded) == 6


def test_sizes_of_one_and_none_are_compiled_by_themselves():
    fast = tg.compile(lambda x, y: (x + y).sum(0))
    for n in (2, 3, 4):
        fast(rows(n), rows(n))
    before = fast.compilations
    assert fast(rows(1), rows(5)).shape == (3,)
    assert fast(rows(0), rows(0)).tolist() == [0.0, 0.0, 0.0]
    assert fast.compilations == before + 2


def test_dynamic_false_compiles_every_size():
    fast = tg.compile(lambda x: x.sum() / len(x), dynamic=False)
    for n in (2, 3, 5, 6):
        fast(rows(n))
    assert fast.compilations == 4


@pytest.mark.parametrize("options", [{"dynamic": True}, {"dynamic": None}, {}])
def test_a_marked_axis_is_served_like_others(options):
    fast = tg.compile(lambda x: x.sum() / len(x), **options)
    for n in (3, 5, 6, 7, 8):
        x = rows(n)
        assert tg.mark_dynamic(x, 0) is None
        assert fast(x).item() == pytest.approx(x.sum().item() / n)
    assert fast.compilations == 1


@pytest.mark.parametrize(
    ("x", "dim", "error"), [(rows(2), 2, IndexError), (rows(2), [0, 5], IndexError), (3, 0, TypeError)]
)
def test_marking_what_is_no_axis_is_an_error(x, dim, error):
    with pytest.raises(error, match="mark_dynamic"):
        tg.mark_dynamic(x, dim)


def test_sizes_that_were_equal_may_become_different():
    fast = tg.compile(lambda x, y: x.sum() / x.shape[0] + y.sum() / y.shape[0])
    for n, m in [(3, 3), (5, 5), (6, 6), (3, 7), (9, 5), (7, 3), (11, 13)]:
        x, y = rows(n), rows(m)
        assert fast(x, y).item() == pytest.approx((x.sum() / n + y.sum() / m).item(), rel=1e-13)
    assert fast.compilations <= 4


def test_decisions_by_sizes_are_python_s():
    fast = tg.compile(lambda x: x.sum() if x.shape[0] > 5 else x.max() * x.shape[0])
    for n in range(2, 12):
        x = rows(n)
        assert fast(x).item() == pytest.approx((x.sum() if n > 5 else x.max() * n).item(), rel=1e-13)


def test_a_text_that_gives_other_results_is_not_used(monkeypatch):
    fast = tg.compile(lambda x: x.sum() / x.shape[0])
    fast(rows(3)), fast(rows(5))
    agrees = unproved.agrees
    monkeypatch.setattr(unproved, "agrees", lambda made, graph, arrays: False)
    assert fast(rows(7)).item() == pytest.approx(rows(7).sum().item() / 7)
    assert fast.compilations == 3
    monkeypatch.setattr(unproved, "agrees", agrees)
    assert fast(rows(9)).item() == pytest.approx(rows(9).sum().item() / 9)
    assert fast.compilations == 3


def test_a_backward_that_gives_other_results_is_not_used(monkeypatch):
    fast = tg.compile(lambda x: (x * x).sum() / x.shape[0])
    for n in (3, 5):
        fast(rows(n, grad=True)).backward()
    x = rows(7, grad=True)
    y = fast(x)
    made = []
    compiled = Backward._compile
    monkeypatch.setattr(Backward, "_compile", lambda self: (made.append(self), compiled(self))[1])
    monkeypatch.setattr(unproved, "agrees", lambda made, graph, arrays: False)
    y.backward()
    assert len(made) == 1
    np.testing.assert_allclose(x.grad.numpy(), 2 * x.detach().numpy() / 7, rtol=1e-13)


def test_an_error_of_the_operators_is_raised_at_a_new_size_and_closes_nothing():
    fast = tg.compile(lambda x: tg.linalg.inv(x).sum() * x.shape[0])
    for n in (3, 5, 6):
        fast(tg.eye(n, dtype=tg.float64))
    before = fast.compilations
    for n in (7, 8, 9, 10):
        with pytest.raises(RuntimeError):
            fast(tg.zeros(n, n, dtype=tg.float64))
    assert fast(tg.eye(12, dtype=tg.float64)).item() == 144.0
    assert fast.compilations == before


def test_the_source_names_sizes():
    fast = tg.compile(lambda x: x.reshape(-1) * 2)
    for n in (3, 5, 7):
        fast(rows(n))
    first, *rest = fast.source.splitlines()
    assert first == "# n0 = 21, n1 = 7"
    assert any("f64[n1,3]" in line for line in rest)
    assert fast.graph.outputs[0].shape == (21,)


def test_integers_and_constants_are_numbers_too():
    fast = tg.compile(lambda x, k: x.roll(k, 0) * (k + 0.5))
    for k in range(2, 9):
        x = rows(4)
        np.testing.assert_allclose(fast(x, k).numpy(), np.roll(x.numpy(), k, 0) * (k + 0.5), rtol=1e-14)
    assert fast.compilations == 2


def test_exponents_are_never_numbers_of_a_text():
    fast = tg.compile(lambda x, k: x**k)
    for k in (2, 3, 4, 5, 7):
        np.testing.assert_allclose(fast(rows(3), k).numpy(), rows(3).numpy() ** k, rtol=1e-14)
    assert fast.compilations == 5


def test_programs_are_dropped_after_many_sizes():
    fast = tg.compile(lambda x: x * 2)
    before = {id(o) for o in gc.get_objects() if isinstance(o, Program)}
    for n in range(2, SIGNATURES + 60):
        fast(rows(n))
    assert len(fast._trees) == SIGNATURES
    gc.collect()
    assert sum(isinstance(o, Program) and id(o) not in before for o in gc.get_objects()) <= SIGNATURES + 5
    assert fast(rows(2)).tolist() == (rows(2) * 2).tolist()


def test_random_numbers_are_those_of_eager_code_at_every_size():
    fast = tg.compile(lambda x: tg.nn.functional.dropout(x, 0.5) + tg.rand(x.shape[0], 1, dtype=tg.float64))
    for n in range(2, 9):
        x = rows(n)
        tg.manual_seed(n)
        made = fast(x)
        tg.manual_seed(n)
        assert made.tolist() == fast.function(x).tolist()
    assert fast.compilations <= 3


# --- the parts


def test_graphs_of_one_form_differ_in_numbers_only():
    def read(n):
        return form_and_numbers(tg.capture(lambda x: (x.reshape(-1) * (1 / n)).sum() + n, rows(n)))

    assert read(3)[0] == read(5)[0]
    assert read(3)[1] != read(5)[1]
    assert read(1)[0] != read(3)[0]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ((4, 6), 40),
        ((3, 4), 21),
        ((1, 2), 19),
        ((6, 9), 60),
        ((4, 9), 400),
        ((10, 15), 100),
        ((0.5, 1 / 3), 0.05),
        ((3.0, 4.5), 30.0),
    ],
)
def test_formulas_follow_a_size(wanted, expected):
    columns = Columns([(2, 7), (3, 7)])
    found = columns.formulas(wanted)
    assert {round(f((20, 7)), 12) for f in found} == {expected}


def test_constants_that_were_merged_follow_a_size_up_to_rounding():
    columns = Columns([(11, 1 / 13), (17, 1 / 19)])
    found = columns.formulas((1 / 13 / 11 / 11 * 3, 1 / 19 / 17 / 17 * 3))
    assert found
    assert all(f((5, 1 / 7)) == pytest.approx(3 / 7 / 25, rel=1e-14) for f in found)
    fast = tg.compile(lambda x: (x * (1.0 / (x.shape[0] + 2)) / x.shape[0]).sum() / x.shape[0], dynamic=True)
    for n in (30, 7, 3, 10, 64):
        x = rows(n)
        assert fast(x).item() == pytest.approx(fast.function(x).item(), rel=1e-13)
    assert fast.compilations == 1


def test_numbers_without_formula_have_none():
    assert Columns([(2,), (3,), (4,)]).formulas((5, 11, 2)) == []


def test_numbers_that_lose_what_samples_had_in_common_are_not_served():
    columns = Columns([(2, 2, 7), (3, 3, 7)])
    assert columns.fits((5, 5, 7))
    assert not columns.fits((5, 6, 7))
    assert not columns.fits((5, 5, 8))


def test_formulas_that_disagree_serve_nothing():
    family = Family()
    for n, m, made in [(2, 4, 8), (4, 16, 64)]:
        family.learn((n, m), [f"def compiled(a0):\n    return ({made},)\n"])
    assert family.bound((3, 5)) is None  # n * m, n * n * n and m * n
    family.learn((3, 5), ["def compiled(a0):\n    return (15,)\n"])
    bound = family.bound((7, 9))
    assert bound.executables[0].function(None) == (63,)


def test_the_least_recently_used_goes_first():
    recent = Recent(2)
    recent.use("a", list), recent.use("b", list), recent.use("a", list)
    recent.use("c", list)
    assert "a" in recent
    assert "b" not in recent
    assert len(recent) == 2


def test_results_that_are_nothing_but_rounding_are_taken_for_right():
    fast = tg.compile(lambda x: (x - x.mean(0)).mean())
    for n in (3, 5, 6, 7, 9, 10, 11):
        assert abs(fast(rows(n)).item()) < 1e-15
    assert fast.compilations == 2


def test_threads_with_other_sizes_do_not_meet():
    fast = tg.compile(lambda x: x.cumsum(0) / x.shape[0])
    wrong = []

    def work(first):
        for n in [*range(first, 40, 4)] * 2:
            x = rows(n)
            if not np.allclose(fast(x).numpy(), np.cumsum(x.numpy(), 0) / n, rtol=1e-13):
                wrong.append(n)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, (2, 3, 4, 5)))
    assert wrong == []
    assert fast.compilations <= 12


def test_how_much_a_mask_selects_is_a_number_too():
    fast = tg.compile(lambda x, mask: x[mask].sum() / len(x))
    for n in range(4, 14):
        x, mask = rows(n), tg.arange(n) % 3 > 0
        assert fast(x, mask).item() == pytest.approx((x[mask].sum() / n).item(), rel=1e-13)
    assert fast.compilations <= 6


def test_sizes_far_above_those_that_were_compiled_are_compiled():
    fast = tg.compile(lambda x: x.tanh().sum(0))
    for n in (3, 5, 200):
        fast(rows(n))
    assert fast.compilations == 2
    for n in (4000, 4001, 90_000, 7, 300):
        fast(rows(n))
    assert 3 <= fast.compilations <= 5


def test_numbers_of_item_are_as_exact_as_what_they_were_read_from():
    weight = tg.tensor([1.0, 2.0], requires_grad=True)
    optimizer = tg.optim.SGD([weight], lr=0.001)

    @tg.compile
    def step(x):
        optimizer.zero_grad()
        loss = ((x @ weight) ** 2).sum()
        loss.backward()
        optimizer.step()
        return loss.item()

    for rows in range(1, 40):
        step(tg.ones(rows, 2))
    assert step.compilations <= 4
