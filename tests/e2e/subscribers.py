"""The consumers of docs/examples/subscribe as processes: how each is run, what it printed, what its group committed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, ConsumerGroupTopicPartitions, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from shared.events.flow import PUBLIC
from shared.kafka.consumer.client import record_of

EXAMPLES: Final = Path(__file__).parents[2] / "docs" / "examples" / "subscribe"
BUILT: Final = Path(sys.prefix) / "subscribe"
"""What `make test` installs and compiles of them (the Makefile's .subscribe.stamp)."""
LANGUAGES: Final = ("python", "node", "go")
Place = tuple[str, int, int]
"""Topic, partition and offset."""


class NotThere(Exception):
    """What runs this language is not on this machine."""


def command(language: str, folder: Path) -> list[str]:
    """What starts a consumer; ``folder`` is for what it needs beside it. Raises NotThere."""
    if language == "python":
        return [sys.executable, str(EXAMPLES / "subscribe.py")]
    program = shutil.which(language)
    if program is None:
        raise NotThere(f"needs {language}")
    wanted = BUILT / ("node_modules" if language == "node" else "subscribe")
    if not wanted.exists():
        raise NotThere(f"needs {wanted}, which `make test` makes where {language} is")
    if language == "node":
        # Beside its packages, so that they are found.
        (folder / "node_modules").symlink_to(wanted)
        return [program, str(shutil.copy(EXAMPLES / "subscribe.mjs", folder / "subscribe.mjs"))]
    if (BUILT / "subscribe.go").read_text() != (EXAMPLES / "subscribe.go").read_text():
        raise NotThere("subscribe.go was changed since it was compiled: `make test` compiles it")
    return [str(wanted)]


@dataclass
class Subscriber:
    """One consumer, started again and again in one group."""

    language: str
    bootstrap_servers: str
    group: str
    folder: Path
    command: list[str]
    _runs: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self, *topics: str, **environ: str) -> None:
        """Start it anew; its lines go to a file of this run."""
        self._runs += 1
        settings = {"SCHEMAS": str(EXAMPLES.parents[1] / "events"), "SESSION_TIMEOUT_MS": "3000", **environ}
        with self._file(self._runs).open("wb") as out, (self.folder / "stderr").open("ab") as err:
            self._process = subprocess.Popen(
                [*self.command, self.bootstrap_servers, self.group, *topics],
                env={**os.environ, **settings},
                stdout=out,
                stderr=err,
            )

    def kill(self) -> None:
        """As kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)

    def ask_to_end(self) -> None:
        """As systemd and Kubernetes do."""
        assert self._process is not None
        self._process.terminate()

    def ended(self) -> int:
        """The exit status, once it has ended."""
        assert self._process is not None
        return self._process.wait(60)

    def lines(self, run: int) -> list[dict[str, Any]]:
        """What it printed in a run; a last line that a kill cut off does not count."""
        # It may still be writing: what is no whole line is not looked at.
        if self._process is not None and run == self._runs and self._process.poll() not in (None, 0, -9):
            pytest.fail(f"{self.language} ended: {(self.folder / 'stderr').read_text()[-2000:]}")
        whole, _, _ = self._file(run).read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def places(self, run: int) -> list[Place]:
        return [place(line) for line in self.lines(run)]

    def committed(self) -> dict[tuple[str, int], int]:
        """The offset from which the group goes on, by topic and partition."""
        asked = [ConsumerGroupTopicPartitions(self.group)]
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        [answer] = [found.result(60) for found in admin.list_consumer_group_offsets(asked).values()]
        return {(one.topic, one.partition): one.offset for one in answer.topic_partitions or [] if one.offset >= 0}

    def _file(self, run: int) -> Path:
        return self.folder / f"run-{run}.jsonl"


def place(line: Mapping[str, Any]) -> Place:
    return line["topic"], line["partition"], line["offset"]


class Written(NamedTuple):
    """A record as it stands in a topic."""

    id: str
    type: str
    process_number: str | None


def records(bootstrap_servers: str, topics: tuple[str, ...] = PUBLIC) -> dict[Place, Written]:
    """Every committed record that the topics hold now."""
    reader = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "unused",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    try:
        known = reader.list_topics(timeout=60).topics
        everywhere = [(topic, partition) for topic in topics for partition in known[topic].partitions]
        reader.assign([TopicPartition(*at, OFFSET_BEGINNING) for at in everywhere])
        found: dict[Place, Written] = {}
        ended = 0
        while ended < len(everywhere):
            message = reader.poll(10)
            assert message is not None, "the topics could not be read"
            if message.error():
                ended += 1
                continue
            if (written := _written(message)) is not None:
                at = (str(message.topic()), int(message.partition() or 0), int(message.offset() or 0))
                found[at] = written
        return found
    finally:
        reader.close()


def _written(message: Message) -> Written | None:
    """None for what another test of the same product wrote to be refused."""
    record = record_of(message)
    try:
        number = json.loads(record.value or b"{}").get("process_number")
        return Written(record.headers["ce_id"].decode(), record.headers["ce_type"].decode(), number)
    except (AttributeError, KeyError, RecursionError, ValueError):
        return None
