"""Kafka's classes as an archive that Java maps into memory (JEP 350), so that a broker starts in about half its time.

``python -m autos.local.kafka_classes`` makes it, once for a Java and a set of jars; the test suite, which starts two
dozen brokers, does so in its set-up. Whoever finds no archive starts without one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from autos.local.artifacts import LOCK_FILE, ArtifactError, cache_dir
from autos.local.java import NoJava, find_java
from autos.local.server import StartError, start

if TYPE_CHECKING:
    from autos.local.kafka import Kafka

_START_SECONDS: Final = 60.0
_END_SECONDS: Final = 60.0
"""A broker writes the archive when it ends: 2 seconds on a quiet machine."""


def archive_of(java: Path) -> Path:
    """Where the archive for this Java and the locked jars is, or would be."""
    # An archive fits only the Java that wrote it; a package of another release replaces the executable.
    executable = java.resolve()
    stat = executable.stat()
    text = f"{executable} {stat.st_size} {stat.st_mtime_ns} {LOCK_FILE.read_text()}"
    return cache_dir() / f"kafka-classes-{hashlib.sha256(text.encode()).hexdigest()[:16]}.jsa"


def options_for(java: Path) -> tuple[str, ...]:
    """What Java is given to use the archive; nothing when there is none."""
    archive = archive_of(java)
    return (f"-XX:SharedArchiveFile={archive}",) if archive.exists() else ()


def make_archive() -> Path | None:
    """Run a broker once and keep the classes that it loaded; None when this Java cannot. Raises StartError, NoJava."""
    from autos.local.kafka import Kafka
    from autos.local.ports_and_secrets import PortsAndSecrets
    from autos.local.provisioning import make_topics

    archive = archive_of(find_java())
    if archive.exists():
        return archive
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".kafka-classes-", dir=archive.parent) as scratch:
        written = Path(scratch) / "classes.jsa"
        kafka = Kafka(Path(scratch), PortsAndSecrets(Path(scratch)), (f"-XX:ArchiveClassesAtExit={written}",))
        kafka.prepare()
        process = start(kafka.command())
        try:
            _wait_until_ready(kafka, process)
            make_topics(kafka.bootstrap_servers)
            process.terminate()
            process.wait(_END_SECONDS)
        finally:
            process.kill()
            process.wait()
        with contextlib.suppress(FileNotFoundError):
            os.replace(written, archive)
    return archive if archive.exists() else None


def _wait_until_ready(kafka: Kafka, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not kafka.is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise StartError("Kafka did not start")
        time.sleep(0.05)


def main(arguments: Sequence[str]) -> int:
    """Make the archive. It is only a help: what goes wrong is said and fails nothing."""
    if arguments:
        sys.stderr.write("usage: python -m autos.local.kafka_classes\n")
        return 2
    try:
        print(make_archive() or "this Java keeps no archive of classes")
    except (StartError, NoJava, ArtifactError, OSError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"no archive of Kafka's classes: {error}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
