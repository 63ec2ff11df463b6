"""Tells the kernel the name of each Python thread, so that /proc shows it; Python does so itself from 3.14 on.

Only for the benchmark of costs, which puts this folder in PYTHONPATH: the product's processes are otherwise as ever.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

_run: Any = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]
_KERNEL_BYTES = 15


def _named(thread: threading.Thread) -> None:
    try:
        comm = Path(f"/proc/self/task/{threading.get_native_id()}/comm")
        comm.write_bytes(thread.name.encode()[:_KERNEL_BYTES])
    except OSError:
        pass  # no Linux: the thread keeps the name that it has
    _run(thread)


threading.Thread._bootstrap_inner = _named  # type: ignore[attr-defined]
