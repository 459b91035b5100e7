"""Packed and padded sequences and recurrent layers over them: values, texts, derivatives and error classes are torch's."""

import warnings

import numpy as np
import pytest

import tracegrad as tg
from tests.ops.oracle import BUILTIN, same_class

torch = pytest.importorskip("torch")

SHOWN = """(p,) R.pad_packed_sequence(p) R.pad_packed_sequence(q) R.pad_packed_sequence(q,batch_first=True) R.pad_packed_sequence(p,batch_first=True,padding_value=-1.,total_length=5)
(R.pack_padded_sequence(x,t.tensor([4,2,1])),) (R.pack_padded_sequence(x,[3,3,2,1],batch_first=True),) (R.pad_sequence([x[:2,0],x[:,1]]),)
(R.pad_sequence([x[:2,0],x[:,1]],batch_first=True,padding_value=7,padding_side='left'),) R.unpad_sequence(x.detach(),t.tensor([2,3,1])) (R.pack_sequence([x[:,0],x[:2,1]]),)
R.unpack_sequence(R.pack_sequence([x[:,0],x[:2,1]])) (R.pack_sequence([x[:1,0],x[:2,1]],enforce_sorted=False),) (p.double().data.dtype,p.is_cuda,len(p),isinstance(p,tuple))
L('LSTM(2,3)')(p) L('GRU(2,3,bidirectional=True,num_layers=2)')(p) L('RNN(2,3,bidirectional=True)')(q) L('LSTM(2,3,num_layers=2)')(q,(t.ones(2,3,3),t.zeros(2,3,3)))
L('LSTM(2,4,proj_size=2,num_layers=2)')(x) L('LSTM(2,3)')(x) L('LSTM(2,3,batch_first=True)')(x) L('GRU(2,3,batch_first=True)')(x) L('GRU(2,3)')(x[:,0]) L('RNN(2,3,nonlinearity="relu")')(x)
L('GRUCell(2,3)')(x[0]) L('GRUCell(2,3)')(x[0,0]) L('LSTMCell(2,3)')(x[0,0]) (L('RNNCell(2,3)')(x[0]),) (nn.RNNBase('LSTM',2,3),nn.RNNCellBase(2,3,True,4),nn.LSTM(2,4,proj_size=2))
(nn.GRU(2,3,num_layers=2,bias=False,batch_first=True,dropout=.1,bidirectional=True),nn.RNNCell(2,3,nonlinearity='relu'))
t.lstm(x,(t.zeros(1,3,3),t.ones(1,3,3)),list(L('LSTM(2,3)').parameters()),True,1,0.,False,False,False)
t.gru(x,t.ones(2,4,3),list(L('GRU(2,3,bidirectional=True)').parameters()),True,1,0.,False,True,True)
t.rnn_relu(p.data,p.batch_sizes,t.ones(1,3,3),list(L('RNN(2,3)').parameters()),True,1,0.,False,False)
t.lstm_cell(x[0],(t.ones(3,3),t.ones(3,3)),*L('LSTMCell(2,3)').parameters()) t.gru_cell(x[0],t.ones(3,3),*L('GRUCell(2,3)').parameters())
t.rnn_tanh_cell(x[0],t.ones(3,3),*L('RNNCell(2,3)').parameters())""".split()
REFUSED = """R.pack_padded_sequence(x,[2,4,1]) R.pack_padded_sequence(x,[4,2,0]) R.pack_padded_sequence(x,[4,2]) R.pad_packed_sequence(p,total_length=2) R.pad_sequence([])
R.pad_sequence([t.ones(2),t.ones(3,2)]) R.pad_sequence([t.ones(2)],padding_side='up') R.pad_sequence(3) R.pack_sequence([t.arange(2),t.arange(3)]) nn.LSTM(3,3)(p)
nn.LSTM(2,3)(p,(t.zeros(1,2,3),t.zeros(1,2,3))) nn.RNNBase('FOO',2,3) nn.GRU(2,3,proj_size=2) nn.LSTMCell(2,3)(t.ones(1,1,2)) nn.LSTMCell(2,3)(t.ones(1,4))
nn.RNNCell(2,3)(t.ones(1,2),t.ones(2,3)) nn.RNNCell(2,3)(t.ones(1,2),t.ones(1,4)) nn.RNNCell(2,3,nonlinearity='foo')(t.ones(1,2)) nn.LSTM(2,3)(x,t.zeros(1,3,3)) nn.LSTM(2,0)
nn.LSTM(2,3,0) nn.LSTM(2,3,dropout=2.) nn.LSTM(2,'a') nn.RNN(2,3,nonlinearity='foo') nn.LSTM(2,3,proj_size=3) nn.LSTM(2,3)(t.ones(2)) nn.LSTM(2,3)(x.double())
nn.LSTM(2,3)(t.ones(0,3,2)) nn.GRU(2,3)(x,t.zeros(1,3)) nn.GRU(2,3)(x,t.zeros(1,3,4))""".split()


def layer(t):
    def made(text):
        m = eval(f"nn.{text}", {"nn": t.nn})
        draw = [np.random.default_rng(i).normal(size=tuple(v.shape)) for i, v in enumerate(m.parameters())]
        names = list(m.state_dict())
        m.load_state_dict({k: t.tensor(v.astype("float32")) for k, v in zip(names, draw, strict=True)})
        return m

    return made


def found(t, text):
    rnn = __import__(f"{t.__name__}.nn.utils.rnn", fromlist=["rnn"])
    x = t.tensor(np.random.default_rng(0).normal(size=(4, 3, 2)).astype("float32"), requires_grad=True)
    p = rnn.pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False)
    q = rnn.pack_padded_sequence(x, [4, 3, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return x, eval(text, {"t": t, "nn": t.nn, "R": rnn, "x": x, "p": p, "q": q, "L": layer(t)})


def slopes(t, x, results):
    flat = [v for r in results for v in ((r,) if isinstance(r, t.Tensor) else r if isinstance(r, tuple) else ())]
    total = sum((v * v).sum() for v in flat if isinstance(v, t.Tensor) and v.requires_grad)
    return None if isinstance(total, int) else t.autograd.grad(total, x)[0].numpy()


@pytest.mark.parametrize("text", SHOWN)
def test_the_text_and_the_derivative_are_those_of_torch(text):
    (theirs, wanted), (ours, got) = found(torch, text), found(tg, text)
    assert repr(got) == repr(wanted)
    a, b = slopes(tg, ours, got), slopes(torch, theirs, wanted)
    assert (a is None) == (b is None)
    if a is not None:
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("text", REFUSED)
def test_what_torch_refuses_is_refused_by_an_error_of_the_same_class(text):
    with pytest.raises(BUILTIN) as theirs:
        found(torch, text)
    with pytest.raises(BUILTIN) as ours:
        found(tg, text)
    assert same_class(ours.value, theirs.value)


def test_a_sequence_longer_than_its_tensor_is_refused():
    with pytest.raises(RuntimeError, match="at most 4"):
        tg.nn.utils.rnn.pack_padded_sequence(tg.zeros(4, 2, 1), [5, 1])
