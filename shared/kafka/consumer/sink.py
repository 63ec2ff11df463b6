"""The contract between the runtime and the sink that writes the handlers' answers.

A sink has three verbs. ``open`` is called once, before anything is read, and gives it the ledger. ``deliver`` is
called for each answer, for many at once, and returns when the broker has acknowledged everything: the sink has then
marked the entry as finished in the ledger, and its offset may be committed. ``close`` ends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from shared.errors import ProcessingError
from shared.kafka.consumer.assigned_partitions import Position
from shared.kafka.consumer.entry import Entry
from shared.kafka.consumer.handling import Done


class EmitUsedUp(ProcessingError):
    """A generator was read and what it gave was rolled back: the handler must answer again."""


class OffsetLedger(Protocol):
    """What a sink may ask the runtime, on its event loop."""

    def positions_with(self, entries: Sequence[Entry]) -> list[Position]:
        """The offsets to commit when these entries are finished too."""

    def finish(self, entries: Sequence[Entry]) -> None:
        """Mark entries as finished: every later commit may include them."""

    def group_metadata(self) -> Any:
        """The consumer's group metadata, for a transaction; None before the first assignment."""


class Sink(Protocol):
    """Writes answers.

    ``deliver`` runs for many entries at once. When it is cancelled it returns only when the fate of what it has begun
    is decided, so that the entry is either finished or surely handled again.
    """

    commits_offsets: bool
    """Whether the sink commits the group's offsets itself."""

    async def open(self, ledger: OffsetLedger) -> None:
        """Make ready to write, once, before anything is read. May wait for the broker; the runtime can be stopped
        meanwhile.
        """

    async def deliver(self, entry: Entry, done: Done, *, at_once: bool) -> None:
        """Write an answer, wait for the broker, mark the entry as finished.

        ``at_once``: nobody else's answer is worth waiting for.

        Raises:
            InfrastructureAway: the broker is away; the runtime holds the entry and delivers again.
            EmitUsedUp: what the generator gave was rolled back; the runtime calls the handler again.
            RecordRefused: the broker will never take a record of the answer; the runtime gives the entry's record up.
            ProducerFailed: the producer is unusable; the runtime ends.
        """

    async def close(self) -> None:
        """End, once, also when ``open`` did not return.

        What is not acknowledged is not finished, so it is read again.
        """
