"""What may be passed to a compiled function, and what comes back."""

import copy
import dataclasses
import enum
import functools
import pickle
import threading
from collections import OrderedDict, defaultdict, deque
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

import tracegrad as tg
from tracegrad import nn


def vector(*values, grad=False):
    return tg.tensor(values, dtype=tg.float64, requires_grad=grad)


class State:
    """Data with a method."""

    def __init__(self, x, k):
        self.x, self.k = x, k

    def scaled(self):
        return self.x * self.k


class Slotted:
    """Data in slots."""

    __slots__ = ("x",)

    def __init__(self, x):
        self.x = x


@dataclasses.dataclass(frozen=True)
class Settings:
    """Options."""

    rate: float = 0.5
    times: int = 2


class Colour(enum.Enum):
    """An option."""

    RED = 1
    BLUE = 2


class Named(dict):
    """A dict of a subclass."""


def test_objects_that_hold_data_are_taken_apart():
    fast = tg.compile(lambda s: s.scaled())
    found = [fast(State(vector(1.0, 2.0), float(k))).tolist() for k in range(4)]
    assert found == [[1.0 * k, 2.0 * k] for k in range(4)]
    assert fast.compilations == 1


@pytest.mark.parametrize(
    ("make", "read"),
    [
        (lambda x: SimpleNamespace(x=x, name="a"), lambda o: o.x * 2),
        (Slotted, lambda o: o.x * 2),
        (lambda x: Named(x=x), lambda o: o["x"] * 2),
        (lambda x: OrderedDict(x=x), lambda o: o["x"] * 2),
        (lambda x: defaultdict(list, x=x), lambda o: o["x"] * 2),
        (lambda x: deque([x], maxlen=2), lambda o: o[0] * 2),
        (lambda x: [{"a": (x, [None, "text"])}], lambda o: o[0]["a"][0] * 2),
        (lambda x: (State(x, Settings()), {1, 2}), lambda o: o[0].x * o[0].k.times),
    ],
)
def test_containers_and_objects_are_looked_into(make, read):
    fast = tg.compile(read)
    for k in (1.0, 2.0, 3.0):
        given = make(vector(k))
        assert fast(given).tolist() == [2 * k]
        assert fast(given).tolist() == [2 * k]
    assert fast.compilations == 1


def test_an_object_that_the_function_changes_is_changed():
    def move(state):
        state.x = state.x + 1
        return state.x.sum()

    fast, state = tg.compile(move), State(vector(1.0), 2.0)
    with pytest.warns(RuntimeWarning, match="changes a container or an object"):
        fast(state)
    fast(state)
    assert state.x.tolist() == [3.0]


def test_objects_that_the_function_makes_are_new_at_every_call():
    fast = tg.compile(lambda x: State(x * 2, [x + 1, "text"]))
    first, second = fast(vector(1.0)), fast(vector(2.0))
    assert type(second) is State and first is not second
    assert (first.x.tolist(), second.x.tolist(), second.k[0].tolist(), second.k[1]) == ([2.0], [4.0], [3.0], "text")
    assert fast.compilations == 1


def test_objects_that_point_to_each_other_are_arguments():
    a, b = State(vector(1.0), None), State(vector(2.0), None)
    a.k, b.k = b, a
    fast = tg.compile(lambda s: s.x + 2 * s.k.x + 3 * s.k.k.x)
    assert [fast(a).tolist(), fast(b).tolist(), fast(a).tolist()] == [[8.0], [10.0], [8.0]]


def test_functions_are_arguments_with_what_they_close_over():
    fast = tg.compile(lambda g, x: g(x))
    for k in (1.0, 2.0, 3.0):
        w = vector(k, 2.0)
        assert fast(lambda x, w=w: x * w, vector(1.0, 1.0)).tolist() == [k, 2.0]
        assert fast(functools.partial(tg.mul, w), vector(1.0, 1.0)).tolist() == [k, 2.0]
    assert fast.compilations <= 2


def test_gradients_reach_what_an_argument_closes_over():
    w = vector(2.0, 3.0, grad=True)
    fast = tg.compile(lambda g, x: g(x).sum())
    for _ in range(3):
        w.grad = None
        fast(lambda x: x * w, vector(1.0, 5.0)).backward()
        assert w.grad.tolist() == [1.0, 5.0]


def test_modules_and_optimizers_are_arguments():
    def step(model, opt, x):
        opt.zero_grad()
        loss = model(x).pow(2).mean()
        loss.backward()
        opt.step()
        return loss.item()

    losses = []
    for wrap in (lambda f: f, tg.compile):
        tg.manual_seed(0)
        models = [nn.Linear(2, 1), nn.Linear(2, 1)]
        opts = [tg.optim.Adam(m.parameters(), lr=0.1) for m in models]
        run = wrap(step)
        losses.append([run(models[i % 2], opts[i % 2], tg.ones(3, 2)) for i in range(8)])
    assert losses[0] == pytest.approx(losses[1])


@pytest.mark.parametrize(
    "value",
    [None, True, 3, "text", b"x", 2.5, 1 + 2j, Colour.RED, tg.float32, tg.device("cpu"), tg.Size([2]), range(3), slice(1, 2), ...,
     {1, 2}, frozenset("a"), Fraction(1, 2), np.int64(3), np.dtype("f4"), int, len, Settings()],
)  # fmt: skip
def test_plain_values_are_arguments_and_results(value):
    fast = tg.compile(lambda x, v: (x * 2, v))
    for _ in range(3):
        result, found = fast(vector(1.0), value)
        assert result.tolist() == [2.0]
        assert found == value and (type(found) is type(value) or isinstance(value, np.generic))
    assert fast.compilations <= 2


def test_values_that_are_equal_but_not_alike_are_told_apart():
    fast = tg.compile(lambda x, v: x * (10 if v is True else 20 if isinstance(v, int) else 30))
    assert [fast(vector(1.0), v).item() for v in (1, True, 1.0, True, 1, 1.0)] == [20, 10, 30, 10, 20, 30]


@pytest.mark.parametrize("number", [np.float64(0.5), np.float32(0.5), np.float16(0.5), 0.5])
def test_floats_of_numpy_follow_the_dtypes_that_they_meet(number):
    fast = tg.compile(lambda x, k: x * k)
    for dtype in (tg.float32, tg.int64, tg.float64):
        x = tg.ones(2, dtype=dtype)
        assert fast(x, number).dtype == (x * number).dtype
        assert fast(x, number).tolist() == [0.5, 0.5]


def test_numpy_arrays_are_inputs():
    fast = tg.compile(lambda a, b: tg.as_tensor(a) + b)
    for k in range(3):
        assert fast(np.full(2, k), vector(1.0, 2.0)).tolist() == [k + 1.0, k + 2.0]
    assert fast.compilations == 1


def test_requires_grad_leafhood_and_class_of_an_argument_are_what_they_are_outside():
    fast = tg.compile(lambda x: (x.requires_grad, x.is_leaf, x.grad_fn is None, isinstance(x, nn.Parameter)))
    w = vector(1.0, grad=True)
    for x in (vector(1.0), w, w * 2, (w * 2).detach(), nn.Parameter(vector(1.0)), vector(2.0)) * 2:
        assert fast(x) == (x.requires_grad, x.is_leaf, x.grad_fn is None, isinstance(x, nn.Parameter))


def test_attributes_of_tensors_belong_to_the_signature():
    a, b, c = vector(1.0), vector(1.0), vector(1.0)
    a.tag, b.tag = "a", "b"
    fast = tg.compile(lambda x: x * {"a": 2, "b": 3}.get(getattr(x, "tag", None), 4))
    assert [fast(t).item() for t in (a, b, c, b, c, a)] == [2, 3, 4, 3, 4, 2]


def test_the_same_tensor_twice_is_told_from_two():
    fast = tg.compile(lambda a, b: (a is b, a + b))
    a = vector(1.0)
    assert [fast(a, b)[0] for b in (a, vector(1.0), a, vector(1.0))] == [True, False, True, False]


def test_an_integer_result_of_a_tracked_argument_does_not_require_grad():
    fast = tg.compile(lambda x: (x.to(tg.int64), x * 2))
    whole, twice = fast(vector(1.0, grad=True))
    assert (whole.requires_grad, twice.requires_grad) == (False, True)


def test_values_of_arguments_decide_on_the_quick_path_too():
    fast = tg.compile(lambda x, how=None, *, flag=False: (x * 2 if x.sum() > 0 else x * 3) + (1 if flag else 0))
    for _ in range(2):
        assert fast(vector(1.0)).item() == 2
        assert fast(vector(-1.0)).item() == -3
        assert fast(vector(1.0), flag=True).item() == 3
        assert fast(vector(-1.0), "x").item() == -3


def test_grad_mode_decides_on_the_quick_path_too():
    w = vector(2.0, grad=True)
    fast = tg.compile(lambda x: x * w)
    for _ in range(3):
        assert fast(vector(1.0)).requires_grad
        with tg.no_grad():
            assert not fast(vector(1.0)).requires_grad
        assert fast(w).requires_grad


def test_results_in_inference_mode_are_inference_tensors():
    fast = tg.compile(lambda x: [x * 2])
    for _ in range(2):
        with tg.inference_mode():
            (found,) = fast(vector(1.0, grad=True))
        assert found.is_inference() and not found.requires_grad
        assert not fast(vector(1.0))[0].is_inference()


def test_a_compiled_function_inside_transformations_is_inlined():
    fast = tg.compile(lambda x: (x**3).sum())
    fast(vector(1.0, 2.0))
    assert tg.func.grad(fast)(vector(1.0, 2.0)).tolist() == [3.0, 12.0]
    assert tg.vmap(fast)(tg.ones(3, 2)).tolist() == [2.0, 2.0, 2.0]
    assert tg.func.jvp(fast, (vector(1.0),), (vector(1.0),))[1].item() == 3.0


def test_threads_call_with_containers():
    fast, found = tg.compile(lambda d: d["a"] * d["k"][0]), {}

    def work(k):
        found[k] = [fast({"a": vector(float(i)), "k": [float(k)]}).item() for i in range(20)]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == {k: [float(i * k) for i in range(20)] for k in range(4)}


@tg.compile
def documented(x):
    """Twice x."""
    return x * 2


def test_compiled_functions_can_be_pickled_and_copied():
    assert pickle.loads(pickle.dumps(documented)) is documented
    again = copy.deepcopy(documented)
    assert again is not documented and again(vector(1.0)).item() == 2.0
    assert copy.copy(tg.compile(abs))(vector(-1.0)).item() == 1.0


def test_compiled_modules_can_be_pickled_and_copied():
    fast = tg.compile(nn.Linear(2, 1))
    fast(tg.ones(1, 2))
    for again in (copy.deepcopy(fast), pickle.loads(pickle.dumps(fast))):
        assert tg.equal(again(tg.ones(1, 2)), fast(tg.ones(1, 2)))
        assert again._orig_mod.weight is not fast._orig_mod.weight


def test_a_compiled_module_is_a_module_around_the_users():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    fast = tg.compile(model)
    assert isinstance(fast, nn.Module) and fast._orig_mod is model and fast[0] is model[0] and len(fast) == 2
    fast.eval()
    assert (model.training, model[1].training, fast.training) == (False, False, False)
    assert tg.equal(fast(tg.ones(1, 2)), model(tg.ones(1, 2)))
    fast.extra = 3
    assert model.extra == 3
    fast.load_state_dict({"_orig_mod.0.weight": tg.zeros(2, 2), "_orig_mod.0.bias": tg.ones(2)})
    assert fast(tg.ones(1, 2)).tolist() == [[1.0, 1.0]]
    assert fast.compilations >= 1 and "def compiled" in fast.source
    assert repr(fast).startswith("OptimizedModule(\n  (_orig_mod): Sequential(")


def test_a_module_compiles_in_place():
    model = nn.Linear(2, 1)
    expected = model(tg.ones(3, 2))
    assert model.compile(fullgraph=True) is None
    assert tg.equal(model(tg.ones(3, 2)), expected)
    assert sorted(model.state_dict()) == ["bias", "weight"]
    assert copy.deepcopy(model)(tg.ones(3, 2)).shape == (3, 1)


class Special(tg.Tensor):
    """A subclass of the user's."""


def test_results_keep_the_subclass_of_an_argument():
    fast = tg.compile(lambda x, k: (x * k, type(x).__name__))
    for _ in range(2):
        found, name = fast(tg.ones(2).as_subclass(Special), 2.0)
        assert (type(found), name, found.tolist()) == (Special, "Special", [2.0, 2.0])
        assert type(fast(tg.ones(2), 2.0)[0]) is tg.Tensor


def test_captured_tensors_that_are_returned_are_themselves():
    weight, buffer = tg.nn.Parameter(tg.ones(2)), tg.zeros(2)

    @tg.compile
    def f(x):
        buffer.add_(1)
        return weight, buffer, x, x * weight

    for k in range(4):
        x = tg.ones(2)
        found = f(x)
        assert found[0] is weight and found[1] is buffer and found[2] is x
        assert buffer.tolist() == [k + 1.0] * 2
        found[3].sum().backward()
    assert weight.grad.tolist() == [4.0, 4.0]


def test_what_the_function_makes_is_another_one_at_every_call():
    f = tg.compile(lambda x: (tg.from_numpy(np.ones(2)), tg.tensor([1.0, 2.0]), x + 1))
    x = tg.ones(2)
    for _ in range(4):
        found = f(x)
        assert [t.tolist() for t in found] == [[1.0, 1.0], [1.0, 2.0], [2.0, 2.0]]
        for t in found:
            t.add_(100)
