"""Products of vectors and matrices against torch 2.13."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tests.ops.oracle import assert_same, draw  # noqa: E402

MATMUL = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3,)), ((3,), (5, 3, 2)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4)),
          ((4, 5, 2, 3), (5, 3, 2)), ((4, 1, 2, 3), (5, 3, 2)), ((4, 5, 2, 3), (3, 2)), ((0,), (0,)), ((2, 0), (0, 3)), ((2, 0), (0,)), ((0, 2, 3), (3, 4)),
          ((5, 2, 0), (0, 3)), ((1, 1), (1, 1))]  # fmt: skip
FOLDED = [
    ((2, 3), (5, 3, 4)),
    ((1, 2, 3), (5, 3, 4)),
    ((2, 0), (4, 0, 3)),
    ((2, 3), (0, 3, 4)),
    ((2, 3), (4, 5, 3, 2)),
]  # torch's names show how it folds
WRONG = [
    ((), (3,)),
    ((3,), ()),
    ((3,), (2,)),
    ((2, 3), (2,)),
    ((2,), (3, 2)),
    ((2, 3), (2, 3)),
    ((5, 2, 3), (4, 3, 2)),
    ((5, 2, 3), (2,)),
    ((5, 2, 3), (5, 2, 3)),
    ((2, 3), (4, 2, 3)),
]
FUNCTIONS = {
    "mm": lambda t, x, y: t.mm(x, y), "mv": lambda t, x, y: x.mv(y), "dot": lambda t, x, y: t.dot(x, y), "bmm": lambda t, x, y: x.bmm(y),
    "outer": lambda t, x, y: t.outer(x, y),
}  # fmt: skip
OPERANDS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (4, 3, 4)),
    ((5, 2, 3), (5, 2, 3)),
    ((3,), (2,)),
    ((2, 3), (2, 3)),
    ((), (3,)),
]


@pytest.mark.parametrize("shapes", MATMUL, ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_matmul_of_all_ranks(shapes, dtype):
    assert_same(
        torch,
        lambda t, x, y: x @ y,
        draw(1, shapes[0], dtype),
        draw(2, shapes[1], dtype),
        orders=2 if dtype == "float64" else 1,
    )


@pytest.mark.parametrize("shapes", FOLDED, ids=str)
def test_matmul_that_torch_folds(shapes):
    assert_same(torch, lambda t, x, y: t.matmul(x, y), draw(1, shapes[0]), draw(2, shapes[1]), names=False)


@pytest.mark.parametrize("shapes", WRONG, ids=str)
def test_matmul_refuses_shapes_that_do_not_fit(shapes):
    assert_same(torch, lambda t, x, y: t.matmul(x, y), draw(1, shapes[0]), draw(2, shapes[1]))


@pytest.mark.parametrize("shapes", OPERANDS, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_products_of_fixed_rank(name, shapes):
    assert_same(torch, FUNCTIONS[name], draw(1, shapes[0]), draw(2, shapes[1]))


@pytest.mark.parametrize(
    "shapes", [((3,), (3,)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4)), ((5, 2, 3), (3, 4))], ids=str
)
@pytest.mark.parametrize(
    "dtypes",
    [
        ("float64", "float32"),
        ("int64", "int64"),
        ("int64", "float64"),
        ("int32", "int64"),
        ("bool", "bool"),
        ("uint8", "uint8"),
    ],
    ids=str,
)
def test_matmul_of_other_dtypes(shapes, dtypes):
    assert_same(
        torch, lambda t, x, y: t.matmul(x, y), draw(1, shapes[0], dtypes[0]), draw(2, shapes[1], dtypes[1]), orders=0
    )


@pytest.mark.parametrize("number", [2, 2.0, "a"])
def test_matmul_with_a_number_is_a_type_error(number):
    assert_same(torch, lambda t, x: x @ number, draw(1, (3,)))


def test_matmul_of_strided_operands():
    assert_same(torch, lambda t, x, y: x.t()[::2] @ y.t(), draw(1, (4, 6)), draw(2, (5, 4)))
    assert_same(torch, lambda t, x, y: x.permute(2, 0, 1) @ y.t(), draw(1, (2, 3, 4)), draw(2, (5, 3)), names=False)


def test_a_product_with_itself():
    assert_same(torch, lambda t, x: x @ x, draw(1, (3, 3)))
    assert_same(torch, lambda t, x: x @ x, draw(1, (3,)))


def test_addmm_with_factors():
    assert_same(
        torch,
        lambda t, b, x, y: t.addmm(b, x, y, beta=0.5, alpha=2),
        draw(0, (4,)),
        draw(1, (2, 3)),
        draw(2, (3, 4)),
        names=False,
    )
