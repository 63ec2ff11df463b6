"""What becomes of a record whose handler failed: another try, or the dead topic and an end for what waits for it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final, Generic, TypeVar

from shared.errors import InfrastructureAway, PoisonRecord
from shared.kafka.consumer import dead_letter
from shared.kafka.consumer.entry import HANDLED, Dead, Entry, ToWrite
from shared.kafka.consumer.handling import Done, Handling
from shared.kafka.failures import RecordRefused
from shared.kafka.metrics import KafkaMetrics
from shared.records import OutgoingRecord

T = TypeVar("T")

_log = logging.getLogger(__name__)

REPEATS: Final = 3
"""How many times more a handler is tried after an unexpected exception."""


class DeadLetterPolicy(Generic[T]):
    """Decides which failures give a record up, and makes what is written then.

    A record that is given up ends in two places: its dead letter, for operators, and what ``on_given_up`` makes, so
    that its job or delivery ends too. Both are one answer, which the sink writes together.
    """

    def __init__(self, name: str, handling: Handling[T], metrics: KafkaMetrics) -> None:
        self._name = name
        self._handling = handling
        self._metrics = metrics

    def tries_again(self, entry: Entry, error: Exception) -> bool:
        """Whether the entry is tried again after a pause. Otherwise it is given up, and its work is Dead.

        Raises the error when the dead topic does not even take a letter without the record's own content.
        """
        if isinstance(entry.work, Dead):
            entry.work = _smaller(entry.work, error)
            return False
        if isinstance(error, PoisonRecord):
            self.give_up(entry, error)
            return False
        self._metrics.handler_failures.labels(self._name).inc()
        # What the broker refuses once it refuses always: the handler, and a download in it, would run for nothing.
        if isinstance(error, RecordRefused) or entry.failures >= REPEATS:
            self.give_up(entry, error)
            return False
        entry.failures += 1
        entry.forget_used_answer()
        if isinstance(entry.work, ToWrite):
            entry.work = replace(entry.work, label=HANDLED)
        return True

    def give_up(self, entry: Entry, error: Exception) -> None:
        """Make the entry's dead letter; :meth:`answer` then says what is written."""
        label = "poison" if isinstance(error, PoisonRecord) else dead_letter.HANDLER_ERROR
        entry.work = Dead(self._handling.dead_letter(entry.record, error), error, label)
        record = entry.record
        _log.error(
            "A record goes to the dead topic",
            extra={
                "runtime": self._name,
                "reason": dead_letter.reason_of(error),
                "error": type(error).__name__,
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
            },
        )

    async def answer(self, entry: Entry, dead: Dead) -> Done:
        """The dead letter, behind what ends the waiting for the record. Raises InfrastructureAway."""
        return Done((*await self._ends(entry, dead.error), dead.letter))

    async def _ends(self, entry: Entry, error: Exception) -> list[OutgoingRecord]:
        if self._handling.on_given_up is None:
            return []
        try:
            return list(await self._handling.on_given_up(entry.record, error))
        except InfrastructureAway:
            raise
        # The last edge: whatever else is wrong with this record, its dead letter must be written.
        except Exception as broken:  # noqa: BLE001
            _log.error(
                "No end can be made for what waits for a record that goes to the dead topic",
                extra={"runtime": self._name, "error": type(broken).__name__, "topic": entry.record.topic},
            )
            return []


def _smaller(dead: Dead, error: Exception) -> Dead:
    """After its topic refused a letter: first without the record's value, then without anything of the record."""
    letter = dead.letter
    if not isinstance(error, RecordRefused) or dead_letter.is_bare(letter):
        raise error
    smaller = dead_letter.without_value(letter) if letter.value is not None else dead_letter.bare(letter)
    return replace(dead, letter=smaller, done=None)
