"""What a compiled function raises is what the function raises, at the user's line, and nothing has changed then."""

from __future__ import annotations

import traceback

import pytest

import tracegrad as tg

X = tg.tensor([1.0, 2.0])


def model():
    """(function that fails for large sums after it has written everything, what it may write)."""
    total, w, box = tg.zeros(2), tg.ones(2, requires_grad=True), {"calls": 0.5}

    def f(x):
        total.add_(x)
        loss = (w * x).sum() * box["calls"]
        loss.backward()
        with tg.no_grad():
            w.sub_(w.grad)
        if x.sum() > 5:
            raise OverflowError(f"a sum of {int(x.sum())}")
        if x.sum() < -5:
            return x[7]
        return loss.detach()

    return f, lambda: (
        total.tolist(),
        w.tolist(),
        None if w.grad is None else w.grad.tolist(),
        dict(box),
        tg.get_rng_state().tolist(),
    )


@pytest.mark.parametrize("scale", [10.0, -10.0])
@pytest.mark.parametrize("before", [0, 1, 3])
def test_nothing_has_changed_after_an_exception(scale, before):
    function, state = model()
    fast = tg.compile(function)
    for _ in range(before):
        fast(X)
    kept = state()
    for _ in range(3):
        with pytest.raises(OverflowError if scale > 0 else IndexError):
            fast(X * scale)
        assert state() == kept
    function_too, state_too = model()
    for _ in range(before + 1):
        function_too(X)
    fast(X)
    assert state() == state_too()


def test_the_traceback_has_the_users_line():
    def f(x):
        y = x * 2
        if y.sum() > 1:
            raise ZeroDivisionError("mine")
        return y

    fast = tg.compile(f)
    fast(X * 0)
    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        fast(X)
    frames = [(frame.name, frame.lineno) for frame in traceback.extract_tb(caught.tb)]
    assert ("f", f.__code__.co_firstlineno + 3) in frames


class OwnError(Exception):
    """Of the user's."""


@pytest.mark.parametrize(
    "fails",
    [
        lambda x: [][3],
        lambda x: {}["key"],
        lambda x: x @ tg.ones(5),
        lambda x: x.reshape(7),
        lambda x: 1 / (x.sum().item() * 0),
        lambda x: int("text"),
        lambda x: x.missing,
        lambda x: next(iter(())),
        lambda x: x.sum().backward(),
        lambda x: (_ for _ in ()).throw(OwnError("own")),
        lambda x: tg.linalg.cholesky(-tg.eye(2) * x[0]),
    ],
)
def test_the_class_is_that_of_eager_code(fails):
    with pytest.raises(Exception) as want:  # noqa: B017, PT011
        fails(X)
    fast = tg.compile(fails)
    for _ in range(2):
        with pytest.raises(type(want.value)) as got:
            fast(X)
        assert type(got.value) is type(want.value)


def test_an_exception_that_the_function_catches_is_part_of_its_course():
    def f(x):
        try:
            if x.sum() > 1:
                raise OwnError
            return x
        except OwnError:
            return x / 2

    fast = tg.compile(f)
    for _ in range(2):
        assert fast(X).tolist() == [0.5, 1.0]
        assert fast(X * 0.1).tolist() == (X * 0.1).tolist()
    assert fast.compilations <= 3


def test_what_stops_a_recording_is_not_caught_by_the_users_code(capsys):
    def f(x):
        try:
            print("once")
        except BaseException:  # noqa: BLE001
            return x * 100
        return x * 2

    fast = tg.compile(f)
    with pytest.warns(RuntimeWarning, match="prints"):
        found = [fast(X).tolist() for _ in range(3)]
    assert found == [[2.0, 4.0]] * 3
    assert capsys.readouterr().out == "once\n" * 3
