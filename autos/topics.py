"""``autos topics``: the topics, their partitions and records, the lag of each group; ``acls``: who may do what."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from autos.context import fail, kafka_config, setting

app = typer.Typer(help="The topics of Autos, and who may do what with them.")


@app.callback(invoke_without_command=True)
def topics(context: typer.Context) -> None:
    """List the topics of Autos and the lag of its consumer groups.

    Example: autos topics
    """
    if context.invoked_subcommand is None:
        _list_topics()


def _list_topics() -> None:
    from confluent_kafka import Consumer, KafkaException, TopicPartition
    from confluent_kafka.admin import AdminClient

    from shared.errors import InfrastructureAway
    from shared.events.flow import READERS
    from shared.events.topics import TOPICS
    from shared.kafka.admin import held_records, lag
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
            held = held_records(reader, [TopicPartition(spec.name, one) for one in found[spec.name].partitions], 10)
            typer.echo(f"{spec.name:<24}{len(found[spec.name].partitions):>10}{held:>12}")
        groups = sorted(group.group_id for group in admin.list_consumer_groups().result(10).valid)
        read = {name: topics for groups_of in READERS.values() for name, topics in groups_of.items()}
        for group in groups:
            behind = lag(bootstrap, group, extra, read.get(group.rpartition(".")[2], ()))
            typer.echo(f"group {group}: {sum(behind.values())} behind")
    except (KafkaException, InfrastructureAway) as error:
        raise fail(f"Kafka at {bootstrap} does not answer", status=2) from error
    finally:
        reader.close()


@app.command()
def acls(
    apply: Annotated[
        bool, typer.Option("--apply", help="Make the broker's rights of these users exactly these.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of commands.")] = False,
    reader: Annotated[
        list[str] | None, typer.Option(help="A user of another system, who may read the public topics.")
    ] = None,
    only_readers: Annotated[
        bool, typer.Option("--only-readers", help="Only the users named with --reader, not the services.")
    ] = False,
) -> None:
    """What each service may do at the broker, as commands of kafka-acls.sh (deny by default is the broker's to set).

    Example: autos topics acls --reader crm --only-readers
    """
    from confluent_kafka import KafkaException

    from ops import topic_access
    from shared.errors import InfrastructureAway

    if only_readers and not reader:
        raise fail("--only-readers: name them with --reader NAME", status=2)
    found = topic_access.rights(os.environ.get("AUTOS_KAFKA_GROUP_PREFIX") or "autos", reader or ())
    if only_readers:
        found = tuple(one for one in found if one.principal in (reader or ()))
    if not apply:
        bootstrap = os.environ.get("AUTOS_KAFKA_BOOTSTRAP_SERVERS") or "BROKER:9092"
        typer.echo(topic_access.as_json(found) if as_json else "\n".join(topic_access.as_commands(found, bootstrap)))
        return
    bootstrap = setting("AUTOS_KAFKA_BOOTSTRAP_SERVERS", "kafka")
    try:
        added, removed = topic_access.BrokerAccess(bootstrap, kafka_config()).apply(found)
    except InfrastructureAway as error:
        raise fail(f"Kafka at {bootstrap} does not answer", status=2) from error
    except KafkaException as error:
        raise fail(f"Kafka at {bootstrap} refuses: {error.args[0].str()}", status=2) from error
    for mark, ones in (("+", added), ("-", removed)):
        for one in ones:
            typer.echo(f"{mark} {one.principal:<18}{one.operation:<9}{one.resource} {one.name} ({one.pattern})")
    typer.echo(f"{len(found)} rights: {len(added)} added, {len(removed)} taken away")
