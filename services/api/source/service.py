"""Shows how the sources stand, and what they did in 30 days."""

from __future__ import annotations

import zlib
from typing import Annotated, Any, Final

import orjson
from fastapi import Depends
from sqlalchemy import Row

from services.api.http.provided import provided
from services.api.source.rows import read_counts, read_states
from services.api.source.summary import summarised
from shared.clock import rfc3339
from shared.concurrency.single_flight import SingleFlight
from shared.db.engine import Database
from shared.domain.source_state import MESSAGES, SourceState

_KEEP_SECONDS: Final = 3.0
"""As often as the downloaders report: a page that asks every second costs no more than that."""

_Counted = tuple[dict[str, list[dict[str, Any]]], dict[str, list[dict[str, Any]]]]
"""By source: the views of its hours, and of its courts."""


class SourceStatusService:
    """Reads the state anew for each request; the counts are shared by the requests of the same few seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: SingleFlight[str | None, _Counted] = SingleFlight(self._count, keep_seconds=_KEEP_SECONDS)

    async def status(self, court: str | None) -> dict[str, Any]:
        """The fields of SourceStatus; the counts are those of ``court`` (J.TR), if given."""
        hours, courts = await self._counts.get(court)
        states = await self._database.autocommit(read_states)
        return {"sources": [_view(row, hours, courts) for row in states]}

    async def aclose(self) -> None:
        """End what is being counted."""
        await self._counts.aclose()

    async def _count(self, court: str | None) -> _Counted:
        by_hour, by_court = await self._database.snapshot(lambda connection: read_counts(connection, court))
        hours = {
            source: [{"hour": rfc3339(hour), **summary.view()} for hour, summary in found.items()]
            for source, found in summarised(by_hour, "hour").items()
        }
        courts = {
            source: [{"court": court, **summary.view()} for court, summary in found.items()]
            for source, found in summarised(by_court, "court").items()
        }
        return hours, courts


def tag_of(status: dict[str, Any]) -> str:
    """The entity tag: another one when anything but the moment of the last report is another."""
    shown = [{**source, "seen_at": None} for source in status["sources"]]
    return f'W/"source.{zlib.crc32(orjson.dumps(shown)):08x}"'


def _view(
    row: Row[Any], hours: dict[str, list[dict[str, Any]]], courts: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    """The SourceView of a row. One of which no downloader has reported lately is ``unknown``, since it
    was last seen.
    """
    state, reason, since = row.state, row.reason, row.since
    if not row.alive:
        state, reason, since = SourceState.UNKNOWN.value, "nobody_asks", row.seen_at
    return {
        "source": row.source,
        "state": state,
        "since": None if since is None else rfc3339(since),
        "reason": reason,
        "message": MESSAGES.get(reason) if reason is not None else None,
        "seen_at": None if row.seen_at is None else rfc3339(row.seen_at),
        "hours": hours.get(row.source, []),
        "courts": courts.get(row.source, []),
    }


Sources = Annotated[SourceStatusService, Depends(provided(SourceStatusService))]
