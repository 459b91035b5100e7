"""What Python code does besides computing is done at every call of a compiled function: printing, drawing numbers of its own, going on with iterators."""

from __future__ import annotations

import contextlib
import cProfile
import datetime
import io
import itertools
import logging
import os
import pathlib
import random
import secrets
import sys
import tempfile
import time
import uuid
import warnings
from collections import deque

import numpy as np
import pytest

import tracegrad as tg

X = tg.tensor([1.0, 2.0])
LOG = logging.getLogger("tests.effects")


def outcome(make, compiled, calls=4):
    """(results, what was printed, messages of the compiler) of some calls of a function made anew."""
    random.seed(3)
    np.random.seed(3)
    function, look = make()
    f = tg.compile(function) if compiled else function
    out = io.StringIO()
    with (
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        warnings.simplefilter("always")
        results = [repr(f(X)) for _ in range(calls)]
    texts = [str(w.message) for w in caught]
    return (
        results,
        out.getvalue(),
        [t for t in texts if not t.startswith("compile:")],
        look(),
        [t for t in texts if t.startswith("compile:")],
    )


def nothing():
    return None


def printing():
    def f(x):
        print("constant", end="!")
        return x * 2

    return f, nothing


def printing_shapes():
    def f(x):
        y = x.sin()
        print(y.shape, y.dtype, file=sys.stderr)
        return y

    return f, nothing


def printing_values():
    def f(x):
        y = x * 2
        print(f"{y.sum().item():.2f}", y)
        return y

    return f, nothing


def writing_to_a_stream():
    def f(x):
        sys.stdout.write("line\n")
        sys.stderr.write("error\n")
        return x * 2

    return f, nothing


def printing_in_a_helper_of_a_dict():
    tools = {"say": lambda x: print("said") or x}

    def f(x):
        return tools["say"](x * 2)

    return f, nothing


def printing_in_a_method():
    class Model(tg.nn.Module):
        def forward(self, x):
            self.tell()
            return x * 2

        def tell(self):
            print("forward")

    return Model(), nothing


def printing_after_backward():
    w = tg.ones(2, requires_grad=True)

    def f(x):
        w.grad = None
        (x * w).sum().backward()
        print("gradient is there")
        return w.grad * 1

    return f, nothing


def logging_a_message():
    class Handler(logging.Handler):
        def emit(self, record):
            print(record.getMessage())

    handler = Handler()
    LOG.handlers[:] = [handler]
    LOG.setLevel(logging.INFO)

    def f(x):
        LOG.info("shape %s", tuple(x.shape))
        return x * 2

    return f, nothing


def warning_each_time():
    def f(x):
        warnings.warn("mind the step", stacklevel=2)
        return x * 2

    return f, nothing


def writing_a_file():
    path = os.path.join(tempfile.mkdtemp(), "log")

    def f(x):
        with open(path, "a") as file:
            file.write("x")
        return x * 2

    return f, lambda: pathlib.Path(path).read_text()


def next_of_an_iterator():
    rates = iter([0.1, 0.2, 0.3, 0.4, 0.5])
    return lambda x: x * next(rates), nothing


def a_counter():
    count = itertools.count()
    return lambda x: x * next(count), nothing


def a_cycle_of_signs():
    signs = itertools.cycle([1, -1])
    return lambda x: x * next(signs), nothing


def pairs_of_a_zip():
    pairs = zip([1, 2, 3, 4, 5], [5, 4, 3, 2, 1], strict=True)

    def f(x):
        a, b = next(pairs)
        return x * a + b

    return f, nothing


def part_of_a_for_loop():
    steps = iter(range(100))

    def f(x):
        for i in steps:
            x = x + i
            if i % 3 == 2:
                break
        return x

    return f, nothing


def a_python_generator():
    def numbers():
        i = 0
        while True:
            i += 1
            yield i

    g = numbers()
    return lambda x: x * next(g), nothing


def random_uniform():
    return lambda x: x * random.uniform(0, 1), nothing


def random_choice():
    return lambda x: x * 2 if random.random() < 0.5 else x * 3, nothing


def random_object():
    rng = random.Random(4)
    return lambda x: x * rng.randint(1, 100), nothing


def numpy_random():
    return lambda x: x * float(np.random.rand()), nothing


def numpy_generator():
    rng = np.random.default_rng(0)
    return lambda x: x + tg.from_numpy(rng.normal(size=2).astype(np.float32)), nothing


def numpy_random_state():
    rng = np.random.RandomState(0)
    return lambda x: x * float(rng.uniform()), nothing


def appending_to_a_deque():
    kept = deque(maxlen=3)

    def f(x):
        kept.append(x.shape[0])
        return x * len(kept)

    return f, lambda: list(kept)


class Registry:
    seen: list[int] = []  # noqa: RUF012


def appending_to_a_class():
    Registry.seen = []

    def f(x):
        Registry.seen.append(1)
        return x * len(Registry.seen)

    return f, lambda: Registry.seen


def counting_in_a_class():
    class Counter:
        calls = 0

    def f(x):
        Counter.calls += 1
        return x * Counter.calls

    return f, lambda: Counter.calls


def setting_an_attribute_by_name():
    class State:
        pass

    state = State()

    def f(x):
        setattr(state, "n" + str(1), getattr(state, "n1", 0) + 1)
        return x * state.n1

    return f, lambda: state.n1


def counting_in_an_attribute_of_the_function():
    def f(x):
        f.calls = getattr(f, "calls", 0) + 1
        return x * f.calls

    return f, lambda: f.calls


CASES = [
    printing, printing_shapes, printing_values, writing_to_a_stream, printing_in_a_helper_of_a_dict, printing_in_a_method, printing_after_backward, logging_a_message,
    warning_each_time, writing_a_file, next_of_an_iterator, a_counter, a_cycle_of_signs, pairs_of_a_zip, part_of_a_for_loop, a_python_generator, random_uniform, random_choice,
    random_object, numpy_random, numpy_generator, numpy_random_state, appending_to_a_deque, appending_to_a_class, counting_in_a_class,
]  # fmt: skip


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_what_python_does_is_done_at_every_call_with_one_warning(make):
    *want, _ = outcome(make, compiled=False)
    *got, said = outcome(make, compiled=True)
    assert got == want
    assert len(said) == 1, said
    assert "it runs uncompiled" in said[0]


@pytest.mark.parametrize("make", [setting_an_attribute_by_name, counting_in_an_attribute_of_the_function])
def test_a_counter_that_a_function_keeps_is_a_part_of_the_program(make):
    *want, _ = outcome(make, compiled=False)
    *got, said = outcome(make, compiled=True)
    assert got == want
    assert not said


def clocks():
    return {
        "time": lambda x: x * time.time(),
        "perf_counter": lambda x: x * time.perf_counter_ns(),
        "datetime": lambda x: x * datetime.datetime.now().microsecond,  # noqa: DTZ005
        "urandom": lambda x: x * os.urandom(1)[0],
        "uuid": lambda x: x * (uuid.uuid4().int % 1000),
        "secrets": lambda x: x * secrets.randbelow(10),
        "fresh generator": lambda x: x * float(np.random.default_rng().uniform()),
        "files": lambda x: x * len(os.listdir("/")),
        "exists": lambda x: x * os.path.exists("/tmp"),
    }


@pytest.mark.parametrize("name", clocks())
def test_what_changes_by_itself_is_asked_at_every_call(name):
    fast = tg.compile(clocks()[name])
    with pytest.warns(RuntimeWarning, match=r"test_python_effects.py:\d+; it runs uncompiled"):
        fast(X)
    fast(X)
    assert fast.compilations == 0


def test_the_warning_names_the_line_that_prints():
    def f(x):
        y = x * 2
        print("here")
        return y

    line = f.__code__.co_firstlineno + 2
    with (
        pytest.warns(RuntimeWarning, match=rf"prints, .* at .*test_python_effects.py:{line};"),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        tg.compile(f)(X)


def test_the_environment_is_compared(monkeypatch):
    monkeypatch.setenv("TESTED_SCALE", "2")
    fast = tg.compile(lambda x: x * float(os.environ.get("TESTED_SCALE", "1")))
    assert fast(X).tolist() == [2.0, 4.0]
    assert fast(X).tolist() == [2.0, 4.0]
    assert fast.compilations == 1
    monkeypatch.setenv("TESTED_SCALE", "3")
    assert fast(X).tolist() == [3.0, 6.0]


def test_messages_that_are_not_logged_cost_nothing_until_they_are(capsys):
    LOG.handlers[:] = [logging.StreamHandler(sys.stdout)]
    LOG.setLevel(logging.WARNING)

    def f(x):
        LOG.debug("detail")
        return x * 2

    fast = tg.compile(f)
    fast(X)
    fast(X)
    assert fast.compilations == 1
    LOG.setLevel(logging.DEBUG)
    with pytest.warns(RuntimeWarning, match="uncompiled"):
        fast(X)
    fast(X)
    assert capsys.readouterr().out == "detail\n" * 2


def test_an_effect_on_a_later_course_is_seen_when_that_is_taken():
    def f(x):
        if x.sum() > 5:
            print("large")
        return x * 2

    fast, out = tg.compile(f), io.StringIO()
    fast(X)
    with pytest.warns(RuntimeWarning, match="prints"), contextlib.redirect_stdout(out):
        for _ in range(3):
            fast(X * 10)
    assert out.getvalue() == "large\n" * 3


def test_importing_a_module_is_no_effect():
    def f(x):
        import colorsys

        return x * colorsys.rgb_to_hsv(0.5, 0.5, 0.5)[2]

    sys.modules.pop("colorsys", None)
    fast = tg.compile(f)
    assert fast(X).tolist() == fast(X).tolist() == [0.5, 1.0]
    assert fast.compilations == 1


def test_random_numbers_drawn_before_an_effect_are_those_of_eager_code():
    def f(x):
        y = x + tg.rand(2)
        print("drawn")
        return y

    with contextlib.redirect_stdout(io.StringIO()):
        tg.manual_seed(5)
        want = [f(X).tolist() for _ in range(3)]
        tg.manual_seed(5)
        with pytest.warns(RuntimeWarning, match="prints"):
            fast = tg.compile(f)
            assert [fast(X).tolist() for _ in range(3)] == want


def test_a_profile_function_of_the_users_stays_in_place():
    seen = []
    sys.setprofile(lambda frame, event, arg: seen.append(event))
    try:
        fast = tg.compile(lambda x: x * 2)
        fast(X)
        assert sys.getprofile() is not None
    finally:
        sys.setprofile(None)
    assert seen
    fast(X)
    assert sys.getprofile() is None


@contextlib.contextmanager
def profiled_by_python():
    sys.setprofile(lambda frame, event, arg: None)
    try:
        yield
    finally:
        sys.setprofile(None)


@contextlib.contextmanager
def traced_by_a_debugger():
    sys.settrace(lambda frame, event, arg: None)
    try:
        yield
    finally:
        sys.settrace(None)


@pytest.mark.parametrize("watching", [cProfile.Profile, profiled_by_python, traced_by_a_debugger])
def test_effects_are_seen_under_profilers_and_debuggers(watching):
    def noisy(x):
        print("said")
        return x * 2

    loud, quiet = tg.compile(noisy), tg.compile(lambda x: x * 3)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.warns(RuntimeWarning, match="prints") as said, watching():
        for _ in range(3):
            loud(X)
            quiet(X)
    assert (out.getvalue(), len(said)) == ("said\n" * 3, 1)
    assert (loud.compilations, quiet.compilations) == (0, 1)


def test_a_profiler_written_in_c_goes_on_after_a_recording():
    fast = tg.compile(lambda x: x * 2)
    with cProfile.Profile() as profiler:
        fast(X)
        max(3, 4)
    assert any("max" in str(entry.code) for entry in profiler.getstats())


def test_a_profiler_that_cannot_rest_makes_the_function_run_uncompiled(monkeypatch):
    monkeypatch.setattr(sys, "getprofile", object)
    fast = tg.compile(lambda x: x * 2)
    with pytest.warns(RuntimeWarning, match="profiler"):
        assert fast(X).tolist() == (X * 2).tolist()


def test_the_text_of_a_whole_number_and_of_a_constant_is_read():
    def f(x):
        n = (x > 0).sum()
        return {f"{n.item()} of {n}": x * 2, str(tg.tensor([1.0, 2.0])): n}

    fast = tg.compile(f)
    for v in ([1.0, -1.0], [2.0, 3.0], [-1.0, 2.0], [-1.0, -1.0]):
        x = tg.tensor(v)
        assert list(fast(x)) == list(f(x))
    assert fast.compilations <= 3


def test_a_stream_that_the_function_makes_itself_is_left_to_eager_code():
    def f(x):
        out = io.StringIO()
        out.write("abc")
        return x * len(out.getvalue())

    fast = tg.compile(f)
    with pytest.warns(RuntimeWarning, match="uncompiled"):
        assert fast(X).tolist() == [3.0, 6.0]
