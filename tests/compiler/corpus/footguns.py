"""What goes wrong in compilers that replay: state outside the function, randomness, settings, reuse of buffers, threads."""

import dataclasses
import random
import threading
import warnings

import numpy as np

from tests.compiler.corpus.base import Case, call, f64, program

SETTINGS = {}
FACTOR = 2.0
WEIGHTS = None  # a tensor, put there by the program that reads it


def vectors(torch, grad=True):
    return [(f64(torch, v, grad),) for v in ([1.0, -2.0], [0.5, 3.0], [-1.0, 1.5], [2.0, 2.5])]


def with_changes(case, changes):
    """The case with something done before each of its calls (None: nothing)."""
    for made, change in zip(case.calls, changes):
        made.before = change
    return case


def reset_globals():
    """The module's globals as every program expects them."""
    SETTINGS.update(scale=2.0, names=["sin"], deep={"k": [1, 2]})
    globals().update(FACTOR=2.0, WEIGHTS=None)


def in_threads(work, count):
    """Results of work(0), ..., work(count - 1), each in a thread; raises what the first of them raised."""
    found, errors = [None] * count, []

    def run(i):
        try:
            found[i] = work(i)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return found


def set_global(name, value):
    return lambda: globals().__setitem__(name, value)


@program
def output_is_the_next_input(torch, compile):
    f = compile(lambda x: x * 1.5 + 1)
    state = [f64(torch, [1.0, 2.0])]

    def step():
        state[0] = f(state[0])
        return state[0]

    return Case(step, [()] * 5, state=lambda: state, joint=False)


@program
def outputs_kept_across_calls(torch, compile):
    f = compile(lambda x: (x * 2, x.sin()))
    kept = []

    def step(x):
        kept.append(f(x))
        return kept

    return Case(step, vectors(torch), order=1, joint=False)


@program
def outputs_written_by_the_user(torch, compile):
    constant = f64(torch, [5.0, 6.0])
    f = compile(lambda x: (x * 2, constant + 0, torch.ones(2)))

    def step(x):
        with torch.no_grad():
            for out in f(x):
                out.add_(100)
            return f(x)

    return Case(step, vectors(torch, False), state=lambda: constant, joint=False)


@program
def inputs_written_after_the_call(torch, compile):
    f = compile(lambda x: (x, x * 1, x[0]))

    def step(x):
        a, b, c = (y.clone() for y in f(x))
        kept = f(x)[1]
        x.add_(1)
        return a, b, c, kept

    return Case(step, vectors(torch, False), joint=False)


@program
def captured_scalar_changed(torch, compile):
    k = 1.0

    @compile
    def f(x):
        return x * k

    def change(value):
        nonlocal k
        k = value

    changes = [None, lambda: change(3.0), lambda: change(True), lambda: change(-2), lambda: change(1.0), None]
    return with_changes(Case(f, vectors(torch)), changes)


@program
def captured_list_grown(torch, compile):
    factors = [2.0]

    @compile
    def f(x):
        for k in factors:
            x = x * k
        return x

    changes = [None, lambda: factors.append(3.0), lambda: factors.__setitem__(0, 5.0), factors.clear]
    return with_changes(Case(f, vectors(torch)), [*changes, lambda: factors.append(1.5)])


@program
def captured_dict_changed(torch, compile):
    options = {"scale": 2.0, "shift": {"by": 1.0}}

    @compile
    def f(x):
        return x * options["scale"] + options["shift"]["by"]

    changes = [None, lambda: options.update(scale=7.0), lambda: options["shift"].update(by=-1.0)]
    return with_changes(Case(f, vectors(torch)), changes)


@program
def captured_list_of_tensors_changed(torch, compile):
    ws = [f64(torch, [1.0, 2.0], True)]

    @compile
    def f(x):
        return sum((w * x for w in ws), x * 0)

    def replace():
        ws[0] = f64(torch, [5.0, 6.0], True)

    def write():
        with torch.no_grad():
            ws[0].mul_(10)

    changes = [None, write, replace, lambda: ws.append(f64(torch, [0.1, 0.2])), write]
    return with_changes(Case(f, vectors(torch)), changes)


@program
def global_number_changed(torch, compile):
    reset_globals()

    @compile
    def f(x):
        return x * FACTOR + len(SETTINGS["names"]) * SETTINGS["scale"]

    changes = [
        set_global("FACTOR", 2.0),
        set_global("FACTOR", 3.0),
        lambda: SETTINGS.update(scale=9.0),
        lambda: SETTINGS["names"].append("cos"),
        lambda: (SETTINGS["names"].pop(), SETTINGS.update(scale=2.0)),
    ]
    return with_changes(Case(f, vectors(torch)), changes)


def global_reader(x):
    """A function of the module that reads a global through another function."""
    return x * reads_settings()


def reads_settings():
    return SETTINGS["deep"]["k"][0]


@program
def global_read_by_a_helper(torch, compile):
    reset_globals()

    def put(value):
        return lambda: SETTINGS["deep"]["k"].__setitem__(0, value)

    return with_changes(Case(compile(global_reader), vectors(torch)), [put(1), put(4), None, put(5), put(1)])


@program
def global_tensor_replaced(torch, compile):
    reset_globals()

    @compile
    def f(x):
        return x * WEIGHTS

    def put(values):
        return lambda: globals().__setitem__("WEIGHTS", f64(torch, values))

    return with_changes(Case(f, vectors(torch)), [put([1.0, 2.0]), put([3.0, 4.0]), None, put(7.0)])


@program
def helper_replaced(torch, compile):
    helpers = {"f": lambda x: x.sin()}

    class Tools:
        apply = staticmethod(lambda x: x * 2)

    @compile
    def f(x):
        return Tools.apply(helpers["f"](x))

    changes = [
        None,
        lambda: helpers.update(f=lambda x: x.cos()),
        lambda: setattr(Tools, "apply", staticmethod(lambda x: x * 3)),
    ]
    return with_changes(Case(f, vectors(torch)), changes)


@program
def object_attribute_changed(torch, compile):
    class Config:
        depth, width = 1, 2.0

    @dataclasses.dataclass
    class Inner:
        power: int = 2

    config, inner = Config(), Inner()

    @compile
    def f(x):
        for _ in range(config.depth):
            x = x**inner.power * config.width
        return x

    changes = [
        None,
        lambda: setattr(config, "depth", 2),
        lambda: setattr(inner, "power", 3),
        lambda: setattr(Config, "width", 0.5),
    ]
    return with_changes(Case(f, vectors(torch)), changes)


@program
def default_argument_mutated(torch, compile):
    @compile
    def f(x, factors=[2.0]):  # noqa: B006
        return x * sum(factors)

    changes = [None, lambda: f.__wrapped__.__defaults__[0].append(3.0) if hasattr(f, "__wrapped__") else None]
    case = Case(f, vectors(torch))
    if not hasattr(f, "__wrapped__"):
        changes[1] = lambda: f.__defaults__[0].append(3.0)
    return with_changes(case, changes)


@program
def captured_numpy_array_changed(torch, compile):
    table = np.array([1.0, 2.0])

    @compile
    def f(x):
        return x * torch.from_numpy(table) + float(table[0])

    return with_changes(Case(f, vectors(torch)), [None, lambda: table.__setitem__(0, 9.0), None, lambda: table.fill(3)])


@program
def iterator_consumed(torch, compile):
    numbers = iter(range(1, 100))

    @compile
    def f(x):
        return x * next(numbers)

    return Case(f, vectors(torch), may_warn=True, may_refuse=True)


@program
def generator_object_of_python(torch, compile):
    def rates():
        rate = 1.0
        while True:
            yield rate
            rate *= 0.5

    source = rates()

    @compile
    def f(x):
        return x * next(source)

    return Case(f, vectors(torch), may_warn=True, may_refuse=True)


@program
def counter_in_a_closure(torch, compile):
    calls = 0

    @compile
    def f(x):
        nonlocal calls
        calls += 1
        return x * calls

    return Case(f, vectors(torch), state=lambda: calls, may_warn=True)


@program
def python_random_numbers(torch, compile):
    random.seed(0)

    @compile
    def f(x):
        return x * random.random()

    return Case(f, vectors(torch), may_warn=True, may_refuse=True)


@program
def numpy_random_numbers(torch, compile):
    source = np.random.default_rng(0)

    @compile
    def f(x):
        return x + torch.from_numpy(source.normal(size=2))

    return Case(f, vectors(torch), may_warn=True, may_refuse=True)


@program(random=True)
def random_numbers_of_every_kind(torch, compile):
    @compile
    def f(x):
        return (
            x + torch.rand(2) + torch.randn(2),
            torch.randint(0, 9, (3,)),
            torch.randperm(4),
            torch.rand_like(x) < 0.5,
        )

    return Case(f, vectors(torch), at_most=1)


@program(random=True)
def seeds_set_between_calls(torch, compile):
    f = compile(lambda x: x * torch.rand(2))
    reset = lambda: torch.manual_seed(7)
    return with_changes(Case(f, vectors(torch)), [reset, None, reset, None, reset, reset])


@program(random=True)
def seed_set_inside(torch, compile):
    @compile
    def f(x):
        torch.manual_seed(3)
        return x * torch.rand(2)

    return Case(f, vectors(torch), may_warn=True, may_refuse=True)


@program(random=True)
def generator_objects(torch, compile):
    source = torch.Generator().manual_seed(5)

    @compile
    def f(x):
        return x * torch.rand(2, generator=source) + torch.rand(2)

    changes = [None, None, lambda: source.manual_seed(5), None]
    return with_changes(Case(f, vectors(torch)), changes)


@program(random=True)
def eager_draws_between_compiled_ones(torch, compile):
    f = compile(lambda x: x * torch.rand(2))

    def g(x):
        before = torch.rand(1)
        return before, f(x), torch.rand(1), f(x)

    return Case(g, vectors(torch), joint=False)


@program(random=True)
def dropout_masks(torch, compile):
    f = compile(lambda x: torch.nn.functional.dropout(x.repeat(8), 0.5) ** 2)
    return Case(f, vectors(torch), order=2, at_most=1)


@program(random=True)
def draw_decides(torch, compile):
    @compile
    def f(x):
        if torch.rand(()) > 0.5:
            return x * torch.rand(2)
        return x - torch.randn(2)

    return Case(f, vectors(torch) * 2)


@program(random=True)
def random_walk_until_it_leaves(torch, compile):
    @compile
    def f(x):
        for n in range(20):  # noqa: B007
            if x.abs().max() > 2:
                break
            x = x + torch.randn(2, dtype=x.dtype)
        return x, n

    return Case(f, vectors(torch))


@program
def default_dtype_changes(torch, compile):
    @compile
    def f(x):
        return torch.ones(2) * 2, torch.tensor(1.5), x + torch.zeros(2)

    changes = [
        None,
        lambda: torch.set_default_dtype(torch.float64),
        None,
        lambda: torch.set_default_dtype(torch.float32),
    ]
    return with_changes(Case(f, vectors(torch)), changes)


@program
def grad_mode_changes(torch, compile):
    f = compile(lambda x: x * (2 if torch.is_grad_enabled() else 3))

    def g(x, mode):
        with torch.set_grad_enabled(mode):
            return f(x)

    v = vectors(torch)
    calls = [(v[0][0], True), (v[0][0], False), (v[1][0], True), (v[2][0], False)]
    return Case(g, calls, joint=False)


@program
def inference_mode_and_detached_calls(torch, compile):
    f = compile(lambda x: (x * 2).sum())

    def g(x, how):
        if how == "inference":
            with torch.inference_mode():
                return f(x) + 0
        return f(x.detach() if how == "detached" else x)

    v = vectors(torch)
    calls = [(v[0][0], "plain"), (v[0][0], "inference"), (v[1][0], "detached"), (v[2][0], "plain")]
    return Case(g, calls, joint=False)


@program
def grad_mode_set_inside(torch, compile):
    @compile
    def f(x):
        with torch.no_grad():
            a = x * 2
            with torch.enable_grad():
                b = x * 3
        return a, b, torch.is_grad_enabled()

    return Case(f, vectors(torch), order=1)


@program
def training_flag_changes(torch, compile):
    nn = torch.nn
    model = nn.Sequential(nn.Dropout(1.0), nn.Flatten(0))
    f = compile(lambda x: model(x).sum())
    case = Case(f, vectors(torch), joint=False)
    return with_changes(case, [None, model.eval, None, model.train, model[0].eval, model.train])


@program
def module_changed_between_calls(torch, compile):
    nn = torch.nn
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh()).double()
    with torch.no_grad():
        model[0].weight.copy_(f64(torch, [[0.1, 0.2], [0.3, 0.4]]))
        model[0].bias.zero_()
    f = compile(model)

    def replace():
        model[1] = nn.Sigmoid()

    def double():
        model[0].weight = nn.Parameter(f64(torch, [[1.0, 0.5], [0.0, 1.0]]))

    case = Case(f, vectors(torch), state=lambda: model, joint=False)
    return with_changes(case, [None, replace, double, lambda: model.append(nn.ReLU()), None])


@program
def state_dict_loaded_between_calls(torch, compile):
    model = torch.nn.Linear(2, 1).double()
    f = compile(model)

    def load(k):
        state = {"weight": f64(torch, [[0.1 * k, -0.2]]), "bias": f64(torch, [float(k)])}
        return lambda: model.load_state_dict(state)

    case = Case(f, vectors(torch), order=2, state=lambda: model, joint=False)
    return with_changes(case, [load(1), load(2), None, load(3), load(1)])


@program
def hook_added_between_calls(torch, compile):
    model = torch.nn.Linear(2, 2, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(f64(torch, [[0.1, 0.2], [0.3, 0.4]]))
    f = compile(model)
    handles = []

    def add():
        handles.append(model.register_forward_hook(lambda module, args, out: out * 10))

    case = Case(f, vectors(torch), joint=False)
    return with_changes(case, [None, add, None, lambda: handles[0].remove()])


@program
def autocast_changes(torch, compile):
    w = torch.tensor([[0.5, 1.0], [2.0, 0.25]])
    f = compile(lambda x: x.float() @ w)

    def g(x, on):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=on):
            return f(x)

    xs = [f64(torch, [[1.0, 2.0]]), f64(torch, [[0.5, 4.0]])]
    return Case(g, [(xs[0], False), (xs[0], True), (xs[1], True), (xs[1], False)], joint=False)


@program
def dtype_changes(torch, compile):
    f = compile(lambda x: (x / 2, x * 2, x.sum()))
    names = ("float32", "float64", "int64", "float16", "int32", "bool")
    return Case(f, [(torch.tensor([1, 0, 3]).to(getattr(torch, name)),) for name in names])


@program
def tensor_kept_in_a_list_by_the_function(torch, compile):
    kept = []

    @compile
    def f(x):
        y = x * 2
        kept.append(y)
        return y.sum()

    return Case(f, vectors(torch, False), state=lambda: kept, may_warn=True)


@program
def cache_filled_by_the_function(torch, compile):
    cache = {}

    @compile
    def f(x, n):
        if n not in cache:
            cache[n] = torch.arange(n, dtype=x.dtype)
        return x.sum() * cache[n]

    v = vectors(torch)
    calls = [(v[0][0], 2), (v[1][0], 3), (v[2][0], 2), (v[3][0], 4)]
    return Case(f, calls, state=lambda: cache, may_warn=True)


@program
def environment_read_through_a_property(torch, compile):
    class Schedule:
        def __init__(self):
            self.step = 0

        @property
        def rate(self):
            return 1.0 / (1 + self.step)

    schedule = Schedule()

    @compile
    def f(x):
        return x * schedule.rate

    def advance():
        schedule.step += 1

    return with_changes(Case(f, vectors(torch)), [None, advance, advance, None, advance])


@program
def exception_and_then_right_calls(torch, compile):
    fail = [True]

    @compile
    def f(x):
        y = x.sin()
        if fail[0]:
            raise ZeroDivisionError("stop")
        return y * 2

    changes = [None, lambda: fail.__setitem__(0, False), None, lambda: fail.__setitem__(0, True)]
    return with_changes(Case(f, vectors(torch), order=2), changes)


@program
def warnings_given_by_the_function(torch, compile):
    @compile
    def f(x):
        if x.shape[0] > 1:
            warnings.warn("two or more", UserWarning, stacklevel=1)
        return x * 2

    return Case(f, vectors(torch), may_warn=True)


@program
def value_decides_differently_each_time(torch, compile):
    f = compile(lambda x: x * 2 if x[0] > 0 else x * 3)
    return Case(f, vectors(torch) * 5, at_most=3)


@program
def float_equality_with_a_changing_float(torch, compile):
    f = compile(lambda x, best: (x, True) if x[0].item() > best else (x * 0, False))
    return Case(f, [(x[0], 0.1 * i) for i, x in enumerate(vectors(torch) * 3)], at_most=4)


@program
def threads_call_one_function(torch, compile):
    f = compile(lambda x: (x * 2).sin().sum() if x.sum() > 0 else (x * 3).cos().sum())

    def g(xs):
        def work(i):
            leaf = xs[i].detach().clone().requires_grad_()
            for _ in range(5):
                value = f(leaf)
                (grad,) = torch.autograd.grad(value, leaf)
            return value.detach(), grad

        return in_threads(work, len(xs))

    xs = [f64(torch, [float(k), 1.0 - k, 0.3]) for k in range(6)]
    return Case(g, [(xs,), (xs[::-1],), (xs[:2],), (xs[3:],)], order=0, joint=False)


@program
def threads_with_states_of_their_own(torch, compile):
    @compile
    def step(w, x):
        loss = ((w * x).sum() - 1) ** 2
        loss.backward()
        with torch.no_grad():
            w.sub_(w.grad, alpha=0.05)
        w.grad = None
        return loss.item()

    def g(x):
        def work(k):
            w = f64(torch, [0.1 * k, 0.2], True)
            return [step(w, x) for _ in range(4)]

        return in_threads(work, 3)

    return Case(g, vectors(torch, False), order=0, joint=False)


@program
def many_signatures_in_turn(torch, compile):
    f = compile(lambda x, how: getattr(x, how)().sum())
    v = vectors(torch)
    names = ("sin", "cos", "exp", "tanh", "sigmoid")
    return Case(f, [call(v[i % 4][0], how=names[i % 5]) for i in range(20)], at_most=5)
