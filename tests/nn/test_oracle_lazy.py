"""Layers that take their number of features from the first input: texts before and after, and error classes, are torch's."""

import warnings

import pytest

import tracegrad as tg

torch = pytest.importorskip("torch")

LAYERS = {
    "LazyLinear(3)": (2, 4),
    "LazyLinear(3, bias=False)": (2, 5, 4),
    "LazyConv1d(3, 2)": (2, 4, 5),
    "LazyConv2d(4, 2, stride=2, groups=2)": (1, 4, 5, 5),
    "LazyConv3d(2, 1)": (3, 2, 2, 2),
    "LazyConvTranspose1d(3, 2)": (2, 4, 5),
    "LazyConvTranspose2d(3, 2)": (2, 4, 5, 5),
    "LazyBatchNorm1d()": (3, 4),
    "LazyBatchNorm2d(affine=False)": (3, 4, 2, 2),
    "LazyInstanceNorm1d()": (3, 4, 5),
    "LazyInstanceNorm2d(eps=1e-3)": (3, 4, 5, 5),
}


def shown(t, text, shape):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer = eval(f"nn.{text}", {"nn": t.nn})
        before = repr(layer), [repr(p) for p in layer.parameters()], layer.has_uninitialized_params()
        made = layer(t.ones(shape))
    state = {k: tuple(v.shape) for k, v in layer.state_dict().items()}
    return before, repr(layer), type(layer).__name__, tuple(made.shape), state


@pytest.mark.parametrize("text", LAYERS)
def test_a_lazy_layer_becomes_that_of_torch(text):
    assert shown(tg, text, LAYERS[text]) == shown(torch, text, LAYERS[text])


def test_the_parameters_stay_the_same_objects():
    layer = tg.nn.LazyLinear(3)
    weight = layer.weight
    with pytest.raises(RuntimeError, match="uninitialized"):
        weight.shape  # noqa: B018
    layer(tg.ones(2, 4)).sum().backward()
    assert layer.weight is weight
    assert weight.grad.shape == (3, 4)


def test_an_input_of_another_rank_is_refused():
    with pytest.raises(RuntimeError, match="Expected 3D"):
        tg.nn.LazyConv2d(3, 2)(tg.ones(2, 3))
