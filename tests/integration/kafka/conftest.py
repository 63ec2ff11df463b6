"""Topics and groups of their own for each test, and a reader of what was written."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from confluent_kafka import Consumer

from shared.kafka.admin import ensure_topics
from shared.kafka.config import consumer_config
from shared.kafka.producer import Producer
from shared.records import TopicSpec
from tests.support import Servers


@dataclass(frozen=True)
class Topic:
    """A topic with its ``.out`` and ``.dead``, and a group name."""

    bootstrap: str
    topic: str
    group: str
    producer: Producer

    def written(self, expected: int | None, timeout: float = 120.0, suffix: str = ".out") -> list[bytes]:
        """Keys of the committed records, once there are ``expected``, and what follows within the ends seen."""
        config = consumer_config(self.bootstrap, f"{self.group}.check.{uuid.uuid4().hex[:6]}", group_protocol="classic")
        config["enable.partition.eof"] = True
        reader = Consumer(config)
        topic = f"{self.topic}{suffix}"
        from confluent_kafka import KafkaError, TopicPartition

        from tests.support import wait_until

        partitions = sorted(reader.list_topics(topic, timeout=60).topics[topic].partitions)
        reader.assign([TopicPartition(topic, number, 0) for number in partitions])
        keys: list[bytes] = []
        ends: set[int] = set()

        def read() -> bool:
            message = reader.poll(0.2)
            while message is not None:
                if (error := message.error()) is not None:
                    assert error.code() == KafkaError._PARTITION_EOF, error.str()
                    ends.add(message.partition() or 0)
                else:
                    ends.discard(message.partition() or 0)
                    keys.append(message.key() or b"")
                message = reader.poll(0.05)
            return len(ends) == len(partitions) and (expected is None or len(keys) >= expected)

        try:
            wait_until(read, timeout, f"{expected} committed records in {topic}")
        finally:
            reader.close()
        return keys


@pytest.fixture
def bench(servers: Servers) -> Iterator[Topic]:
    name = f"t{uuid.uuid4().hex[:10]}"
    ensure_topics(
        servers.bootstrap_servers,
        [TopicSpec(name, 6), TopicSpec(f"{name}.out", 3), TopicSpec(f"{name}.dead", 1)],
    )
    producer = Producer(servers.bootstrap_servers)
    yield Topic(servers.bootstrap_servers, name, f"g.{name}", producer)
    producer.close()
