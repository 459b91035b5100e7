"""float16 and bfloat16: kept in two bytes, computed in float32, rounded once."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.nn import functional as F

HALF = pytest.mark.parametrize("dtype", [tg.bfloat16, tg.float16], ids=lambda d: d.name)
EPS = {tg.bfloat16: 2.0**-7, tg.float16: 2.0**-10}


def test_importing_the_package_and_float32_arithmetic_do_not_load_ml_dtypes():
    program = "import sys, tracegrad as tg; (tg.ones(2).half() + 1).sum(); tg.bfloat16.itemsize; print('ml_dtypes' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


@HALF
def test_a_tensor_prints_its_dtype(dtype):
    assert repr(tg.tensor([1.5, 0.1], dtype=dtype)).endswith(f"dtype={dtype!r})")
    assert repr(tg.tensor([1.5], dtype=dtype)) == f"tensor([1.5000], dtype={dtype!r})"


@HALF
@pytest.mark.parametrize("make", [tg.zeros, tg.ones, tg.rand, tg.randn, tg.empty], ids=lambda f: f.__name__)
def test_constructors_take_the_dtype(make, dtype):
    assert make(3, dtype=dtype).dtype is dtype


@pytest.mark.parametrize(
    ("other", "want"),
    [
        (tg.bool, tg.bfloat16),
        (tg.int64, tg.bfloat16),
        (tg.bfloat16, tg.bfloat16),
        (tg.float16, tg.float32),
        (tg.float32, tg.float32),
        (tg.float64, tg.float64),
        (tg.complex64, tg.complex64),
        (tg.complex128, tg.complex128),
    ],
    ids=lambda d: d.name,
)
def test_bfloat16_is_promoted_as_in_torch(other, want):
    assert tg.promote_types(tg.bfloat16, other) is tg.promote_types(other, tg.bfloat16) is want
    assert (tg.ones(2, dtype=tg.bfloat16) + tg.ones(2, dtype=other)).dtype is want


@HALF
def test_python_numbers_keep_the_dtype(dtype):
    x = tg.ones(2, dtype=dtype)
    assert {(x + 1).dtype, (x * 2.5).dtype, (1 / x).dtype, (x**2).dtype} == {dtype}


@HALF
def test_a_number_is_compared_as_the_tensor_would_hold_it(dtype):
    assert (tg.tensor([0.1], dtype=dtype) == 0.1).item()
    assert not (tg.tensor([0.1], dtype=dtype) > 0.1).item()


@HALF
def test_a_sum_of_many_small_numbers_does_not_stagnate(dtype):
    x = tg.full((10_000,), 0.1, dtype=dtype)
    exact = 10_000 * x[0].item()
    for total in (x.sum(), x.reshape(100, 100).sum(0).sum(), x.cumsum(0)[-1], x.mean() * 10_000):
        assert total.item() == pytest.approx(exact, rel=2 * EPS[dtype])


@HALF
def test_the_gradient_of_a_broadcast_value_is_summed_in_float32(dtype):
    for spread in (
        lambda x: x.expand(3000, 1),
        lambda x: x.repeat(3000, 1),
        lambda x: x * tg.ones(3000, 1, dtype=dtype),
    ):
        x = tg.ones(1, dtype=dtype, requires_grad=True)
        spread(x).sum().backward()
        assert x.grad.dtype is dtype
        assert x.grad.item() == pytest.approx(3000, rel=EPS[dtype])


@HALF
@pytest.mark.parametrize(
    "function",
    [tg.exp, tg.tanh, lambda x: tg.softmax(x, 0), lambda x: x.var(), lambda x: F.layer_norm(x, (40,)), F.gelu,
     lambda x: x.reshape(5, 8) @ x.reshape(8, 5), lambda x: F.conv1d(x.reshape(1, 4, 10), x[:36].reshape(3, 4, 3)),
     lambda x: F.interpolate(x.reshape(1, 1, 5, 8), scale_factor=2, mode="bilinear"),
     lambda x: F.scaled_dot_product_attention(*[x.reshape(1, 5, 8)] * 3), lambda x: F.huber_loss(x, x * 0.5),
     lambda x: tg.addmm(x[:5], x.reshape(5, 8), x.reshape(8, 5), beta=0.3), lambda x: tg.add(x, x, alpha=-0.75)],
)  # fmt: skip
def test_a_function_rounds_once(function, dtype):
    x = (tg.arange(40.0) / 17 - 1).to(dtype)
    found, exact = function(x), function(x.float())
    assert found.dtype is dtype
    if function.__name__ == "<lambda>" and found.ndim == 0:
        assert found.item() == pytest.approx(exact.item(), rel=EPS[dtype])
    else:
        assert tg.equal(found, exact.to(dtype)) or (found.float() - exact).abs().max() <= EPS[dtype] * exact.abs().max()


@HALF
def test_views_show_the_memory_and_writes_reach_it(dtype):
    x = tg.arange(6, dtype=dtype).reshape(2, 3)
    x.t()[0] = 9
    x[:, 1:] += 0.5
    assert x.tolist() == [[9.0, 1.5, 2.5], [9.0, 4.5, 5.5]]


@HALF
def test_the_largest_number_replaces_infinity(dtype):
    assert tg.nan_to_num(tg.tensor([float("inf")], dtype=dtype)).item() == tg.finfo(dtype).max


def test_the_sign_of_a_zero_is_seen():
    assert tg.signbit(tg.tensor([-0.0, 0.0], dtype=tg.bfloat16)).tolist() == [True, False]


@HALF
def test_derivatives_of_all_modes_agree(dtype):
    def f(x):
        return (tg.softmax(x, 0) * x.sin()).sum()

    x = tg.tensor([0.5, 1.25, -1.0], dtype=dtype)
    want = tg.func.grad(f)(x.double())
    leaf = x.clone().requires_grad_()
    f(leaf).backward()
    forward = tg.stack([tg.func.jvp(f, (x,), (e,))[1] for e in tg.eye(3, dtype=dtype)])
    compiled = [tg.compile(tg.func.grad(f))(x)]
    for found in (leaf.grad, tg.func.grad(f)(x), forward, tg.func.jacrev(f)(x), *compiled):
        assert found.dtype is dtype
        assert (found.double() - want).abs().max() < 4 * EPS[dtype]


@HALF
def test_the_steps_that_change_the_dtype_do_not_show_in_grad_fn(dtype):
    x = tg.ones(3, dtype=dtype, requires_grad=True)
    assert type((x * 2).grad_fn).__name__ == "MulBackward0"
    assert type(F.layer_norm(x, (3,)).grad_fn).__name__ == "NativeLayerNormBackward0"
    (first,) = tg.autograd.grad((x**3).sum(), x, create_graph=True)
    assert type(first.grad_fn).__name__ == "MulBackward0"


@HALF
def test_a_compiled_program_has_the_bits_of_the_eager_one(dtype):
    def f(x, w):
        return (F.softmax(x @ w, 0) * 0.3 + x.sum() - tg.full((3,), 0.1, dtype=dtype)).cumsum(0)

    x, w = tg.randn(3, dtype=dtype), tg.randn(3, 3, dtype=dtype)
    compiled = tg.compile(f)
    assert tg.equal(compiled(x, w), f(x, w))
    short = "bf16" if dtype is tg.bfloat16 else "f16"
    assert "cast(%x, dtype=f32)" in str(compiled.graph)
    assert f"%x: {short}[3]" in str(compiled.graph)


@pytest.mark.parametrize(
    "text", ["graph(%x: bf16[2]) {\n  %1: bf16[2] = mul(%x, 0.5)\n  %2: f32[2] = cast(%1, dtype=f32)\n  return %2\n}"]
)
def test_texts_and_documents_name_bf16(text):
    from tracegrad.export.json_format import from_json, to_json
    from tracegrad.ir.parse import parse
    from tracegrad.ir.text import graph_text

    graph = parse(text)
    assert graph_text(graph) == text
    assert graph_text(from_json(to_json(graph))) == text


def test_an_exported_module_computes_in_bfloat16():
    from tracegrad.export.python_source import to_python

    compiled = tg.compile(lambda x: x.exp() * 0.1)
    x = tg.tensor([1.0, 2.0], dtype=tg.bfloat16)
    want = compiled(x)
    module = {}
    exec(to_python(compiled.graph), module)
    found = module["compiled"](np.asarray(x.view(tg.int16)).view("bfloat16"))
    assert found.tolist() == want.tolist()


@HALF
def test_files_pickles_and_copies_keep_the_dtype(dtype):
    x = tg.tensor([1.5, 0.1, 3.0], dtype=dtype)
    file = io.BytesIO()
    tg.save({"x": x, "part": x[1:]}, file)
    file.seek(0)
    state = tg.load(file)
    state["part"].fill_(7)
    assert state["x"].tolist() == [1.5, 7.0, 7.0]
    for found in (state["x"], pickle.loads(pickle.dumps(x)), copy.deepcopy(x)):
        assert found.dtype is dtype
    assert pickle.loads(pickle.dumps(x)).tolist() == x.tolist()


def test_numpy_has_no_bfloat16_and_says_so():
    x = tg.tensor([1.5], dtype=tg.bfloat16)
    for read in (x.numpy, lambda: np.asarray(x)):
        with pytest.raises(TypeError, match="Got unsupported ScalarType BFloat16"):
            read()


def test_arrays_of_ml_dtypes_share_their_memory():
    import ml_dtypes

    a = np.zeros(2, ml_dtypes.bfloat16)
    x = tg.from_numpy(a)
    x[0] = 1.5
    assert x.dtype is tg.bfloat16
    assert a.tolist() == [1.5, 0.0]


@HALF
def test_modules_are_converted(dtype):
    module = tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.LayerNorm(4), tg.nn.ReLU()).to(dtype)
    y = module(tg.ones(2, 3, dtype=dtype))
    y.sum().backward()
    assert {y.dtype, *(p.grad.dtype for p in module.parameters())} == {dtype}
    assert module.bfloat16()[0].weight.dtype is tg.bfloat16
    assert module.half()[0].weight.dtype is tg.float16


@HALF
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_optimizers_move_half_precision(name, dtype):
    p = tg.nn.Parameter(tg.ones(3, dtype=dtype))
    optimizer = getattr(tg.optim, name)([p], lr=0.1)
    (p * tg.arange(1, 4, dtype=dtype)).sum().backward()
    optimizer.step()
    assert p.dtype is dtype
    assert p[2].item() < 0.95


def test_running_statistics_of_half_precision_are_written_in_place():
    norm = tg.nn.BatchNorm1d(2).bfloat16()
    kept = norm.running_mean
    norm(tg.tensor([[1.0, 2.0], [3.0, 6.0]], dtype=tg.bfloat16))
    assert norm.running_mean is kept
    assert kept.tolist() == pytest.approx([0.2, 0.4], rel=EPS[tg.bfloat16])


@HALF
@pytest.mark.parametrize("name", ["svd", "eigh", "cholesky", "qr", "det", "inv", "slogdet"])
def test_factorizations_refuse_half_precision(name, dtype):
    with pytest.raises(RuntimeError, match="BFloat16" if dtype is tg.bfloat16 else "Half"):
        getattr(tg.linalg, name)(tg.eye(2, dtype=dtype))


@HALF
def test_fourier_transforms_refuse_half_precision(dtype):
    with pytest.raises(RuntimeError, match="Unsupported dtype"):
        tg.fft.fft(tg.ones(4, dtype=dtype))
