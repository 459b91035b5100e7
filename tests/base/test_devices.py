"""device objects."""

import pickle

import pytest

import tracegrad as tg


def test_a_device_has_kind_and_index():
    d = tg.device("cuda:1")
    assert (d.type, d.index, str(d), repr(d)) == ("cuda", 1, "cuda:1", "device(type='cuda', index=1)")
    assert tg.device("cuda", 1) == d and hash(tg.device("cuda", 1)) == hash(d)
    assert tg.device(d) == d and tg.device("cpu") != d
    assert pickle.loads(pickle.dumps(d)) == d


@pytest.mark.parametrize(
    ("args", "error"),
    [(("foo",), RuntimeError), (("cuda:x",), RuntimeError), (("cuda:0", 1), RuntimeError), ((2.5,), TypeError)],
)
def test_a_bad_device_is_refused(args, error):
    with pytest.raises(error):
        tg.device(*args)


def test_tensors_live_on_the_cpu_only():
    assert tg.tensor(1.0).device == tg.device("cpu")
    with pytest.raises(AssertionError, match="no CUDA tensors"):
        tg.tensor(1.0, device="cuda")
    with pytest.raises(NotImplementedError):
        tg.tensor(1.0).to("meta")
