"""``autos topics``: the topics, their partitions, how many records they hold, and the lag of each group."""

from __future__ import annotations

import json
import os
from typing import Any

import typer

from cli.context import fail, setting


def topics() -> None:
    """List the topics of Autos and the lag of its consumer groups."""
    from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition
    from confluent_kafka.admin import AdminClient

    from shared.events.topics import TOPICS

    bootstrap = setting("AUTOS_KAFKA_BOOTSTRAP_SERVERS", "kafka")
    extra = json.loads(os.environ.get("AUTOS_KAFKA_CONFIG") or "{}")
    reader = Consumer({**extra, "bootstrap.servers": bootstrap, "group.id": "autos.topics", "log_level": 0})
    admin = AdminClient({**extra, "bootstrap.servers": bootstrap, "log_level": 0})
    ends: dict[tuple[str, int], int] = {}
    try:
        found = admin.list_topics(timeout=10).topics
        typer.echo(f"{'topic':<24}{'partitions':>10}{'records':>12}")
        for spec in TOPICS:
            if spec.name not in found:
                typer.echo(f"{spec.name:<24}   missing")
                continue
            held = 0
            for partition in found[spec.name].partitions:
                low, high = reader.get_watermark_offsets(TopicPartition(spec.name, partition), timeout=10)
                ends[spec.name, partition] = high
                held += high - low
            typer.echo(f"{spec.name:<24}{len(found[spec.name].partitions):>10}{held:>12}")
        groups = sorted(group.group_id for group in admin.list_consumer_groups().result(10).valid)
        for group in groups:
            _lag(admin, group, ends, ConsumerGroupTopicPartitions)
    except KafkaException as error:
        raise fail(f"Kafka at {bootstrap} does not answer: {error.args[0]}") from error
    finally:
        reader.close()


def _lag(admin: Any, group: str, ends: dict[tuple[str, int], int], request: Any) -> None:
    offsets = admin.list_consumer_group_offsets([request(group)])[group].result(10).topic_partitions
    behind = sum(
        max(0, ends[part.topic, part.partition] - part.offset)
        for part in offsets
        if part.offset >= 0 and (part.topic, part.partition) in ends
    )
    typer.echo(f"group {group}: {behind} behind")
