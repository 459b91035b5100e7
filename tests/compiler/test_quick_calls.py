"""Calls of compiled functions take a generated path, and see all the same whatever is not as it was."""

from __future__ import annotations

import gc
import pickle
import weakref

import numpy as np
import pytest

import tracegrad as tg

MANY = 400  # calls after which all that is generated has been


def vector(*values):
    return tg.tensor([float(v) for v in values], dtype=tg.float64)


def warm(fast, *args, calls=3, **kwargs):
    for _ in range(calls):
        fast(*args, **kwargs)
    return fast


def is_quick(fast):
    return getattr(fast.__call__, "__name__", "") == "quick"


# --- results


@pytest.mark.parametrize(
    ("function", "want"),
    [
        (lambda a, b: None, None),
        (lambda a, b: 3, 3),
        (lambda a, b: "x", "x"),
        (lambda a, b: (None, {"k": [1, 2.5]}), (None, {"k": [1, 2.5]})),
        (lambda a, b: a.sum().item(), 3.0),
        (lambda a, b: (a.sum().item(), len(a)), (3.0, 2)),
    ],
)
def test_results_that_are_no_tensors_have_a_path(function, want):
    fast = warm(tg.compile(function), vector(1, 2), vector(3, 4))
    assert is_quick(fast)
    assert fast(vector(1, 2), vector(3, 4)) == want


def test_an_argument_that_is_returned_is_itself():
    fast, a = tg.compile(lambda a, b: a), vector(1, 2)
    for k in range(3):
        found = fast(a, vector(3))
        assert found is a and found.tolist() == [1 + k, 2 + k]
        found.add_(1)


def test_numbers_follow_the_values_of_a_tensor_that_requires_grad():
    x = vector(2).requires_grad_()
    fast = warm(tg.compile(lambda x: (x * 2, (x * 3).sum().item())), x)
    y, n = fast(x)
    y.backward()
    assert (n, x.grad.item()) == (6.0, 2.0)


def test_a_list_of_results_is_new_at_every_call():
    fast = tg.compile(lambda a: [a * 2])
    first, second = fast(vector(1)), fast(vector(1))
    assert first is not second and fast(vector(1))[0].tolist() == [2.0]


# --- arguments


def test_arrays_that_are_known_again_are_only_those():
    fast, a, b = tg.compile(lambda a, b: a.reshape(-1) + b.sum()), vector(1, 2), vector(3)
    warm(fast, a, b)
    assert fast(a, b).tolist() == [4, 5]
    a.add_(1)
    assert fast(a, b).tolist() == [5, 6]
    a.data = vector(1, 2, 3)
    assert fast(a, b).tolist() == [4, 5, 6]
    a.data = tg.tensor([1.0, 2.0], dtype=tg.float32)
    assert fast(a, b).dtype == tg.float32
    a.resize_(1)
    assert fast(a, b).tolist() == [4]
    assert fast(vector(1, 2).requires_grad_(), b).requires_grad


def test_the_same_tensor_twice_is_seen_also_where_its_array_is_shared():
    fast = tg.compile(lambda a, b: (a is b, a + b))
    a = vector(1)
    shared = a.detach()
    calls = [(a, shared), (a, a), (shared, a), (shared, shared), (a, vector(1)), (a, a), (a, shared), (a, a)]
    for _ in range(3):
        assert [fast(x, y)[0] for x, y in calls] == [x is y for x, y in calls]


def test_a_small_array_is_kept_for_the_next_call_but_not_what_it_is_a_view_of():
    fast = tg.compile(lambda a: a * 2)
    table = np.ones((100, 4))
    rows = tg.from_numpy(table)
    warm(fast, rows[3])
    gone = weakref.ref(table)
    del table, rows
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("name", ["a1", "r", "more", "rest", "default", "run", "MODE", "miss", "d5", "new", "type"])
def test_named_arguments_may_have_any_name(name):
    scope = {}
    exec(f"def f(x, *, {name}, other=1.0): return x * {name} + other", scope)
    fast, x = tg.compile(scope["f"]), vector(1, 2)
    for k in (1.0, 2.0, 3.0):
        assert fast(x, **{name: k}).tolist() == [k + 1, 2 * k + 1]
        assert fast(x, other=0.5, **{name: k}).tolist() == [k + 0.5, 2 * k + 0.5]
        assert fast(x, **{name: x * k}).tolist() == [k + 1, 4 * k + 1]


def test_named_arguments_come_in_any_order():
    fast = tg.compile(lambda a, b, c: a + 10 * b + 100 * c)
    warm(fast, vector(1), b=vector(2), c=vector(3))
    assert fast(vector(1), c=vector(3), b=vector(2)).item() == 321
    assert fast(c=vector(3), b=vector(2), a=vector(1)).item() == 321
    assert fast(vector(1), vector(2), vector(3)).item() == 321


def test_the_order_of_further_named_arguments_is_kept():
    fast = tg.compile(lambda **given: [10**i * v for i, v in enumerate(given.values())])
    for _ in range(3):
        assert [v.item() for v in fast(a=vector(1), b=vector(2))] == [1, 20]
        assert [v.item() for v in fast(b=vector(2), a=vector(1))] == [2, 10]


def test_wrong_arguments_are_the_errors_of_the_function():
    def f(a, b, *, k=1):
        return a + b * k

    fast = warm(tg.compile(f), vector(1), vector(2))
    for args, kwargs in (((), {}), ((vector(1),), {}), ((vector(1),) * 3, {}), ((vector(1),) * 2, {"other": 1})):
        with pytest.raises(TypeError) as own:
            f(*args, **kwargs)
        with pytest.raises(TypeError) as found:
            fast(*args, **kwargs)
        assert str(found.value) == str(own.value)
    assert fast(vector(1), vector(2), k=3).item() == 7


@pytest.mark.parametrize(
    "others", [[()], [(1, 2), (1, 2, 3)], [[1], [1, 2]], [{"a": 1}, {"b": 1}, {"a": 1, "b": 2}], [(), (1,), []]]
)
def test_containers_of_other_lengths_and_kinds_are_told_apart(others):
    fast = tg.compile(lambda x, c: (x * len(c), type(c).__name__, list(c)))
    for _ in range(3):
        for c in others:
            found = fast(vector(1), c)
            assert (found[0].item(), *found[1:]) == (len(c), type(c).__name__, list(c))


def test_sizes_that_alternate_and_change_are_all_right():
    fast = tg.compile(lambda x: x * 2)
    for n in (1, 2, 1, 2, 3, 3, 3, 3, 3, 3, 1, 2, 3, 4, 5, 6, 7, 1, 2, 3):
        assert fast(tg.ones(n)).shape == (n,)


# --- the object


def test_a_compiled_function_is_the_object_that_it_was():
    fast = warm(tg.compile(vector), 1.0)
    assert callable(fast) and callable(type(fast)) and fast.__name__ == "vector"
    assert fast.__wrapped__ is vector and "def " in fast.source
    fast.reset()
    assert fast.compilations == 0 and fast(2.0).item() == 2.0
    assert pickle.loads(pickle.dumps(tg.compile(abs)))(vector(-1)).item() == 1


def test_an_unused_compiled_function_can_go():
    fast = warm(tg.compile(lambda x: x * 2), vector(1))
    gone = weakref.ref(fast)
    del fast
    gc.collect()
    assert gone() is None


def test_modes_of_gradients_decide_after_many_calls():
    x = vector(2)
    fast = warm(tg.compile(lambda x: x * 3), x, calls=MANY)
    with tg.no_grad():
        assert not fast(x.requires_grad_()).requires_grad
    assert fast(x).requires_grad
    with tg.inference_mode():
        assert fast(x.detach()).is_inference()


# --- what is outside


class Holder:
    def __init__(self):
        self.factor, self.parts, self.table, self.weight = 2.0, [1.0, 2.0], {"k": 3.0}, vector(1)
        self.kind, self.empty, self.long = "sum", {}, list(range(40))


def changes():
    def one(holder):
        holder.factor = 5.0

    def two(holder):
        holder.parts[1] = 7.0

    def three(holder):
        holder.parts.append(4.0)

    def four(holder):
        holder.table = {"k": 4.0}

    def five(holder):
        del holder.table["k"]
        holder.table["k"] = 9.0

    def six(holder):
        holder.weight = vector(4)

    def seven(holder):
        holder.empty["a"] = 1

    def eight(holder):
        holder.long[39] = 100

    def nine(holder):
        holder.kind = "mean"

    def ten(holder):
        holder.weight.data = vector(1, 2)

    return [one, two, three, four, five, six, seven, eight, nine, ten]


@pytest.mark.parametrize("change", changes(), ids=lambda f: f.__name__)
@pytest.mark.parametrize("calls", [2, MANY])
def test_changes_outside_are_seen_after_many_calls(change, calls):
    holder = Holder()

    def f(x):
        total = x * holder.factor + sum(holder.parts) + holder.table["k"] + holder.weight
        return (total.sum() if holder.kind == "sum" else total.mean()) + len(holder.empty) + sum(holder.long)

    fast, x = tg.compile(f), vector(1, 2)
    warm(fast, x, calls=calls)
    change(holder)
    assert fast(x).tolist() == f(x).tolist()
    warm(fast, x, calls=calls)
    assert fast(x).tolist() == f(x).tolist()


def test_a_cell_that_changes_or_is_emptied_is_seen():
    def made():
        factor = 2.0

        def f(x):
            return x * factor

        def put(value):
            nonlocal factor
            factor = value

        def empty():
            nonlocal factor
            del factor

        return f, put, empty

    f, put, empty = made()
    fast = warm(tg.compile(f), vector(1), calls=MANY)
    put(5.0)
    assert fast(vector(1)).item() == 5
    warm(fast, vector(1), calls=MANY)
    empty()
    with pytest.raises(NameError):
        fast(vector(1))


def test_a_module_that_changes_is_seen_after_many_calls():
    model = tg.nn.Sequential(tg.nn.Linear(2, 2), tg.nn.Dropout(0.9), tg.nn.Tanh())
    model.eval()
    fast, x = tg.compile(lambda x: model(x)), tg.ones(3, 2)
    warm(fast, x, calls=MANY)
    with tg.no_grad():
        model[0].weight.mul_(2)
    assert tg.equal(fast(x), model(x))
    model[2] = tg.nn.ReLU()
    assert tg.equal(fast(x), model(x))
    warm(fast, x, calls=MANY)
    model.append(tg.nn.Sigmoid())
    assert tg.equal(fast(x), model(x))
    handle = model[0].register_forward_hook(lambda module, args, out: out + 1)
    assert tg.equal(fast(x), model(x))
    handle.remove()
    assert tg.equal(fast(x), model(x))
    model.train()
    assert (fast(tg.ones(100, 2)) == 0.5).any()


def test_equal_objects_in_the_place_of_others_are_no_change():
    config = {"scale": 2.5, "name": "one"}
    fast, x = tg.compile(lambda x: x * config["scale"] if config["name"] == "one" else x), vector(1)
    warm(fast, x, calls=MANY)
    for _ in range(MANY):
        config["scale"], config["name"] = float("2.5"), "".join(["o", "n", "e"])
        assert fast(x).item() == 2.5
    assert fast.explain().recordings == 1


def test_a_rate_that_changes_at_every_call_needs_no_recording():
    rates = {"lr": 1.0, "other": [1.0, 2.0]}
    fast, x = tg.compile(lambda x: x * rates["lr"] + rates["other"][0]), vector(1)
    for k in range(MANY):
        rates["lr"] = k / 7
        assert fast(x).item() == pytest.approx(k / 7 + 1)
    assert fast.explain().recordings <= 3
    rates["lr"] = 3
    assert fast(x).item() == 4
    rates["lr"], rates["other"][0] = 2.0, 5.0
    assert fast(x).item() == 7
