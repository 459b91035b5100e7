"""grid_sample and affine_grid: values, names, first derivatives, warnings and error classes are torch's; torch has no second derivative of grid_sample."""

import warnings

import numpy as np
import pytest

import tracegrad as tg
from tests.ops.oracle import assert_same

torch = pytest.importorskip("torch")

PADDINGS = ["zeros", "border", "reflection"]
IMAGES = [
    (mode, padding, corners)
    for mode in ("bilinear", "nearest", "bicubic")
    for padding in PADDINGS
    for corners in (False, True)
]
REFUSED = """grid_sample(x,g,mode='foo') grid_sample(x,g,padding_mode='foo') grid_sample(v,h,mode='bicubic') grid_sample(x,h) grid_sample(x,g[...,:1])
grid_sample(x[:1],g) grid_sample(x.float(),g) grid_sample(x[0],g) grid_sample(x[:,:,:0],g) grid_sample(x.long(),g.long()) affine_grid(m,(1,1,2)) affine_grid(m,(3,1,2,2))
affine_grid(m.long(),(2,1,2,2)) affine_grid(m[0],(2,1,2,2)) affine_grid(m,(2,1,2,0)) affine_grid(m,(2,1,2,-1)) affine_grid(m,(2,1,2,2,2))""".split()


def draw(seed, *shape, reach=1.0):
    return np.random.default_rng(seed).uniform(-reach, reach, shape)


@pytest.mark.parametrize(("mode", "padding", "corners"), IMAGES)
def test_an_image_is_sampled_as_in_torch(mode, padding, corners):
    def function(t, x, g):
        return t.nn.functional.grid_sample(x, g, mode, padding, corners)

    assert_same(torch, function, draw(0, 2, 3, 4, 5), draw(1, 2, 6, 3, 2, reach=2.5), orders=1)


@pytest.mark.parametrize(("mode", "padding", "corners"), [c for c in IMAGES if c[0] != "bicubic"])
def test_a_volume_is_sampled_as_in_torch(mode, padding, corners):
    def function(t, x, g):
        return t.nn.functional.grid_sample(x, g, mode, padding, corners)

    assert_same(torch, function, draw(0, 2, 3, 4, 5, 2), draw(1, 2, 2, 3, 4, 3, reach=2.5), orders=1)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("corners", [False, True])
def test_the_corners_and_pixels_themselves_are_as_in_torch(padding, corners):
    def function(t, x, g):
        return t.nn.functional.grid_sample(x, g, "bilinear", padding, corners)

    ends = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    grid = np.stack(np.meshgrid(ends, ends), -1)[None]
    assert_same(torch, function, draw(0, 1, 2, 5, 3), grid, orders=1)


@pytest.mark.parametrize("padding", PADDINGS)
def test_an_image_of_one_pixel_is_sampled_as_in_torch(padding):
    def function(t, x, g):
        return t.nn.functional.grid_sample(x, g, "bilinear", padding, True)

    assert_same(torch, function, draw(0, 1, 2, 1, 1), draw(1, 1, 2, 2, 2), orders=1)


@pytest.mark.parametrize(
    "shapes", [((1, 0, 4, 4), (1, 3, 3, 2)), ((0, 2, 4, 4), (0, 3, 3, 2)), ((1, 2, 4, 4), (1, 0, 3, 2))]
)
def test_empty_batches_channels_and_grids_are_as_in_torch(shapes):
    def function(t, x, g):
        return t.nn.functional.grid_sample(x, g, align_corners=False)

    assert_same(torch, function, *(draw(0, *shape) for shape in shapes), orders=1)


def test_what_is_not_a_number_is_sampled_as_in_torch():
    def function(t, x, g):
        return t.nn.functional.grid_sample(x, g, align_corners=False)

    grid = np.array([np.nan, np.inf, -np.inf, 0.1, 1e20, 0]).reshape(1, 1, 3, 2)
    assert_same(torch, function, np.arange(16.0).reshape(1, 1, 4, 4), grid, orders=0)


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 1, 3, 2), (2, 1, 2, 3, 4)])
def test_affine_grid_is_that_of_torch(size, corners):
    def function(t, m):
        return t.nn.functional.affine_grid(m, size, corners)

    d = len(size) - 2
    assert_same(torch, function, draw(0, 2, d, d + 1), orders=2)


@pytest.mark.parametrize("text", REFUSED)
def test_what_torch_refuses_is_refused_by_an_error_of_the_same_class(text):
    def function(t, x, g, v, h, m):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return eval(f"F.{text}", {"F": t.nn.functional, "x": x, "g": g, "v": v, "h": h, "m": m})

    values = draw(0, 2, 3, 4, 5), draw(1, 2, 3, 3, 2), draw(0, 2, 3, 4, 5, 2), draw(1, 2, 3, 3, 3, 3), draw(2, 2, 2, 3)
    assert_same(torch, function, *values)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("padding", PADDINGS)
def test_second_derivatives_pass_their_check(mode, padding):
    x = tg.tensor(draw(0, 1, 2, 3, 3), requires_grad=True)
    g = tg.tensor(draw(1, 1, 2, 2, 2, reach=1.3), requires_grad=True)
    assert tg.autograd.gradgradcheck(lambda x, g: tg.nn.functional.grid_sample(x, g, mode, padding, False), (x, g))


def test_the_default_of_align_corners_is_warned_of():
    with pytest.warns(UserWarning, match="Default grid_sample"):
        tg.nn.functional.grid_sample(tg.zeros(1, 1, 2, 2), tg.zeros(1, 1, 1, 2))
    with pytest.warns(UserWarning, match="unit-size grids"):
        tg.nn.functional.affine_grid(tg.zeros(1, 2, 3), (1, 1, 2, 1), align_corners=True)


def test_the_functions_at_the_top_take_numbers_for_modes():
    def function(t, x, g):
        return t.grid_sampler(x, g, 0, 1, False), t.grid_sampler_2d(x, g, 2, 2, True)

    assert_same(torch, function, draw(0, 2, 3, 4, 5), draw(1, 2, 3, 3, 2), orders=1)


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_an_infinite_pixel_reaches_no_place_outside_of_the_image(mode):
    def sampled(t):
        image = t.full((1, 1, 3, 3), float("inf"))
        return t.nn.functional.grid_sample(image, t.full((1, 1, 1, 2), 5.0), mode, align_corners=False)

    assert sampled(tg).tolist() == sampled(torch).tolist() == [[[[0.0]]]]
