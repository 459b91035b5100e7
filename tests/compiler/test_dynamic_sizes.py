"""dynamic=True and marked axes: one program serves all sizes from the first call on, and nothing of the recordings at other sizes is seen."""

import copy
import cProfile
import io
import pickle
import warnings

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.compiler.program import Backward
from tracegrad.errors import ConstraintViolationError

SIZES = (5, 2, 64, 7, 3, 100, 4, 31)
F = tg.nn.functional


def rows(n, *rest, grad=False):
    tg.manual_seed(n)
    return tg.rand(n, *(rest or (3,)), dtype=tg.float64, requires_grad=grad)


def marked(x, *dims, **bounds):
    for dim in dims or (0,):
        tg.mark_dynamic(x, dim, **bounds)
    return x


def flat(result):
    return [np.asarray(r.detach() if isinstance(r, tg.Tensor) else r) for r in (result if isinstance(result, tuple) else (result,))]  # fmt: skip


def assert_serves(f, calls, count=1, **options):
    fast = tg.compile(f, **options)
    for args in calls:
        for got, want in zip(flat(fast(*args)), flat(f(*args)), strict=True):
            assert got.dtype == want.dtype
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)
    assert fast.compilations == count
    return fast


weight = rows(3, 4)

PROGRAMS = {
    "loss by size": lambda x: x.sum() / x.shape[0],
    "a number among the results": lambda x: (x * 2, x.shape[0], x.sum().item()),
    "arange(len(x))": lambda x: x * tg.arange(len(x), dtype=tg.float64)[:, None],
    "reshape(-1)": lambda x: (x.reshape(-1) * 2).reshape(-1, 3).mean(0),
    "a captured weight": lambda x: (x @ weight).softmax(1).log().mean(),
    "a float of the size": lambda x: x * (1.0 / (2 * x.shape[0])),
    "new tensors": lambda x: tg.zeros(x.shape[0], 2, dtype=tg.float64) + x[:, :2],
    "all but some": lambda x: x[: x.shape[0] - 1].sum(0) * x[1:].prod(),
    "a sort": lambda x: x.sort(0)[0].cumsum(0),
    "a norm": lambda x: (x - x.mean(0)) / (x.std(0, unbiased=False) + 1e-3),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("first", [5, 2, 64])
def test_one_program_serves_all_sizes(name, first):
    ones = name == "all but some" and 1  # of two rows one is left, which is no size like others
    assert_serves(PROGRAMS[name], [(rows(n),) for n in (first, *SIZES)], 1 + ones, dynamic=True)


@pytest.mark.parametrize("name", PROGRAMS)
def test_one_program_serves_all_sizes_of_a_marked_axis(name):
    assert_serves(PROGRAMS[name], [(marked(rows(n)),) for n in SIZES if n > 2])


def test_several_axes_are_free_at_once():
    sizes = [(n, m) for n, m in zip(SIZES, SIZES[3:] + SIZES[:3], strict=True) if n != m]
    assert_serves(lambda x: x.sum(0) / x.shape[1] + x.shape[0], [(rows(n, m),) for n, m in sizes], dynamic=True)
    assert_serves(lambda x: x.T @ x / x.shape[0], [(marked(rows(n, m), 0, 1),) for n, m in sizes])


def test_arguments_of_one_size_stay_of_one_size():
    assert_serves(lambda x, y: ((x - y) ** 2).mean() / len(y), [(rows(n), rows(n)) for n in SIZES], dynamic=True)
    assert_serves(lambda x, y: (x * y).sum(1), [(marked(rows(n)), marked(rows(n))) for n in SIZES])
    assert_serves(lambda x, y: (x * y).sum(1), [(marked(rows(n)), rows(n)) for n in SIZES])


def test_sizes_that_happen_to_be_equal_need_not_stay_so():
    assert_serves(lambda x: x @ weight, [(rows(n),) for n in (3, *SIZES)], dynamic=True)
    square = rows(4, 4)
    assert_serves(lambda x: x @ square, [(rows(n, 4),) for n in (4, 5, 9, 30)], dynamic=True)


@pytest.mark.parametrize("name", ["cholesky", "inv", "slogdet"])
def test_square_matrices_stay_regular(name):
    def positive(n):
        x = rows(n, n)
        return x @ x.T + tg.eye(n, dtype=tg.float64)

    def f(x):
        made = getattr(tg.linalg, name)(x)
        return made[1] if isinstance(made, tuple) else made

    assert_serves(f, [(positive(n),) for n in SIZES], dynamic=True)


def test_ints_are_free_with_dynamic_true():
    assert_serves(lambda x, k: x.roll(k, 0) * k, [(rows(6), k) for k in (2, *SIZES)], dynamic=True)
    assert_serves(lambda x, n: x[:n].sum() / n, [(rows(200), k) for k in (2, *SIZES)], dynamic=True)


def test_sizes_that_must_be_even_are_multiples():
    fast = assert_serves(lambda x: x.reshape(-1, 2).sum(0), [(rows(n),) for n in (4, 6, 2, 10, 100)], dynamic=True)
    with pytest.raises(RuntimeError):
        fast(rows(5))


def test_a_size_of_one_has_a_program_of_its_own():
    fast = assert_serves(lambda x, y: x + y, [(rows(5), rows(5)), (rows(7), rows(7))], dynamic=True)
    assert fast(rows(1), rows(4)).shape == (4, 3)
    assert fast(rows(1), rows(1)).shape == (1, 3)
    assert fast.compilations == 3
    assert fast(rows(9), rows(9)).shape == (9, 3)
    assert fast.compilations == 3


def test_a_first_call_of_one_row_is_like_any_other():
    assert_serves(lambda x: x.sum(0) / len(x), [(rows(n),) for n in (1, 5, 7, 1, 9, 64)], count=2, dynamic=True)


def test_each_course_by_a_size_has_one_program():
    def f(x):
        return x * 2 if x.shape[0] % 2 == 0 else x + 1

    assert_serves(f, [(rows(n),) for n in (2, 5, 4, 7, 64, 9, 10)], count=2, dynamic=True)
    assert_serves(lambda x: x * 2 if len(x) > 10 else -x, [(rows(n),) for n in (5, 12, 3, 90)], count=2, dynamic=True)


def test_values_that_decide_are_followed_at_every_size():
    def f(x):
        x = x * 2
        return x / x.shape[0] if x.mean() > 1 else -x.sum(0)

    calls = [(s * rows(n),) for n in SIZES for s in (0.1, 3.0)]
    assert_serves(f, calls, count=3, dynamic=True)


# --- gradients and training


@pytest.mark.parametrize("name", ["loss by size", "arange(len(x))", "reshape(-1)", "a captured weight", "a norm"])
def test_the_backward_is_one_program_too(name, monkeypatch):
    f, made = PROGRAMS[name], []
    compiled = Backward._compile
    monkeypatch.setattr(Backward, "_compile", lambda self: (made.append(1), compiled(self))[1])
    fast = tg.compile(f, dynamic=True)

    def derivatives(function, n):
        x = rows(n, grad=True)
        (g,) = tg.autograd.grad((function(x) ** 2).sum(), x, create_graph=True)
        return g, *tg.autograd.grad((g * g).sum(), x)

    for n in SIZES:
        for got, want in zip(derivatives(fast, n), derivatives(f, n), strict=True):
            np.testing.assert_allclose(got.detach(), want.detach(), rtol=1e-9, atol=1e-12)
    assert fast.compilations == 1
    assert len(made) <= 1


class Attention(tg.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.project, self.norm = tg.nn.Embedding(11, 8), tg.nn.Linear(8, 24), tg.nn.LayerNorm(8)
        self.out = tg.nn.Linear(8, 11)

    def forward(self, tokens):
        b, n = tokens.shape
        x = self.embed(tokens)
        q, k, v = self.project(x).view(b, n, 3, 2, 4).permute(2, 0, 3, 1, 4)
        scores = (q @ k.transpose(-2, -1)) / 2.0
        scores = scores.masked_fill(~tg.tril(tg.ones(n, n, dtype=tg.bool)), float("-inf"))
        return self.out(self.norm(x + (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, n, 8)))


def pictures(n):
    return tg.rand(n, 2, 6, 6), tg.randint(0, 3, (n,))


def points(n):
    return tg.rand(n, 4), tg.randint(0, 3, (n,))


def texts(n):
    tokens = tg.randint(0, 11, (2 + n % 5, 3 + n % 7))
    return tokens[:, :-1], tokens[:, 1:]


MODELS = {
    "perceptron": (lambda: tg.nn.Sequential(tg.nn.Linear(4, 8), tg.nn.ReLU(), tg.nn.Linear(8, 3)), points),
    "normalised": (lambda: tg.nn.Sequential(tg.nn.Linear(4, 8), tg.nn.BatchNorm1d(8), tg.nn.GELU(), tg.nn.Dropout(0.2), tg.nn.Linear(8, 3)), points),
    "convolution": (lambda: tg.nn.Sequential(tg.nn.Conv2d(2, 3, 3, padding=1), tg.nn.ReLU(), tg.nn.MaxPool2d(2), tg.nn.Flatten(), tg.nn.Linear(27, 3)), pictures),
    "attention": (Attention, texts),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("options", [{"dynamic": True}, {}])
def test_a_whole_training_step_is_one_program(name, options):
    make, data = MODELS[name]

    def train(compiled):
        tg.manual_seed(0)
        model = make()
        opt = tg.optim.Adam(model.parameters(), lr=1e-2)

        def step(x, y):
            opt.zero_grad()
            made = model(x)
            loss = F.cross_entropy(made.reshape(-1, made.shape[-1]), y.reshape(-1)) + made.square().sum() / x.shape[0]
            loss.backward()
            opt.step()
            return loss.item()

        step = tg.compile(step, **options) if compiled else step
        return [step(*data(n)) for n in SIZES], step

    want, _ = train(False)
    got, step = train(True)
    np.testing.assert_allclose(got, want, rtol=2e-4)
    assert step.compilations <= (1 if options else 3)


def test_random_numbers_are_those_of_eager_code():
    def f(x):
        return F.dropout(x, 0.5) + tg.rand(x.shape[0], 1, dtype=tg.float64)

    fast = tg.compile(f, dynamic=True)
    for n in SIZES:
        x = rows(n)
        tg.manual_seed(n)
        got = fast(x), tg.rand(2)
        tg.manual_seed(n)
        want = f(x), tg.rand(2)
        assert [t.tolist() for t in got] == [t.tolist() for t in want]
    assert fast.compilations == 1


# --- nothing of the other recordings is seen


def test_writes_and_gradients_happen_once():
    total, w = tg.zeros(3, dtype=tg.float64), tg.ones(3, dtype=tg.float64, requires_grad=True)

    @tg.compile(dynamic=True)
    def f(x):
        total.add_(x.sum(0))
        x.mul_(2)
        (x * w).sum().backward()

    want, grad = np.zeros(3), np.zeros(3)
    for n in SIZES:
        x = rows(n)
        want += x.numpy().sum(0)
        grad += 2 * x.numpy().sum(0)
        f(x)
        np.testing.assert_allclose(x, 2 * rows(n).numpy())
    np.testing.assert_allclose(total, want)
    np.testing.assert_allclose(w.grad, grad)
    assert f.compilations == 2  # with a .grad and without


def test_what_depends_on_a_size_in_python_objects_is_as_without_compile():
    class Positions(tg.nn.Module):
        def __init__(self):
            super().__init__()
            self.longest, self.table, self.seen = 0, None, {}

        def forward(self, x):
            if x.shape[0] > self.longest:
                self.longest = x.shape[0]
                self.table = tg.arange(self.longest, dtype=tg.float64)[:, None] + x.detach().sum()
                self.seen[self.longest] = True
            return x + self.table[: x.shape[0]]

    plain, module = Positions(), Positions()
    fast = tg.compile(module, dynamic=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for n in (5, 5, 4, 3, 9, 9, 6, 20, 5):
            np.testing.assert_allclose(fast(rows(n)), plain(rows(n)), rtol=1e-13)
            assert (module.longest, module.table.shape) == (plain.longest, plain.table.shape)
            assert module.seen == plain.seen
            np.testing.assert_allclose(module.table, plain.table)


def test_nothing_is_printed_and_no_warning_given_at_other_sizes(capsys):
    def f(x):
        if x.shape[0] != 5:
            print("another size")
            warnings.warn("another size", stacklevel=2)
            raise ValueError("no such size")
        return x * 2

    fast = tg.compile(f, dynamic=True)
    assert fast(rows(5)).tolist() == (rows(5) * 2).tolist()
    assert capsys.readouterr().out == ""


def test_a_search_that_would_not_end_at_other_sizes_is_left():
    def f(x):
        y = x
        while y.sum() < 15:  # for ever where there are no elements above 0
            y = y + (1.0 if len(x) == 5 else 0.0)
        return y

    fast = tg.compile(f, dynamic=True)
    assert fast(tg.ones(5)).tolist() == [3.0] * 5


def test_the_user_s_attributes_and_grads_of_arguments_come_along():
    def f(x):
        return x * x.scale + (0 if x.grad is None else x.grad)

    def argument(n):
        x = rows(n, grad=True)
        x.scale = 3
        x.grad = rows(n)
        return x

    assert_serves(f, [(argument(n),) for n in SIZES], dynamic=True)


def test_objects_among_the_arguments_hold_what_they_held():
    class Batch:
        def __init__(self, n):
            self.x, self.parts = rows(n), [rows(n), {"y": rows(n)}]

    fast = tg.compile(lambda b: (b.x + b.parts[0]) @ b.parts[1]["y"].T, dynamic=True)
    for n in SIZES:
        b = Batch(n)
        kept = b.x, b.parts
        np.testing.assert_allclose(fast(b), (b.x + b.parts[0]) @ b.parts[1]["y"].T)
        assert b.x is kept[0]
        assert b.parts is kept[1]
    assert fast.compilations == 1


def test_the_explanation_and_the_source_show_the_one_program():
    fast = tg.compile(lambda x: x.sum() / x.shape[0], dynamic=True)
    fast(rows(5))
    assert fast.source.startswith("# n0 = ")
    assert [p.shared for p in fast.explain(rows(9)).programs] == [True]
    assert fast.compilations == 1


def test_the_log_tells_of_the_recordings(capsys, monkeypatch):
    monkeypatch.setattr(tg.config.settings, "log", "guards")
    tg.compile(lambda x: x @ weight, dynamic=True)(rows(5))
    lines = [line for line in capsys.readouterr().err.splitlines() if "at other sizes" in line]
    assert any(line.endswith(": done") for line in lines)
    assert any("ShapeError" in line for line in lines)


def test_another_size_is_no_recompilation():
    fast = tg.compile(lambda x: x * 2, dynamic=True)
    fast(rows(5))
    with tg.compiler.set_stance("fail_on_recompile"):
        assert fast(rows(7)).shape == (7, 3)
        with pytest.raises(RuntimeError, match="fail_on_recompile"):
            fast(rows(7).float())


def test_it_is_so_under_a_profiler_too():
    fast = tg.compile(lambda x: x.sum() / x.shape[0], dynamic=True)
    with cProfile.Profile():
        for n in SIZES:
            fast(rows(n))
    assert fast.compilations == 1


# --- marks


@pytest.mark.parametrize(
    "f",
    [lambda x: tg.ones(5, dtype=tg.float64) @ x, lambda x: x * 2 if x.shape[0] == 5 else x, lambda x: x.reshape(5, 3)],
    ids=["a captured Tensor", "a comparison", "a constant shape"],
)
def test_a_marked_size_that_is_a_constant_is_an_error(f):
    with pytest.raises(ConstraintViolationError, match=r"you marked x.size\(\)\[0\] as dynamic .* a constant \(5\)"):
        tg.compile(f)(marked(rows(5)))
    with pytest.raises(RuntimeError):
        tg.compile(f)(marked(rows(5)))
    x = rows(5)
    tg._dynamo.maybe_mark_dynamic(x, 0)
    np.testing.assert_allclose(tg.compile(f)(x), f(x))


@pytest.mark.parametrize(
    "f", [lambda x: x * 2 if x.shape[0] > 3 else x, lambda x: x * 2 if x.shape[0] % 5 == 0 else x], ids=["more", "part"]
)
def test_a_condition_on_a_marked_size_is_none(f):
    np.testing.assert_allclose(tg.compile(f)(marked(rows(5))), f(rows(5)))


def test_a_size_outside_of_what_was_promised_is_an_error():
    fast = tg.compile(lambda x: x * 2)
    for n in (6, 7):
        fast(marked(rows(n), min=4, max=10))
    with pytest.raises(ConstraintViolationError, match=r"12 not in range \[4, 10\]"):
        fast(marked(rows(12), min=4, max=10))
    assert fast.compilations == 1


def test_marks_win_over_dynamic_false():
    assert_serves(lambda x: x * 2, [(marked(rows(n)),) for n in SIZES], dynamic=False)
    assert_serves(lambda x: x * 2, [(rows(n),) for n in (5, 6, 7)], count=3, dynamic=False)


def test_a_static_axis_has_a_program_for_each_size():
    def static(x):
        tg._dynamo.mark_static(x, 0)
        return x

    fast = assert_serves(lambda x: x * 2, [(static(rows(n)),) for n in (5, 6, 7, 8)], count=4)
    for m in (4, 9, 11, 12):
        fast(static(rows(5, m)))
    assert fast.compilations == 5
    whole = rows(4)
    tg._dynamo.mark_static(whole)
    assert assert_serves(lambda x: x * 2, [(whole,)])


@pytest.mark.parametrize("mark", ["mark_dynamic", "maybe_mark_dynamic", "mark_static"])
def test_marking_what_is_no_axis_is_an_error(mark):
    for x, dim, error in ((rows(2), 2, IndexError), (rows(2), [0, 5], IndexError), (3, 0, TypeError)):
        with pytest.raises(error, match=mark):
            getattr(tg._dynamo, mark)(x, dim)


def test_a_mark_changes_nothing_of_a_tensor():
    x = marked(rows(3), -1)
    assert (x * 2).tolist() == (rows(3) * 2).tolist()
    assert repr(x) == repr(rows(3))
    assert tg._dynamo.mark_dynamic is tg.mark_dynamic
    for copied in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert copied.tolist() == x.tolist()
    tg.save(x, file := io.BytesIO())
    assert tg.load(io.BytesIO(file.getvalue())).tolist() == x.tolist()


# --- without any option


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("sizes", [(64, 100, 7, 3), (2, 4, 8, 16, 9), (4, 7, 9, 31)], ids=str)
def test_the_second_size_is_made_for_all(name, sizes):
    ones = name == "all but some" and 2 in sizes
    assert_serves(PROGRAMS[name], [(rows(n),) for n in sizes], count=2 + ones)


def test_two_hundred_random_sizes_take_two_programs():
    fast = tg.compile(lambda x: (x @ weight).log_softmax(1).sum() / x.shape[0])
    sizes = np.random.default_rng(0).integers(2, 2000, 200)
    for n in map(int, sizes):
        x = rows(n)
        assert fast(x).item() == pytest.approx(fast.function(x).item(), rel=1e-11)
    assert fast.compilations <= 3
