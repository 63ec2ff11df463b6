"""The client properties of every consumer, producer and admin client: one place for what must not differ.

Values are librdkafka's; those of AUTOS_KAFKA_CONFIG win over all of them (docs/reference/settings.md). The reason for
each value that is not the library's default stands next to it.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, Final

from shared.kafka.log_filter import quiet_logger

_LIBRDKAFKA_LOG: Final = "shared.kafka.librdkafka"
# syslog's scale: 3 is error. A broker that is away is not an error of ours: the runtime and the producer say it once.
_LOG_LEVEL: Final = "3"
_SILENCE_MS: Final = 6_000


def common_config(bootstrap_servers: str, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What every client has. ``extra`` are librdkafka properties (AUTOS_KAFKA_CONFIG: SASL, TLS) and win."""
    return {
        "bootstrap.servers": bootstrap_servers,
        "client.id": f"autos-{socket.gethostname()}",
        "logger": quiet_logger(_LIBRDKAFKA_LOG),
        "log_level": _LOG_LEVEL,
        "log.connection.close": False,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1_000,
        # A partition whose leader is gone is looked for once, when the connection breaks; the cluster chooses the next
        # one seconds later, and librdkafka would hear of that after five minutes, or by the error of another partition.
        "topic.metadata.refresh.interval.ms": 1_000,
        # A broker that is paused or cut off keeps its connections and answers nothing: what was asked of it counts as
        # failed after so long, and is asked of the next leader. The default is a minute.
        "socket.timeout.ms": _SILENCE_MS,
        "socket.connection.setup.timeout.ms": 3_000,
        "topic.metadata.propagation.max.ms": 10_000,
        # The runtime and the producer hear of errors by callback or by record; the default prints to stderr.
        "error_cb": _ignore,
        **(extra or {}),
    }


def consumer_config(
    bootstrap_servers: str,
    group_id: str,
    extra: Mapping[str, Any] | None = None,
    *,
    group_protocol: str = "consumer",
) -> dict[str, Any]:
    """A member of a group that commits by hand and sees committed records only.

    ``group_protocol``: ``consumer`` (KIP-848; the broker's group.consumer.session.timeout.ms applies) or
    ``classic`` (session time-out of 6 s). Both share out by range: partition 3 of every topic with as many partitions
    goes to one member, so that what has one key in several topics is handled in one place.
    """
    config = {
        **common_config(bootstrap_servers),
        "group.id": group_id,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
        "max.poll.interval.ms": 300_000,
        # Small prefetch: the runtime has a buffer of its own, and pausing throws this one away.
        "queued.min.messages": 2_000,
        "queued.max.messages.kbytes": 16_384,
        "fetch.error.backoff.ms": 100,
        "group.protocol": group_protocol,
    }
    if group_protocol == "classic":
        config |= {
            # Not cooperative-sticky, which looks at the sum of all partitions and leaves each where it is.
            "partition.assignment.strategy": "range",
            "session.timeout.ms": 6_000,
            "heartbeat.interval.ms": 2_000,
        }
    else:
        # The default shares out the sum of all partitions: two workers could have eight and four of the twelve that
        # matter, and the retry topics the other way round.
        config["group.remote.assignor"] = "range"
    return config | dict(extra or {})


def producer_config(bootstrap_servers: str, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An idempotent producer that waits for every in-sync replica and groups what is sent within 2 ms."""
    return {
        **common_config(bootstrap_servers),
        "enable.idempotence": True,
        "acks": "all",
        # The one codec that every reader has: aiokafka and kafka-python read the others only with another package, and
        # process.completed and webhook.events are for readers that we do not know.
        "compression.type": "gzip",
        "compression.level": 1,
        "linger.ms": 2,
        "delivery.timeout.ms": 120_000,
        "retry.backoff.ms": 50,
        "retry.backoff.max.ms": 1_000,
        "queue.buffering.max.messages": 100_000,
        "queue.buffering.max.kbytes": 65_536,
        # The murmur2 partitioner of the Java client, so that keys meet whoever writes them.
        "partitioner": "murmur2_random",
        **(extra or {}),
    }


def transactional_config(
    bootstrap_servers: str,
    transactional_id: str,
    extra: Mapping[str, Any] | None = None,
    *,
    timeout_ms: int = 10_000,
) -> dict[str, Any]:
    """A transactional producer. ``timeout_ms``: how long a dead one's transaction may hold back the readers, in
    milliseconds.

    A second producer with the same ``transactional_id`` fences the first (see AUTOS_REPLICA in
    docs/reference/settings.md).
    """
    return {
        **producer_config(bootstrap_servers),
        "transactional.id": transactional_id,
        "transaction.timeout.ms": timeout_ms,
        "socket.timeout.ms": min(_SILENCE_MS, timeout_ms),
        # Cannot be longer than the transaction.
        "delivery.timeout.ms": timeout_ms,
        **(extra or {}),
    }


def _ignore(error: object) -> None:
    """Errors are seen where they matter: in delivery reports, records and results."""
