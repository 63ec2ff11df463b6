"""The id of a stream's event: where a stream goes on when its client comes back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

BEGINNING: Final = datetime(1, 1, 2, tzinfo=UTC)
OVERLAP: Final = timedelta(seconds=5)
"""Clocks and commits are not in step: what is a little older than the newest change may be news too."""


@dataclass(frozen=True)
class EventId:
    """Where a stream is: the job, the version of it, and the time of the newest change of a document that was sent."""

    job_id: str
    version: int
    changed_at: float

    def __str__(self) -> str:
        return f"{self.job_id}:{self.version}:{max(0, round(self.changed_at * 1_000_000))}"

    @classmethod
    def parse(cls, text: str | None) -> EventId | None:
        """None for what is no id of ours: the stream then begins at the beginning."""
        parts = (text or "").split(":")
        if len(parts) != 3 or not parts[1].isdecimal() or not parts[2].isdecimal() or len(text or "") > 100:
            return None
        return cls(parts[0], int(parts[1]), int(parts[2]) / 1_000_000)

    @property
    def since(self) -> datetime:
        """From when on changes may be news to whoever has had this event."""
        try:
            return max(BEGINNING, datetime.fromtimestamp(self.changed_at, UTC) - OVERLAP)
        except (OverflowError, ValueError, OSError):
            # Not one of ours.
            return BEGINNING
