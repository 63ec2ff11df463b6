"""The SQL of large jobs' plans: ``source.plans`` and ``source.plan_windows``, and the documents of a window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, text

from services.downloader.planner.needed_documents import CatalogDocument, JobNeeds
from services.downloader.planner.windows import WindowPlace, may_release, windows
from shared.db.source import plan_windows
from shared.db.visibility import travelling_name

_DOCUMENTS: Final = text(
    f"""
    SELECT document_id::text AS document_id, source_path, {travelling_name("listed")}, size, content_type, rendition,
           revision
    FROM catalog.documents AS listed
    WHERE process_number = :number AND document_id = ANY (CAST(:ids AS uuid[]))
    """  # noqa: S608 - our own condition
)
_WINDOW: Final = text(
    """
    SELECT document_ids::text[] AS document_ids, released_by, released_at, now() AS now,
           EXISTS (SELECT FROM source.plan_windows AS next WHERE next.plan_id = :plan AND next.number = :number + 1)
               AS more
    FROM source.plan_windows JOIN source.plans USING (plan_id)
    WHERE plan_id = :plan AND number = :number AND job_id = :job
    FOR UPDATE OF plan_windows
    """
)
_CLAIM: Final = text(
    "UPDATE source.plan_windows SET released_by = :by, released_at = now() WHERE plan_id = :plan AND number = :number"
)
_STORED: Final = text("SELECT total, available, reminded::text[] AS reminded FROM source.plans WHERE plan_id = :plan")
# What has ended has no use for its windows; a plan that is older than its topics keep their records has no future.
_FORGET: Final = text(
    """
    DELETE FROM source.plans USING source.plans AS plan
    LEFT JOIN catalog.jobs AS job USING (job_id) LEFT JOIN progress.jobs AS known USING (job_id)
    WHERE plans.plan_id = plan.plan_id AND (
        job.job_id IS NULL OR job.cancelled_at IS NOT NULL OR known.completed_at IS NOT NULL
        OR plan.created_at < now() - CAST(:age AS interval))
    """
)
# Everything before a window has ended, nothing of it or after it has, and nothing has moved for a while: the record
# that should ask for it is lost.
_STALLED: Final = text(
    """
    SELECT plan_id::text AS plan_id, job_id::text AS job_id, plan.process_number, number - 1 AS after
    FROM source.plans AS plan JOIN progress.jobs AS known USING (job_id)
    CROSS JOIN LATERAL (
        SELECT number, plan.available + cardinality(plan.reminded)
               + COALESCE(sum(cardinality(document_ids)) OVER (ORDER BY number
                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
        FROM source.plan_windows WHERE plan_windows.plan_id = plan.plan_id) AS waiting
    WHERE known.planned_at IS NOT NULL AND known.completed_at IS NULL AND number > 0
        AND known.updated_at < now() - CAST(:still AS interval)
        AND waiting.before = known.completed_documents + known.failed_documents
    """
)


class Window(NamedTuple):
    """A window that is to be written: its documents in order, those that are gone, and whether another follows."""

    documents: list[CatalogDocument]
    gone: list[str]
    more: bool


class StoredPlan(NamedTuple):
    """What was decided when the job was planned."""

    total: int
    available: int
    reminded: list[str]


class Stalled(NamedTuple):
    """A plan whose next window nobody asks for: the one after ``after``."""

    plan_id: str
    job_id: str
    process_number: str
    after: int


def store_plan(
    connection: Connection, plan_id: str, job_id: str, process_number: str, needs: JobNeeds, window: int
) -> bool:
    """Keep what a large job needs; False when this plan is there already, and stays as it was decided. The caller
    commits.
    """
    row = {
        "plan": plan_id,
        "job": job_id,
        "number": process_number,
        "total": needs.total,
        "available": needs.available,
        "reminded": needs.reminded,
    }
    added = connection.execute(
        text(
            "INSERT INTO source.plans (plan_id, job_id, process_number, total, available, reminded)"
            " VALUES (:plan, :job, :number, :total, :available, CAST(:reminded AS uuid[]))"
            " ON CONFLICT DO NOTHING"
        ),
        row,
    )
    if added.rowcount == 0:
        return False
    chunks = [[document.document_id for document in needs.first], *windows(needs.rest, window)]
    rows = [{"plan_id": plan_id, "number": number, "document_ids": ids} for number, ids in enumerate(chunks)]
    connection.execute(plan_windows.insert(), rows)
    return True


def stored_plan(connection: Connection, plan_id: str) -> StoredPlan:
    """A plan as it was decided. Raises sqlalchemy.exc.NoResultFound."""
    row = connection.execute(_STORED, {"plan": plan_id}).one()
    return StoredPlan(row.total, row.available, row.reminded)


def claim_window(
    connection: Connection, place: WindowPlace, job_id: str, process_number: str, by: str
) -> Window | None:
    """The window at ``place``, claimed for the record ``by``; None when there is none, or another has released it.

    Locks the window's row until the caller commits. The same record gets its claim again (windows.may_release).
    """
    asked = {"plan": place.plan_id, "number": place.number, "job": job_id}
    row = connection.execute(_WINDOW, asked).one_or_none()
    if row is None:
        return None
    if not may_release(row.released_by, row.released_at, by, row.now):
        return None
    connection.execute(_CLAIM, {**asked, "by": by})
    documents, gone = find_catalog(connection, process_number, row.document_ids)
    return Window(documents, gone, row.more)


def find_catalog(
    connection: Connection, process_number: str, ids: Sequence[str]
) -> tuple[list[CatalogDocument], list[str]]:
    """The documents of a case with these ids, in their order, and the ids that it does not have."""
    rows = connection.execute(_DOCUMENTS, {"number": process_number, "ids": list(ids)})
    listed = {row.document_id: row for row in rows}
    found = [
        CatalogDocument(
            row.document_id,
            row.source_path,
            row.name,
            row.size,
            content_type=row.content_type,
            rendition=row.rendition,
            revision=row.revision,
        )
        for row in (listed[document_id] for document_id in ids if document_id in listed)
    ]
    return found, [document_id for document_id in ids if document_id not in listed]


def forget_ended(connection: Connection, older_than: timedelta) -> int:
    """Remove the plans of jobs that have ended, and those of that age; how many there were."""
    return connection.execute(_FORGET, {"age": f"{older_than.total_seconds()} s"}).rowcount


def find_stalled(connection: Connection, still_for: timedelta) -> Iterator[Stalled]:
    """Plans of which nothing has moved for so long although their next window is free to go."""
    rows: Sequence[Any] = connection.execute(_STALLED, {"still": f"{still_for.total_seconds()} s"}).all()
    return (Stalled(row.plan_id, row.job_id, row.process_number, row.after) for row in rows)
