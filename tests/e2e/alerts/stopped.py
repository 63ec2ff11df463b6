"""Processes, and single threads, that are held and let go again."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psutil
import pytest

from tests.product import Product

_ATTACH: Final = 16
_DETACH: Final = 17
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
    """The event loop's thread does nothing, the others go on; skips the test where we may not trace processes."""
    if _LIBC.ptrace(ctypes.c_long(_ATTACH), ctypes.c_long(pid), None, None) != 0:
        pytest.skip(f"ptrace: {os.strerror(ctypes.get_errno())}")
    try:
        os.waitpid(pid, 0x40000000)
        yield
    finally:
        _LIBC.ptrace(ctypes.c_long(_DETACH), ctypes.c_long(pid), None, None)
        os.kill(pid, signal.SIGCONT)
