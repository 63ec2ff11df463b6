"""Processes, and single threads, that are held and let go again."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx
import psutil
import pytest

from tests.product import Product
from tests.support import wait_until

_ATTACH: Final = 16
_DETACH: Final = 17
_ANY_THREAD: Final = 0x40000000
_ANSWER_SECONDS: Final = 2.0
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


@contextmanager
def stopped(product: Product, name: str) -> Iterator[None]:
    """A process of the stack and what it started do nothing meanwhile; their connections stay open."""
    parent = psutil.Process(product.pid(name))
    processes = [parent, *parent.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            if process.is_running():
                process.resume()


@contextmanager
def main_thread_stopped(pid: int) -> Iterator[None]:
    """The event loop's thread does nothing, the one that answers Prometheus goes on; skips where we may not trace.

    A thread that is stopped while it has the interpreter's lock stops all the others: it is let go and stopped again.
    """
    metrics = f"http://127.0.0.1:{psutil.Process(pid).environ()['AUTOS_METRICS_PORT']}/metrics"

    def stopped_alone() -> bool:
        if _LIBC.ptrace(ctypes.c_long(_ATTACH), ctypes.c_long(pid), None, None) != 0:
            pytest.skip(f"ptrace: {os.strerror(ctypes.get_errno())}")
        os.waitpid(pid, _ANY_THREAD)
        try:
            if httpx.get(metrics, timeout=_ANSWER_SECONDS, trust_env=False).status_code == 200:
                return True
        except httpx.TransportError:
            pass
        _let_go(pid)
        return False

    wait_until(stopped_alone, what="a moment at which the event loop does not have the interpreter's lock")
    try:
        yield
    finally:
        _let_go(pid)


def _let_go(pid: int) -> None:
    _LIBC.ptrace(ctypes.c_long(_DETACH), ctypes.c_long(pid), None, None)
    os.kill(pid, signal.SIGCONT)
