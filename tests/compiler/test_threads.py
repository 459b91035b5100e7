"""One compiled function in several threads: courses that are recorded while others run."""

from __future__ import annotations

import threading

import numpy as np

import tracegrad as tg


def steps(x):
    """Doubles until large: as many courses as there are numbers of steps; then one more decision."""
    count = 0
    while x.abs().sum() < 1000:
        x = x * 2 + 0.5
        count += 1
    return x * count if x[0] > x[1] else x - count


def test_threads_may_record_courses_of_one_function_at_once():
    fast, failures = tg.compile(steps), []

    def work(seed):
        random = np.random.default_rng(seed)
        for _ in range(60):
            x = tg.tensor(random.normal(size=3) * 10.0 ** random.integers(-3, 4))
            wanted, found = steps(x).numpy(), fast(x).numpy()
            if not np.allclose(wanted, found):
                failures.append((wanted, found))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
