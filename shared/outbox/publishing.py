"""What becomes of a batch of rows: published, set aside with a reason, or left for another time.

Measured with Apache Kafka 4: a record that is too large, or none for its topic, fails with the whole batch in which the
client happened to send it. So what is refused in company is sent once more alone, and only a record that is refused
alone is to blame. A topic that is missing or forbidden holds its own rows, in their order, and nobody else's: an
operator mends that. Only a topic that is none of ours and does not come within a minute is no topic.

Later rows of the key of a row that is set aside go on: each event stands for itself, and the key's later requests would
wait for ever. Rows behind one that is left (its topic, or the broker, is away) wait if they have its topic and key.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from shared.errors import InfrastructureAway, ProcessingError
from shared.events.topics import TOPICS
from shared.kafka.failures import RecordRefused, TopicAway
from shared.outbox.rows import OutboxRow
from shared.records import OutgoingRecord

TOO_LARGE: Final = "too_large"
UNENCODABLE: Final = "unencodable"
INVALID_TOPIC: Final = "invalid_topic"
UNKNOWN_TOPIC: Final = "unknown_topic"
REFUSED: Final = "refused"
REASONS: Final = (TOO_LARGE, UNENCODABLE, INVALID_TOPIC, UNKNOWN_TOPIC, REFUSED)
"""Why a row is set aside."""

OURS: Final = frozenset(spec.name for spec in TOPICS)
PATIENCE_SECONDS: Final = 60.0
LOOK_EVERY_SECONDS: Final = 5.0
_TOPIC_SECONDS: Final = 5.0
_TOO_LARGE: Final = frozenset({"MSG_SIZE_TOO_LARGE", "INVALID_MSG_SIZE", "RECORD_LIST_TOO_LARGE"})
# The clock of this machine or the broker's is wrong: that meets every record.
_ABOUT_THE_CLOCK: Final = "INVALID_TIMESTAMP"


class Publisher(Protocol):
    """What the relay needs of a producer."""

    def send_each(self, records: Sequence[OutgoingRecord], timeout: float) -> list[ProcessingError | None]:
        """Write the records in order; of each None when it is acknowledged, else why not. Raises ProducerFailed, and
        InfrastructureAway when the time (seconds) is over.
        """

    def topic_problem(self, topic: str, timeout: float) -> ProcessingError | None:
        """None when the topic can be written to as far as the broker tells. Raises InfrastructureAway."""


@dataclass
class Published:
    """What became of a batch; rows in none of these are left. ``away`` is why, when it is more than their topic."""

    acknowledged: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    away: InfrastructureAway | None = None


class Publishing:
    """Publishes batches and remembers which topics are held.

    A topic that is away is looked at again after ``look_seconds``; one that is none of ``ours`` is given up when it has
    been away for ``patience_seconds``.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        send_timeout: float,
        ours: Collection[str] = OURS,
        patience_seconds: float = PATIENCE_SECONDS,
        look_seconds: float = LOOK_EVERY_SECONDS,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher = publisher
        self._send_timeout = send_timeout
        self._ours = frozenset(ours)
        self._patience = patience_seconds
        self._look_every = look_seconds
        self._seconds = seconds
        self._reachable: set[str] = set()
        # By topic: since when it is away, and when it is looked at again.
        self._away_since: dict[str, float] = {}
        self._look_at: dict[str, float] = {}

    @property
    def held(self) -> list[str]:
        """The topics that are not looked at now."""
        now = self._seconds()
        return [topic for topic, at in self._look_at.items() if at > now]

    def publish(self, rows: Sequence[OutboxRow]) -> Published:
        """Publish what can be, and say what became of each row. Blocks the relay's thread.

        The whole batch is sent together. A row that was refused in company is sent once more alone, and a topic that
        was not seen yet is asked about first.

        Raises:
            ProducerFailed: the producer is unusable.
            InfrastructureAway: nothing is known of any row; all of them may have been published.
        """
        done = Published()
        to_send: list[tuple[OutboxRow, OutgoingRecord]] = []
        for row in rows:
            reason = self._reason_before_sending(row, done)
            if reason is None:
                to_send.append((row, row.record()))
            elif reason:
                done.refused[row.seq] = reason
        answers = self._publisher.send_each([record for _, record in to_send], self._send_timeout) if to_send else []
        left: set[tuple[str, str]] = set()
        for (row, record), first in zip(to_send, answers, strict=True):
            answer = first
            if isinstance(first, RecordRefused) and len(to_send) > 1:
                answer = self._alone(record)
            self._judge(row, answer, done, left)
        return done

    def _alone(self, record: OutgoingRecord) -> ProcessingError | None:
        try:
            return self._publisher.send_each([record], self._send_timeout)[0]
        except InfrastructureAway as away:
            return away

    def _judge(
        self, row: OutboxRow, answer: ProcessingError | None, done: Published, left: set[tuple[str, str]]
    ) -> None:
        if answer is None:
            # Behind one of its key that is left it is sent again after that, so that the order holds at the end.
            if (row.topic, row.key) not in left:
                done.acknowledged.append(row.seq)
        elif isinstance(answer, RecordRefused) and str(answer) != _ABOUT_THE_CLOCK:
            done.refused[row.seq] = _reason_of(answer)
        else:
            left.add((row.topic, row.key))
            if isinstance(answer, TopicAway):
                self._hold(row.topic)
            else:
                done.away = answer if isinstance(answer, InfrastructureAway) else InfrastructureAway(f"kafka: {answer}")

    def _reason_before_sending(self, row: OutboxRow, done: Published) -> str | None:
        """None to send it, a reason to set it aside, an empty text to leave it."""
        if row.payload is None:
            return TOO_LARGE
        try:
            row.record()
        # Whatever it is that cannot be written, it is about this row.
        except Exception:  # noqa: BLE001
            return UNENCODABLE
        if row.topic in self._reachable:
            return None
        if self._look_at.get(row.topic, 0.0) > self._seconds():
            return ""
        problem = self._publisher.topic_problem(row.topic, _TOPIC_SECONDS)
        if problem is None:
            self._reachable.add(row.topic)
            self._away_since.pop(row.topic, None)
            self._look_at.pop(row.topic, None)
            return None
        if isinstance(problem, RecordRefused):
            return INVALID_TOPIC
        self._hold(row.topic)
        waited = self._seconds() - self._away_since[row.topic]
        if row.topic not in self._ours and waited >= self._patience:
            # Of this look, its other rows too.
            self._look_at.pop(row.topic)
            return UNKNOWN_TOPIC
        return ""

    def _hold(self, topic: str) -> None:
        self._reachable.discard(topic)
        now = self._seconds()
        self._away_since.setdefault(topic, now)
        self._look_at[topic] = now + self._look_every


def _reason_of(refused: RecordRefused) -> str:
    name = str(refused)
    if name in _TOO_LARGE:
        return TOO_LARGE
    return INVALID_TOPIC if name == "TOPIC_EXCEPTION" else REFUSED
