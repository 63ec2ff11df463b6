"""What the event streams of a case show, read and made once for all of them.

A sweep shows every document that changed since a moment, in pages by document id; the streams that stand at the same
position share each page. The next sweep finds what changes behind a sweep's cursor: it begins at the newest change
that was stored when this one began.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection, Row, bindparam, func, select

from services.api.jobs.model import CaseJob, job_view
from services.api.jobs.participants import has_webhook
from services.api.jobs.repository import shown_job
from services.api.processes.follow.changes import CaseChanges
from services.api.processes.follow.event_id import BEGINNING
from services.api.processes.view.link_cache import LinkCache
from services.api.processes.view.repository import KnownDocument, listed_documents, states_since
from services.api.processes.view.views import documents_view
from shared.concurrency.single_flight import SingleFlight
from shared.db import progress
from shared.db.catalog import documents
from shared.db.engine import Database
from shared.db.visibility import SHOWN_DOCUMENT, read_sight
from shared.domain.secrecy import Sight, Viewer
from shared.domain.statuses import JobScope

PAGE_DOCUMENTS: Final = 250
_KEEP_SECONDS: Final = 0.5
_AT_ONCE: Final = 2
"""Pages of all streams that are read and made at the same time: the other requests' connections are left alone."""
_FIRST_ID: Final = "00000000-0000-0000-0000-000000000000"

_NEWEST: Final = select(func.max(progress.documents.c.updated_at)).where(
    progress.documents.c.process_number == bindparam("number")
)
_LISTED: Final = (
    select(func.count()).select_from(documents).where(documents.c.process_number == bindparam("number"), SHOWN_DOCUMENT)
)


class SweepPosition(NamedTuple):
    """Where a sweep is: which documents it shows, and behind which of them it goes on."""

    job_id: str
    since: datetime
    after: str


class _View(NamedTuple):
    """What is shared: a case at its last change, as those who listen see it."""

    number: str
    change: int
    """The number of the case's last change: nothing older is given to whoever was woken by it."""
    sight: Sight


@dataclass(frozen=True)
class CaseState:
    """The case's job when a sweep begins, and the newest change of a document that was stored by then."""

    job: CaseJob | None
    newest: datetime
    summary: bytes
    """The data of the event ``progress``."""

    @property
    def version(self) -> int:
        """The version of the shown job; 0 while there is none."""
        return self.job.progress.version if self.job is not None and self.job.progress is not None else 0


@dataclass(frozen=True)
class DocumentChange:
    """One document as it is now: the whole event."""

    document_id: str
    changed_at: datetime
    message: bytes


@dataclass(frozen=True)
class ChangePage:
    """Some of a sweep's changes, and behind which document it goes on; None: it has ended."""

    changes: Sequence[DocumentChange]
    after: str | None


class StreamPages:
    """The states and pages of all cases that are followed live.

    Streams that see the same of a case share one reading, for up to _KEEP_SECONDS after it. However many streams there
    are, at most _AT_ONCE states and pages are read at a time. For one event loop.
    """

    def __init__(self, database: Database, changes: CaseChanges, links: LinkCache) -> None:
        self._database = database
        self._changes = changes
        self._links = links
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._sights: SingleFlight[tuple[str, int, Viewer], Sight | None] = SingleFlight(
            self._sight, keep_seconds=_KEEP_SECONDS
        )
        self._states: SingleFlight[_View, CaseState] = SingleFlight(self._state, keep_seconds=_KEEP_SECONDS)
        self._pages: SingleFlight[tuple[_View, SweepPosition], ChangePage] = SingleFlight(
            self._page, keep_seconds=_KEEP_SECONDS
        )

    async def sight(self, process_number: str, viewer: Viewer) -> Sight | None:
        """What a viewer sees of the case; None: nothing."""
        return await self._sights.get((process_number, self._changes.number_of(process_number), viewer))

    async def state(self, process_number: str, sight: Sight) -> CaseState:
        """Where the case stands now, as it is seen; call it while watching the case."""
        return await self._states.get(_View(process_number, self._changes.number_of(process_number), sight))

    async def page(
        self, process_number: str, sight: Sight, job: CaseJob, since: datetime, after: str | None
    ) -> ChangePage:
        """The changes that are seen from ``since`` on, behind the document ``after`` (None: from the first)."""
        view = _View(process_number, self._changes.number_of(process_number), sight)
        return await self._pages.get((view, SweepPosition(job.job_id, since, after or _FIRST_ID)))

    async def _sight(self, key: tuple[str, int, Viewer]) -> Sight | None:
        sight = await self._database.autocommit(lambda connection: read_sight(connection, key[2], key[0]))
        # Streams show no references: what they show is shared by all who see the same of the case.
        return replace(sight, reference_changes=0) if sight is not None else None

    async def _state(self, view: _View) -> CaseState:
        async with self._turn:
            return await self._database.snapshot(lambda connection: _read_state(connection, view))

    async def _page(self, key: tuple[_View, SweepPosition]) -> ChangePage:
        async with self._turn:
            return await self._database.snapshot(lambda connection: self._read_page(connection, *key))

    def _read_page(self, connection: Connection, view: _View, place: SweepPosition) -> ChangePage:
        """The documents that changed, at most PAGE_DOCUMENTS of them, with those left out that the listener does not
        see.

        So a page can be empty and yet not be the last one: only ``after`` says whether the sweep goes on.
        """
        number, sight = view.number, view.sight
        job = shown_job(connection, number, sight)
        if job is None or job.job_id != place.job_id:
            # Another job: the sweep's end, and the next one begins anew.
            return ChangePage((), None)
        one = job.scope if job.scope != JobScope.WHOLE_CASE else None
        rows = states_since(connection, number, place.since, place.after, PAGE_DOCUMENTS, document_id=one)
        listed = listed_documents(connection, number, sight, [row.document_id for row in rows])
        states = {row.document_id: row for row in rows}
        # In the source's order, as far as a page goes.
        found = [KnownDocument(row, states[row.document_id]) for row in listed]
        is_called = not job.ended and has_webhook(connection, job.job_id)
        views = documents_view(found, job, self._links, sight, has_webhook=is_called)
        changes = [_change(document, view) for document, view in zip(found, views, strict=True)]
        return ChangePage(changes, rows[-1].document_id if len(rows) == PAGE_DOCUMENTS else None)


def message(event: str, data: bytes, identity: object | None = None) -> bytes:
    """One event of a stream (WHATWG HTML, section 9.2)."""
    named = b"id: %b\n" % str(identity).encode() if identity is not None else b""
    return b"event: %b\n%bdata: %b\n\n" % (event.encode(), named, data)


def _change(document: KnownDocument, view: dict[str, Any]) -> DocumentChange:
    state: Row[Any] | None = document.state
    assert state is not None
    return DocumentChange(document.listed.document_id, state.updated_at, message("document", orjson.dumps(view)))


def _read_state(connection: Connection, view: _View) -> CaseState:
    """The shown job, and the newest change of any document. To be called in one snapshot."""
    number, sight = view.number, view.sight
    wanted = {"number": str(number)}
    newest = connection.execute(_NEWEST, wanted).scalar_one() or BEGINNING
    job = shown_job(connection, number, sight)
    if job is None:
        return CaseState(None, newest, b"")
    is_planned = job.progress is not None and job.progress.total_documents is not None
    listed = 0 if is_planned else connection.execute(_LISTED, {**wanted, "sealed": sight.sealed}).scalar_one()
    return CaseState(job, newest, orjson.dumps({**job_view(job, listed), "process_number": number}))
