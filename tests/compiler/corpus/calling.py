"""The calling convention: how functions are written and decorated, what they take, and what they return."""

import collections
import dataclasses
import enum
import functools

import numpy as np

from tests.compiler.corpus.base import Case, call, f64, program

Pair = collections.namedtuple("Pair", ["left", "right"])


@dataclasses.dataclass
class Point:
    """A dataclass of tensors and plain values."""

    x: object
    y: object
    name: str = "p"


class Mode(enum.Enum):
    """An option that decides what is computed."""

    SUM = "sum"
    MEAN = "mean"


def vectors(torch, grad=True):
    return [f64(torch, v, grad) for v in ([1.0, -2.0], [0.5, 3.0], [-1.0, 1.5], [2.0, 2.5])]


@program
def nested_containers(torch, compile):
    @compile
    def f(tree):
        a, (b, rest) = tree["first"], tree["others"]
        return {"sum": a + b, "list": [rest[0] * a, (b,)], "empty": [], "none": None}

    v = vectors(torch)
    calls = [({"first": v[i], "others": (v[(i + 1) % 4], [v[0], 2.0])},) for i in range(4)]
    return Case(f, calls, order=2, at_most=3)  # three patterns of equal tensors


@program
def length_of_a_list_changes(torch, compile):
    f = compile(lambda xs: sum(x * (i + 1) for i, x in enumerate(xs)))
    v = vectors(torch)
    return Case(f, [(v[:1],), (v[:3],), (v[1:2],), (v,), (v[:3],)], at_most=3)


@program
def namedtuples(torch, compile):
    f = compile(lambda p, k: Pair(p.left * k, Pair(p.right, p.left.sum())))
    v = vectors(torch)
    return Case(f, [(Pair(v[i], v[3 - i]), 2.0 + i) for i in range(4)], order=1, at_most=1)


@program
def dataclass_arguments_and_results(torch, compile):
    @compile
    def f(p):
        if p.name == "flipped":
            return Point(p.y * 2, p.x, "back")
        return Point(p.x + p.y, [p.x, p.y.sum()], p.name.upper())

    v = vectors(torch)
    calls = [(Point(v[0], v[1]),), (Point(v[1], v[2], "flipped"),), (Point(v[2], v[3], "q"),), (Point(v[3], v[0]),)]
    return Case(f, calls)


@program
def ordered_and_default_dicts(torch, compile):
    @compile
    def f(d):
        out = collections.OrderedDict((k, v * 2) for k, v in d.items())
        out.move_to_end(next(iter(out)))
        return out

    v = vectors(torch)
    dicts = [
        collections.OrderedDict(a=v[0], b=v[1]),
        {"b": v[1], "a": v[0]},
        collections.OrderedDict(b=v[1], a=v[0]),
        {"a": v[2], "b": v[3]},
    ]
    return Case(f, [(d,) for d in dicts])


@program
def keyword_arguments_and_defaults(torch, compile):
    @compile
    def f(x, scale=2.0, *, shift=None, power=1):
        y = scale * x**power
        return y if shift is None else y + shift

    v = vectors(torch)
    calls = [
        call(v[0]),
        call(v[1], 3.0),
        call(v[2], shift=v[0]),
        call(x=v[3], power=2),
        call(v[0], scale=3.0, power=2, shift=1.0),
        call(v[1], scale=2.0),
    ]
    return Case(f, calls, order=2)


@program
def variadic_arguments(torch, compile):
    @compile
    def f(first, *others, **named):
        total = first + sum(others)
        for name in sorted(named):
            total = total * named[name]
        return total, len(others), list(named)

    v = vectors(torch)
    calls = [call(v[0]), call(v[0], v[1]), call(v[1], 2.0, v[2], b=v[3]), call(v[3], b=v[0], a=2.0)]
    return Case(f, calls)


@program
def methods_of_two_instances(torch, compile):
    class Scale:
        def __init__(self, k):
            self.k = k

        @compile
        def __call__(self, x):
            return self.k * x.sin()

        @compile
        def twice(self, x):
            return self(self(x))

    a, b = Scale(2.0), Scale(f64(torch, [3.0, 4.0], True))
    v = vectors(torch)
    return Case(
        lambda which, x: (a, b)[which].twice(x), [(i % 2, x) for i, x in enumerate(v)], order=2, wrt=[b.k], joint=False
    )


@program
def class_and_static_methods(torch, compile):
    class Tools:
        factor = 3.0

        @classmethod
        def scaled(cls, x):
            return x * cls.factor

        @staticmethod
        def squared(x):
            return x**2

    scaled, squared = compile(Tools.scaled), compile(Tools.squared)
    v = vectors(torch)
    calls = [call(x) for x in v]
    calls[2].before = functools.partial(setattr, Tools, "factor", 5.0)
    return Case(lambda x: scaled(x) + squared(x), calls, order=2, joint=False)


@program
def decorator_with_options(torch, compile):
    @compile(fullgraph=False, dynamic=None)
    def f(x):
        return (x * x).sum()

    @functools.cache
    def constant(n):
        return float(n) ** 0.5

    g = compile(lambda x: f(x) * constant(2))
    return Case(g, [(x,) for x in vectors(torch)], order=2)


@program
def user_decorators(torch, compile):
    def logged(function):
        @functools.wraps(function)
        def inner(*args, **kwargs):
            return function(*args, **kwargs) * 2

        return inner

    @compile
    @logged
    @logged
    def f(x, k=1.0):
        return x.cos() * k

    return Case(f, [call(x, k=float(i)) for i, x in enumerate(vectors(torch))], order=2)


@program
def partials_and_lambdas(torch, compile):
    w = f64(torch, [2.0, 3.0], True)
    f = compile(functools.partial(lambda w, x, power=1: (w * x) ** power, w, power=2))
    return Case(f, [(x,) for x in vectors(torch)], order=3, wrt=[w], at_most=1)


@program
def functions_as_arguments(torch, compile):
    f = compile(lambda g, x: g(x).sum())
    v = vectors(torch)
    sine, square = (lambda x: x.sin()), (lambda x: x * x)
    calls = [(sine, v[0]), (square, v[0]), (torch.exp, v[1]), (sine, v[2]), (square, v[3])]
    return Case(f, calls, order=2)


@program
def modules_as_arguments(torch, compile):
    layers = [torch.nn.Linear(2, 2).double() for _ in range(2)]
    for k, layer in enumerate(layers):
        with torch.no_grad():
            layer.weight.copy_(f64(torch, [[0.1 + k, 0.2], [0.3, -0.4 * k]]))
            layer.bias.fill_(0.5)
    f = compile(lambda layer, x: layer(x).tanh().sum())
    v = vectors(torch)
    return Case(f, [(layers[i % 2], x) for i, x in enumerate(v)], order=2, state=lambda: layers)


@program
def numpy_arguments(torch, compile):
    @compile
    def f(a, b):
        return torch.as_tensor(a).sum() + b

    arrays = [np.array([1.0, 2.0]), np.array([[1.0], [3.0]]), np.array([5, 6]), np.array([7.0, 8.0])]
    return Case(f, [(a, x) for a, x in zip(arrays, vectors(torch))])


@program
def numbers(torch, compile):
    @compile
    def f(x, n, s, flag, z):
        y = x * n + s
        return (y if flag else -y), (x * z).abs().sum(), n + 1

    v = vectors(torch)
    calls = [
        (v[0], 2, 0.5, True, 1j),
        (v[1], 3, 0.25, False, 2 + 1j),
        (v[2], 2, -1.0, True, 1j),
        (v[3], 7, np.float32(0.5).item(), False, complex(0.0)),
        (v[3], 2.0, 1, 1, 3),
    ]
    return Case(f, calls)


@program
def floats_do_not_recompile(torch, compile):
    f = compile(lambda x, lr: x - lr * x**2)
    return Case(f, [(x, 0.1 * i) for i, x in enumerate(vectors(torch) * 2)], at_most=1)


@program
def numpy_scalars(torch, compile):
    @compile
    def f(x, a, n):
        return x * float(a) + int(n)

    v = vectors(torch)
    calls = [(v[0], np.float32(0.5), np.int64(2)), (v[1], np.float64(1.5), np.int32(3)), (v[2], np.float32(2.5), 1)]
    return Case(f, [*calls, (v[3], 0.5, np.int64(2))])


@program
def none_strings_and_enums(torch, compile):
    @compile
    def f(x, how=None, mode=Mode.SUM):
        y = x if how is None else getattr(x, how)()
        return y.sum() if mode is Mode.SUM else y.mean()

    v = vectors(torch)
    calls = [(v[0],), (v[1], "sin"), (v[2], "exp", Mode.MEAN), (v[3], None, Mode.MEAN), (v[0], "sin")]
    return Case(f, calls, order=2)


@program
def same_tensor_twice(torch, compile):
    f = compile(lambda a, b: (a * b.sin()).sum())
    v = vectors(torch)
    return Case(f, [(v[0], v[0]), (v[0], v[1]), (v[2], v[2]), (v[1], v[0])], order=3)


@program
def same_tensor_twice_differentiated_inside(torch, compile):
    @compile
    def f(a, b):
        return torch.autograd.grad((a**3).sum(), b, allow_unused=True), a is b

    v = vectors(torch)
    return Case(f, [(v[0], v[0]), (v[0], v[1]), (v[2], v[2]), (v[1], v[0])], order=0)


@program
def views_of_one_base_as_arguments(torch, compile):
    base = f64(torch, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    f = compile(lambda a, b: a.sum() * b.prod())
    calls = [(base[0], base[1]), (base[:, 0], base[0]), (base.t()[1], base[1]), (base, base.view(-1))]
    return Case(f, calls)


@program
def result_is_an_argument(torch, compile):
    @compile
    def f(x, y):
        return x, y * 2, x, [y]

    v = vectors(torch)
    return Case(f, [(v[i], v[3 - i]) for i in range(4)], order=1)


@program
def views_of_arguments_returned(torch, compile):
    @compile
    def f(x):
        return x[0], x.view(1, 2), x.expand(3, 2), x.unsqueeze(-1).T

    return Case(f, [(x,) for x in vectors(torch)], order=1)


@program
def mixed_results(torch, compile):
    @compile
    def f(x):
        return {
            "loss": x.sum(),
            "n": len(x),
            "shape": x.shape,
            "name": "linear",
            "pair": (1, 2.5),
            "flag": x.requires_grad,
            "dtype": x.dtype,
            "set": {1, 2},
            "range": range(3),
        }

    return Case(f, [(x,) for x in vectors(torch)])


@program
def no_arguments_and_no_result(torch, compile):
    w = f64(torch, [1.0, 2.0], True)
    f, g = compile(lambda: (w**2).sum()), compile(lambda: None)
    return Case(lambda: (f(), g()), [()] * 4, order=2, wrt=[w])


@program
def constant_result(torch, compile):
    f = compile(lambda x: (torch.ones(2), torch.arange(3), torch.tensor([1.5, 2.5]), x.new_zeros(1)))
    return Case(f, [(x,) for x in vectors(torch)])


@program
def every_dtype(torch, compile):
    names = "float32 float64 float16 bfloat16 int8 int16 int32 int64 uint8 bool complex64 complex128".split()

    @compile
    def f(x):
        y = x.logical_not() if x.dtype == torch.bool else x * 2 + x
        return y, y[:1].to(torch.float32 if not x.is_complex() else torch.complex64), x.flip(0)

    xs = [torch.tensor([1, 0, 2]).to(getattr(torch, name)) for name in names]
    return Case(f, [(x,) for x in xs], at_most=len(names))


@program
def complex_gradients(torch, compile):
    f = compile(lambda z: (z.conj() * z * z.exp()).sum())
    zs = [torch.tensor(v, dtype=torch.complex128, requires_grad=True) for v in ([1 + 2j, 0.5j], [0j, 1 + 0j])]
    return Case(f, [(z,) for z in zs * 2], order=2)


@program
def empty_and_scalar_tensors(torch, compile):
    @compile
    def f(x):
        return x.sum(), x * 2, x.numel()

    xs = [
        torch.zeros(0, dtype=torch.float64, requires_grad=True),
        f64(torch, 2.0, True),
        torch.zeros(0, 3),
        torch.zeros(3, 0),
    ]
    return Case(f, [(x,) for x in xs])


@program
def strided_arguments(torch, compile):
    base = torch.arange(24, dtype=torch.float64).reshape(4, 6)
    f = compile(lambda x: (x * 2, x.sum(0), x.reshape(-1)[:3]))
    calls = [(base.t(),), (base[::2],), (base[:, ::3],), (base[0].expand(4, 6),), (base.flip(1),), (base.contiguous(),)]
    return Case(f, calls)


@program
def layouts_that_a_program_reads(torch, compile):
    @compile
    def f(x):
        return x.is_contiguous(), x.stride(), x.t().is_contiguous(), x + 1

    base = torch.arange(6, dtype=torch.float64).reshape(2, 3)
    return Case(f, [(base,), (base.t(),), (base[:, ::2],), (base * 1,)])


@program
def requires_grad_decides(torch, compile):
    f = compile(lambda x: x * 2 if x.requires_grad else x * 3)
    v = vectors(torch)
    return Case(f, [(v[0],), (v[0].detach(),), (v[1],), (v[2].detach(),)])


@program
def parameters_and_subclasses(torch, compile):
    f = compile(lambda x: (x * 2, isinstance(x, torch.nn.Parameter)))
    v = vectors(torch, False)
    p = torch.nn.Parameter(v[1])
    return Case(f, [(v[0],), (p,), (v[2],), (torch.nn.Parameter(v[3]),)])


@program
def wrong_arguments(torch, compile):
    f = compile(lambda x, y: x @ y)
    a, b = f64(torch, [[1.0, 2.0]], True), f64(torch, [[1.0], [2.0]], True)
    return Case(f, [(a, b), (a, a), (b, b), (a,), (b, a), (a, b, a)])


@program
def errors_of_many_classes(torch, compile):
    @compile
    def f(kind, x):
        if kind == "index":
            return x[7]
        if kind == "key":
            return {}[kind]
        if kind == "attribute":
            return x.no_such_thing
        if kind == "type":
            return x + "a"
        if kind == "shape":
            return x + torch.ones(3)
        if kind == "dim":
            return x.sum(5)
        if kind == "zero":
            return 1 / 0
        return x * 2

    x = vectors(torch)[0]
    kinds = ("fine", "index", "key", "attribute", "type", "shape", "dim", "zero", "fine")
    return Case(f, [(kind, x) for kind in kinds])


@program
def device_and_dtype_arguments(torch, compile):
    @compile
    def f(x, dtype, device):
        return x.to(device=device, dtype=dtype), torch.zeros(2, dtype=dtype, device=device)

    v = vectors(torch)
    cpu = torch.device("cpu")
    return Case(
        f,
        [
            (v[0], torch.float32, cpu),
            (v[1], torch.float64, "cpu"),
            (v[2], torch.int64, cpu),
            (v[3], torch.float32, cpu),
        ],
    )


@program
def attributes_of_a_compiled_function(torch, compile):
    @compile
    def documented(x):
        """Twice x."""
        return x * 2

    return Case(lambda x: (documented(x), documented.__name__, documented.__doc__), [(x,) for x in vectors(torch)])


@program
def objects_with_tensors(torch, compile):
    class State:
        def __init__(self, position, speed):
            self.position, self.speed = position, speed

    @compile
    def move(state, dt):
        return state.position + dt * state.speed

    v = vectors(torch)
    states = [State(v[i], v[3 - i]) for i in range(4)]
    return Case(move, [(s, 0.1) for s in states], wrt=v, joint=False)
