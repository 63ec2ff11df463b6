"""What the poll thread reports to the runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from shared.kafka.consumer.assigned_partitions import Key, Position
from shared.records import Record


class Inbox(Protocol):
    """The runtime as its poll thread sees it. Every method is called on the event loop; the thread waits for it."""

    def assigned(self, starts: Sequence[Position]) -> None:
        """Partitions were assigned, with what is committed for them."""

    def read(self, records: Sequence[Record], group_metadata: Any) -> None:
        """Take records in the order of their offsets, perhaps none; a report also shows that the loop answers.

        ``group_metadata`` is the group's generation as of this poll, or None when the sink does not need it. Raises
        OffsetsWentBack.
        """

    async def ending(self, keys: Sequence[Key], *, lost: bool) -> Sequence[Position]:
        """End what is in flight of partitions that were revoked or lost, and answer what to commit before they go.

        Bounded by ``drain_seconds`` of the runtime's limits: handlers that outlast it are cancelled. Lost partitions
        may have another owner already, so their handlers are cancelled at once and nothing is committed.
        """

    def commit_answered(self, refused: Sequence[Key], error: str | None) -> None:
        """A commit was taken, or refused for these partitions."""

    def measured(self, ends: dict[Key, int]) -> None:
        """The ends of the partitions, as last heard from the broker."""
