"""linear_cross_entropy: values, derivatives, texts and error classes are torch's."""

import numpy as np
import pytest

import tracegrad as tg
from tests.ops.oracle import assert_same

torch = pytest.importorskip("torch")

LOSSES = """(x,w,c) (x[0],w,c[0]) (x,w,c,linear_bias=b,reduction='sum') (x,w,c,ignore_index=2,reduction='none') (x,w,c,label_smoothing=.1,weight=b.exp().detach())
(x,w.reshape(2,3,3),c.reshape(2,2).T.repeat(2,2)[:,:3]%2) (x,w,p)""".split()
REFUSED = "(x[None],w,c) (x[0],w.reshape(2,3,3),c[:3]) (x,w,p,ignore_index=0) (x,w[:,:2],c) (x,w,c[:2])".split()


@pytest.mark.parametrize("text", LOSSES + REFUSED)
def test_the_loss_is_that_of_torch(text):
    def function(t, x, w, b, p):
        names = {"x": x, "w": w, "b": b, "p": p.softmax(1), "c": t.tensor([0, 2, 1, 5]), "F": t.nn.functional}
        return eval(f"F.linear_cross_entropy{text}", names)

    draw = np.random.default_rng(0)
    values = [draw.normal(size=s) for s in ((4, 3), (6, 3), (6,), (4, 6))]
    assert_same(torch, function, *values, names=False)


def test_the_module_has_the_text_and_the_state_of_torch():
    theirs, ours = (t.nn.LinearCrossEntropyLoss(3, 5, bias=True, out_features=(2,)) for t in (torch, tg))
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert ours(tg.zeros(4, 3), tg.zeros(4, 2, dtype=tg.int64)).shape == ()
