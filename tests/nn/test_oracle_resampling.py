"""Resampling, fractional pooling and their modules: values, names, derivatives, texts and error classes are torch's."""

import warnings

import numpy as np
import pytest

from tests.ops.oracle import assert_same

torch = pytest.importorskip("torch")

IMAGES = """interpolate(x,size=5) interpolate(x,size=(3,11),mode='nearest-exact') interpolate(x,scale_factor=1.7) interpolate(x,scale_factor=(2.3,.6),mode='nearest-exact')
interpolate(x,scale_factor=1.7,mode='bilinear') interpolate(x,scale_factor=1.7,mode='bilinear',recompute_scale_factor=True)
interpolate(x,size=(9,2),mode='bicubic') interpolate(x,size=(1,9),mode='bicubic',align_corners=True) interpolate(x,size=(9,1),mode='bilinear',align_corners=True)
interpolate(x,size=(3,4),mode='bilinear',antialias=True) interpolate(x,scale_factor=.6,mode='bicubic',antialias=True) interpolate(x,size=(11,3),mode='bicubic',antialias=True,align_corners=True)
interpolate(x,size=(4,5),mode='lanczos',antialias=True) interpolate(x,size=(4,3),mode='area') interpolate(x,scale_factor=.5,mode='area') interpolate(x,size=x.shape[2:])
interpolate(x[:,:,0],size=4,mode='linear') interpolate(x[:,:,0],scale_factor=2.5) interpolate(x[:,:,0],size=3,mode='area') interpolate(x[:,:,None],size=(2,5,3),mode='trilinear')
interpolate(x[:,:,None],scale_factor=(1,.5,2),mode='nearest-exact') interpolate(x[:,:,None],scale_factor=(3,.5,2)) upsample(x,(3,4),mode='bilinear') upsample_bilinear(x,(3,4))
upsample_nearest(x,scale_factor=2) fractional_max_pool2d(x,3,output_size=(4,5),_random_samples=s) fractional_max_pool2d(x,(2,3),output_ratio=(.5,.6),_random_samples=s)
fractional_max_pool2d(x,2,output_size=1,_random_samples=s) fractional_max_pool2d(x[0],2,output_size=3,_random_samples=s[:1])
fractional_max_pool3d(x[:,:,None].expand(-1,-1,4,-1,-1),2,output_size=(2,3,4),_random_samples=s[:,:,[0,1,1]])
lp_pool3d(x[:,:,None].expand(-1,-1,4,-1,-1),3,(2,2,1),stride=2,ceil_mode=True)""".split()
REFUSED = """interpolate(x) interpolate(x,size=3,scale_factor=2) interpolate(x,size=3,mode='foo') interpolate(x,size=3,mode='linear') interpolate(x,size=3,recompute_scale_factor=True)
interpolate(x,size=(3,)) interpolate(x,size=2.5) interpolate(x,size=0) interpolate(x[0,0],size=3) interpolate(x,size=3,align_corners=True) interpolate(x,size=3,antialias=True)
interpolate(x[:,:0],size=3) interpolate(x,size=3,mode='lanczos') interpolate(x,size=3,mode='lanczos',antialias=True,align_corners=True) fractional_max_pool2d(x,3)
fractional_max_pool2d(x,3,output_ratio=.5) fractional_max_pool2d(x,9,output_size=3) fractional_max_pool2d(x,3,output_size=6) fractional_max_pool2d(x[0,0],3,output_size=4)
fractional_max_pool2d(x,3,output_size=4,_random_samples=s.float()) fractional_max_pool2d(x,3,output_size=4,_random_samples=s[:,:2]) fractional_max_pool2d(x.long(),3,output_size=4)
fractional_max_pool2d(x[:,:0],3,output_size=4)""".split()
MODULES = """Upsample(scale_factor=2) Upsample(size=(2,3),mode='bilinear',align_corners=True) Upsample(scale_factor=(2,3)) UpsamplingBilinear2d(2) UpsamplingNearest2d(scale_factor=2)
FractionalMaxPool2d(3,1) FractionalMaxPool2d(7,output_ratio=.2) LPPool2d(2,3)""".split()


def evaluated(text, where="F"):
    def function(t, x, s=None):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            given = {"F": t.nn.functional, "nn": t.nn, "x": x, "s": None if s is None else s.detach()}
            return eval(f"{where}.{text}", given)

    return function


def draw(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


SAMPLES = np.random.default_rng(1).uniform(size=(2, 3, 2))


@pytest.mark.parametrize("text", IMAGES)
def test_the_result_is_that_of_torch(text):
    orders = 2 if "interp" in text or "lp" in text else 1
    assert_same(torch, evaluated(text), draw(0, 2, 3, 7, 8), SAMPLES, orders=orders)


@pytest.mark.parametrize("text", REFUSED)
def test_what_torch_refuses_is_refused_by_an_error_of_the_same_class(text):
    assert_same(torch, evaluated(text), draw(0, 2, 3, 7, 8), SAMPLES)


@pytest.mark.parametrize("text", MODULES)
def test_a_module_does_what_that_of_torch_does(text):
    if "Fractional" not in text:
        assert_same(torch, evaluated(text + "(x)", "nn"), draw(0, 2, 3, 7, 8))
    assert repr(evaluated(text, "nn")(torch, None)) == repr(evaluated(text, "nn")(__import__("tracegrad"), None))


@pytest.mark.parametrize("own", [1, 2, 3, 7, 10, 29])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_the_nearest_positions_are_those_of_torch_at_every_size(own, mode):
    x = np.arange(float(own))
    for axes in (1, 2, 3):
        for made in (1, 2, 3, 5, 11, 13, 20, 31):
            size = (*(1,) * (axes - 1), made)
            function = evaluated(f"interpolate(x.reshape(1,1,*{(1,) * (axes - 1)},-1),size={size},mode='{mode}')")
            assert_same(torch, function, x.astype("float32"), orders=0)


@pytest.mark.parametrize("text", ["CrossMapLRN2d(3)(x)", "CrossMapLRN2d(4,alpha=.3,beta=.5,k=2)(x)"])
def test_normalisation_across_channels_has_the_values_of_torch(text):
    assert_same(torch, evaluated(text, "nn"), draw(0, 2, 5, 2, 3), orders=0)


@pytest.mark.parametrize("text", ["(2,5)", "(2,5),div_value=2.,head_bias=True", "(3,)"])
def test_the_adaptive_softmax_is_that_of_torch(text):
    def function(t, x, y):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            m = eval(f"nn.AdaptiveLogSoftmaxWithLoss(4,10,{text})", {"nn": t.nn}).double()
        m.load_state_dict({k: t.tensor(draw(i, *v.shape)) for i, (k, v) in enumerate(m.state_dict().items())})
        classes = t.tensor([0, 1, 4, 9, 2])
        return m(x, classes).output, m(x, classes).loss, m(y, t.tensor(7)).loss, m.log_prob(x), m.predict(x)

    assert_same(torch, function, draw(0, 5, 4), draw(1, 4), orders=1)


@pytest.mark.parametrize(
    "options",
    [
        "mode='bilinear'",
        "mode='bicubic'",
        "mode='bilinear',antialias=True",
        "mode='bilinear',align_corners=True",
        "mode='nearest'",
    ],
)
@pytest.mark.parametrize("size", [(3, 4), (13, 9), (7, 2)])
def test_bytes_are_resampled_in_whole_numbers_as_in_torch(options, size):
    x = np.random.default_rng(0).integers(0, 256, (2, 3, 7, 8)).astype("uint8")
    assert_same(torch, evaluated(f"interpolate(x,size={size},{options})"), x, orders=0)


def test_other_whole_numbers_are_refused_as_in_torch():
    assert_same(torch, evaluated("interpolate(x,size=3)"), np.zeros((2, 3, 7, 8), int), orders=0)
