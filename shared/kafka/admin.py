"""Topics and groups as an operator sees them: create what is missing, wait for it, measure the lag.

Everything here blocks, and is for provisioning, commands and tests; the services never create a topic.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import admin as _typed
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

from shared.errors import InfrastructureAway
from shared.kafka.config import common_config, consumer_config
from shared.records import TopicSpec

# The stubs of the module export half of it.
_admin: Any = _typed
BROKER_DEFAULT: Final = -1
_TIMEOUT_SECONDS: Final = 15.0
_MARKER_SECONDS: Final = 5.0
_DAY_MS: Final = 86_400_000
_LEAST_SEGMENT_MS: Final = 60_000


def ensure_topics(
    bootstrap_servers: str,
    specs: Iterable[TopicSpec],
    config: Mapping[str, str] | None = None,
    replication: int = BROKER_DEFAULT,
) -> None:
    """Create the topics that are missing and add the partitions that are missing; nothing is ever removed.

    A topic that is there keeps its properties, whatever ``specs`` say. Several processes may do it at once, and a
    second call changes nothing. ``replication``: replicas of a new topic; the broker's default without it.

    Raises InfrastructureAway when the broker does not answer, KafkaException when it refuses.
    """
    wanted = {spec.name: spec for spec in specs}
    admin = AdminClient(common_config(bootstrap_servers, config))
    found = _partition_counts(admin)
    missing = [
        NewTopic(spec.name, spec.partitions, replication, config=dict(spec.config))
        for spec in wanted.values()
        if spec.name not in found
    ]
    _wait_for_all(admin.create_topics(missing, request_timeout=_TIMEOUT_SECONDS) if missing else {})
    wider = [
        NewPartitions(spec.name, spec.partitions)
        for spec in wanted.values()
        if spec.name in found and found[spec.name] < spec.partitions
    ]
    _wait_for_all(admin.create_partitions(wider, request_timeout=_TIMEOUT_SECONDS) if wider else {})
    wait_for_topics(
        bootstrap_servers, wanted, config, partitions={name: spec.partitions for name, spec in wanted.items()}
    )


def set_retention(
    bootstrap_servers: str, names: Iterable[str], retention: timedelta, config: Mapping[str, str] | None = None
) -> None:
    """Have these topics forget what is older. A topic's other properties stay, and a second call changes nothing.

    A segment of a partition goes as a whole, once its newest record is old enough; so that no record stays much longer,
    a segment ends after a day at most, and after a quarter of the retention where that is shorter.

    Raises InfrastructureAway when the broker does not answer, KafkaException when it refuses.
    """
    kept = max(1, int(retention.total_seconds() * 1000))
    segment = min(_DAY_MS, max(kept // 4, _LEAST_SEGMENT_MS))
    wanted = {"cleanup.policy": "delete", "retention.ms": str(kept), "segment.ms": str(segment)}
    resources = [
        _admin.ConfigResource(
            _admin.ResourceType.TOPIC,
            name,
            incremental_configs=[
                _admin.ConfigEntry(key, value, incremental_operation=_admin.AlterConfigOpType.SET)
                for key, value in wanted.items()
            ],
        )
        for name in names
    ]
    admin = AdminClient(common_config(bootstrap_servers, config))
    for future in admin.incremental_alter_configs(resources, request_timeout=_TIMEOUT_SECONDS).values():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].retriable() or error.args[0].code() < 0:
                raise InfrastructureAway("kafka: no answer about a topic's retention") from error
            raise


def wait_for_topics(
    bootstrap_servers: str,
    names: Iterable[str],
    config: Mapping[str, str] | None = None,
    timeout: float = 30.0,
    partitions: Mapping[str, int] | None = None,
) -> None:
    """Return when every topic exists, with at least so many ``partitions``, and each of them has a leader.

    Raises InfrastructureAway after ``timeout`` seconds.
    """
    least = partitions or {}
    admin = AdminClient(common_config(bootstrap_servers, config))
    missing = set(names)
    deadline = time.monotonic() + timeout
    while True:
        try:
            topics = admin.list_topics(timeout=max(0.1, min(5.0, deadline - time.monotonic()))).topics
        except KafkaException:
            topics = {}
        missing = {
            name
            for name in missing
            if name not in topics
            or len(topics[name].partitions) < least.get(name, 1)
            or any(partition.leader < 0 for partition in topics[name].partitions.values())
        }
        if not missing:
            return
        if time.monotonic() > deadline:
            raise InfrastructureAway(f"kafka: no topic {', '.join(sorted(missing))}")
        time.sleep(0.1)


def held_records(reader: Consumer, partitions: Iterable[TopicPartition], timeout: float) -> int:
    """How many offsets lie between the beginning and the end of these partitions. Raises KafkaException."""
    ends = (reader.get_watermark_offsets(partition, timeout=timeout) for partition in partitions)
    return sum(high - low for low, high in ends)


def lag(
    bootstrap_servers: str, group: str, config: Mapping[str, str] | None = None, topics: Collection[str] = ()
) -> dict[tuple[str, int], int]:
    """For each partition that the group has committed: how many offsets are behind the end, from the next record on.

    Of ``topics``, which the group reads, every partition counts: one of which it has committed nothing from its
    beginning, as by a group that has never read it.
    The markers of transactions have offsets, too, and are no records: a partition with nothing else left is not behind.
    Raises InfrastructureAway when the broker does not answer.
    """
    extra: dict[str, Any] = dict(config or {})
    # A consumer that is never subscribed joins nothing: it asks for the group's offsets, and for the ends of the
    # partitions by the readers' rule (read_committed). The admin client's list_consumer_group_offsets ends the
    # process with a segmentation fault when the broker dies meanwhile (confluent-kafka 2.16.1).
    config = consumer_config(bootstrap_servers, group, extra, group_protocol="classic")
    reader = Consumer({**config, "enable.partition.eof": True})
    behind: dict[tuple[str, int], int] = {}
    ends: dict[tuple[str, int], tuple[int, int]] = {}
    try:
        known = reader.list_topics(timeout=_TIMEOUT_SECONDS).topics
        every = [TopicPartition(name, number) for name, topic in known.items() for number in topic.partitions]
        for partition in reader.committed(every, timeout=_TIMEOUT_SECONDS):
            if partition.offset < 0 and partition.topic not in topics:
                continue
            low, high = reader.get_watermark_offsets(
                TopicPartition(partition.topic, partition.partition), timeout=_TIMEOUT_SECONDS
            )
            key = (partition.topic, partition.partition)
            ends[key] = (max(partition.offset, low), high)
            behind[key] = max(0, high - ends[key][0])
        _pass_over_markers(reader, behind, {key: found for key, found in ends.items() if behind[key] > 0})
    except KafkaException as error:
        raise InfrastructureAway("kafka: no answer about the group's offsets") from error
    finally:
        reader.close()
    return behind


def _pass_over_markers(
    reader: Consumer, behind: dict[tuple[str, int], int], ends: Mapping[tuple[str, int], tuple[int, int]]
) -> None:
    """Count from the first record, or the end, that is read behind the committed offset; ``ends``: that and the end.

    What is not answered in time keeps its count.
    """
    open_keys = set(ends)
    reader.assign([TopicPartition(*key, ends[key][0]) for key in open_keys])
    deadline = time.monotonic() + _MARKER_SECONDS
    while open_keys and time.monotonic() < deadline:
        message = reader.poll(0.1)
        if message is None:
            continue
        error, offset = message.error(), message.offset()
        if (error is None or error.code() == KafkaError._PARTITION_EOF) and offset is not None:
            key = (str(message.topic()), int(message.partition() or 0))
            if key in open_keys:
                behind[key] = max(0, ends[key][1] - offset)
                open_keys.discard(key)


def _partition_counts(admin: AdminClient) -> dict[str, int]:
    try:
        topics = admin.list_topics(timeout=_TIMEOUT_SECONDS).topics
    except KafkaException as error:
        raise InfrastructureAway("kafka: no answer to a metadata request") from error
    return {name: len(topic.partitions) for name, topic in topics.items()}


def _wait_for_all(futures: Mapping[str, Future[None]]) -> None:
    for future in futures.values():
        try:
            future.result()
        except KafkaException as error:
            # Another process was faster.
            if error.args[0].code() not in (KafkaError.TOPIC_ALREADY_EXISTS, KafkaError.INVALID_PARTITIONS):
                raise
