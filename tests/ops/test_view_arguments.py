"""What the operators of views refuse, and the special cases of their arguments."""

import numpy as np
import pytest

import tracegrad as tg

X = tg.arange(12.0).reshape(3, 4)
REFUSED = {
    "as_strided: more strides than sizes": (lambda: X.as_strided((2, 2), (1,)), RuntimeError),
    "as_strided: a negative stride": (lambda: X.as_strided((2,), (-1,)), RuntimeError),
    "as_strided: memory behind the end": (lambda: X.as_strided((4,), (4,), 1), RuntimeError),
    "as_strided: a negative offset": (lambda: X.as_strided((2,), (1,), -1), RuntimeError),
    "as_strided: an int as size": (lambda: X.as_strided(2, (1,)), TypeError),
    "unfold: a window longer than the axis": (lambda: X.unfold(0, 4, 1), RuntimeError),
    "unfold: a step of 0": (lambda: X.unfold(0, 2, 0), RuntimeError),
    "unfold: an axis out of range": (lambda: X.unfold(2, 1, 1), IndexError),
    "select_scatter: another shape": (lambda: X.select_scatter(tg.ones(3), 0, 1), RuntimeError),
    "select_scatter: a position out of range": (lambda: X.select_scatter(tg.ones(4), 0, 3), IndexError),
    "slice_scatter: no axis": (lambda: tg.tensor(1.0).slice_scatter(tg.tensor(1.0)), IndexError),
    "diagonal_scatter: one axis twice": (lambda: X.diagonal_scatter(tg.ones(3), 0, 1, 1), RuntimeError),
    "as_strided_scatter: an element twice": (lambda: X.as_strided_scatter(tg.ones(2, 2), (2, 2), (1, 1)), RuntimeError),
    "tensor_split: no pieces": (lambda: X.tensor_split(0), RuntimeError),
    "tensor_split: nothing said": (lambda: X.tensor_split(), TypeError),
    "hsplit: unequal pieces": (lambda: X.hsplit(3), RuntimeError),
    "vsplit: a vector": (lambda: X[0].vsplit(2), RuntimeError),
    "narrow: a start of floats": (lambda: X.narrow(0, tg.tensor(1.0), 1), RuntimeError),
    "view: a larger dtype of an odd axis": (lambda: tg.ones(3).view(tg.float64), RuntimeError),
    "view: a larger dtype of a number": (lambda: tg.tensor(1.0).view(tg.float64), RuntimeError),
    "view: a larger dtype across rows": (lambda: X.t().view(tg.float64), RuntimeError),
    "broadcast_tensors: shapes that do not fit": (lambda: tg.broadcast_tensors(tg.ones(3), tg.ones(2)), RuntimeError),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_a_view_is_refused_with_torchs_class(case):
    call, error = REFUSED[case]
    with pytest.raises(error):
        call()


def test_strides_count_in_memory_also_for_a_view_of_another_order():
    assert X.t().as_strided((2, 2), (1, 2)).tolist() == [[0.0, 2.0], [1.0, 3.0]]
    assert X[1].as_strided((2,), (1,)).tolist() == [4.0, 5.0]
    assert X[1].as_strided((2,), (4,), 0).tolist() == [0.0, 4.0]


def test_strides_that_leave_a_view_read_its_base_and_give_it_the_gradient():
    x = tg.arange(6.0, requires_grad=True)
    (x * 1)[1:3].as_strided((3,), (2,), 0).sum().backward()
    assert x.grad.tolist() == [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]


def test_a_window_of_a_number_is_a_vector():
    assert tg.tensor(3.0).unfold(0, 1, 1).tolist() == [3.0]
    assert tg.tensor(3.0).unfold(0, 0, 1).shape == (0,)


def test_bytes_read_as_another_dtype_share_memory_and_version():
    x = tg.tensor([1.0, 2.0])
    bits = x.view(tg.int32)
    bits[0] = 0
    assert x.tolist() == [0.0, 2.0] and x._version == bits._version == 1 and not bits._is_view()
    assert x.view(tg.uint8).shape == (8,) and x.view(tg.float64).shape == (1,) and x.view(int).dtype is tg.int64


def test_a_value_written_through_its_bytes_cannot_be_recorded():
    def f(x):
        y = x * 1
        y.view(tg.int32).zero_()
        return y

    with pytest.raises(RuntimeError):
        tg.compile(f)(tg.ones(2))


def test_strides_of_new_axes_go_over_the_axes_behind_them():
    x = tg.zeros(2, 3)
    assert (x[None].stride(), x[:, None].stride(), x[..., None].stride()) == ((6, 3, 1), (3, 3, 1), (3, 1, 1))
    assert tg.zeros(0, 3).stride() == (3, 1) and tg.zeros(2, 0, 3).stride() == (3, 3, 1) and x.stride(-1) == 1


def test_storage_facts():
    x = tg.arange(6.0)
    storage, v = x.untyped_storage(), x[2:]
    assert storage.nbytes() == len(storage) == 24 and v.untyped_storage() == storage and v.storage_offset() == 2
    assert v.data_ptr() - storage.data_ptr() == 8 and x.is_set_to(x.view(6)) and not x.is_set_to(v)
    assert tg.from_numpy(np.zeros(3)).untyped_storage().nbytes() == 24
