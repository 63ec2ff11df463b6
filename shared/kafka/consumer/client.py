"""The Kafka client as the runtime uses it: an interface, so that a broker in memory can stand in, and the real one."""

from __future__ import annotations

from collections.abc import Callable
from operator import methodcaller
from typing import Any, Final, Protocol

import confluent_kafka
from confluent_kafka import KafkaError, TopicPartition

from shared.errors import ProcessingError
from shared.kafka.consumer.assigned_partitions import Position
from shared.records import Record

FORBIDDEN: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.UNSUPPORTED_VERSION,
        KafkaError.INCONSISTENT_GROUP_PROTOCOL,
        KafkaError.UNSUPPORTED_ASSIGNOR,
    }
)
"""Codes that waiting does not help: the group or the topics are not ours to read, and an operator must act."""


class ConsumerFailed(ProcessingError):
    """The consumer cannot go on: a fatal error of the client, or it is not allowed to read."""


CommitCallback = Callable[[KafkaError | None, list[TopicPartition]], None]


class ConsumerClient(Protocol):
    """What is used of confluent_kafka.Consumer. Times are seconds. Only the poll thread calls it.

    Methods raise KafkaException. The in-memory client of the tests implements the same interface.
    """

    def subscribe(self, topics: list[str], *, on_assign: Any, on_revoke: Any, on_lost: Any) -> None:
        """Join the group; the callbacks run inside ``poll`` and ``close``."""

    def poll(self, timeout: float) -> Any:
        """Return the next message, an error as a message, or None after ``timeout``."""

    def pause(self, partitions: list[TopicPartition]) -> None: ...
    def resume(self, partitions: list[TopicPartition]) -> None: ...
    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        """Return the group's committed positions. The broker makes this wait while a transaction with them is open."""

    def decided(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        """Return the committed positions as they were before any transaction that is still open."""

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> Any:
        """Commit positions; with ``asynchronous`` the answer comes to the factory's callback, else it is returned: the
        partitions, with an error where one was refused. Raises when all were.
        """

    def incremental_assign(self, partitions: list[TopicPartition]) -> None: ...
    def get_watermark_offsets(self, partition: TopicPartition, timeout: float, cached: bool) -> Any:
        """Return the first and the next offset of a partition; ``cached``: as last heard, without a request."""

    def consumer_group_metadata(self) -> Any:
        """Return the group's generation, which fences a transaction of a member that was put out."""

    def close(self) -> None:
        """Leave the group, after the callbacks for the partitions that are given up."""


ConsumerFactory = Callable[[CommitCallback], ConsumerClient]
"""Makes the consumer, which reports its asynchronous commits to the callback."""


class KafkaConsumer(confluent_kafka.Consumer):
    """The real client, which can also be asked for offsets behind an open transaction."""

    def __init__(self, config: dict[str, Any], on_commit: CommitCallback) -> None:
        # The end of a partition is told, with its offset: behind the last record there may be markers of transactions.
        super().__init__({**config, "on_commit": on_commit, "enable.partition.eof": True})
        self._config = config

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        """Take these partitions as well; with an eager strategy, whose every assignment is the whole, these alone."""
        if self._config.get("group.protocol") == "classic" and "cooperative" not in str(
            self._config.get("partition.assignment.strategy")
        ):
            self.assign(partitions)
        else:
            super().incremental_assign(partitions)

    def decided(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        """What is committed, not counting what is in transactions still open. Raises KafkaException."""
        reader = confluent_kafka.Consumer(
            {**self._config, "isolation.level": "read_uncommitted", "group.protocol": "classic"}
        )
        try:
            return reader.committed(partitions, timeout=timeout)
        finally:
            reader.close()


def kafka_consumer(config: dict[str, Any]) -> ConsumerFactory:
    """A factory of real consumers with these properties (see config.consumer_config)."""

    def make(on_commit: CommitCallback) -> ConsumerClient:
        client: Any = KafkaConsumer(config, on_commit)
        return client  # type: ignore[no-any-return]

    return make


UNREADABLE_HEADERS: Final = "unreadable_headers"
"""A header's name is not UTF-8: the client gives none of the record's headers then."""


# confluent-kafka (2.16.1) leaves a hole in the list of headers, and an exception pending, for a name that is not UTF-8.
# Called from C the interpreter sees that and raises SystemError; a specialised call does not look, and the loop over
# the list then ends the process. So this is the only way to call it.
_headers_of: Final = methodcaller("headers")


def record_of(message: Any) -> Record:
    """A message as a record, whatever is in it. Of headers of one name the last counts; one without a value is none."""
    headers, unreadable = {}, None
    try:
        headers = {name: value for name, value in _headers_of(message) or () if value is not None}
    except (SystemError, UnicodeDecodeError):
        unreadable = UNREADABLE_HEADERS
    return Record(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        key=message.key(),
        value=message.value(),
        headers=headers,
        timestamp_ms=message.timestamp()[1],
        unreadable=unreadable,
    )


def to_commit(position: Position) -> TopicPartition:
    """The position as the client commits it: offset and metadata."""
    return TopicPartition(position.topic, position.partition, position.offset, metadata=position.metadata)
