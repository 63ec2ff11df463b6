"""The status service as its entry point runs it, on a topic of the test's own: ``run_status.py TOPIC [--fail-once]``.

With --fail-once the first event meets a bug.
"""

from __future__ import annotations

import gc
import sys
from functools import partial
from typing import Any

if __name__ == "__main__":
    gc.disable()

from services.status.__main__ import main
from services.status.settings import StatusSettings
from services.status.worker import StatusWorker
from shared.service import run_service


def fail_once() -> None:
    """Let the first application's sink raise; the next one has the real one again."""
    real = StatusWorker.take

    async def failing(_worker: StatusWorker, _event: Any) -> None:
        StatusWorker.take = real  # type: ignore[method-assign]
        raise RuntimeError("a bug")

    StatusWorker.take = failing  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    if "--fail-once" in sys.argv:
        fail_once()
    sys.exit(run_service("status", StatusSettings, partial(main, topic=sys.argv[1])))
