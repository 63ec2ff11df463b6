"""What becomes of a record whose handler failed: another try, or the dead topic and an end for what waits for it."""

from __future__ import annotations

import logging
from typing import Final, Generic, TypeVar

from shared.errors import InfrastructureAway, PoisonRecord
from shared.kafka.consumer import dead_letter as dead
from shared.kafka.consumer.handling import Handling
from shared.kafka.consumer.outcome import Done, read_once
from shared.kafka.consumer.sinks import Entry
from shared.kafka.metrics import KafkaMetrics
from shared.kafka.producer import RecordRefused
from shared.kafka.records import OutgoingRecord

T = TypeVar("T")

_log = logging.getLogger(__name__)

REPEATS: Final = 3
"""So many times more is a handler tried after an exception that nobody expected."""


class GivingUp(Generic[T]):
    """Decides about failures and makes the records of a record that is given up."""

    def __init__(self, name: str, handling: Handling[T], metrics: KafkaMetrics) -> None:
        self._name = name
        self._handling = handling
        self._metrics = metrics

    def failed(self, entry: Entry, error: Exception) -> bool:
        """Whether the entry is to be tried again after a pause; otherwise it is given up now.

        Raises the error when not even the dead topic takes anything of the record.
        """
        if entry.letter is not None:
            self._shrink(entry, entry.letter, error)
            return False
        if isinstance(error, PoisonRecord):
            self.bury(entry, error)
            return False
        self._metrics.handler_failures.labels(self._name).inc()
        # What the broker refuses it refuses again: the handler, and a download in it, would run for nothing.
        if isinstance(error, RecordRefused) or entry.failures >= REPEATS:
            self.bury(entry, error)
            return False
        entry.label = "done"
        entry.failures += 1
        if entry.outcome is not None and read_once(entry.outcome.emit):
            entry.outcome = None
        return True

    def bury(self, entry: Entry, error: Exception) -> None:
        """Make the entry's dead letter; :meth:`outcome` then gives what is written."""
        entry.label = "poison" if isinstance(error, PoisonRecord) else dead.HANDLER_ERROR
        entry.letter = self._handling.dead(entry.record, error)
        entry.error, entry.outcome = error, None
        record = entry.record
        _log.error(
            "record goes to the dead topic",
            extra={
                "runtime": self._name,
                "reason": dead.reason_of(error),
                "error": type(error).__name__,
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
            },
        )

    async def outcome(self, entry: Entry) -> Done:
        """The dead letter, and the ends of what waits for the record. Raises InfrastructureAway."""
        assert entry.letter is not None
        assert entry.error is not None
        return Done((*await self._ends(entry, entry.error), entry.letter))

    async def _ends(self, entry: Entry, error: Exception) -> list[OutgoingRecord]:
        if self._handling.ends is None:
            return []
        try:
            return list(await self._handling.ends(entry.record, error))
        except InfrastructureAway:
            raise
        # The last door: whatever is wrong with this record too, its dead letter must be written.
        except Exception as broken:  # noqa: BLE001
            _log.error(
                "no end could be told for a record that goes to the dead topic",
                extra={"runtime": self._name, "error": type(broken).__name__, "topic": entry.record.topic},
            )
            return []

    def _shrink(self, entry: Entry, letter: OutgoingRecord, error: Exception) -> None:
        """A dead letter that its topic does not take: first its value is left out, then all that is not ours."""
        if not isinstance(error, RecordRefused) or dead.is_bare(letter):
            raise error
        entry.letter = dead.without_value(letter) if letter.value is not None else dead.bare(letter)
        entry.outcome = None
