"""What the broker says of the groups and the dead topics, as far as it lets the API look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from services.api.settings import ApiSettings
from shared.errors import InfrastructureAway
from shared.events.flow import READERS
from shared.events.topics import DEAD_TOPICS
from shared.kafka.admin import held_records, lag
from shared.kafka.config import consumer_config

_SECONDS: Final = 5.0


@dataclass(frozen=True)
class BrokerState:
    """Lags and dead letters as plain values of the view."""

    lags: list[dict[str, Any]]
    dead: list[dict[str, Any]]


def read_broker(settings: ApiSettings) -> BrokerState | None:
    """How far every group is, and how many records each dead topic has; None when the broker does not tell.

    Blocks for some seconds where the broker is away.
    """
    servers, config = settings.kafka_bootstrap_servers, settings.kafka_config
    lags: list[dict[str, Any]] = []
    try:
        for groups in READERS.values():
            for name, topics in groups.items():
                group = settings.group(name)
                behind = dict.fromkeys(topics, 0)
                for (topic, _), records in lag(servers, group, config, topics).items():
                    if topic in behind:
                        behind[topic] += records
                lags += [{"group": group, "topic": topic, "behind": records} for topic, records in behind.items()]
        return BrokerState(lags, _dead_topics(settings))
    except (InfrastructureAway, KafkaException):
        return None


def _dead_topics(settings: ApiSettings) -> list[dict[str, Any]]:
    # Never subscribed: it joins no group, and asks for the ends of the topics alone.
    config = consumer_config(
        settings.kafka_bootstrap_servers, "autos.system", settings.kafka_config, group_protocol="classic"
    )
    reader = Consumer(config)
    try:
        topics = reader.list_topics(timeout=_SECONDS).topics
        dead = {
            name: [TopicPartition(name, one) for one in topics[name].partitions] if name in topics else []
            for name in DEAD_TOPICS
        }
        return [
            {"topic": name, "count": held_records(reader, partitions, _SECONDS)} for name, partitions in dead.items()
        ]
    finally:
        reader.close()
