"""Kafka as plain data: a record as read, a record to be written, and a topic as it should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Record:
    """One record as read from a topic. ``timestamp_ms`` is the broker's, in milliseconds since the epoch.

    ``unreadable`` is why a part of it could not be read at all (a snake_case code); None for nearly every record.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = field(default_factory=dict)
    timestamp_ms: int = 0
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """One record to be written. The key decides the partition, and so the order.

    ``value`` None is a tombstone, or a dead letter whose value was too large.
    """

    topic: str
    key: bytes
    value: bytes | None
    headers: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class TopicSpec:
    """A topic as it should be. ``config`` are the broker's topic properties, used when it is created."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)
