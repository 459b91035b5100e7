"""no_grad, enable_grad, set_grad_enabled, inference_mode: per thread, restored whatever happens."""

import threading

import pytest

import tracegrad as tg


@pytest.fixture(autouse=True)
def mode_is_restored():
    yield
    assert tg.is_grad_enabled()
    from tracegrad import config

    assert config.GENERATED["MODE"] == 0


def test_no_grad_records_nothing_inside_its_block():
    x = tg.ones(2, requires_grad=True)
    with tg.no_grad():
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_enable_grad_records_inside_no_grad():
    x = tg.ones(2, requires_grad=True)
    with tg.no_grad(), tg.enable_grad():
        assert (x * 2).requires_grad


def test_an_exception_restores_the_mode():
    with pytest.raises(ZeroDivisionError), tg.no_grad():
        1 / 0  # noqa: B018
    assert tg.is_grad_enabled()


@pytest.mark.parametrize("decorator", [tg.no_grad, tg.no_grad(), tg.inference_mode, tg.inference_mode()])
def test_a_decorated_function_runs_in_the_mode(decorator):
    @decorator
    def f(x):
        """Doubles."""
        return x * 2, tg.is_grad_enabled()

    result, enabled = f(tg.ones(2, requires_grad=True))
    assert not result.requires_grad
    assert not enabled
    assert f.__name__ == "f"
    assert f.__doc__ == "Doubles."


def test_a_decorated_function_may_call_itself():
    @tg.no_grad()
    def f(n):
        return f(n - 1) if n else tg.is_grad_enabled()

    assert f(5) is False


def test_a_decorated_generator_is_in_the_mode_only_while_it_runs():
    @tg.no_grad()
    def steps():
        sent = yield tg.is_grad_enabled()
        try:
            yield sent, tg.is_grad_enabled()
        except KeyError:
            yield "caught", tg.is_grad_enabled()
        return "end"

    g = steps()
    assert next(g) is False
    assert tg.is_grad_enabled()
    assert g.send(3) == (3, False)
    assert g.throw(KeyError()) == ("caught", False)
    with pytest.raises(StopIteration) as end:
        next(g)
    assert end.value.value == "end"


def test_closing_a_decorated_generator_closes_the_body():
    closed = []

    @tg.no_grad()
    def steps():
        try:
            yield 1
        finally:
            closed.append(tg.is_grad_enabled())

    g = steps()
    next(g)
    g.close()
    assert closed == [False]


def test_set_grad_enabled_works_as_a_function():
    tg.set_grad_enabled(False)
    try:
        assert not tg.is_grad_enabled()
    finally:
        tg.set_grad_enabled(True)


def test_set_grad_enabled_works_as_a_block_and_as_a_decorator():
    with tg.set_grad_enabled(False):
        assert not tg.is_grad_enabled()

    @tg.set_grad_enabled(False)
    def f():
        return tg.is_grad_enabled()

    assert tg.is_grad_enabled()
    assert f() is False


def test_inference_mode_false_records():
    with tg.no_grad(), tg.inference_mode(False):
        assert tg.is_grad_enabled()
        assert not tg.is_inference_mode_enabled()


def test_inference_mode_is_visible():
    with tg.inference_mode():
        assert tg.is_inference_mode_enabled()
        assert not tg.is_grad_enabled()
    assert not tg.is_inference_mode_enabled()


def test_another_thread_keeps_recording():
    seen = []

    def work():
        x = tg.ones(2, requires_grad=True)
        seen.append(((x * 2).requires_grad, tg.is_grad_enabled()))

    with tg.no_grad():
        t = threading.Thread(target=work)
        t.start()
        t.join()
    assert seen == [(True, True)]


def test_decorating_a_class_warns():
    with pytest.warns(FutureWarning, match="class"):

        @tg.no_grad()
        class Model:
            def __init__(self):
                self.enabled = tg.is_grad_enabled()

    assert Model().enabled is False
