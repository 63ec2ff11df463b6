"""Reads from Kafka what each group has still to do, and what was announced. It joins no group and commits nothing.

A committed offset below the end of the log need not mean that a record waits: a transaction leaves a marker behind
its last record, which no reader ever sees. So the rest is read, by the readers' own rule, and only records count.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from ops.invariants.groups import Backlog
from ops.invariants.jobs import AnnouncedEnd
from shared.clock import EARLIEST, plausible, plausible_ms
from shared.errors import InfrastructureAway
from shared.events import topics
from shared.events.envelope import header
from shared.events.flow import READERS
from shared.kafka.config import common_config, consumer_config
from shared.kafka.consumer.client import record_of
from shared.kafka.consumer.offset_metadata import decode_metadata

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    name: names for groups in READERS.values() for name, names in groups.items()
}
"""What each consumer group reads."""
_MAY_WAIT: Final = frozenset({"planner", "fetcher"})
_TIMEOUT: Final = 15.0
_READ_SECONDS: Final = 60.0
_MOST: Final = 20_000
"""So many waiting records are looked at one by one; beyond it a backlog is counted by its offsets."""


@dataclass
class PendingRecords:
    """What is on its way in the topics."""

    backlogs: list[Backlog] = field(default_factory=list)
    jobs: set[str] = field(default_factory=set)
    """Ids of the jobs that the waiting records are about."""
    complete: bool = True
    """False when there was too much to look at every record: ``jobs`` is then not all of them."""

    def add(self, other: PendingRecords) -> None:
        """Add another group's to this."""
        self.backlogs += other.backlogs
        self.jobs |= other.jobs
        self.complete = self.complete and other.complete


@dataclass(frozen=True, slots=True)
class _Commit:
    topic: str
    partition: int
    offset: int
    metadata: str
    end: int


class TopicReader:
    """Reads the topics of a deployment; ``prefix`` is AUTOS_KAFKA_GROUP_PREFIX. Blocks.

    Raises InfrastructureAway when the broker does not answer, or the ends of the partitions are not reached in about a
    minute. At most _MOST waiting records of a group are read one by one.
    """

    def __init__(self, bootstrap_servers: str, prefix: str, config: Mapping[str, Any] | None = None) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._prefix = prefix
        self._config = dict(config or {})
        self._admin = AdminClient(common_config(bootstrap_servers, self._config))
        # classic: it is only assigned to, and must not wait for a group to know it.
        settings = consumer_config(bootstrap_servers, f"{prefix}.doctor", self._config, group_protocol="classic")
        self._reader = Consumer({**settings, "enable.partition.eof": True})

    def close(self) -> None:
        """Close the consumer; it is a member of no group."""
        self._reader.close()

    def pending(self) -> PendingRecords:
        """The backlog of every group."""
        found = PendingRecords()
        for name, names in GROUPS.items():
            try:
                found.add(self._pending_of(name, names))
            except KafkaException as error:
                raise InfrastructureAway("kafka: no answer about a group") from error
        return found

    def announced(self, since: datetime) -> dict[str, AnnouncedEnd]:
        """By job: what process.completed says since a moment."""
        try:
            starts = self._starts(topics.PROCESS_COMPLETED, since)
            ids: dict[str, set[str]] = {}
            statuses: dict[str, set[str]] = {}
            records: Counter[str] = Counter()
            for message in self._read(starts):
                value = _value(message)
                job = str(value.get("job_id", ""))
                ids.setdefault(job, set()).add(_event_id(message))
                statuses.setdefault(job, set()).add(str(value.get("status", "")))
                records[job] += 1
        except KafkaException as error:
            raise InfrastructureAway("kafka: no answer about process.completed") from error
        return {job: AnnouncedEnd(frozenset(ids[job]), frozenset(statuses[job]), records[job]) for job in ids}

    def _pending_of(self, name: str, names: Sequence[str]) -> PendingRecords:
        """What a group has not committed of these topics. It is not complete beyond a bound of records."""
        group = f"{self._prefix}.{name}"
        behind = [commit for commit in self._commits(group, names) if commit.offset < commit.end]
        if not behind:
            return PendingRecords()
        members = self._members(group)
        waiting = {(commit.topic, commit.partition): _Waiting(commit) for commit in behind}
        starts = [TopicPartition(commit.topic, commit.partition, commit.offset) for commit in behind]
        seen = 0
        for message in self._read(starts):
            waiting[message.topic() or "", message.partition() or 0].add(message)
            seen += 1
            if seen >= _MOST:
                break
        found = PendingRecords(complete=seen < _MOST)
        for rest in waiting.values():
            count = rest.records if found.complete else rest.commit.end - rest.commit.offset
            if count:
                found.jobs |= rest.jobs
                commit = rest.commit
                found.backlogs.append(
                    Backlog(
                        group,
                        commit.topic,
                        commit.partition,
                        commit.offset,
                        commit.metadata,
                        count,
                        rest.due_since,
                        members,
                        name in _MAY_WAIT,
                    )
                )
        return found

    def _commits(self, group: str, names: Sequence[str]) -> Iterator[_Commit]:
        # Not list_consumer_group_offsets: in confluent-kafka 2.16.1 it ends the process with a segmentation fault
        # when the broker dies meanwhile. A consumer that is never subscribed asks the same and joins nothing.
        partitions = self._partitions(names)
        settings = consumer_config(self._bootstrap_servers, group, self._config, group_protocol="classic")
        with closing(Consumer(settings)) as asking:
            committed = {(each.topic, each.partition): each for each in asking.committed(partitions, timeout=_TIMEOUT)}
        for partition in partitions:
            low, high = self._reader.get_watermark_offsets(partition, timeout=_TIMEOUT)
            known = committed[partition.topic, partition.partition]
            offset = low if known.offset < 0 else max(low, known.offset)
            yield _Commit(partition.topic, partition.partition, offset, known.metadata or "", high)

    def _partitions(self, names: Sequence[str]) -> list[TopicPartition]:
        found = self._admin.list_topics(timeout=_TIMEOUT).topics
        return [TopicPartition(name, number) for name in names if name in found for number in found[name].partitions]

    def _members(self, group: str) -> int:
        described = self._admin.describe_consumer_groups([group], request_timeout=_TIMEOUT)[group].result()
        return len(described.members)

    def _starts(self, name: str, since: datetime) -> list[TopicPartition]:
        moment = max(0, int(since.timestamp() * 1000))
        asked = [TopicPartition(each.topic, each.partition, moment) for each in self._partitions([name])]
        starts = self._reader.offsets_for_times(asked, timeout=_TIMEOUT)
        # A negative offset: nothing is as young as that.
        return [start for start in starts if start.offset >= 0]

    def _read(self, starts: Sequence[TopicPartition]) -> Iterator[Message]:
        """Committed records from these offsets to the ends of the partitions as they are when they are reached."""
        if not starts:
            return
        self._reader.assign(list(starts))
        open_partitions = {(start.topic, start.partition) for start in starts}
        deadline = time.monotonic() + _READ_SECONDS
        try:
            while open_partitions:
                message = self._reader.poll(1.0)
                if message is None:
                    if time.monotonic() > deadline:
                        raise InfrastructureAway("kafka: the ends of the partitions were not reached")
                    continue
                error = message.error()
                if error is None:
                    if (message.topic(), message.partition()) in open_partitions:
                        yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_partitions.discard((message.topic() or "", message.partition() or 0))
                elif not error.retriable():
                    raise KafkaException(error)
        finally:
            self._reader.unassign()


class _Waiting:
    """The records of one partition that are not finished."""

    def __init__(self, commit: _Commit) -> None:
        self.commit = commit
        self.records = 0
        self.jobs: set[str] = set()
        self.due_since: datetime | None = None
        self._finished = decode_metadata(commit.offset, commit.metadata)

    def add(self, message: Message) -> None:
        offset = message.offset() or 0
        if any(first <= offset < last for first, last in self._finished):
            return
        self.records += 1
        value = _value(message)
        if job := value.get("job_id"):
            self.jobs.add(str(job))
        due = _due(message, value)
        if due <= datetime.now(UTC) and (self.due_since is None or due < self.due_since):
            self.due_since = due


def _due(message: Message, value: Mapping[str, Any]) -> datetime:
    written = plausible_ms(message.timestamp()[1]) or EARLIEST
    try:
        due = plausible(datetime.fromisoformat(str(value.get("not_before"))))
    except ValueError:
        due = None
    return max(written, due or written)


def _value(message: Message) -> Mapping[str, Any]:
    """The record's JSON; nothing for what is none."""
    try:
        value = orjson.loads(message.value() or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _event_id(message: Message) -> str:
    return header(record_of(message).headers, "ce_id") or ""
