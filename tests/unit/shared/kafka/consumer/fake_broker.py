"""A broker in memory with the consumer's interface: a group, cooperative rebalances, crashes, and a judge.

The judge notes at each commit whether it passes a record that is not finished, and at each start of a handler
whether another member still handles the same record.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from confluent_kafka import TopicPartition

from shared.errors import InfrastructureAway
from shared.kafka.consumer.assigned_partitions import Key
from shared.kafka.consumer.client import CommitCallback
from shared.kafka.consumer.offset_metadata import decode_metadata
from shared.records import OutgoingRecord, Record

TOPIC = "work"


class FakeMessage:
    def __init__(self, key: Key, offset: int, value: bytes) -> None:
        self._key, self._offset, self._value = key, offset, value

    def topic(self) -> str:
        return self._key[0]

    def partition(self) -> int:
        return self._key[1]

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return self._value

    def headers(self) -> list[tuple[str, bytes]]:
        return [("ce_type", b"test")]

    def timestamp(self) -> tuple[int, int]:
        return (1, 0)

    def error(self) -> None:
        return None


class FakeBroker:
    """Partitions with their records, the group's commits, the members, and what went wrong."""

    def __init__(self, partitions: list[list[tuple[int, bytes]]]) -> None:
        self.lock = threading.RLock()
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
                self.committed[key] = (item.offset, item.metadata or "")

    def lose(self, member: FakeConsumer) -> None:
        """The member's session is over without its knowledge; its partitions go to others at once."""
        with self.lock:
            member.lost |= {key for key, owner in self.owner.items() if owner is member}
            self.owner = {key: owner for key, owner in self.owner.items() if owner is not member}


class FakeConsumer:
    """One member. A pause outlives the loss of its partition, as in librdkafka.

    ``crashed`` makes it deaf and mute, as if its process had been killed.
    """

    def __init__(self, broker: FakeBroker, on_commit: CommitCallback) -> None:
        self._broker = broker
        self._on_commit = on_commit
        self._answers: list[list[TopicPartition]] = []
        self.positions: dict[Key, int] = {}
        self.paused: set[Key] = set()
        self._turn = 0
        self.lost: set[Key] = set()
        self.crashed = False

    def subscribe(self, topics: list[str], *, on_assign: Any, on_revoke: Any, on_lost: Any) -> None:
        assert topics == [TOPIC]
        self._assigned, self._revoked, self._gone = on_assign, on_revoke, on_lost
        with self._broker.lock:
            self._broker.members.append(self)

    def poll(self, timeout: float) -> FakeMessage | None:
        self._answer_commits()
        if self.crashed:
            time.sleep(timeout)
            return None
        if timeout > 0:
            self._rebalance()
        message = self._read()
        if message is None and timeout > 0:
            time.sleep(timeout)
            message = self._read()
        return message

    def _rebalance(self) -> None:
        broker = self._broker
        with broker.lock:
            lost, self.lost = self.lost, set()
            for key in lost:
                self.positions.pop(key, None)
        if lost:
            self._gone(self, [TopicPartition(*key) for key in lost])
        with broker.lock:
            wanted = broker.wanted(self)
            mine = {key for key, owner in broker.owner.items() if owner is self}
            free = {key for key in wanted if key not in broker.owner}
        if mine - wanted:
            self._revoked(self, [TopicPartition(*key) for key in mine - wanted])
            with broker.lock:
                for key in mine - wanted:
                    self.positions.pop(key, None)
                    if broker.owner.get(key) is self:
                        del broker.owner[key]
        with broker.lock:
            # The group may have changed meanwhile: another member may have taken a partition that was free.
            free = {key for key in free if key not in broker.owner}
            broker.owner |= dict.fromkeys(free, self)
        if free:
            self._assigned(self, [TopicPartition(*key) for key in free])

    def _read(self) -> FakeMessage | None:
        with self._broker.lock:
            keys = sorted(key for key in self.positions if key not in self.paused)
            self._turn += 1
            for n in range(len(keys)):
                key = keys[(n + self._turn) % len(keys)]
                for offset, value in self._broker.logs[key]:
                    if offset >= self.positions[key]:
                        self.positions[key] = offset + 1
                        return FakeMessage(key, offset, value)
        return None

    def _answer_commits(self) -> None:
        answers, self._answers = self._answers, []
        for partitions in answers:
            self._on_commit(None, partitions)

    def pause(self, partitions: list[TopicPartition]) -> None:
        self.paused |= {(p.topic, p.partition) for p in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        self.paused -= {(p.topic, p.partition) for p in partitions}

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        found = []
        for item in partitions:
            offset, metadata = self._broker.committed.get((item.topic, item.partition), (-1001, ""))
            found.append(TopicPartition(item.topic, item.partition, offset, metadata=metadata))
        return found

    def decided(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        return self.committed(partitions, timeout)

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> Any:
        if asynchronous:
            self._answers.append(offsets)
        if self.crashed:
            return
        with self._broker.lock:
            # A commit may be late: the group ignores one for a partition that the member lost.
            mine = [item for item in offsets if self._broker.owner.get((item.topic, item.partition)) is self]
            if self._broker.refuse_commits > 0:
                self._broker.refuse_commits -= 1
            else:
                self._broker.commit(mine, self)

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        for item in partitions:
            self.positions[item.topic, item.partition] = max(item.offset, 0)

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float, cached: bool) -> tuple[int, int]:
        log = self._broker.logs[partition.topic, partition.partition]
        return (0, log[-1][0] + 1 if log else 0)

    def consumer_group_metadata(self) -> object:
        return object()

    def close(self) -> None:
        if not self.crashed:
            with self._broker.lock:
                mine = [TopicPartition(*key) for key, owner in self._broker.owner.items() if owner is self]
            self._revoked(self, mine)
        self.leave()

    def leave(self) -> None:
        """Out of the group, by its own will or when its session is over."""
        broker = self._broker
        with broker.lock:
            if self in broker.members:
                broker.members.remove(self)
            broker.owner = {key: owner for key, owner in broker.owner.items() if owner is not self}


class FakeProducer:
    """Acknowledges after a while, or is away for some sends."""

    def __init__(self, broker: FakeBroker, random: Any) -> None:
        self._broker = broker
        self._random = random
        self.away = 0
        self.dead = False

    async def send_together(self, answers: Sequence[Iterable[OutgoingRecord]]) -> list[Exception | None]:
        try:
            await self.send([record for records in answers for record in records])
        except InfrastructureAway as away:
            return [away] * len(answers)
        return [None] * len(answers)

    async def send(self, records: Iterable[OutgoingRecord]) -> None:
        import asyncio

        sent = list(records)
        await asyncio.sleep(self._random.random() * 0.002)
        if self.away > 0:
            self.away -= 1
            raise InfrastructureAway("kafka", retry_in=0.003)
        if self.dead:
            raise InfrastructureAway("kafka", retry_in=60)
        self._broker.write(sent)
