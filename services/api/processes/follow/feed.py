"""What a case's streams are told, read and made once for all of them.

A sweep tells every document that changed since a moment, in pages by document id; the streams that stand at the same
place share each page. What changes behind a sweep's cursor is found by the next sweep, which begins at the newest
change that was stored when this one began.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection, Row, bindparam, func, select

from services.api.documents.links import LinkCache
from services.api.jobs.model import ALL, Job, job_view
from services.api.jobs.participants import has_webhook
from services.api.jobs.repository import shown_job
from services.api.processes.follow.changes import Changes
from services.api.processes.request.single_flight import SingleFlight
from services.api.processes.view.repository import Document, listed_documents, states_since
from services.api.processes.view.views import documents_view
from shared.db import progress
from shared.db.catalog import documents
from shared.db.engine import Database
from shared.db.visibility import SHOWN_DOCUMENT, read_sight
from shared.domain.secrecy import Sight, Viewer

PAGE_DOCUMENTS: Final = 250
_KEEP_SECONDS: Final = 0.5
_AT_ONCE: Final = 2
"""Pages of all streams that are read and made at the same time: the other requests' connections are left alone."""
_FIRST_ID: Final = "00000000-0000-0000-0000-000000000000"
BEGINNING: Final = datetime(1, 1, 2, tzinfo=UTC)
OVERLAP: Final = timedelta(seconds=5)
"""Clocks and commits are not in step: what is a little older than the newest change may be news too."""

_NEWEST: Final = select(func.max(progress.documents.c.updated_at)).where(
    progress.documents.c.process_number == bindparam("number")
)
_LISTED: Final = (
    select(func.count()).select_from(documents).where(documents.c.process_number == bindparam("number"), SHOWN_DOCUMENT)
)


class Place(NamedTuple):
    """Where a sweep is: which documents it tells, and behind which of them it goes on."""

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
class State:
    """The case's job when a sweep begins, and the newest change of a document that was stored by then."""

    job: Job | None
    newest: datetime
    summary: bytes
    """The data of the event ``progress``."""

    @property
    def version(self) -> int:
        return self.job.progress.version if self.job is not None and self.job.progress is not None else 0


@dataclass(frozen=True)
class Change:
    """One document as it is now: the whole event."""

    document_id: str
    changed_at: datetime
    message: bytes


@dataclass(frozen=True)
class Page:
    """Some of a sweep's changes, and behind which document it goes on; None: it has ended."""

    changes: Sequence[Change]
    after: str | None


class CaseFeed:
    """The states and pages of all cases that somebody listens to."""

    def __init__(self, database: Database, changes: Changes, links: LinkCache) -> None:
        self._database = database
        self._changes = changes
        self._links = links
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._sights: SingleFlight[tuple[str, int, Viewer], Sight | None] = SingleFlight(
            self._sight, keep_seconds=_KEEP_SECONDS
        )
        self._states: SingleFlight[_View, State] = SingleFlight(self._state, keep_seconds=_KEEP_SECONDS)
        self._pages: SingleFlight[tuple[_View, Place], Page] = SingleFlight(self._page, keep_seconds=_KEEP_SECONDS)

    async def sight(self, process_number: str, viewer: Viewer) -> Sight | None:
        """What a viewer sees of the case; None: nothing."""
        return await self._sights.get((process_number, self._changes.number_of(process_number), viewer))

    async def state(self, process_number: str, sight: Sight) -> State:
        """Where the case stands now, as it is seen; call it while watching the case."""
        return await self._states.get(_View(process_number, self._changes.number_of(process_number), sight))

    async def page(self, process_number: str, sight: Sight, job: Job, since: datetime, after: str | None) -> Page:
        """The changes that are seen from ``since`` on, behind the document ``after`` (None: from the first)."""
        view = _View(process_number, self._changes.number_of(process_number), sight)
        return await self._pages.get((view, Place(job.job_id, since, after or _FIRST_ID)))

    async def _sight(self, key: tuple[str, int, Viewer]) -> Sight | None:
        return await self._database.read(lambda connection: read_sight(connection, key[2], key[0]))

    async def _state(self, view: _View) -> State:
        async with self._turn:
            return await self._database.read(lambda connection: _read_state(connection, view))

    async def _page(self, key: tuple[_View, Place]) -> Page:
        async with self._turn:
            return await self._database.read(lambda connection: self._read_page(connection, *key))

    def _read_page(self, connection: Connection, view: _View, place: Place) -> Page:
        number, sight = view.number, view.sight
        job = shown_job(connection, number, sight)
        if job is None or job.job_id != place.job_id:
            # Another job: the sweep's end, and the next one begins anew.
            return Page((), None)
        one = job.scope if job.scope != ALL else None
        rows = states_since(connection, number, place.since, place.after, PAGE_DOCUMENTS, document_id=one)
        listed = listed_documents(connection, number, sight, [row.document_id for row in rows])
        states = {row.document_id: row for row in rows}
        # In the source's order, as far as a page goes.
        found = [Document(row, states[row.document_id]) for row in listed]
        told = not job.ended and has_webhook(connection, job.job_id)
        views = documents_view(found, job, self._links, sight, has_webhook=told)
        changes = [_change(document, view) for document, view in zip(found, views, strict=True)]
        return Page(changes, rows[-1].document_id if len(rows) == PAGE_DOCUMENTS else None)


def message(event: str, data: bytes, identity: object | None = None) -> bytes:
    """One event of a stream (WHATWG HTML, section 9.2)."""
    named = b"id: %b\n" % str(identity).encode() if identity is not None else b""
    return b"event: %b\n%bdata: %b\n\n" % (event.encode(), named, data)


def _change(document: Document, view: dict[str, Any]) -> Change:
    state: Row[Any] | None = document.state
    assert state is not None
    return Change(document.listed.document_id, state.updated_at, message("document", orjson.dumps(view)))


def _read_state(connection: Connection, view: _View) -> State:
    number, sight = view.number, view.sight
    wanted = {"number": str(number)}
    # Before the job: what a document's event changed in the job is told at the latest with that document.
    newest = connection.execute(_NEWEST, wanted).scalar_one() or BEGINNING
    job = shown_job(connection, number, sight)
    if job is None:
        return State(None, newest, b"")
    is_planned = job.progress is not None and job.progress.total_documents is not None
    listed = 0 if is_planned else connection.execute(_LISTED, {**wanted, "sealed": sight.sealed}).scalar_one()
    return State(job, newest, orjson.dumps({**job_view(job, listed), "process_number": number}))
