"""Attention and transformers: with torch's state dicts the values, weights, derivatives, masks and error classes are torch's."""

import warnings

import numpy as np
import pytest

import tracegrad as tg
from tests.ops.oracle import BUILTIN, assert_equal, same_class

torch = pytest.importorskip("torch")

CLASSES = (AssertionError, *BUILTIN)
OPTIONS = [
    {},
    {"bias": False},
    {"add_bias_kv": True},
    {"add_zero_attn": True},
    {"add_bias_kv": True, "add_zero_attn": True, "bias": False},
    {"batch_first": True},
]
CALLS = """m(q,q,q) m(q,k,k) m(q,k,v) m(q[:,0],k[:,0],v[:,0]) m(q,k,v,need_weights=False) m(q,k,v,average_attn_weights=False) m(q,k,v,attn_mask=f)
m(q,k,v,attn_mask=b) m(q,k,v,attn_mask=b,need_weights=False) m(q,k,v,key_padding_mask=p) m(q,k,v,key_padding_mask=p,need_weights=False)
m(q,k,v,key_padding_mask=p,attn_mask=b) m(q,k,v,key_padding_mask=p,attn_mask=f) m(q,k,v,attn_mask=f.expand(4,-1,-1)) m(q[:,0],k[:,0],v[:,0],key_padding_mask=p[0])
m(q[:,0],k[:,0],v[:,0],attn_mask=b,need_weights=False) m(q,q,q,attn_mask=c,is_causal=True) m(q,q,q,attn_mask=c,is_causal=True,need_weights=False)
m(q,k,v,attn_mask=b|True) m(q,k,v,attn_mask=b|True,need_weights=False)""".split()
REFUSED = """m(q[0,0],q,q) m(q,q[0],q) m(q[:,:,:3],q,q) m(q,q[:,:1],q[:,:1]) m(q,q,q[:2]) m(q,k,k,key_padding_mask=p.T) m(q,k,k,key_padding_mask=p.int()) m(q,k,k,attn_mask=f[:,:2])
m(q,k,k,attn_mask=f[None]) m(q,q,q,is_causal=True) m(q,k,k,attn_mask=f.int()) m(q,k,k,attn_mask=f[0]) m(q.float(),k,k) nn.MultiheadAttention(5,2) nn.MultiheadAttention(0,2)
nn.TransformerEncoderLayer(4,2,activation='foo') nn.Transformer(4,2,1,1,8)(q.float(),q[:,:,:3].float()) nn.Transformer(4,2,1,1,8)(q.float(),q[:,:1].float())
nn.TransformerEncoder(nn.TransformerEncoderLayer(4,2,8),1)(q.float(),is_causal=True)""".split()


def draw(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def masks(t, dtype=float):
    causal = t.nn.Transformer.generate_square_subsequent_mask(3).double()
    return {
        "f": t.tensor(draw(5, 3, 5)),
        "b": t.tensor(draw(6, 3, 5) > 0.8),
        "p": t.tensor([[False, False, True, False, True], [False, True, False, False, False]]),
        "c": causal,
    }


def module(t, make, states):
    m = make(t)
    m.load_state_dict({name: t.tensor(value) for name, value in states.items()})
    return m


def states_of(make):
    made = make(torch).double().state_dict()
    return {name: draw(i, *value.shape) for i, (name, value) in enumerate(made.items())}


def outcome(t, make, states, text, values):
    tensors = {name: t.tensor(v, requires_grad=True) for name, v in values.items()}
    m = module(t, make, states)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = eval(text, {"m": m, "nn": t.nn, **tensors, **masks(t)})
    made = made if isinstance(made, tuple) else (made,)
    assert not any(v is None for v in made[:1])
    total = sum((v * t.tensor(draw(9, *v.shape))).sum() for v in made if v is not None)
    inputs = [*tensors.values(), *m.parameters()]
    return made, t.autograd.grad(total, inputs, allow_unused=True, materialize_grads=True)


def compare(make, text, values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        states = states_of(make)
        wanted, slopes = outcome(torch, lambda t: make(t).double(), states, text, values)
        got, ours = outcome(tg, lambda t: make(t).double(), states, text, values)
    for a, b in zip((*got, *ours), (*wanted, *slopes), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-11)
            assert tuple(a.shape) == tuple(b.shape)


VALUES = {"q": draw(0, 3, 2, 4), "k": draw(1, 5, 2, 4), "v": draw(2, 5, 2, 4)}


@pytest.mark.parametrize("text", CALLS)
def test_attention_is_that_of_torch(text):
    compare(lambda t: t.nn.MultiheadAttention(4, 2), text, VALUES)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("text", ["m(q,k,v)", "m(q,k,v,need_weights=False)", "m(q,k,v,key_padding_mask=p,attn_mask=b)"])
def test_attention_takes_the_options_of_torch(text, options):
    values = VALUES
    if options.get("batch_first"):
        values = {name: np.swapaxes(v, 0, 1) for name, v in VALUES.items()}
    compare(lambda t: t.nn.MultiheadAttention(4, 2, **options), text, values)


def test_keys_and_values_of_other_sizes_are_projected_by_weights_of_their_own():
    values = {"q": draw(0, 3, 2, 4), "k": draw(1, 5, 2, 3), "v": draw(2, 5, 2, 6)}
    compare(lambda t: t.nn.MultiheadAttention(4, 2, kdim=3, vdim=6, add_bias_kv=True), "m(q,k,v,attn_mask=f)", values)


@pytest.mark.parametrize(
    "options", [{}, {"norm_first": True}, {"activation": "gelu", "bias": False}, {"batch_first": True}], ids=str
)
@pytest.mark.parametrize("text", ["m(q)", "m(q[:,0])", "m(q,src_mask=q.new_zeros(q.shape[l],q.shape[l]))"])
def test_an_encoder_layer_is_that_of_torch(text, options):
    text = text.replace("l]", "1]" if options.get("batch_first") else "0]")
    compare(lambda t: t.nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, **options), text, {"q": VALUES["q"]})


@pytest.mark.parametrize("options", [{}, {"norm_first": True}, {"activation": "gelu", "bias": False}], ids=str)
@pytest.mark.parametrize(
    "text",
    [
        "m(q,k)",
        "m(q[:,0],k[:,0])",
        "m(q,k,tgt_mask=c,memory_mask=b,memory_key_padding_mask=p)",
        "m(q,k,tgt_mask=c,tgt_is_causal=True)",
    ],
)
def test_a_decoder_layer_is_that_of_torch(text, options):
    values = {"q": VALUES["q"], "k": VALUES["k"]}
    compare(lambda t: t.nn.TransformerDecoderLayer(4, 2, 8, dropout=0.0, **options), text, values)


@pytest.mark.parametrize(
    "text", ["m(k,q)", "m(k,q,tgt_mask=c,src_key_padding_mask=p,memory_key_padding_mask=p)", "m(k[:,0],q[:,0])"]
)
def test_a_transformer_is_that_of_torch(text):
    values = {"q": VALUES["q"], "k": VALUES["k"]}
    compare(lambda t: t.nn.Transformer(4, 2, 2, 1, 8, dropout=0.0), text, values)


@pytest.mark.parametrize("text", REFUSED)
def test_what_torch_refuses_is_refused_by_an_error_of_the_same_class(text):
    raised = []
    for t in (torch, tg):
        values = {name: t.tensor(v) for name, v in VALUES.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            m = t.nn.MultiheadAttention(4, 2).double()
            with pytest.raises(CLASSES) as caught:
                eval(text, {"m": m, "nn": t.nn, **values, **masks(t)})
        raised.append(caught.value)
    if isinstance(raised[0], AssertionError):
        assert isinstance(raised[1], AssertionError)
    else:
        assert same_class(raised[1], raised[0])


@pytest.mark.parametrize(
    "text",
    [
        "nn.MultiheadAttention(4,2,kdim=3,bias=False)",
        "nn.TransformerEncoderLayer(4,2,8)",
        "nn.TransformerDecoder(nn.TransformerDecoderLayer(4,2,8),2)",
        "nn.Transformer(4,2,2,1,8)",
    ],
)
def test_the_text_and_the_names_of_the_state_are_those_of_torch(text):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs, ours = (eval(text, {"nn": t.nn}) for t in (torch, tg))
    assert repr(ours) == repr(theirs)
    assert {k: tuple(v.shape) for k, v in ours.state_dict().items()} == {
        k: tuple(v.shape) for k, v in theirs.state_dict().items()
    }


def test_rows_that_see_nothing_give_zeros_and_finite_derivatives():
    scores = tg.tensor(draw(0, 2, 3, 4), requires_grad=True)
    mask = tg.full((3, 3), -np.inf)
    mask[0] = 0.0
    made = tg.nn.functional.scaled_dot_product_attention(scores, scores, scores, mask.double())
    (g,) = tg.autograd.grad(made.sum(), [scores])
    assert_equal(made[:, 1:], tg.zeros(2, 2, 4, dtype=tg.float64), "value")
    assert np.isfinite(g.numpy()).all()


def test_mixed_masks_are_warned_of():
    q = tg.zeros(3, 2, 4)
    with pytest.warns(UserWarning, match="mismatched"):
        tg.nn.MultiheadAttention(4, 2)(q, q, q, tg.zeros(2, 3), attn_mask=tg.zeros(3, 3, dtype=tg.bool))
