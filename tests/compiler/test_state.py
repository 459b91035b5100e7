"""What a function changes in Python objects of its own: counters, running means, tuples of state and lists that grow are effects of the program."""

from __future__ import annotations

import collections
import datetime
import types
import warnings

import pytest

import tracegrad as tg

F64 = tg.float64


def counter():
    n, last = 0, None

    def f(x):
        nonlocal n, last
        n += 1
        last = x.sum().item()
        return x * n

    return f, lambda: (n, last)


def entries_of_a_dict():
    state = {"step": 0, "h": tg.zeros(3, dtype=F64), "loss": []}

    def f(x):
        state["step"] += 1
        state["h"] = (state["h"] * 0.5 + x).detach()
        state["loss"].append(x.sum().item())
        return x * 0 + state["h"] if state["step"] % 4 == 0 else x * state["step"]

    return f, lambda: (state["step"], state["h"].tolist(), list(state["loss"]))


def tuple_of_tensors():
    o = types.SimpleNamespace(state=(tg.zeros(3, dtype=F64), tg.ones(3, dtype=F64)))

    def f(x):
        h, c = o.state
        c = c * 0.5 + h * x
        h = tg.tanh(c)
        o.state = h.detach(), c.detach()
        return h.sum()

    return f, lambda: [t.tolist() for t in o.state]


class Smoothed(tg.nn.Module):
    def __init__(self):
        super().__init__()
        self.previous = self.current = self.argument = None
        self.calls, self.mean, self.last = 0, 0.0, collections.deque(maxlen=3)
        self.register_buffer("running", tg.zeros(3, dtype=F64))

    def forward(self, x):
        self.previous = self.current
        self.current = (x * 2).detach()
        self.argument = x
        self.calls += 1
        self.running = 0.9 * self.running + 0.1 * x.detach()
        self.last.append((self.calls, x.mean().item(), x.detach() + 1))
        self.mean = 0.9 * self.mean + 0.1 * x.sum().item()
        return x * self.mean / (1 - 0.9**self.calls) + self.running


def module():
    m = Smoothed()
    return m, lambda: (
        m.previous if m.previous is None else m.previous.tolist(), m.current.tolist(), m.argument.tolist(),
        m.calls, m.mean, [(a, b, c.tolist()) for a, b, c in m.last], m.running.tolist(),
    )  # fmt: skip


def patience():
    s = types.SimpleNamespace(best=1e9, bad=0, stop=False)

    def f(x):
        loss = (x * x).sum()
        if loss.item() < s.best - 1e-3:
            s.best, s.bad = loss.item(), 0
        else:
            s.bad += 1
            s.stop = s.stop or s.bad > 2
        return loss

    return f, lambda: (s.best, s.bad, s.stop)


def made_at_the_first_call():
    s = types.SimpleNamespace(ready=False, mean=None, count=0)

    def f(x):
        s.mean = s.mean + 0.1 * (x.detach() - s.mean) if s.ready else x.detach().clone()
        s.ready = True
        s.count += x.numel()
        return x - s.mean

    return f, lambda: (s.ready, s.mean.tolist(), s.count)


def raising_now_and_then():
    s = types.SimpleNamespace(n=0, log=[])

    def f(x):
        s.n += 1
        s.log.append(x.max().item())
        if s.n % 5 == 3:
            raise ValueError("the third")
        return x + s.n

    return f, lambda: (s.n, list(s.log))


def set_by_the_caller_too():
    s = types.SimpleNamespace(n=0, h=tg.zeros(3, dtype=F64))

    def f(x):
        s.n += 1
        s.h = s.h + x.detach()
        return x * s.n + s.h

    def state():
        found = s.n, s.h.tolist()
        if s.n == 5:
            s.n, s.h = 0, tg.ones(1, dtype=F64)
        return found

    return f, state


def ring_buffer():
    s, buffer = types.SimpleNamespace(i=0), tg.zeros(5, 3, dtype=F64)

    def f(x):
        buffer[s.i % 5] = x.detach()
        s.i += 1
        return x + buffer.sum(0)

    return f, lambda: (s.i, buffer.tolist())


def tensors_in_a_list():
    kept = []

    def f(x):
        y = x * 2
        kept.extend([y, y.detach()])
        return y.sum()

    return f, lambda: [(t.tolist(), t.requires_grad) for t in kept]


def outcome(make, compiled, backend="numpy"):
    """Results, derivatives and states of a dozen calls, the warnings, and how many programs there are."""
    tg.manual_seed(0)
    function, state = make()
    f = tg.compile(function, backend=backend) if compiled else function
    found = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(60):
            x = tg.randn(3, dtype=F64, requires_grad=True)
            try:
                y = f(x)
                found += [y.tolist(), tg.autograd.grad(y.sum(), x)[0].tolist() if y.requires_grad else None]
            except ValueError as error:
                found.append(str(error))
            found.append(state())
    return found, [str(w.message) for w in said], getattr(f, "compilations", None)


def flag_that_is_compared_with_true():
    s = types.SimpleNamespace(on=True)

    def f(x):
        y = x * 2 if s.on is True else x * 3
        s.on = not s.on
        return y

    return f, lambda: s.on


def meters():
    class Meter:
        def __init__(self):
            self.total, self.count = 0.0, 0

        def update(self, value, n=1):
            self.total += value * n
            self.count += n

        @property
        def mean(self):
            return self.total / self.count

    found = {"loss": Meter(), "share": Meter()}

    def f(x):
        loss = (x * x).mean()
        found["loss"].update(loss.item(), len(x))
        found["share"].update((x > 0).double().mean().item())
        return loss * found["loss"].mean

    return f, lambda: [(m.total, m.count, m.mean) for m in found.values()]


def averaged_weights():
    net = tg.nn.Linear(3, 2).double()
    mean = {k: v.detach().clone() for k, v in net.named_parameters()}

    def f(x):
        with tg.no_grad():
            for k, v in net.named_parameters():
                mean[k] = 0.9 * mean[k] + 0.1 * v
        return net(x).sum() + mean["weight"].sum()

    return f, lambda: [v.tolist() for v in mean.values()]


CASES = [
    flag_that_is_compared_with_true, meters, averaged_weights, counter, entries_of_a_dict, tuple_of_tensors, module, patience, made_at_the_first_call, raising_now_and_then, set_by_the_caller_too, ring_buffer, tensors_in_a_list,
]  # fmt: skip


def alike(a, b):
    """Whether two outcomes are equal, numbers up to rounding and of one type."""
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(alike, a, b))
    return type(a) is type(b) and (a == pytest.approx(b, rel=1e-12, abs=1e-14) if isinstance(a, float) else a == b)


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_state_is_an_effect_of_the_program(make):
    want, _, _ = outcome(make, compiled=False)
    found, said, count = outcome(make, compiled=True)
    assert alike(found, want)
    assert not said
    assert count is None or count <= 8


def list_that_is_read():
    log = []

    def f(x):
        log.append(x.sum().item())
        return x * len(log)

    return f, lambda: list(log)


def keys_that_are_new():
    seen = {}

    def f(x):
        seen[len(seen)] = x.detach() * 2
        return x + seen[0]

    return f, lambda: {k: v.tolist() for k, v in seen.items()}


def number_whose_type_is_asked_for():
    s = types.SimpleNamespace(n=0)

    def f(x):
        s.n += 1
        return x * s.n if type(s.n) is int else x

    return f, lambda: s.n


def tensor_whose_identity_is_asked_for():
    s = types.SimpleNamespace(now=tg.zeros(3, dtype=F64))
    s.first = s.now

    def f(x):
        y = x * 2 if s.now is s.first else x * 3
        s.now = x.detach() * 1
        return y

    return f, lambda: s.now.tolist()


def number_for_code_written_in_c():
    s = types.SimpleNamespace(n=0)

    def f(x):
        s.n += 1
        return x * datetime.timedelta(days=s.n).days

    return f, lambda: s.n


def list_whose_reading_fails_quietly():
    log = []

    def f(x):
        log.append(1)
        try:
            n = len(log)
        except BaseException:  # noqa: BLE001
            n = 0
        return x * n

    return f, lambda: list(log)


def list_in_a_tuple():
    log = []
    pair = log, 1

    def f(x):
        log.append(1)
        return x * len(pair[0])

    return f, lambda: list(log)


def view_of_an_argument():
    s = types.SimpleNamespace(row=None)

    def f(x):
        s.row = x[:1]
        return x * 2

    return f, lambda: s.row.tolist()


def very_large_int():
    s = types.SimpleNamespace(n=2**70)

    def f(x):
        s.n += 1
        return x * (s.n % 7)

    return f, lambda: s.n


EAGER = [
    list_that_is_read, keys_that_are_new, number_whose_type_is_asked_for, tensor_whose_identity_is_asked_for, number_for_code_written_in_c, list_whose_reading_fails_quietly, list_in_a_tuple, view_of_an_argument, very_large_int,
]  # fmt: skip


@pytest.mark.parametrize("make", EAGER, ids=lambda make: make.__name__)
def test_what_cannot_be_put_back_runs_uncompiled_with_one_warning(make):
    want, _, _ = outcome(make, compiled=False)
    found, said, _ = outcome(make, compiled=True)
    assert found == want
    assert len(said) == 1 and "runs uncompiled" in said[0]


def test_a_kept_tensor_is_the_object_that_eager_code_keeps():
    s = types.SimpleNamespace(last=None, other=None, weight=tg.ones(2))

    @tg.compile
    def f(x):
        s.last = x
        s.other = s.weight
        return x * 2

    for _ in range(4):
        x = tg.ones(2)
        f(x)
        assert s.last is x and s.other is s.weight


def test_state_with_history_goes_on_to_have_it():
    s = types.SimpleNamespace(h=tg.zeros(2, dtype=F64))
    w = tg.full((2,), 0.5, dtype=F64, requires_grad=True)

    def step(x):
        s.h = tg.tanh(s.h * w + x)
        return s.h.sum()

    def run(f):
        s.h = tg.zeros(2, dtype=F64)
        for k in range(5):
            f(tg.full((2,), 0.1 * k, dtype=F64))
        return tg.autograd.grad(s.h.sum(), w)[0]

    tg.testing.assert_close(run(tg.compile(step)), run(step))


def test_an_exception_inside_leaves_what_the_function_had_changed():
    s = types.SimpleNamespace(n=0)

    @tg.compile
    def f(x):
        s.n += 1
        return tg.linalg.inv(x) * s.n

    for _ in range(3):
        f(tg.eye(2))
    with pytest.raises(RuntimeError):
        f(tg.zeros(2, 2))
    assert s.n in (3, 4)  # a program changes nothing where it fails
    n = s.n
    assert f(tg.eye(2))[0, 0].item() == n + 1


def test_numbers_are_not_changed_by_augmented_assignment():
    def f(x):
        a = x.sum().item()
        b = a
        a += 1
        c = a
        a **= 2
        a //= 3
        k = x.argmax().item()
        j = k
        k <<= 2
        k |= 1
        k -= 7
        return a, b, c, k, j, 0.5**k, 0.9**b

    fast = tg.compile(f)
    for v in ([1.0, 2.0], [5.0, 3.0], [0.5, 7.0]):
        x = tg.tensor(v, dtype=F64)
        assert fast(x) == f(x)
    assert fast.compilations == 1
