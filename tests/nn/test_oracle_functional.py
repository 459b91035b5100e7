"""Functions of torch.nn.functional: values, names, first and second derivatives and error classes are torch's."""

import warnings

import numpy as np
import pytest

from tests.ops.oracle import assert_same

torch = pytest.importorskip("torch")

POINTWISE = """leaky_relu(x) leaky_relu(x,0.2) elu(x) elu(x,alpha=2.0) selu(x) celu(x) celu(x,0.5) gelu(x) gelu(x,approximate='tanh') silu(x) mish(x) glu(x) glu(x,0)
hardtanh(x) hardtanh(x,-2,0.5) relu6(x) hardswish(x) hardshrink(x) softshrink(x) softshrink(x,0.3) tanhshrink(x) softsign(x) softmin(x,dim=1) logsigmoid(x)
prelu(x,t.tensor([0.25],dtype=x.dtype)) rrelu(x) threshold(x,0.1,20.) normalize(x) normalize(x,p=1,dim=0) layer_norm(x,(4,)) group_norm(x,2) rms_norm(x,(4,))
instance_norm(x[None]) batch_norm(x,None,None,training=True) pad(x,(1,2)) pad(x,(-1,1,2,0),value=5.) pad(x[None],(1,2),mode='reflect')
pad(x[None],(1,2),mode='replicate') pad(x[None],(3,2),mode='circular') dropout(x,0.5,False) dropout(x,1.0) alpha_dropout(x)""".split()
IMAGES = """conv2d(x,y) conv2d(x,y,stride=2,padding=1) conv2d(x,y,padding='same') conv2d(x,y,padding='valid',dilation=2) conv_transpose2d(x.transpose(0,1)[:1],y[:2])
max_pool2d(x,2) max_pool2d(x,3,2,1,ceil_mode=True) avg_pool2d(x,2) avg_pool2d(x,3,2,1,count_include_pad=False) avg_pool2d(x,2,divisor_override=3)
adaptive_avg_pool2d(x,(3,2)) adaptive_avg_pool2d(x,1) unfold(x,(2,3),dilation=(1,2),padding=1,stride=2)
interpolate(x,size=(5,7)) interpolate(x,scale_factor=2,mode='bilinear') interpolate(x,size=(5,2),mode='bilinear',align_corners=True)
interpolate(x,scale_factor=1.5,mode='bicubic') interpolate(x,size=2,mode='area') local_response_norm(x,2)""".split()
LOSSES = """smooth_l1_loss(x,y) smooth_l1_loss(x,y,beta=.5,reduction='none') huber_loss(x,y,delta=.3,reduction='sum') binary_cross_entropy(x.sigmoid(),y.sigmoid())
kl_div(x,y.softmax(1),reduction='batchmean') kl_div(x,y,log_target=True,reduction='sum') poisson_nll_loss(x,y.exp(),full=True)
gaussian_nll_loss(x,y,x.exp(),full=True) hinge_embedding_loss(x,y.sign()) margin_ranking_loss(x,y,y.detach().sign(),margin=.5) soft_margin_loss(x,y.detach().sign())
cosine_embedding_loss(x,y,t.tensor([1,-1,1]),margin=.1) multilabel_soft_margin_loss(x,(y.detach()>1).double()) triplet_margin_loss(x,y,x.flip(0))
cosine_similarity(x,y) pairwise_distance(x,y) scaled_dot_product_attention(x,y,x) l1_loss(x,y)""".split()
REFUSED = """gelu(x,approximate='foo') celu(x,0.) softshrink(x,-1.) hardtanh(x,1,-1) prelu(x,t.ones(3)) dropout(x,2.) glu(x,3) layer_norm(x,(5,)) layer_norm(x,4)
group_norm(x,3) conv2d(x,x) conv1d(x[None],t.ones(2,5,1)) max_pool2d(x[None],0) max_pool2d(x[None],9) pad(x,(1,)) pad(x,(1,1),mode='foo') pad(x,(9,9),mode='reflect')
one_hot(t.tensor([-1])) one_hot(t.tensor([3]),2) one_hot(t.tensor([1.])) embedding(t.tensor([9]),x) embedding(t.tensor([0.]),x) smooth_l1_loss(x,x,beta=-1)
binary_cross_entropy(x*9,x) cross_entropy(x,x,reduction='foo') interpolate(x) pixel_shuffle(x[None],2) unfold(x[None],9) batch_norm(x,None,None) local_response_norm(x,2)
multi_margin_loss(x,t.tensor([0,9,1]))""".split()


def draw(seed, *shape):
    return np.random.default_rng(seed).uniform(-2.0, 2.0, shape)


def evaluated(text):
    def function(t, x, y=None):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return eval(f"F.{text}", {"F": t.nn.functional, "t": t, "x": x, "y": y})

    return function


@pytest.mark.parametrize("text", POINTWISE)
def test_a_function_of_one_value_is_that_of_torch(text):
    assert_same(torch, evaluated(text), draw(0, 3, 4) if "group" not in text else draw(0, 2, 4, 3))


def test_hardsigmoid_has_a_first_derivative_as_in_torch():
    assert_same(torch, evaluated("hardsigmoid(x)"), (draw(0, 3, 4) * 3).astype("float32"), orders=1)


@pytest.mark.parametrize("text", IMAGES)
def test_a_function_of_images_is_that_of_torch(text):
    operands = (draw(1, 2, 3, 6, 5), draw(2, 4, 3, 3, 2)) if "y" in text else (draw(1, 2, 3, 6, 5),)
    assert_same(torch, evaluated(text), *operands)


@pytest.mark.parametrize("text", LOSSES)
def test_a_loss_is_that_of_torch(text):
    assert_same(torch, evaluated(text), draw(3, 3, 4), draw(4, 3, 4), orders=1 if "attention" in text else 2)


@pytest.mark.parametrize("text", REFUSED)
def test_what_torch_refuses_raises_its_class(text):
    assert_same(torch, evaluated(text), draw(5, 3, 4))


@pytest.mark.parametrize(
    "text",
    ["embedding(t.tensor([[0,2],[1,1]]),x,padding_idx=1)", "embedding(t.tensor(1),x)", "one_hot(t.tensor([0,2,1]),4)"],
)
def test_a_lookup_is_that_of_torch(text):
    assert_same(torch, evaluated(text), draw(6, 3, 4))


@pytest.mark.parametrize(
    "name", ["leaky_relu", "elu", "selu", "celu", "hardtanh", "relu6", "hardswish", "silu", "mish", "rrelu"]
)
def test_inplace_writes_the_input_and_keeps_the_gradient(name):
    def function(t, x):
        z = x * 1
        made = getattr(t.nn.functional, name)(z, inplace=True)
        assert made is z
        return made

    assert_same(torch, function, draw(7, 3, 4), orders=1)


def test_dropout_keeps_about_the_given_share_and_scales_it():
    import tracegrad as tg

    tg.manual_seed(0)
    found = tg.nn.functional.dropout(tg.ones(10000), 0.25).numpy()
    assert set(np.unique(found)) == {0.0, np.float32(1 / 0.75)}
    assert abs((found == 0).mean() - 0.25) < 0.02


def test_batch_norm_updates_the_running_statistics():
    values = draw(8, 5, 3)
    found = []
    for t in (torch, __import__("tracegrad")):
        m = t.nn.BatchNorm1d(3).double()
        m(t.tensor(values))
        m(t.tensor(values * 2 + 1))
        found.append([b.numpy() for b in m.buffers()])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_max_pool_gives_positions_that_unpooling_takes():
    found = []
    for t in (torch, __import__("tracegrad")):
        values, indices = t.nn.functional.max_pool2d(t.tensor(draw(9, 1, 2, 6, 6)), 3, 2, 1, return_indices=True)
        found.append(
            (
                indices.numpy(),
                t.nn.functional.max_unpool2d(
                    *t.nn.functional.max_pool2d(t.tensor(draw(9, 1, 2, 6, 6)), 2, return_indices=True), 2
                ).numpy(),
            )
        )
        assert values.shape == indices.shape
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)
