"""The lists of a case a page at a time: documents with filters, movements, parties.

A page is found from an index by what its cursor names (the place of a document, the number of a movement or party),
so it costs the same wherever it is, and nothing is shown twice or left out when states change between two pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Depends
from sqlalchemy import ColumnElement, Connection, Text, and_, cast, false, func, or_, select, true, tuple_

from services.api.http import cursors
from services.api.http.provided import provided
from services.api.jobs.model import CaseJob
from services.api.jobs.participants import has_webhook
from services.api.jobs.repository import shown_job
from services.api.processes.view import repository
from services.api.processes.view.case_parts import CaseParts, read_files, sight_for
from services.api.processes.view.link_cache import LinkCache
from services.api.processes.view.repository import KnownDocument
from services.api.processes.view.views import default_document_status, documents_view
from shared.db.case_lists import Part, read_movements, read_parties
from shared.db.catalog import documents
from shared.db.document_states import state_of_document
from shared.db.engine import Database
from shared.db.visibility import PUBLIC_DOCUMENT
from shared.domain.secrecy import Sight, Viewer
from shared.domain.statuses import DocumentStatus, JobScope
from shared.domain.views import ANSWER_BYTES, fitting

MOST: Final = 500
"""Items of one page."""
_PAGE_BYTES: Final = ANSWER_BYTES - 1_000
_state: Final = state_of_document()


@dataclass(frozen=True)
class DocumentFilter:
    """Which documents of a case, and how many of them; texts are compared without regard to case."""

    status: str | None = None
    type: str | None = None
    degree: str | None = None
    court: str | None = None
    since: datetime | None = None
    """Filed then or later."""
    cursor: str | None = None
    limit: int = 100


@dataclass(frozen=True)
class FoundDocuments:
    """Documents of a page and one more, where there is one; ``total`` is what the filters leave."""

    sight: Sight
    documents: Sequence[KnownDocument]
    total: int
    job: CaseJob | None
    has_webhook: bool


class CasePages:
    """Reads pages of a case, as the viewer sees it. Each page is read in one snapshot.

    A page has at most ``limit`` items, and fewer where their texts are long (ANSWER_BYTES): ``next_cursor`` then goes
    on behind the last one shown.
    """

    def __init__(self, database: Database, links: LinkCache) -> None:
        self._database = database
        self._links = links

    async def documents(self, viewer: Viewer, process_number: str, wanted: DocumentFilter) -> dict[str, Any]:
        """The DocumentPage. Raises InvalidCursor and ProcessUnknown."""
        after = cursors.decode_place(wanted.cursor, "documents") if wanted.cursor is not None else None

        def read(connection: Connection) -> FoundDocuments:
            return find_page(connection, sight_for(connection, viewer, process_number), process_number, wanted, after)

        found = await self._database.snapshot(read)

        def page(links: LinkCache) -> dict[str, Any]:
            listed = found.documents[: wanted.limit]
            views = documents_view(listed, found.job, links, found.sight, has_webhook=found.has_webhook)
            shown = fitting(views, _PAGE_BYTES)
            last = listed[len(shown) - 1].listed if shown and len(shown) < len(found.documents) else None
            cursor = None
            if last is not None:
                place = found.sight.left_out.place(last.position)
                cursor = cursors.encode_place("documents", place, last.document_id)
            return {"documents": shown, "next_cursor": cursor, "total": found.total}

        return await self._links.build(page, len(found.documents))

    async def files(self, viewer: Viewer, process_number: str) -> dict[str, Any]:
        """The FilesView. Raises ProcessUnknown."""

        def read(connection: Connection) -> CaseParts:
            return read_files(connection, process_number, sight_for(connection, viewer, process_number))

        found = await self._database.snapshot(read)
        return await self._links.build(found.files, len(found.documents))

    async def movements(self, viewer: Viewer, process_number: str, cursor: str | None, limit: int) -> dict[str, Any]:
        """The MovementPage. Raises InvalidCursor and ProcessUnknown."""
        below = _number_in(cursor, "movements")
        read = partial(read_movements, process_number=process_number, below=below, limit=limit)
        return await self._numbered("movements", viewer, process_number, read)

    async def parties(self, viewer: Viewer, process_number: str, cursor: str | None, limit: int) -> dict[str, Any]:
        """The PartyPage. Raises InvalidCursor and ProcessUnknown."""
        after = _number_in(cursor, "parties")
        read = partial(read_parties, process_number=process_number, after=after, limit=limit)
        return await self._numbered("parties", viewer, process_number, read)

    async def _numbered(
        self, kind: str, viewer: Viewer, process_number: str, read: Callable[[Connection], Part | None]
    ) -> dict[str, Any]:
        def read_seen(connection: Connection) -> Part | None:
            sight_for(connection, viewer, process_number)
            return read(connection)

        return _page(kind, await self._database.snapshot(read_seen))


Pages = Annotated[CasePages, Depends(provided(CasePages))]


def _number_in(cursor: str | None, kind: str) -> int | None:
    return cursors.decode_place(cursor, kind)[0] if cursor is not None else None


def _page(kind: str, part: Part | None) -> dict[str, Any]:
    if part is None:
        return {kind: [], "next_cursor": None, "total": 0}
    shown = fitting([item for _, item in part.items], _PAGE_BYTES)
    more = part.more or len(shown) < len(part.items)
    cursor = cursors.encode_place(kind, part.items[len(shown) - 1][0]) if shown and more else None
    return {kind: shown, "next_cursor": cursor, "total": part.total}


def find_page(
    connection: Connection, sight: Sight, process_number: str, wanted: DocumentFilter, after: tuple[int, str] | None
) -> FoundDocuments:
    """The documents of one page behind ``after``, a place, with the job whose state they have.

    Reads one document more than is asked for: that one says whether there is another page.
    """
    job = shown_job(connection, process_number, sight)
    is_called = job is not None and not job.ended and has_webhook(connection, job.job_id)
    rules = [documents.c.process_number == str(process_number), *_filters(wanted, job, is_called=is_called)]
    if not sight.sealed:
        rules.append(PUBLIC_DOCUMENT)
    place = tuple_(documents.c.position, documents.c.document_id)
    page = select(*repository.LISTED)
    counted = select(func.count()).select_from(documents)
    if wanted.status is not None:
        page, counted = (one.join(_state, true(), isouter=True) for one in (page, counted))
    page = page.where(*rules).order_by(documents.c.position, documents.c.document_id).limit(wanted.limit + 1)
    if after is not None:
        page = page.where(place > tuple_(sight.left_out.position(after[0]), after[1]))
    listed = connection.execute(page).all()
    total: int = connection.execute(counted.where(*rules)).scalar_one()
    return FoundDocuments(sight, repository.with_states(connection, process_number, listed), total, job, is_called)


def _filters(wanted: DocumentFilter, job: CaseJob | None, *, is_called: bool) -> list[ColumnElement[bool]]:
    rules: list[ColumnElement[bool]] = []
    if wanted.status is not None:
        rules.append(_has_status(wanted.status, job, is_called=is_called))
    if wanted.type is not None:
        kind = wanted.type.lower()
        rules.append(or_(func.lower(documents.c.type) == kind, func.lower(documents.c.type_code) == kind))
    for name in ("degree", "court"):
        value: str | None = getattr(wanted, name)
        if value is not None:
            column = documents.c.get(name)
            rules.append(func.lower(cast(column, Text)) == value.lower() if column is not None else false())
    if wanted.since is not None:
        rules.append(documents.c.filed_at >= wanted.since)
    return rules


def _has_status(status: str, job: CaseJob | None, *, is_called: bool) -> ColumnElement[bool]:
    """The rule of :func:`shared.domain.views.document_view`: the projected status, or the one that holds without it."""
    projected: ColumnElement[bool] = _state.c.status == status
    unprojected = or_(_state.c.status.is_(None), _state.c.status == DocumentStatus.PENDING)
    if status not in {DocumentStatus.PENDING, DocumentStatus.PROCESSING}:
        return projected
    if job is None or job.scope == JobScope.WHOLE_CASE or job.ended or is_called:
        default = default_document_status(job, "", has_webhook=is_called)
        holds: ColumnElement[bool] = true() if default == status else false()
    else:
        named = documents.c.document_id == job.scope
        holds = named if status == DocumentStatus.PROCESSING else ~named
    return or_(and_(projected, _state.c.status != DocumentStatus.PENDING), and_(unprojected, holds))
