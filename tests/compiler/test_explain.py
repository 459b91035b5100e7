"""explain(), profile(), TRACEGRAD_LOG, and errors inside compiled code."""

import io

import numpy as np
import pytest

import tracegrad as tg
from tracegrad import config
from tracegrad.compiler.history import Cause, short
from tracegrad.errors import TraceError

HERE = __file__


def line_of(mark):
    """The number of the line of this file that ends with the comment `mark`."""
    with open(HERE, encoding="utf-8") as file:
        return next(i for i, text in enumerate(file, 1) if text.rstrip().endswith(f"# {mark}"))


def branching(x, w):
    y = tg.tanh(x @ w)
    if y.sum() > 0:  # the decision
        return (y * 2).sum()
    return y.exp().sum()


def arguments(sign=1.0, rows=3):
    return tg.ones(rows, 4), tg.full((4, 2), sign * 0.1)


@pytest.fixture
def logged(monkeypatch):
    """What is written to stderr with these words in settings.log."""

    def run(words, action):
        stream = io.StringIO()
        monkeypatch.setattr(config.settings, "log", words)
        monkeypatch.setattr("sys.stderr", stream)
        action()
        return stream.getvalue()

    return run


# --- explain


def test_an_explanation_names_inputs_paths_guards_and_passes():
    fast = tg.compile(branching)
    fast(*arguments(1.0))
    fast(*arguments(-1.0))
    found = fast.explain(*arguments(-1.0))
    assert found.function == "branching" and found.backend == "numpy"
    assert found.arguments == {"x": "f32[3,4]", "w": "f32[4,2]"}
    assert (found.paths, found.pieces) == (2, 3)
    (guard,) = found.guards
    assert guard.kind == "bool" and guard.location == (HERE, line_of("the decision"))
    assert guard.values == (True, False) and guard.value is False
    assert all(p.passes and p.operators >= 1 for p in found.programs)
    assert found.operators == sum(p.operators for p in found.programs)
    assert found.times["record"] > 0 and found.times["passes"] > 0 and found.times["emit"] > 0


def test_the_text_of_an_explanation_has_the_decision_and_the_types():
    fast = tg.compile(branching)
    text = str(fast.explain(*arguments()))
    assert "x: f32[3,4]" in text and f"{HERE}:{line_of('the decision')}" in text and "first call" in text


def test_explaining_a_call_that_was_not_recorded_has_no_effect_on_tensors():
    w = tg.ones(3)

    def step(x):
        w.add_(x)
        return w.sum() + tg.rand(())

    fast = tg.compile(step)
    state = tg.get_rng_state()
    found = fast.explain(tg.ones(3))
    assert found.paths == 1 and w.tolist() == [1.0, 1.0, 1.0] and tg.equal(tg.get_rng_state(), state)
    fast(tg.ones(3))
    assert w.tolist() == [2.0, 2.0, 2.0] and found.recordings == 1


def test_explaining_the_first_step_of_an_optimizer_carries_it_out_once():
    def losses(explained):
        tg.manual_seed(0)
        model = tg.nn.Linear(3, 1)
        optimizer = tg.optim.Adam(model.parameters(), lr=0.1)

        def step(x):
            optimizer.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        fast = tg.compile(step)
        x = tg.ones(4, 3)
        if explained:
            assert fast.explain(x).paths == 1
        return [fast(x).item() for _ in range(4)]

    plain = losses(False)
    assert losses(True)[:3] == pytest.approx(plain[1:])


def test_bytes_saved_for_the_backward_are_shown_with_and_without_the_partition():
    def deep(x):
        return x.sin().exp().tanh().cos().sum()

    found = tg.compile(deep).explain(tg.ones(100, requires_grad=True))
    assert 0 <= found.saved_bytes < found.naive_bytes
    assert tg.compile(deep).explain(tg.ones(100)).naive_bytes == 0


def test_bytes_of_constants_are_counted():
    fast = tg.compile(lambda x: x + tg.arange(10, dtype=tg.float64))
    assert fast.explain(tg.ones(10, dtype=tg.float64)).constant_bytes == 80


def test_an_uncompiled_signature_says_why():
    fast = tg.compile(lambda x: print(end="") or x)
    with pytest.warns(RuntimeWarning, match="uncompiled"):
        fast(tg.ones(2))
    found = fast.explain(tg.ones(2))
    assert "prints" in found.refused and "runs uncompiled" in str(found)


def test_explain_without_arguments_is_about_the_last_call():
    fast = tg.compile(branching)
    fast(*arguments())
    assert fast.explain().paths == 1
    with pytest.raises(TypeError):
        tg.compile(branching).explain()


# --- why it recorded again


def retrace(fast, *calls):
    for args, kwargs in calls:
        fast(*args, **kwargs)
    return fast.explain().retrace


ONE = tg.ones(3)


@pytest.mark.parametrize(
    ("first", "second", "place", "old", "new"),
    [
        (((ONE, 1), {}), ((tg.ones(3, 2), 1), {}), "x.shape", (3,), (3, 2)),
        (((ONE, 1), {}), ((ONE.double(), 1), {}), "x.dtype", "float32", "float64"),
        (((ONE, 1), {}), ((ONE, 2), {}), "n", 1, 2),
        (((ONE, 1), {}), ((ONE,), {"n": 2}), "n", 1, 2),
        (((ONE,), {}), ((ONE,), {"n": 2}), "n", "<absent>", 2),
        (((ONE, "a"), {}), ((ONE, "b"), {}), "n", "a", "b"),
        (((ONE, [1, 2]), {}), ((ONE, [1, 3]), {}), "n[1]", 2, 3),
        (((ONE, {"k": 1}), {}), ((ONE, {"k": 5}), {}), "n['k']", 1, 5),
    ],
)
def test_a_changed_signature_is_named(first, second, place, old, new):
    fast = tg.compile(lambda x, n=0: x * 2, dynamic=False)
    found = retrace(fast, first, second)
    assert (found.kind, found.place, found.old, found.new) == ("signature", place, old, new)


def test_the_nearest_signature_is_the_one_that_is_compared():
    fast = tg.compile(lambda x, n=0: x * 2, dynamic=False)
    found = retrace(fast, ((ONE, 1), {}), ((tg.ones(5), 2), {}), ((ONE, 2), {}))
    assert (found.place, found.old, found.new) in {("n", 1, 2), ("x.shape", (5,), (3,))}


def test_a_value_that_decides_otherwise_is_named_with_its_line():
    fast = tg.compile(branching)
    found = retrace(fast, (arguments(1.0), {}), (arguments(-1.0), {}))
    assert (found.kind, found.place, found.old, found.new) == ("guard", "bool", (True,), False)
    assert found.location == (HERE, line_of("the decision"))


SETTINGS = {"scale": 2, "more": [1, 2]}


class Model:
    """Holds what a function reads."""

    def __init__(self):
        self.parts, self.kind = [1, 2], "plain"


def test_a_changed_entry_of_a_dict_is_named_with_the_line_that_reads_it(monkeypatch):
    def scaled(x):
        return x * SETTINGS["scale"]  # reads the scale

    fast = tg.compile(scaled)
    fast(ONE)
    monkeypatch.setitem(SETTINGS, "scale", 3)
    found = retrace(fast, ((ONE,), {}))
    assert (found.kind, found.place, found.old, found.new) == ("surroundings", "SETTINGS['scale']", 2, 3)
    assert found.location == (HERE, line_of("reads the scale"))


def test_a_changed_attribute_is_named():
    model = Model()

    def used(x):
        return x * 2 if model.kind == "plain" else x

    fast = tg.compile(used)
    fast(ONE)
    model.kind = "other"
    found = retrace(fast, ((ONE,), {}))
    assert (found.place, found.old, found.new) == ("model.kind", "plain", "other")


def test_a_changed_entry_of_a_list_in_an_object_is_named():
    model = Model()
    fast = tg.compile(lambda x: x * model.parts[0])
    fast(ONE)
    model.parts[0] = 7
    found = retrace(fast, ((ONE,), {}))
    assert (found.place, found.old, found.new) == ("model.parts[0]", 1, 7)


def test_a_changed_cell_is_named():
    def make():
        count = 1

        def inner(x):
            return x * count

        def put(value):
            nonlocal count
            count = value

        return inner, put

    inner, put = make()
    fast = tg.compile(inner)
    fast(ONE)
    put(4)
    found = retrace(fast, ((ONE,), {}))
    assert (found.place, found.old, found.new) == ("count", 1, 4)


def test_an_entry_of_a_dict_with_tensors_as_keys_is_named_by_their_class():
    first, second = tg.ones(2), tg.zeros(2)
    table = {first: 1, second: 2}
    fast = tg.compile(lambda x: x * table[first] + table[second])
    fast(ONE)
    table[second] = 5
    found = retrace(fast, ((ONE,), {}))
    assert found.kind == "surroundings" and (found.place, found.old, found.new) == ("table[<Tensor>]", 2, 5)


def test_a_call_does_not_fail_for_the_sake_of_its_explanation(monkeypatch):
    def failing(*_):
        raise ZeroDivisionError("no")

    monkeypatch.setattr("tracegrad.compiler.history.cause_of", failing)
    assert tg.compile(lambda x: x * 2)(ONE).tolist() == [2.0, 2.0, 2.0]


def test_values_whose_repr_fails_are_shown_by_class():
    class Odd:
        def __repr__(self):
            raise ValueError("no")

    assert "Odd" in short(Odd()) and len(short("x" * 500)) == 100
    assert "Odd" in str(Cause("surroundings", "place", Odd(), 1))


# --- the log


def test_the_log_of_guards_says_why_and_where(logged):
    fast = tg.compile(branching)
    text = logged("guards", lambda: (fast(*arguments(1.0)), fast(*arguments(-1.0))))
    assert "first call" in text and "bool has been True, now it is False" in text
    assert f"{HERE}:{line_of('the decision')}" in text
    assert all(line.startswith("tracegrad guards: ") for line in text.splitlines())


def test_the_log_of_passes_has_a_line_for_the_program(logged):
    text = logged("passes", lambda: tg.compile(lambda x: x * 1 + 0)(ONE))
    assert "program: " in text and "operators by" in text and "guards" not in text


def test_the_log_of_sources_has_the_text(logged):
    fast = tg.compile(lambda x: x.sin())
    text = logged("passes, source", lambda: fast(ONE))
    assert "tracegrad source: def compiled(a0):" in text and "tracegrad passes: " in text


def test_nothing_is_logged_without_a_wish(logged):
    assert logged("", lambda: tg.compile(lambda x: x.sin())(ONE)) == ""


def test_an_unknown_word_of_the_log_is_warned_of_once(logged, monkeypatch):
    monkeypatch.setattr("tracegrad.compiler.log._refused", set())
    with pytest.warns(RuntimeWarning, match="'gards'"):
        logged("gards", lambda: tg.compile(lambda x: x.sin())(ONE))
    logged("gards", lambda: tg.compile(lambda x: x.cos())(ONE))


# --- profile


def test_a_profile_has_a_row_for_each_operator_with_the_users_line():
    def slow(x):
        y = x @ x  # the product
        return y.exp().sum()

    out = io.StringIO()
    found = tg.compile(slow).profile(tg.ones(60, 60), file=out)
    assert {"mm", "exp", "sum"} == {row.operation for row in found.rows}
    product = next(row for row in found.rows if row.operation == "mm")
    assert product.location == (HERE, line_of("the product")) and product.code.startswith("y = x @ x")
    assert sum(row.share for row in found.rows) == pytest.approx(1.0)
    assert [r.seconds for r in found.rows] == sorted((r.seconds for r in found.rows), reverse=True)
    assert out.getvalue().rstrip() == str(found) and "test_explain.py" in str(found)
    assert found.lines[0][1] >= found.lines[-1][1]


def test_a_profile_counts_the_runs_of_a_loop():
    def halved(x):
        while x.sum() > 1:
            x = x / 2
        return x

    found = tg.compile(halved).profile(tg.full((4,), 4.0), file=io.StringIO())
    assert max(row.runs for row in found.rows) >= 4


def test_a_profile_has_no_effects():
    w = tg.ones(3)

    def step(x):
        w.add_(tg.nn.functional.dropout(x))
        return w.sum()

    fast = tg.compile(step)
    state = tg.get_rng_state()
    fast.profile(tg.ones(3), rounds=3, file=io.StringIO())
    assert w.tolist() == [1.0, 1.0, 1.0] and tg.equal(tg.get_rng_state(), state)


def test_a_profile_of_an_uncompiled_signature_is_refused_with_the_reason():
    fast = tg.compile(lambda x: print(end="") or x)
    with pytest.warns(RuntimeWarning), pytest.raises(TraceError, match="prints"):
        fast.profile(tg.ones(2))


# --- errors


def singular(x):
    y = x * 1.0
    return tg.linalg.inv(y) + 1  # inverts


def outside_index(x):
    return (x * 2)[tg.tensor([0, 1])[x[0].long()]]  # indexes


def outside_gather(x):
    return tg.gather(x * 2, 0, x.long())  # gathers


def outside_loss(x):
    return tg.nn.functional.cross_entropy(tg.ones(2, 3), x.long())  # loses


def divided(x):
    return x.long() // (x.long() - 1)  # divides


@pytest.mark.parametrize(
    ("function", "good", "bad", "mark"),
    [
        (singular, tg.eye(2), tg.ones(2, 2), "inverts"),
        (outside_index, tg.tensor([0.0, 1.0]), tg.tensor([5.0, 1.0]), "indexes"),
        (outside_gather, tg.tensor([0.0, 1.0]), tg.tensor([7.0, 1.0]), "gathers"),
        (outside_loss, tg.tensor([0.0, 1.0]), tg.tensor([0.0, 9.0]), "loses"),
        (divided, tg.tensor([3.0, 5.0]), tg.tensor([3.0, 1.0]), "divides"),
    ],
)
@pytest.mark.parametrize("tracked", [False, True])
def test_an_error_of_a_kernel_has_eager_codes_class_and_names_the_line(function, good, bad, mark, tracked):
    with pytest.raises(Exception) as eager:
        function(bad)
    fast = tg.compile(function)
    for _ in range(2):  # the second call goes the quick way
        fast(good.clone().requires_grad_(tracked))
    with pytest.raises(type(eager.value)) as compiled:
        fast(bad.clone().requires_grad_(tracked))
    assert type(compiled.value) is type(eager.value)
    assert f"test_explain.py:{line_of(mark)}" in str(compiled.value)
    assert np.isfinite(fast(good).detach().numpy().astype(float)).all()  # it works on


def test_an_error_of_the_users_own_stays_what_it_is():
    class Refusing(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise KeyError("mine")

    x = tg.ones(2, requires_grad=True)
    with pytest.raises(KeyError, match="mine"):
        tg.compile(lambda x: Refusing.apply(x).sum())(x).backward()
