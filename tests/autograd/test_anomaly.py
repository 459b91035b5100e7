"""Anomaly mode says which step, of which shape, made by which line."""

import warnings

import pytest

import tracegrad as tg


def failing(x):
    return tg.sqrt(x).sum()  # the line that the message shows


def test_the_message_names_the_operator_the_shape_and_the_line():
    x = tg.tensor([-1.0, 4.0], requires_grad=True)
    with warnings.catch_warnings(record=True), tg.autograd.set_detect_anomaly(True):
        warnings.simplefilter("always")
        with pytest.raises(RuntimeError) as caught:
            failing(x).backward()
    text = str(caught.value)
    assert "'SqrtBackward0'" in text and "f32[2]" in text
    assert "test_anomaly.py" in text and "return tg.sqrt(x).sum()" in text


def test_leaves_are_untouched_when_a_nan_is_found():
    x, w = tg.tensor([0.0], requires_grad=True), tg.tensor([1.0], requires_grad=True)
    with warnings.catch_warnings(record=True), tg.autograd.set_detect_anomaly(True):
        warnings.simplefilter("always")
        with pytest.raises(RuntimeError):
            (tg.sqrt(x) * 0 * w).sum().backward()
    assert x.grad is None and w.grad is None


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_are_the_same_in_anomaly_mode(create_graph):
    x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = (tg.softmax(x, 0).max() * x.sort()[0] if hasattr(x, "sort") else tg.softmax(x, 0) * x.max(0)[0]).sum()
    (plain,) = tg.autograd.grad(y, x, retain_graph=True)
    with tg.autograd.set_detect_anomaly(True):
        (found,) = tg.autograd.grad(y, x, create_graph=create_graph)
    assert found.tolist() == plain.tolist()
