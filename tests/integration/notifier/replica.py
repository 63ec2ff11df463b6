"""A notifier as a process of its own, for tests that kill it or what it stands on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.notifier.world import GROUP_PREFIX
from tests.support import Servers


@contextmanager
def notifier_process(servers: Servers, log: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs it with the settings of the environment and ``more``; ended by its pid."""
    environment = {
        **os.environ,
        **servers.environment,
        "AUTOS_DATABASE_URL": servers.role_urls["notifier"],
        "AUTOS_KAFKA_GROUP_PREFIX": GROUP_PREFIX,
        "AUTOS_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "AUTOS_WEBHOOK_RETRY_DELAYS": "0.5,0.5,0.5",
        **more,
    }
    with log.open("ab") as out:
        started = subprocess.Popen([sys.executable, "-m", "services.notifier"], env=environment, stderr=out)
    try:
        yield started
    finally:
        if started.poll() is None:
            started.send_signal(signal.SIGTERM)
        started.wait(60)
