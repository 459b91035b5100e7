"""repr against torch, on tensors of many shapes, scales and dtypes, under many print options."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tracegrad as tg  # noqa: E402

SHAPES = [
    (),
    (0,),
    (1,),
    (5,),
    (30,),
    (2, 3),
    (0, 3),
    (3, 0),
    (2, 3, 4),
    (1001,),
    (40, 40),
    (3, 1200),
    (1200, 2),
    (7, 8, 9, 3),
    (1, 1, 1),
    (1000,),
    (2, 0, 3),
]
DTYPES = ["float32", "float64", "int64", "bool", "int32", "float16", "uint8", "complex64", "complex128", "int8"]
PROFILES = [{"profile": name} for name in ("default", "short", "full")]


@pytest.fixture(autouse=True)
def default_options():
    yield
    tg.set_printoptions(profile="default")
    torch.set_printoptions(profile="default")


def floats(rng, shape):
    scaled = rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 9)
    kinds = [
        scaled,
        np.round(scaled),
        np.round(rng.standard_normal(shape) * 5),
        10.0 ** rng.uniform(-8, 8, shape),
        np.where(rng.random(shape) < 0.1, np.inf, np.where(rng.random(shape) < 0.2, np.nan, scaled)),
        np.where(rng.random(shape) < 0.3, 0, np.where(rng.random(shape) < 0.3, -np.inf, np.round(scaled))),
        rng.random(shape),
        np.zeros(shape) * -1,
        np.round(10.0 ** rng.uniform(-1, 9, shape)),
    ]
    return kinds[rng.integers(len(kinds))]


def draw(rng, shape, dtype):
    kind = np.dtype(dtype).kind
    if kind == "b":
        return rng.random(shape) < 0.5
    if kind in "ui":
        low, high = (
            (0, 255)
            if kind == "u"
            else (-127, 127)
            if dtype == "int8"
            else (-(10 ** int(rng.integers(1, 9))), 10 ** int(rng.integers(1, 9)))
        )
        return rng.integers(low, high, shape)
    if kind == "f":
        return floats(rng, shape)
    return floats(rng, shape) + 1j * np.round(
        rng.standard_normal(shape), int(rng.integers(0, 5))
    ) * 10.0 ** rng.integers(-3, 4)


@pytest.mark.parametrize("seed", range(400))
def test_random_tensor_prints_as_in_torch(seed):
    rng = np.random.default_rng(seed)
    shape, dtype = SHAPES[rng.integers(len(SHAPES))], DTYPES[rng.integers(len(DTYPES))]
    with np.errstate(all="ignore"):
        array = np.asarray(draw(rng, shape, dtype)).astype(dtype)
    if rng.random() < 0.4:
        options = {"precision": int(rng.integers(0, 7)), "threshold": int(rng.integers(0, 2000)), "edgeitems": int(rng.integers(1, 5)),
                   "linewidth": int(rng.integers(30, 140)), "sci_mode": [None, True, False][rng.integers(3)]}  # fmt: skip
    else:
        options = PROFILES[rng.integers(3)]
    tg.set_printoptions(**options)
    torch.set_printoptions(**options)
    requires_grad = bool(rng.random() < 0.4) and array.dtype.kind == "f"
    ours, theirs = (
        tg.from_numpy(array.copy()).requires_grad_(requires_grad),
        torch.from_numpy(array.copy()).requires_grad_(requires_grad),
    )
    assert repr(ours) == repr(theirs), f"seed {seed}"
    assert str(ours) == str(theirs) and f"{ours}" == f"{theirs}"


LEAF = np.arange(6.0, dtype=np.float32).reshape(2, 3) + 1
EXPRESSIONS = {
    "add": lambda t, x: x + 1, "radd": lambda t, x: 1 + x, "sub": lambda t, x: x - 1, "rsub": lambda t, x: 1 - x, "mul": lambda t, x: 2 * x, "div": lambda t, x: x / 2,
    "rdiv": lambda t, x: 2 / x, "pow": lambda t, x: x**2, "rpow": lambda t, x: 2**x, "pow two": lambda t, x: x**x, "neg": lambda t, x: -x, "abs": lambda t, x: abs(x),
    "pos": lambda t, x: +x, "mod": lambda t, x: x % 2, "exp": lambda t, x: x.exp(), "sum": lambda t, x: x.sum(), "sum dim": lambda t, x: x.sum(0), "mean": lambda t, x: x.mean(),
    "T": lambda t, x: x.T, "t": lambda t, x: x.t(), "mT": lambda t, x: x.mT, "view": lambda t, x: x.view(3, 2), "detach": lambda t, x: x.detach(), "clone": lambda t, x: x.clone(),
    "double": lambda t, x: x.double(), "long": lambda t, x: x.long(), "to": lambda t, x: x.to(t.float64), "row": lambda t, x: x[0], "element": lambda t, x: x[0, 1],
    "matmul": lambda t, x: x @ x.T, "data": lambda t, x: x.data, "expand": lambda t, x: x.expand(2, 2, 3), "compare": lambda t, x: x > 2, "empty": lambda t, x: x[:0],
    "zero_": lambda t, x: (x * 1).zero_(), "fill_": lambda t, x: (x * 1).fill_(2.5), "fill_ tensor": lambda t, x: (x * 1).fill_(x[0, 0]), "copy_": lambda t, x: (x * 1).copy_(x[0]),
    "add_": lambda t, x: (x * 1).add_(1), "iadd": lambda t, x: iadd(x * 1, x),
}  # fmt: skip


def iadd(a, b):
    a += b
    return a


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_history_prints_as_in_torch(name):
    ours = tg.from_numpy(LEAF.copy()).requires_grad_()
    theirs = torch.from_numpy(LEAF.copy()).requires_grad_()
    assert repr(EXPRESSIONS[name](tg, ours)) == repr(EXPRESSIONS[name](torch, theirs))


@pytest.mark.parametrize("spec", ["", ".3f", ">10", "08.2f", ".2e", "g"])
@pytest.mark.parametrize("value", [1.5, 3, True, float("nan"), -2.25e-7])
def test_zero_dim_tensor_formats_as_in_torch(spec, value):
    def form(t):
        try:
            return format(t, spec)
        except ValueError as error:
            return type(error)

    assert form(tg.tensor(value)) == form(torch.tensor(value))


def test_format_specification_of_a_tensor_with_axes_is_a_type_error():
    for library in (tg, torch):
        with pytest.raises(TypeError):
            format(library.ones(2), ".2f")


def test_subclass_prints_its_name():
    class Ours(tg.Tensor):
        pass

    class Theirs(torch.Tensor):
        pass

    assert repr(Ours([1.0, 2.5])) == repr(Theirs([1.0, 2.5])).replace("Theirs", "Ours")
