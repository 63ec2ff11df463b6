"""Counts the requests that ended at a source: by hour, court and outcome, in memory until they are written. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from shared.clock import Clock
from shared.domain.latency import bucket_of
from shared.domain.source_state import SUCCEEDED
from sources.errors import SourceError

OTHER_COURT: Final = "other"
NO_BUCKET: Final = -1
_HOUR: Final = timedelta(hours=1)
_MOST_COURTS: Final = 100
"""There are 96 in CNJ Resolution 65/2008; numbers that nobody checked must not make more rows than that."""


class CountKey(NamedTuple):
    """What is counted together. ``hour`` is its beginning, in UTC."""

    hour: datetime
    court: str
    outcome: str
    bucket: int


class RequestCounts:
    """Of one source. From the event loop; :meth:`take` gives what has come since, and begins anew."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: dict[CountKey, int] = {}
        self._courts: set[str] = set()
        self._hour = datetime.min.replace(tzinfo=UTC)

    def ended(self, case: str, error: SourceError | None, seconds: float) -> None:
        """A request about ``case`` ended so, ``seconds`` after it began; a failure's time is not kept."""
        now = self._clock()
        if not self._hour <= now < self._hour + _HOUR:
            self._hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        outcome, bucket = (SUCCEEDED, bucket_of(seconds)) if error is None else (error.code, NO_BUCKET)
        key = CountKey(self._hour, self._court(case), outcome, bucket)
        self._counts[key] = self._counts.get(key, 0) + 1

    def take(self) -> Mapping[CountKey, int]:
        """What was counted since it was last taken."""
        taken, self._counts = self._counts, {}
        return taken

    def give_back(self, taken: Mapping[CountKey, int]) -> None:
        """What was taken could not be written: count it again."""
        for key, requests in taken.items():
            self._counts[key] = self._counts.get(key, 0) + requests

    def _court(self, case: str) -> str:
        court = court_of(case)
        if court in self._courts:
            return court
        if len(self._courts) >= _MOST_COURTS:
            return OTHER_COURT
        self._courts.add(court)
        return court


def court_of(case: str) -> str:
    """``J.TR`` of a case's number, with its mask or without: segment of the judiciary and court."""
    if len(case) == 25:
        return case[16:20]
    return f"{case[13]}.{case[14:16]}" if len(case) == 20 and case.isdecimal() else OTHER_COURT
