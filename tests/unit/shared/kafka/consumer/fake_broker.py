"""A broker in memory: a group, cooperative or eager rebalances, crashes, and a judge.

The judge notes at each commit whether it passes a record that is not finished, or goes back behind an earlier one, and
at each start of a handler whether another member still handles the same record.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from confluent_kafka import TopicPartition

from shared.kafka.consumer.assigned_partitions import Key
from shared.kafka.consumer.offset_metadata import decode_metadata
from shared.records import OutgoingRecord, Record

if TYPE_CHECKING:
    from tests.unit.shared.kafka.consumer.fake_consumer import FakeConsumer

TOPIC = "work"


class FakeBroker:
    """Partitions with their records, the group's commits, the members, and what went wrong.

    ``eager``: at each change of the group every member gives up all that it has, and gets its part anew.
    """

    def __init__(self, partitions: list[list[tuple[int, bytes]]], *, eager: bool = False) -> None:
        self.lock = threading.RLock()
        self.eager = eager
        self.generation = 0
        """How often the group has changed."""
        self.logs: dict[Key, list[tuple[int, bytes]]] = {(TOPIC, n): log for n, log in enumerate(partitions)}
        self.committed: dict[Key, tuple[int, str]] = {}
        self.members: list[FakeConsumer] = []
        self.owner: dict[Key, FakeConsumer] = {}
        self.finished: set[tuple[Key, int]] = set()
        self.active: dict[tuple[Key, int], str] = {}
        self.handled: Counter[tuple[Key, int]] = Counter()
        self.written: Counter[tuple[str, bytes]] = Counter()
        self.violations: list[str] = []
        self.refuse_commits = 0

    @property
    def everything(self) -> set[tuple[Key, int]]:
        return {(key, offset) for key, log in self.logs.items() for offset, _ in log}

    def wanted(self, member: FakeConsumer) -> set[Key]:
        """What the assignor gives a member: partitions in turn over the members."""
        if member not in self.members:
            return set()
        place = self.members.index(member)
        return {key for n, key in enumerate(sorted(self.logs)) if n % len(self.members) == place}

    def started(self, record: Record, member: str) -> None:
        with self.lock:
            at = ((record.topic, record.partition), record.offset)
            if at in self.active and self.active[at] != member:
                self.violations.append(f"{at} is handled by {self.active[at]} and {member}")
            self.active[at] = member
            self.handled[at] += 1

    def ended(self, record: Record) -> None:
        with self.lock:
            self.active.pop(((record.topic, record.partition), record.offset), None)

    def write(self, records: Iterable[OutgoingRecord]) -> None:
        """Records are acknowledged; each names in its key what it follows from, which is then finished."""
        with self.lock:
            for record in records:
                self.written[record.topic, record.key] += 1
                partition, offset = (int(part) for part in record.key.split(b"/"))
                self.finished.add(((TOPIC, partition), offset))

    def commit(self, offsets: list[TopicPartition], member: FakeConsumer) -> None:
        with self.lock:
            for item in offsets:
                key = (item.topic, item.partition)
                if member not in self.members:
                    self.violations.append(f"a commit for {key} from a member that has gone")
                claimed = {o for a, b in decode_metadata(item.offset, item.metadata or "") for o in range(a, b)}
                for offset, _ in self.logs[key]:
                    said = offset < item.offset or offset in claimed
                    if said and (key, offset) not in self.finished:
                        self.violations.append(f"{key} is committed to {item.offset}, {offset} is not finished")
                if item.offset < (before := self.committed.get(key, (0, ""))[0]):
                    self.violations.append(f"{key} was committed to {before}, and is committed to {item.offset}")
                self.committed[key] = (item.offset, item.metadata or "")

    def lose(self, member: FakeConsumer) -> None:
        """The member's session is over without its knowledge; its partitions go to others at once."""
        with self.lock:
            member.lost |= {key for key, owner in self.owner.items() if owner is member}
            self.owner = {key: owner for key, owner in self.owner.items() if owner is not member}
            self.generation += 1

    def joined(self) -> bool:
        """Whether every member has joined the group as it is now: with ``eager`` nobody gets anything before."""
        return all(member.generation == self.generation for member in self.members)
