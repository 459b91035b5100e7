"""set_multithreading_enabled is accepted, and says what it was given."""

import tracegrad as tg
from tracegrad.autograd import is_multithreading_enabled, set_multithreading_enabled


def test_the_mode_is_true_at_first_and_again_after_a_block():
    assert is_multithreading_enabled()
    with set_multithreading_enabled(False):
        assert not is_multithreading_enabled()
        set_multithreading_enabled(True)
        assert is_multithreading_enabled()
    assert is_multithreading_enabled()


def test_a_backward_in_the_block_is_the_same():
    x = tg.ones(2, requires_grad=True)
    with set_multithreading_enabled(False):
        (x * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
