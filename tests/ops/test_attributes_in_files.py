"""Attributes that no function of the package would give, as a damaged file may hold them, are refused by the type rules."""

from __future__ import annotations

import numpy as np
import pytest

from tracegrad.errors import TracegradError
from tracegrad.ir.builder import B
from tracegrad.ir.node import make_leaf
from tracegrad.ir.types import Type

WRONG = {
    "alpha is a text": ("elu", (3,), {"alpha": "1.0", "scale": 1.0, "input_scale": 1.0}),
    "lambd is absent": ("hardshrink", (3,), {"lambd": None}),
    "eps is a text": ("standardise", (2, 3), {"dim": (1,), "eps": "1e-5"}),
    "an axis twice": ("standardise", (2, 3), {"dim": (1, 1), "eps": 1e-5}),
    "an axis that is not there": ("standardise", (2, 3), {"dim": (2,), "eps": 1e-5}),
    "a kernel of a text": ("sum_pool", (2, 4), {"kernel": "2", "stride": (2,), "padding": (0,), "sizes": (2,)}),
    "no step": ("sum_pool", (2, 4), {"kernel": (2,), "stride": (0,), "padding": (0,), "sizes": (2,)}),
    "too many windows": ("sum_pool", (2, 4), {"kernel": (2,), "stride": (2,), "padding": (0,), "sizes": (10**18,)}),
    "too wide a window": ("spread_pool", (2, 2), {"kernel": (10**30,), "stride": (2,), "padding": (0,), "sizes": (4,)}),
    "too few steps": (
        "max_pool",
        (2, 4, 4),
        {"kernel": (2, 2), "stride": (2,), "padding": (0, 0), "dilation": (1, 1), "sizes": (2, 2)},
    ),
}


@pytest.mark.parametrize(("name", "shape", "attrs"), WRONG.values(), ids=WRONG)
def test_a_type_rule_refuses_wrong_attributes(name, shape, attrs):
    with pytest.raises(TracegradError):
        getattr(B, name)(make_leaf(Type(shape, np.dtype(np.float64))), **attrs)


@pytest.mark.parametrize("groups", [0, -1, 2, None])
def test_the_derivative_by_a_weight_refuses_groups_that_do_not_divide(groups):
    x, y = (make_leaf(Type(shape, np.dtype(np.float64))) for shape in ((2, 3, 7), (2, 4, 4)))
    with pytest.raises(TracegradError):
        B.convolution_weight(x, y, kernel=(3,), stride=(2,), padding=(1,), dilation=(1,), groups=groups)
