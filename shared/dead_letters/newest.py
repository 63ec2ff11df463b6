"""The newest dead letters of Kafka's topics, a window of each partition at a time: what a list by pages is made of."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition

from shared.dead_letters.letters import DeadLetter, dead_letter
from shared.dead_letters.reading import dead_letter_reader, partitions_of
from shared.errors import InfrastructureAway
from shared.kafka.consumer.client import record_of

T = TypeVar("T")
Partition = tuple[str, int]
"""A topic and a partition of it."""

_POLL_SECONDS: Final = 0.1
_TOGETHER: Final = 100
"""Records that are taken over at once: poison can be as large as a record may be."""


@dataclass
class LetterWindow(Generic[T]):
    """Some letters of a partition, newest first: those from offset ``start`` to before ``end``.

    ``low`` is the first offset that the topic still has: with ``start`` there, nothing older is left.
    """

    low: int
    start: int
    end: int
    letters: list[tuple[int, T]] = field(default_factory=list)
    """By offset. Fewer than the offsets say where markers of transactions lie between."""


def newest_letters(
    bootstrap_servers: str,
    topics: Sequence[str],
    ends: Mapping[Partition, int],
    most: int,
    make: Callable[[DeadLetter], T],
    *,
    config: Mapping[str, Any] | None = None,
    seconds: float = 8.0,
) -> dict[Partition, LetterWindow[T]]:
    """A window of at most ``most`` offsets of each partition, before its offset in ``ends`` or before its end.

    ``make`` takes from a letter what is kept of it. Joins no group and commits nothing. Blocks for ``seconds`` at most.
    Raises InfrastructureAway when the broker has not answered by then, or does not show one of the topics.
    """
    deadline = time.monotonic() + seconds
    with dead_letter_reader(bootstrap_servers, config) as reader:
        windows = _windows(reader, topics, ends, most, deadline)
        _fill(reader, windows, make, deadline)
    for window in windows.values():
        window.letters.reverse()
    return windows


def _windows(
    reader: Consumer, topics: Sequence[str], ends: Mapping[Partition, int], most: int, deadline: float
) -> dict[Partition, LetterWindow[Any]]:
    windows: dict[Partition, LetterWindow[Any]] = {}
    for topic in topics:
        for number in partitions_of(reader, topic, _left(deadline)):
            low, high = reader.get_watermark_offsets(TopicPartition(topic, number), timeout=_left(deadline))
            end = max(low, min(high, ends.get((topic, number), high)))
            windows[topic, number] = LetterWindow(low, max(low, end - most), end)
    return windows


def _fill(
    reader: Consumer, windows: dict[Partition, LetterWindow[T]], make: Callable[[DeadLetter], T], deadline: float
) -> None:
    unread = {place: window for place, window in windows.items() if window.start < window.end}
    reader.assign([TopicPartition(*place, window.start) for place, window in unread.items()])
    while unread:
        if time.monotonic() > deadline:
            raise InfrastructureAway("kafka")
        messages = reader.consume(_TOGETHER, _POLL_SECONDS)
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
            record = record_of(message)
            place = record.topic, record.partition
            window = unread.get(place)
            if window is not None and record.offset < window.end:
                window.letters.append((record.offset, make(dead_letter(record))))
            if window is not None and record.offset >= window.end - 1:
                _done(reader, unread, place)
        if not messages:
            # Only markers of transactions are left below the end.
            for position in reader.position([TopicPartition(*place) for place in unread]):
                if position.offset >= unread[position.topic, position.partition].end:
                    _done(reader, unread, (position.topic, position.partition))


def _done(reader: Consumer, unread: dict[Partition, LetterWindow[Any]], place: Partition) -> None:
    del unread[place]
    reader.pause([TopicPartition(*place)])


def _left(deadline: float) -> float:
    return max(0.1, deadline - time.monotonic())
