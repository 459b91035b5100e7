"""Numbers that `.item()` gives inside compiled functions behave as Python's: values, types and the dtypes of what is made from them."""

from __future__ import annotations

import copy
import decimal
import fractions
import functools
import json
import math
import numbers
import operator
import pickle
import statistics
import struct
import warnings

import numpy as np
import pytest

import tracegrad as torch

EXPRESSIONS = """
ints * v
ints * k
ints + True * k
halves * v
singles + k
singles * v
x * k
v * ints
k - singles
torch.full((2,), v)
torch.full((2,), k)
torch.tensor([v, 1.0])
torch.tensor([k, 2])
torch.tensor(v)
torch.tensor(k)
torch.tensor((k, v))
torch.as_tensor(v)
torch.as_tensor([v, 2])
torch.where(singles > 0, v, 0.0)
torch.clamp(x, max=v)
singles.new_tensor([v])
singles.new_full((2,), v)
torch.linspace(0, v, 3)
torch.arange(k)
torch.arange(0, v, 0.5)
x**k
torch.pow(2.0, x)
torch.full_like(ints, k)
torch.zeros(2) + v
singles.add(singles, alpha=v)
singles.fill_(v)
torch.ones(3).mul_(k)
k * v
k / 2
k // 2
v // 1
k ** 2
v + k
k + 1.5
k * 2
(v > 1) + 1
(k > 1) * 2.5
min(k, v)
torch.stack([torch.tensor(v), torch.tensor(2.0)])
torch.eye(k)
torch.zeros(k, 2)
torch.ones(3, 3)[k - 1]
singles / k
ints / k
ints // k
ints % k
ints > v
ints == k
torch.maximum(singles, torch.tensor(v))
torch.lerp(singles, singles * 2, v)
torch.addcmul(singles, singles, singles, value=v)
torch.nn.functional.leaky_relu(x, v)
torch.nn.functional.dropout(x, v * 0)
torch.masked_fill(singles, singles > 0, v)
torch.norm(x, v)
torch.complex(torch.tensor(v), torch.tensor(v))
torch.tensor([[v, 1], [2, k]])
torch.full((), v).item()
torch.threshold(x, v, k)
round(v, 2)
math.sqrt(abs(v))
fractions.Fraction(v)
decimal.Decimal(v)
json.dumps({"a": v, "b": [k]})
f"{v:.3f} {k:03d}"
"%d %s" % (k, v)
str(v) + repr(k)
isinstance(v, float), isinstance(k, int), isinstance(v, int), isinstance(k, float)
type(v), type(k)
isinstance(v, torch.Tensor)
np.float32(v)
np.array([v, k])
np.array(v).dtype
np.sin(v)
np.isscalar(v)
statistics.mean([v, v])
divmod(k, 2)
complex(v, k)
hash(k)
{k: 1, v: 2}
sorted([v, 0.5, k])
max(v, 0)
sum([v, v])
math.isclose(v, v)
math.isnan(v)
v.is_integer()
v.hex()
k.bit_length()
v.real
k.numerator
v.__class__
float(k)
int(v)
bool(k)
list(range(k))
"ab" * k
[1] * k
[1, 2, 3][k - 1]
bin(k)
isinstance(v, numbers.Number)
isinstance(v, (int, float))
copy.deepcopy(v)
pickle.dumps(v) == pickle.dumps(1.5)
struct.pack("d", v)
int(k) + v
math.prod([k, v])
functools.reduce(lambda a, b: a + b, [v, v, k])
statistics.pstdev([v, 1.0])
np.linspace(0, v, 3)
np.full(2, v)
bytes([k])
v == 1.5
v in (1.5, 2)
not v
v and 3
v or 3
-v
abs(v)
k & 1
k << 2
~k
k ^ 1
operator.index(k)
match_it(v)
single(v)
""".strip().splitlines()


def match_it(v):
    match v:
        case float():
            return "float"
        case int():
            return "int"
    return "?"


@functools.singledispatch
def single(v):
    return "object"


@single.register
def _(v: float):
    return "float"


SCOPE = {
    "torch": torch, "np": np, "math": math, "json": json, "fractions": fractions, "decimal": decimal, "statistics": statistics, "numbers": numbers, "copy": copy,
    "pickle": pickle, "struct": struct, "functools": functools, "operator": operator, "match_it": match_it, "single": single,
}  # fmt: skip
TEXT = """
def f(x, n):
    v, k = x[0].item(), n.item()
    ints, halves, singles = torch.arange(3), torch.ones(2, dtype=torch.float16), torch.ones(2)
    return [{}]
"""


def shown(function, first, count):
    """Values, types and dtypes of the results."""
    found = function(torch.tensor([first, -2.0]), torch.tensor(count))
    return repr([(type(value), value, getattr(value, "dtype", None)) for value in found])


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_number_of_a_recording_gives_what_pythons_gives(expression):
    scope = dict(SCOPE)
    exec(compile(TEXT.format(expression), "/user_code.py", "exec"), scope)
    function = scope["f"]
    fast = torch.compile(function)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for first, count in ((1.5, 2), (1.5, 2), (2.5, 3), (0.5, 1)):
            assert shown(fast, first, count) == shown(function, first, count)
    assert len(caught) <= 1


def test_code_that_refuses_other_numbers_gets_pythons_own():
    def dump(v):
        return json.dumps({"loss": v})

    fast = torch.compile(lambda x: (x * 2, dump(x.sum().item())))
    for value in (1.0, 2.0, 3.0):
        doubled, text = fast(torch.tensor([value]))
        assert text == json.dumps({"loss": value})
        assert doubled.tolist() == [2 * value]


def test_an_error_of_the_users_stays_the_same():
    def f(x):
        v = x.sum().item()
        raise KeyError(f"no {v > 3}")

    with pytest.raises(KeyError, match="no False"):
        torch.compile(f)(torch.ones(2))
