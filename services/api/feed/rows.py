"""The SQL of a feed: where it ends, and its next events that a viewer may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, func, literal, or_, select

from shared.db.catalog import jobs as job_rows
from shared.db.catalog import process_requests
from shared.db.feed import feed_events, feeds
from shared.db.visibility import shown_job_in, shown_number
from shared.domain.secrecy import Viewer
from shared.domain.statuses import JobScope
from shared.webhooks.registry import OF_CASES


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
        .join(job_rows, job_rows.c.job_id == feed_events.c.job_id, isouter=True)
        .where(
            feed_events.c.client_id == viewer.client_id,
            feed_events.c.position > wanted.after,
            # Not of a type that another version of us knows alone.
            feed_events.c.event_type.in_(list(wanted.types) or OF_CASES),
            or_(
                # About no case, and so nothing that could be hidden.
                feed_events.c.process_number.is_(None),
                and_(
                    job_rows.c.job_id.is_not(None),
                    shown_number(viewer, feed_events.c.process_number),
                    or_(job_rows.c.scope == JobScope.WHOLE_CASE, shown_job_in(sees_sealed)),
                ),
            ),
        )
        .order_by(feed_events.c.position)
        .limit(wanted.limit + 1)
    )
    if wanted.process_number is not None:
        statement = statement.where(feed_events.c.process_number == wanted.process_number)
    return connection.execute(statement).all()
