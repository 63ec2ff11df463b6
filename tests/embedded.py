"""The embedded stack for tests: as a child process of pytest that ends with it, whatever happens to either."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autos.local.server import Command, start
from autos.local.state import Phase, StateFiles
from tests.support import Servers, wait_until

_START_SECONDS = 150.0


@contextmanager
def running(arguments: Sequence[str], data_dir: Path, environ: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Run a supervisor (``-m autos.local.stack``, ``-m autos.main up``) until stack.json is there, and yield that."""
    log = data_dir.with_name(f"{data_dir.name}.supervisor.log")
    command = Command(
        (sys.executable, *arguments),
        log,
        env={**_clean_environment(), **environ},
        death_signal=signal.SIGTERM,
        bare=True,
    )
    process = start(command)
    files = StateFiles(data_dir)

    def is_up() -> bool:
        assert process.poll() is None, f"the stack did not start:\n{log.read_text()}"
        # Not the file alone: a supervisor that was killed leaves its own behind.
        return files.supervisor_pid() == process.pid and files.phase()[0] is Phase.READY

    try:
        wait_until(is_up, _START_SECONDS, "the stack")
        yield json.loads(files.stack_file.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(90)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _clean_environment() -> dict[str, str]:
    """Ours without what would change the product: settings of the developer's own."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AUTOS_", "AWS_")) or name in {"AUTOS_CACHE_DIR", "AUTOS_MAVEN_MIRROR"}
    }


@contextmanager
def embedded_servers(data_dir: Path) -> Iterator[Servers]:
    """The three servers alone, provisioned."""
    arguments = ("-m", "autos.local.stack", "--servers-only", "--data-dir", str(data_dir))
    with running(arguments, data_dir, {}) as stack:
        yield servers_of(stack, data_dir)


def servers_of(stack: Mapping[str, Any], data_dir: Path) -> Servers:
    """What stack.json says, with the roles' own connections."""
    secrets = json.loads((data_dir / "secrets.json").read_text())
    place = stack["database_url"].partition("@")[2]
    return Servers(
        bootstrap_servers=stack["kafka"],
        owner_url=stack["database_url"],
        role_urls={
            service: f"postgresql://autos_{service}:{secrets[f'autos_{service}_password']}@{place}"
            for service in ("api", "downloader", "status", "notifier", "keys")
        },
        s3_endpoint_url=stack["s3"]["endpoint"],
        s3_bucket=stack["s3"]["bucket"],
        s3_access_key_id=stack["s3"]["access_key_id"],
        s3_secret_access_key=stack["s3"]["secret_access_key"],
        data_dir=data_dir,
    )
