"""``autos topics``: the topics, their partitions, how many records they hold, and the lag of each group."""

from __future__ import annotations

from typing import Any

import typer

from autos.context import fail, kafka_config, setting


def topics() -> None:
    """List the topics of Autos and the lag of its consumer groups."""
    from confluent_kafka import Consumer, KafkaException, TopicPartition
    from confluent_kafka.admin import AdminClient

    from shared.errors import InfrastructureAway
    from shared.events.topics import TOPICS
    from shared.kafka.admin import lag
    from shared.kafka.config import common_config, consumer_config

    bootstrap = setting("AUTOS_KAFKA_BOOTSTRAP_SERVERS", "kafka")
    extra: dict[str, Any] = kafka_config()
    admin = AdminClient(common_config(bootstrap, extra))
    reader = Consumer(consumer_config(bootstrap, "autos.topics", extra, group_protocol="classic"))
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
                held += high - low
            typer.echo(f"{spec.name:<24}{len(found[spec.name].partitions):>10}{held:>12}")
        groups = sorted(group.group_id for group in admin.list_consumer_groups().result(10).valid)
        for group in groups:
            typer.echo(f"group {group}: {sum(lag(bootstrap, group, extra).values())} behind")
    except (KafkaException, InfrastructureAway) as error:
        raise fail(f"Kafka at {bootstrap} does not answer") from error
    finally:
        reader.close()
