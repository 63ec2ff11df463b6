"""Shows a client its events in order, and waits for the next one."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import Depends
from sqlalchemy import Connection

from services.api.feed.changes import FeedChanges
from services.api.feed.facts import read_facts
from services.api.feed.rows import FeedFilter, read_ends, read_events
from services.api.http import cursors
from services.api.http.provided import provided
from services.api.http.waits import waiting_for_others
from shared.clock import rfc3339
from shared.db.engine import Database
from shared.db.feed import feed_event_id
from shared.domain.secrecy import Viewer
from shared.domain.views import ANSWER_BYTES, fitting
from shared.webhooks.body_form import BodyForm
from shared.webhooks.registry import EVENT_TYPES

END: Final = "end"
"""``after`` of who wants only what comes from now on."""
_KIND: Final = "events"
_PAGE_BYTES: Final = ANSWER_BYTES - 1_000


def position_of(after: str | None) -> int:
    """The position of a cursor; 0 without one. Raises InvalidCursor."""
    return cursors.decode_place(after, _KIND, "query.after")[0] if after is not None else 0


class FeedService:
    """The feeds of all clients; each sees its own."""

    def __init__(self, database: Database, changes: FeedChanges, public_url: str | None) -> None:
        self._database = database
        self._changes = changes
        self._public_url = public_url

    async def page(self, viewer: Viewer, after: str | None, wanted: FeedFilter) -> dict[str, Any]:
        """The EventPage that is there now. Raises InvalidCursor."""
        if after == END:
            ends = await self._database.snapshot(lambda connection: read_ends(connection, viewer.client_id))
            return _page([], ends.last, missed=False)
        wanted = replace(wanted, after=position_of(after))
        return await self._database.snapshot(lambda connection: self._read(connection, viewer, wanted, after))

    async def wait(
        self,
        viewer: Callable[[], Awaitable[Viewer]],
        after: str | None,
        wanted: FeedFilter,
        seconds: float,
    ) -> dict[str, Any]:
        """The page as soon as it has an event, or when the time (seconds) is over.

        ``viewer`` says who looks now, and is asked before each look: a key may be revoked meanwhile. What it raises is
        raised.
        """
        deadline = time.monotonic() + seconds
        who = await viewer()
        with self._changes.watch(who.client_id) as watch:
            page = await self.page(who, after, wanted)
            if after == END:
                after = page["next_cursor"]
            while not page["events"]:
                left = deadline - time.monotonic()
                with waiting_for_others():
                    changed = left > 0 and await watch.wait(left)
                if not changed:
                    break
                page = await self.page(await viewer(), after, wanted)
        return page

    def _read(self, connection: Connection, viewer: Viewer, wanted: FeedFilter, after: str | None) -> dict[str, Any]:
        ends = read_ends(connection, viewer.client_id)
        rows = read_events(connection, viewer, wanted)
        listed = rows[: wanted.limit]
        views, positions = [], []
        for row, facts in zip(listed, read_facts(connection, viewer, listed, self._public_url), strict=True):
            kind = EVENT_TYPES[row.event_type]
            if facts is not None:
                identity = feed_event_id(viewer.client_id, row.event_type, row.job_id, row.part)
                data = kind.render(facts, BodyForm.THIN)
                views.append({"id": identity, "type": kind.name, "timestamp": rfc3339(kind.at(facts)), "data": data})
                positions.append(row.position)
        shown = fitting(views, _PAGE_BYTES)
        if len(shown) < len(views):
            last = positions[len(shown) - 1]
        elif len(rows) > wanted.limit:
            last = rows[wanted.limit - 1].position
        else:
            # All that there was has been looked at, whatever the filters left of it.
            last = max(ends.last, wanted.after)
        return _page(list(shown), last, missed=after is not None and wanted.after < ends.purged)


Feed = Annotated[FeedService, Depends(provided(FeedService))]


def _page(events: list[dict[str, Any]], last: int, *, missed: bool) -> dict[str, Any]:
    return {"events": events, "next_cursor": cursors.encode_place(_KIND, last), "missed": missed}
