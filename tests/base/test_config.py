"""Per-thread modes and the switch of the fast path."""

import threading

from tracegrad import config


def test_grad_mode_sends_operators_to_the_general_path_and_back():
    start = config.GENERATED["MODE"]
    assert config.set_grad_enabled(False) is True
    assert config.GENERATED["MODE"] == start + 1
    assert config.set_grad_enabled(False) is False
    assert config.GENERATED["MODE"] == start + 1
    assert config.set_grad_enabled(True) is False
    assert config.GENERATED["MODE"] == start


def test_grad_mode_is_per_thread():
    seen = []
    before = config.set_grad_enabled(False)
    try:
        thread = threading.Thread(target=lambda: seen.append(config.local.grad_enabled))
        thread.start()
        thread.join()
    finally:
        config.set_grad_enabled(before)
    assert seen == [True]
