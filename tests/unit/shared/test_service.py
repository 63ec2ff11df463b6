"""How a process asks the system to treat it."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.service import let_others_finish

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="policies of the scheduler are Linux's")


def test_a_thread_that_lets_others_finish_starts_threads_that_do_so_too() -> None:
    policies: list[int] = []

    def begin() -> None:
        let_others_finish()
        policies.append(os.sched_getscheduler(0))
        started = threading.Thread(target=lambda: policies.append(os.sched_getscheduler(0)))
        started.start()
        started.join()

    # A thread of its own: the policy would stay with the one that runs the tests.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(begin).result()
    assert policies == [os.SCHED_BATCH, os.SCHED_BATCH]


def test_a_policy_that_was_set_from_outside_stays() -> None:
    def begin() -> int:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        let_others_finish()
        return os.sched_getscheduler(0)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(begin).result() == os.SCHED_IDLE
