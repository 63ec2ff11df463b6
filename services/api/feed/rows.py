"""The SQL of a feed, and what an event's body is made of, read as the viewer may see it now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, func, literal, or_, select

from services.api.jobs import repository as jobs
from services.api.jobs.references import read_reference
from services.api.processes.view import repository as documents
from shared.db.case_store import find_process
from shared.db.catalog import jobs as job_rows
from shared.db.catalog import process_requests
from shared.db.feed import feed_events, feeds
from shared.db.visibility import read_sight, shown_job_in, shown_number
from shared.domain.secrecy import Sight, Viewer
from shared.domain.statuses import JobScope
from shared.domain.views import case_view, documents_url, sealed_case_view, unknown_case_view
from shared.webhooks.facts import BodyDocuments, JobEnd, JobEnded


@dataclass(frozen=True)
class FeedFilter:
    """Which events are wanted: behind a position (0: from the first one kept), of these types, of one case."""

    after: int
    types: Sequence[str] = ()
    process_number: str | None = None
    limit: int = 100


@dataclass(frozen=True)
class FeedEnds:
    """Where a feed ends: the newest event, and the newest of those that were deleted because of their age."""

    last: int
    purged: int


def read_ends(connection: Connection, client_id: str) -> FeedEnds:
    """The ends of a client's feed; of one without events too."""
    row = connection.execute(
        select(feeds.c.last_position, feeds.c.purged_position).where(feeds.c.client_id == client_id)
    ).one_or_none()
    return FeedEnds(row.last_position, row.purged_position) if row is not None else FeedEnds(0, 0)


def read_events(connection: Connection, viewer: Viewer, wanted: FeedFilter) -> Sequence[Row[Any]]:
    """The next events that the viewer may see, one more than the limit at most.

    What is sealed now is left out for a key without the scope, whenever it happened.
    """
    granted = (
        select(process_requests.c.sealed)
        .where(
            process_requests.c.client_id == viewer.client_id,
            process_requests.c.process_number == feed_events.c.process_number,
        )
        .correlate(feed_events)
        .scalar_subquery()
    )
    sees_sealed = and_(literal(viewer.sealed), func.coalesce(granted, literal(False)))
    statement = (
        select(feed_events)
        .join(job_rows, job_rows.c.job_id == feed_events.c.job_id)
        .where(
            feed_events.c.client_id == viewer.client_id,
            feed_events.c.position > wanted.after,
            shown_number(viewer, feed_events.c.process_number),
            or_(job_rows.c.scope == JobScope.WHOLE_CASE, shown_job_in(sees_sealed)),
        )
        .order_by(feed_events.c.position)
        .limit(wanted.limit + 1)
    )
    if wanted.types:
        statement = statement.where(feed_events.c.event_type.in_(list(wanted.types)))
    if wanted.process_number is not None:
        statement = statement.where(feed_events.c.process_number == wanted.process_number)
    return connection.execute(statement).all()


def read_facts(connection: Connection, viewer: Viewer, row: Row[Any], public_url: str | None) -> JobEnded | None:
    """What the body of an event is made of; None when there is nothing of it any more that the viewer may see."""
    number = row.process_number
    sight = read_sight(connection, viewer, number)
    job = jobs.find_job(connection, row.job_id)
    if sight is None or job is None:
        return None
    progress = jobs.as_seen(connection, job, sight).progress
    if progress is None or progress.completed_at is None:
        return None
    end = JobEnd(
        job.job_id,
        number,
        progress.status,
        progress.total_documents or 0,
        progress.completed_documents,
        progress.failed_documents,
        job.created_at,
        progress.completed_at,
        progress.error_code,
        progress.error_message,
    )
    case = _case(connection, number, sight, public_url)
    total = progress.total_documents or 0
    if job.scope == JobScope.WHOLE_CASE:
        total = documents.count_documents(connection, number, sight) + case["left_out"].get("documents", 0)
    listed = BodyDocuments(total, documents_url(number, public_url), list)
    return JobEnded(end, case, listed, read_reference(connection, job.job_id, viewer.client_id))


def _case(connection: Connection, number: str, sight: Sight, public_url: str | None) -> Mapping[str, Any]:
    """As in a webhook: of a sealed case nothing but its number and level."""
    stored = find_process(connection, number)
    if stored is None:
        return unknown_case_view(number, public_url)
    if sight.case_sealed:
        return sealed_case_view(number, stored.secrecy_level, public_url)
    return case_view(stored, public_url)
