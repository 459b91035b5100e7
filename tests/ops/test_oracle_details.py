"""Elementwise operators, folds and products at their edges against torch 2.13: complex operands, whole numbers, factors of 0, numbers where tensors belong."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg
from tests.ops.differential import check
from tests.ops.oracle import same_class

torch = pytest.importorskip("torch")

SOURCES = [np.random.default_rng(5)]


@pytest.fixture(autouse=True)
def same_numbers_for_every_test():
    """Each test draws from the start, whichever ran before it."""
    SOURCES[0] = np.random.default_rng(5)


def drawn(dtype: str, *shape: int) -> np.ndarray:
    """Values of a dtype: whole numbers from 0 to 4, or reals and complex numbers from -2 to 2."""
    d, random = np.dtype(dtype), SOURCES[0]
    if d.kind in "biu":
        return random.integers(0, 5, shape).astype(d)
    real = random.uniform(-2, 2, shape)
    return (real + 1j * random.uniform(-2, 2, shape) if d.kind == "c" else real).astype(d)


HOLOMORPHIC = "acos acosh asin asinh atan atanh cosh sinh log2 log10 exp2 sinc".split()


@pytest.mark.parametrize("name", HOLOMORPHIC)
def test_a_function_of_complex_numbers_has_torchs_values_and_derivatives(name):
    check(torch, lambda t, x: getattr(t, name)(x), drawn("complex128", 3, 4))


@pytest.mark.parametrize("shapes", [((3, 4), (4,)), ((), (2, 3)), ((0, 2), (2,))])
def test_logaddexp_takes_complex_numbers(shapes):
    check(torch, lambda t, x, y: t.logaddexp(x, y), *(drawn("complex128", *s) for s in shapes))


def test_logaddexp_of_infinite_and_missing_complex_numbers_is_torchs():
    parts = [complex(a, b) for a in (-np.inf, np.inf, np.nan, 1.0) for b in (0.0, 2.0)]
    x, y = (np.array(v) for v in zip(*((a, b) for a in parts for b in parts), strict=True))
    check(torch, lambda t, a, b: t.logaddexp(a, b), x, y, orders=0)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_logcumsumexp_takes_complex_numbers(dim):
    check(torch, lambda t, x: t.logcumsumexp(x, dim), drawn("complex128", 3, 4), orders=1)


def test_lerp_takes_a_complex_weight():
    check(torch, lambda t, x, y: t.lerp(x, y, 0.3 + 0.4j), drawn("complex128", 3), drawn("complex128", 2, 3))


def test_silu_and_rms_norm_take_complex_numbers():
    check(torch, lambda t, x: t.nn.functional.silu(x), drawn("complex128", 3), orders=0)
    check(torch, lambda t, x: t.nn.functional.rms_norm(x, (3,), eps=0.5), drawn("complex128", 2, 3), names=False)


COVARIANCES = {
    "plain": {}, "no correction": {"correction": 0}, "counts": {"fweights": [1, 2, 3, 1]}, "weights": {"aweights": [0.5, 1.0, 2.0, 0.1]},
    "both": {"fweights": [1, 2, 3, 1], "aweights": [0.5, 1.0, 2.0, 0.1]}, "fractions as counts": {"fweights": [1.0, 2.0, 3.0, 1.0]},
    "negative counts": {"fweights": [1, -2, 3, 1]}, "whole weights": {"aweights": [1, 2, 3, 1]}, "zeros": {"fweights": [0, 0, 0, 0]},
    "too few": {"fweights": [1, 2]}, "a column": {"fweights": [[1], [2], [3], [1]]}, "a fraction": {"correction": 1.5}, "too much": {"correction": 9},
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:cov\\(\\):UserWarning")
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("case", COVARIANCES)
def test_covariances_take_the_weights_that_torch_takes(case, dtype):
    def program(t, x):
        return t.cov(x, **{k: t.tensor(v) if isinstance(v, list) else v for k, v in COVARIANCES[case].items()})

    check(torch, program, drawn(dtype, 2, 4), names=False)


def test_correlations_of_complex_numbers_have_both_parts_within_one():
    check(torch, lambda t, x: t.corrcoef(x), drawn("complex128", 3, 5), names=False)


def test_the_derivative_of_nextafter_is_one_where_the_operands_differ():
    check(torch, lambda t, x, y: t.nextafter(x, y), np.array([1.0, 2.0, -3.0]), np.array([1.0, 5.0, -7.0]))


SHAPES = {
    "addmm": ((2, 4), (2, 3), (3, 4)), "addmv": ((2,), (2, 3), (3,)), "addr": ((2, 3), (2,), (3,)),
    "baddbmm": ((2, 2, 4), (2, 2, 3), (2, 3, 4)), "addbmm": ((2, 4), (2, 2, 3), (2, 3, 4)),
}  # fmt: skip
FACTORS = [(2.7, 1.6), (0.5, 1), (1, 0.5), (2, 3), (True, False), (300, 1), (-1, 1), (1j, 1), (0, 1), (0, 0), (1, 0)]


@pytest.mark.parametrize("dtype", ["float64", "int64", "uint8", "int32", "bool", "complex128"])
@pytest.mark.parametrize("beta, alpha", FACTORS)
@pytest.mark.parametrize("name", SHAPES)
def test_a_product_added_to_a_value_converts_its_factors_as_torch(name, beta, alpha, dtype):
    arrays = [drawn(dtype, *s) for s in SHAPES[name]]
    orders = int(np.dtype(dtype).kind in "fc")
    check(torch, lambda t, *v: getattr(t, name)(*v, beta=beta, alpha=alpha), *arrays, orders=orders, names=False)


@pytest.mark.parametrize("name", SHAPES)
def test_a_factor_of_zero_hides_nan_in_the_value(name):
    first, *others = [drawn("float64", *s) for s in SHAPES[name]]
    check(torch, lambda t, *v: getattr(t, name)(*v, beta=0), first * np.nan, *others, orders=0)


@pytest.mark.parametrize("shape", [(3,), (1, 2, 4), (2, 3)])
def test_a_value_that_does_not_expand_to_the_product_is_refused(shape):
    check(torch, lambda t, *v: t.addmm(*v), drawn("float64", *shape), drawn("float64", 2, 3), drawn("float64", 3, 4))


SUMS = {
    "einsum of one": lambda t, m, v: t.einsum("i->", v), "einsum of rows": lambda t, m, v: t.einsum("ij->i", m), "einsum of two": lambda t, m, v: t.einsum("ij,k->k", m, v),
    "einsum product": lambda t, m, v: t.einsum("ij,jk->ik", m, m), "einsum trace": lambda t, m, v: t.einsum("ii", m), "outer einsum": lambda t, m, v: t.einsum("i,j->ij", v, v),
    "tensordot over one": lambda t, m, v: t.tensordot(m[:1], m, ([0], [0])), "bilinear": lambda t, m, v: t.nn.functional.bilinear(v, v, m.unsqueeze(0)),
    "sum_to_size": lambda t, m, v: m.sum_to_size(2), "sum_to_size of all": lambda t, m, v: m.sum_to_size(2, 2), "to a number": lambda t, m, v: m[0, 0].sum_to_size(()),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool", "int8"])
@pytest.mark.parametrize("case", SUMS)
def test_sums_of_whole_numbers_have_torchs_dtype(case, dtype):
    check(torch, SUMS[case], drawn(dtype, 2, 2), drawn(dtype, 2), orders=0)


@pytest.mark.parametrize("case", [c for c in SUMS if "bilinear" not in c])
def test_sums_of_small_whole_numbers_compile(case):
    m, v = tg.tensor([[1, 2], [3, 4]], dtype=tg.int32), tg.tensor([1, 2], dtype=tg.int32)
    want, got = SUMS[case](tg, m, v), tg.compile(lambda a, b: SUMS[case](tg, a, b))(m, v)
    assert got.dtype == want.dtype and got.tolist() == want.tolist()


PLACES = [
    (name, args)
    for name, count in {
        "atan2": 2, "hypot": 2, "ldexp": 2, "logaddexp": 2, "nextafter": 2, "maximum": 2, "fmax": 2, "gcd": 2, "clamp_max": 2, "clamp": 2, "rsub": 2, "sum": 1, "exp": 1,
        "relu": 1, "add": 2, "sub": 2, "mul": 2, "div": 2, "pow": 2, "remainder": 2, "xlogy": 2, "isclose": 2, "logical_and": 2, "max": 2, "masked_fill": 3, "igamma": 2,
        "addcmul": 3, "where": 3, "heaviside": 2, "matmul": 2, "dist": 2, "cross": 2, "fmod": 2, "copysign": 2, "eq": 2, "bitwise_and": 2, "floor_divide": 2,
    }.items()
    for args in ((("n",), ("t",)) if count == 1 else (("n", "t"), ("t", "n"), ("n", "n")) if count == 2 else (("n", "t", "t"), ("t", "n", "t"), ("t", "t", "n")))
]  # fmt: skip


@pytest.mark.parametrize("number", [2, 2.5, True])
@pytest.mark.parametrize("name, args", PLACES)
def test_a_number_is_taken_where_torch_takes_it(name, args, number):
    if (name == "pow" and args == ("n", "n")) or (name == "floor_divide" and args == ("n", "n")):
        pytest.skip("torch computes with Python's numbers there, or refuses for another reason")

    def outcome(t):
        try:
            return getattr(t, name)(*(number if a == "n" else t.tensor([0.5, 0.2, 0.7]) for a in args))
        except (TypeError, RuntimeError, IndexError) as error:
            return error

    want, got = outcome(torch), outcome(tg)
    if isinstance(want, Exception):
        assert isinstance(got, Exception) and same_class(got, want), f"torch raises {want!r}; this {got!r}"
    else:
        assert str(got.dtype) == str(want.dtype)
        np.testing.assert_allclose(got.tolist(), want.tolist(), rtol=1e-6)


def test_the_extremes_along_an_axis_without_elements_name_that_axis():
    for t in (torch, tg):
        with pytest.raises(IndexError, match="Expected reduction dim 1 to have non-zero size"):
            t.zeros(5, 0, 5).aminmax(dim=1)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("margin", [0, 0.0, 1.5])
def test_margin_ranking_loss_of_whole_numbers_is_floating(margin, reduction):
    def program(t, x, y, sign):
        return t.nn.functional.margin_ranking_loss(x, y, sign, margin=margin, reduction=reduction)

    check(torch, program, np.array([1, 2]), np.array([0, 4]), np.array([1, -1]), orders=0, names=False)


def test_an_unknown_reduction_is_refused_by_the_triplet_loss():
    for t in (torch, tg):
        with pytest.raises(ValueError, match="abc is not a valid value for reduction"):
            t.nn.functional.triplet_margin_with_distance_loss(*[t.ones(3, 4)] * 3, reduction="abc")


PAIRS = ["gcd", "lcm", "nextafter", "hypot", "lerp", "addcdiv", "maximum", "fmod", "copysign", "atan2"]


@pytest.mark.parametrize("second", ["float64", "float32", "int64", "int32", "bool"])
@pytest.mark.parametrize("first", ["float64", "float32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("name", PAIRS)
def test_operands_of_two_dtypes_are_taken_or_refused_as_in_torch(name, first, second):
    def program(t, x, y):
        if name == "lerp":
            return t.lerp(x, y, 0.3)
        return t.addcdiv(x, y, y + 1) if name == "addcdiv" else getattr(t, name)(x, y)

    check(torch, program, drawn(first, 2, 3), drawn(second, 3), orders=0)


@pytest.mark.parametrize("name", ["clamp", "clamp_min", "clamp_max"])
def test_a_complex_bound_is_refused(name):
    check(torch, lambda t, x: getattr(t, name)(x, 1j), drawn("float64", 3), orders=0)


@pytest.mark.parametrize("name", ["var", "std"])
def test_the_derivative_without_degrees_of_freedom_is_torchs(name):
    check(torch, lambda t, x: getattr(t, name)(x, correction=7), drawn("float64", 4), orders=1)


def test_renorm_refuses_whole_numbers():
    check(torch, lambda t, x: t.renorm(x, 2, 0, 1.0), drawn("int64", 2, 3), orders=0)


@pytest.mark.parametrize("dim", [0, 2])
def test_the_extremes_of_an_empty_tensor_along_another_axis_are_empty(dim):
    check(torch, lambda t, x: t.aminmax(x, dim=dim), np.zeros((2, 0, 3)), orders=0)


LOSSES = {
    "smooth_l1_loss": 2, "huber_loss": 2, "binary_cross_entropy": 2, "hinge_embedding_loss": 2, "kl_div": 2, "mse_loss": 2, "l1_loss": 2, "soft_margin_loss": 2,
    "multilabel_soft_margin_loss": 2, "poisson_nll_loss": 2, "cosine_embedding_loss": 3, "margin_ranking_loss": 3, "linear": 2,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
@pytest.mark.parametrize("reduction", ["mean", "none", "sum"])
@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_takes_or_refuses_whole_numbers_as_torch(name, dtype, reduction):
    def program(t, x, y):
        given = (x, y) if LOSSES[name] == 2 else (x, y, t.ones(2) if name.startswith("cosine") else t.ones(2, 3))
        function = getattr(t.nn.functional, name)
        return function(*given) if name == "linear" else function(*given, reduction=reduction)

    check(torch, program, drawn(dtype, 2, 3), drawn(dtype, 2, 3), orders=0, names=False, least=1e-5)


REFUSED = {
    "a margin loss of three axes": lambda t, x: t.nn.functional.multilabel_margin_loss(x[None], x[None].long()),
    "a number's likelihood": lambda t, x: t.nn.functional.nll_loss(x[0, 0], t.tensor(0)),
    "whole likelihoods": lambda t, x: t.nn.functional.nll_loss(x.long(), t.tensor([0, 1])),
    "one probability too few": lambda t, x: t.nn.functional.cross_entropy(x, x[:1]),
    "targets of another dtype": lambda t, x: t.nn.functional.cross_entropy(x, x[:, 0]),
    "triplets of other ranks": lambda t, x: t.nn.functional.triplet_margin_loss(x, x[0], x),
    "a target with a derivative": lambda t, x: t.nn.functional.soft_margin_loss(x, t.ones(2, 3).requires_grad_()),
    "an unsigned hardtanh": lambda t, x: t.nn.functional.hardtanh(x.abs().byte()),
    "a threshold of masks": lambda t, x: t.nn.functional.threshold(x > 0, 0, 1),
    "a whole prelu": lambda t, x: t.nn.functional.prelu(x.long(), t.tensor([1])),
    "a complex glu": lambda t, x: t.nn.functional.glu(t.complex(x, x), 0),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_torch_refuses_is_refused(case):
    with pytest.raises((RuntimeError, ValueError)):
        REFUSED[case](torch, torch.ones(2, 3))
    check(torch, REFUSED[case], drawn("float64", 2, 3), orders=0)


@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
def test_a_negative_probability_has_no_divergence():
    check(torch, lambda t, x: t.nn.functional.kl_div(x, x), np.array([-0.5, 0.5, 0.0]), orders=0, names=False)


TARGETS = {
    "too few": [0, 1, 2, 0, 1], "too many": [0] * 7, "one number": 1, "one": [1], "probabilities": [[0] * 3] * 6, "right": [0, 1, 2, 0, 1, 2], "a matrix": [[0, 0]] * 5,
    "fractions": [0.0, 1.0, 2.0, 0.0, 1.0, 2.0], "a column": [[0]] * 6,
}  # fmt: skip


@pytest.mark.parametrize("function", ["nll_loss", "cross_entropy"])
@pytest.mark.parametrize("rows", [True, False])
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
@pytest.mark.parametrize("case", TARGETS)
def test_a_likelihood_takes_the_targets_that_torch_takes(case, dtype, rows, function):
    target = np.array(TARGETS[case])
    target = target if target.dtype.kind == "f" else target.astype(dtype)

    def program(t, x):
        return getattr(t.nn.functional, function)(x if rows else x[0], t.tensor(target), reduction="none")

    # torch's own backward of one row against one class in a list fails
    check(torch, program, drawn("float64", 6, 3), orders=int(rows or case != "one"))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 2), (2, 3, 2, 2, 2)])
def test_a_likelihood_of_images_has_torchs_name(shape, reduction):
    def program(t, x):
        target = t.zeros((shape[0], *shape[2:]), dtype=t.int64)
        return t.nn.functional.nll_loss(x, target, reduction=reduction)

    check(torch, program, drawn("float64", *shape), orders=1)


@pytest.mark.parametrize("shape", [(2, 4), (2, 3), (2,), (1, 4), (2, 1), (2, 4, 1), (3, 4)])
def test_the_target_of_images_has_one_class_for_each_place(shape):
    check(torch, lambda t, x: t.nn.functional.nll_loss(x, t.zeros(shape, dtype=t.int64)), drawn("float64", 2, 3, 4))
