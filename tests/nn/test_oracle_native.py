"""torch.native_* and other functions of the top level, and nn.init: texts, derivatives and error classes are torch's."""

import warnings

import numpy as np
import pytest

import tracegrad as tg
from tests.ops.oracle import BUILTIN, same_class

torch = pytest.importorskip("torch")

SHOWN = """t.native_layer_norm(x,(3,),w,None,1e-5) t.native_group_norm(x.detach(),None,None,2,4,3,2,1e-5) t.native_batch_norm(x,None,None,None,None,True,.1,1e-5)
t.native_batch_norm(x,None,None,t.zeros(4).double(),t.ones(4).double(),False,.1,1e-5) t.native_dropout(x,0.5,False) t.embedding_bag(e,i,o) t.embedding_bag(e,i,o,mode=1)
t.embedding_bag(e,i,o,mode=2) (t.poisson_nll_loss(x,x.exp(),True,True,1e-8,1),)
(t.binary_cross_entropy_with_logits(x,x.sigmoid().detach()),) (t.binary_cross_entropy_with_logits(x,x.sigmoid().detach(),None,t.ones(3).double()*2,1),)
(t.convolution(x,t.ones(2,4,2).double(),None,[1],[0],[1],False,[0],1),) (t.convolution(x,t.ones(4,2,2).double(),t.zeros(2).double(),[1],[0],[1],True,[0],1),)
(t.conv_tbc(x,t.ones(2,3,4).double(),t.ones(4).double(),1),) (t.embedding_renorm_(e.detach().clone(),i,.5,2.),) (t.norm_except_dim(x,2,0),) (t.norm_except_dim(x,2,1),)
(t.norm_except_dim(x,2,-1),) (t._weight_norm(x,t.ones(2,1,1).double(),0),) (t.alpha_dropout_(t.ones(3),0.,True),t.feature_dropout_(t.ones(1,3,2),0.5,False))
(I.dirac_(t.empty(3,3,3)),I.dirac_(t.empty(4,2,3,3),2),I.dirac_(t.empty(2,3,3,3,3))) (I.sparse_(t.empty(10,3),.25)==0).sum(0).tolist() (I.constant(t.empty(2),3),I.eye(t.empty(2,2)))
(I.orthogonal_(t.empty(0,3)).shape,I.trunc_normal_(t.nn.Parameter(t.empty(3))).requires_grad) (I.uniform(t.empty(2),3,3),I.xavier_normal(t.empty(2,2)).shape)""".split()
REFUSED = """t.native_dropout(1,2,True) t.conv_tbc(x[0],x,x) t.convolution(x,x[:,:2],None,[1],[0],[1],False,[0],1) t.native_layer_norm(1,(3,),w,None,1e-5) I.dirac_(t.empty(3,3))
I.dirac_(t.empty(3,3,3),2) I.orthogonal_(t.empty(3)) I.sparse_(t.empty(3),.1) I.normal_(t.empty(2),0.,-1.) I.calculate_gain('foo')""".split()


def found(t, text):
    draw = np.random.default_rng(0)
    names = {
        "x": t.tensor(draw.normal(size=(2, 4, 3)), requires_grad=True),
        "w": t.tensor(draw.normal(size=3), requires_grad=True),
        "e": t.tensor(draw.normal(size=(5, 2)), requires_grad=True),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        extra = {"t": t, "I": t.nn.init, "i": t.tensor([1, 2, 3]), "o": t.tensor([0, 2])}
        made = eval(text, names | extra)
    first = made[0]
    slopes = []
    if isinstance(first, t.Tensor) and first.requires_grad and first.grad_fn is not None:
        slopes = t.autograd.grad(first.sin().sum(), list(names.values()), allow_unused=True)
    return made, [None if s is None else s.detach().numpy() for s in slopes]


@pytest.mark.parametrize("text", SHOWN)
def test_the_text_and_the_derivatives_are_those_of_torch(text):
    (wanted, theirs), (got, ours) = found(torch, text), found(tg, text)
    assert repr(got) == repr(wanted)
    for a, b in zip(ours, theirs, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("text", REFUSED)
def test_what_torch_refuses_is_refused_by_an_error_of_the_same_class(text):
    with pytest.raises(BUILTIN) as theirs:
        found(torch, text)
    with pytest.raises(BUILTIN) as ours:
        found(tg, text)
    assert same_class(ours.value, theirs.value)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 2, 2)])
def test_an_orthogonal_matrix_has_orthogonal_rows_or_columns(shape):
    m = tg.nn.init.orthogonal_(tg.empty(*shape), gain=2.0).numpy().reshape(shape[0], -1)
    product = m @ m.T if m.shape[0] <= m.shape[1] else m.T @ m
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)


def test_truncated_normal_values_stay_within_their_bounds():
    tg.manual_seed(0)
    values = tg.nn.init.trunc_normal_(tg.empty(4000), mean=1.0, std=2.0, a=-1.0, b=2.0).numpy()
    assert values.min() >= -1
    assert values.max() <= 2
    assert abs(values.mean() - 0.62) < 0.1


def test_old_names_warn():
    with pytest.warns(FutureWarning, match="xavier_normal_"):
        tg.nn.init.xavier_normal(tg.empty(2, 2))
