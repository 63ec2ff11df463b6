"""Read a topic from its beginning to its end as of now, again and again, outside of any consumer group."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka import admin as kafka_admin
from confluent_kafka.admin import AdminClient

from shared.clock import utc_now
from shared.errors import InfrastructureAway
from shared.kafka.config import common_config, consumer_config
from shared.kafka.consumer.client import record_of
from shared.records import Record

_BATCH: Final = 1000
_POLL_SECONDS: Final = 0.5
_SILENCE_SECONDS: Final = 60.0
_REQUEST_SECONDS: Final = 10.0


class Replay:
    """The committed records of a topic, in the order of each partition. Joins no group; blocks. For one thread."""

    def __init__(self, bootstrap_servers: str, config: Mapping[str, Any], topic: str) -> None:
        self._topic = topic
        self._admin = AdminClient(common_config(bootstrap_servers, config))
        self._consumer = Consumer(
            consumer_config(bootstrap_servers, "autos.replay", config, group_protocol="classic")
            | {"enable.partition.eof": True}
        )
        self._positions: dict[int, int] = {}

    def close(self) -> None:
        """Close the consumer. Nothing is committed: it is in no group."""
        self._consumer.close()

    def horizon(self) -> datetime | None:
        """The moment before which records may be missing; None while the topic has all that was ever written to it.

        The latest of the partitions' oldest records, so that what began after it is there whole. Raises
        InfrastructureAway.
        """
        starts, ends = self._offsets("earliest"), self._ends()
        cut = [number for number, offset in starts.items() if offset > 0]
        if not cut:
            return None
        if any(starts[number] >= ends.get(number, 0) for number in cut):
            # Of a partition with nothing left in it nobody can say how old the last record was.
            return utc_now()
        oldest: dict[int, int] = {}
        self._consumer.assign([TopicPartition(self._topic, number, starts[number]) for number in cut])
        until = time.monotonic() + _SILENCE_SECONDS
        while len(oldest) < len(cut):
            for message in self._consumer.consume(_BATCH, _POLL_SECONDS):
                number, error = cast(int, message.partition()), message.error()
                if error is None:
                    oldest.setdefault(number, int(message.timestamp()[1]))
                elif error.code() == KafkaError._PARTITION_EOF:
                    # Nothing but markers of transactions.
                    oldest.setdefault(number, int(time.time() * 1000))
            if time.monotonic() > until:
                raise InfrastructureAway("kafka: the topic's oldest records do not come")
        self._consumer.unassign()
        return datetime.fromtimestamp(max(oldest.values()) / 1000, UTC)

    def read_to_end(self) -> Iterator[list[Record]]:
        """Batches from where the last call ended up to the end as it is at this call. Raises InfrastructureAway."""
        ends = self._ends()
        fresh = [partition for partition in ends if partition not in self._positions]
        if fresh:
            self._positions |= dict.fromkeys(fresh, 0)
            self._consumer.assign(
                [
                    TopicPartition(self._topic, number, offset or OFFSET_BEGINNING)
                    for number, offset in self._positions.items()
                ]
            )
        heard = time.monotonic()
        while any(self._positions[partition] < end for partition, end in ends.items()):
            records: list[Record] = []
            for message in self._consumer.consume(_BATCH, _POLL_SECONDS):
                heard = time.monotonic()
                records += self._take(message)
            if records:
                yield records
            if time.monotonic() - heard > _SILENCE_SECONDS:
                raise InfrastructureAway("kafka: the topic's end does not come")

    def _take(self, message: Any) -> list[Record]:
        """The record of a message; none for the mark of a partition's end."""
        error, partition, offset = message.error(), message.partition(), message.offset()
        if error is None:
            self._positions[partition] = offset + 1
            return [record_of(message)]
        if error.code() == KafkaError._PARTITION_EOF:
            # Beyond the last record: what lies between are markers of transactions.
            self._positions[partition] = max(self._positions[partition], offset)
        elif error.fatal():
            raise InfrastructureAway(f"kafka: {error.name()}")
        return []

    def _ends(self) -> dict[int, int]:
        """By partition: the offset up to which every transaction has ended."""
        return self._offsets("latest")

    def _offsets(self, which: Literal["earliest", "latest"]) -> dict[int, int]:
        """By partition: its first offset, or the one behind the last record of a transaction that has ended.

        Raises InfrastructureAway.
        """
        try:
            partitions = self._admin.list_topics(self._topic, _REQUEST_SECONDS).topics[self._topic].partitions
            spec = getattr(cast(Any, kafka_admin).OffsetSpec, which)()
            asked = {TopicPartition(self._topic, number): spec for number in partitions}
            answers = self._admin.list_offsets(
                asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=_REQUEST_SECONDS
            )
            return {partition.partition: future.result().offset for partition, future in answers.items()}
        except KafkaException as error:
            raise InfrastructureAway("kafka: no answer to a request for offsets") from error
