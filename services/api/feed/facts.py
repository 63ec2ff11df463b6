"""What the events of a page are made of, as the viewer may see it now: a few statements, however long the page is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, text

from services.api.jobs import repository as jobs
from shared.db import corrected_ends
from shared.db.case_store import find_processes
from shared.db.document_states import listed_text
from shared.db.sights import read_sights
from shared.db.visibility import public_text
from shared.domain.secrecy import Sight, Viewer
from shared.domain.statuses import JobScope
from shared.domain.views import case_view, documents_url, sealed_case_view, unknown_case_view
from shared.webhooks.facts import BodyDocuments, DocumentsStored, JobEnd, JobEnded, SourceChanged
from shared.webhooks.registry import EVENT_TYPES

_ENDS: Final = text(f"""
SELECT {corrected_ends.COLUMNS}, j.scope, r.reference
  FROM delivery.completions AS c JOIN catalog.jobs AS j USING (job_id) {corrected_ends.JOIN}
  LEFT JOIN catalog.job_references AS r ON r.job_id = c.job_id AND r.client_id = :client
 WHERE c.job_id = ANY (CAST(:jobs AS uuid[]))
""")  # noqa: S608
_COUNTS: Final = text(f"""
SELECT process_number, count(*) AS total, count(*) FILTER (WHERE {public_text("d")}) AS open
  FROM catalog.documents AS d WHERE process_number = ANY (:numbers) GROUP BY process_number
""")  # noqa: S608
_BATCHES: Final = text(f"""
SELECT b.job_id::text, b.part, b.made_at, r.reference,
       array_agg(d.document_id::text ORDER BY d.position, d.document_id) AS ids,
       array_agg({public_text("d")} ORDER BY d.position, d.document_id) AS open
  FROM (SELECT DISTINCT * FROM unnest(CAST(:jobs AS uuid[]), CAST(:parts AS int[]))) AS wanted (job_id, part)
  JOIN delivery.document_batches AS b USING (job_id, part)
 CROSS JOIN {listed_text("b.process_number", "b.document_ids", "d")}
  LEFT JOIN catalog.job_references AS r ON r.job_id = b.job_id AND r.client_id = :client
 GROUP BY b.job_id, b.part, r.reference
""")  # noqa: S608

_SOURCES: Final = text("""
SELECT event_id::text, source, state, since, at, reason, degraded_since FROM delivery.source_events
 WHERE event_id = ANY (CAST(:ids AS uuid[]))
""")

EventFacts = JobEnded | DocumentsStored | SourceChanged


def read_facts(
    connection: Connection, viewer: Viewer, events: Sequence[Row[Any]], public_url: str | None
) -> list[EventFacts | None]:
    """Of each of these rows of ``feed_events``; None where nothing is left of it that the viewer may see.

    The caller reads in one snapshot, so that no event mixes two states. ``public_url`` is the API's address for
    clients; None: links are paths. Links to documents' bytes are not made: the bodies are thin.
    """
    sights = read_sights(
        connection, viewer, sorted({row.process_number for row in events if row.process_number is not None})
    )
    seen = [row for row in events if row.process_number in sights]
    ends = _read_ends(connection, viewer, [row for row in seen if _made_of(row) is JobEnded], sights, public_url)
    batches = _read_batches(
        connection, viewer, [row for row in seen if _made_of(row) is DocumentsStored], sights, public_url
    )

    sources = _read_sources(connection, [row for row in events if _made_of(row) is SourceChanged])

    def facts(row: Row[Any]) -> EventFacts | None:
        if _made_of(row) is SourceChanged:
            return sources.get(row.job_id)
        return ends.get(row.job_id) if _made_of(row) is JobEnded else batches.get((row.job_id, row.part))

    return [facts(row) for row in events]


def _read_sources(connection: Connection, rows: Sequence[Row[Any]]) -> dict[str, SourceChanged]:
    """Changes of sources, by the event's id; every client sees the same."""
    if not rows:
        return {}
    found = connection.execute(_SOURCES, {"ids": sorted({row.job_id for row in rows})})
    return {
        row.event_id: SourceChanged(row.source, row.state, row.since, row.at, row.reason, row.degraded_since)
        for row in found
    }


def _made_of(row: Row[Any]) -> type:
    """The facts that an event's type is made of (shared/webhooks/registry.py)."""
    return EVENT_TYPES[row.event_type].facts


def _read_ends(
    connection: Connection, viewer: Viewer, rows: Sequence[Row[Any]], sights: Mapping[str, Sight], url: str | None
) -> dict[str, JobEnded]:
    """The ends of jobs, by the job's id; none of a job that the catalog does not have any more.

    A viewer from whom documents are hidden gets the counts of the others, as in every view (docs/adr/0019).
    """
    if not rows:
        return {}
    wanted = {"client": viewer.client_id, "jobs": sorted({row.job_id for row in rows})}
    ended = connection.execute(_ENDS, wanted).all()
    numbers = sorted({row.process_number for row in ended})
    cases = find_processes(connection, numbers)
    counts = {row.process_number: row for row in connection.execute(_COUNTS, {"numbers": numbers})}
    hidden = [row.job_id for row in ended if sights[row.process_number].hides]
    seen = jobs.seen_counts(connection, hidden) if hidden else {}

    def facts(row: Row[Any]) -> JobEnded:
        number, sight = row.process_number, sights[row.process_number]
        end = JobEnd.of(row)
        if (count := seen.get(row.job_id)) is not None:
            # Of a job that failed as a whole every document counts.
            end = end.counted(count.available, count.failed, total=None if end.error_code is None else count.total)
        case = _case(cases.get(number), number, sight, url)
        total = end.total_documents
        if row.scope == JobScope.WHOLE_CASE:
            counted = counts.get(number)
            listed = 0 if counted is None else counted.total if sight.sealed else counted.open
            total = listed + case["left_out"].get("documents", 0)
        return JobEnded(end, case, BodyDocuments(total, documents_url(number, url), list), row.reference)

    return {row.job_id: facts(row) for row in ended}


def _case(stored: Row[Any] | None, number: str, sight: Sight, public_url: str | None) -> Mapping[str, Any]:
    """As in a webhook: of a sealed case nothing but its number and level."""
    if stored is None:
        return unknown_case_view(number, public_url)
    if sight.case_sealed:
        return sealed_case_view(number, stored.secrecy_level, public_url)
    return case_view(stored._mapping, public_url)


def _read_batches(
    connection: Connection, viewer: Viewer, rows: Sequence[Row[Any]], sights: Mapping[str, Sight], url: str | None
) -> dict[tuple[str, int], DocumentsStored]:
    """The documents of batches, by job and part, in the order of the case.

    Without those that are sealed from the viewer by now, and without batches of which nothing is left.
    """
    if not rows:
        return {}
    numbers = {(row.job_id, row.part): row.process_number for row in rows}
    wanted = {"client": viewer.client_id, "jobs": [row.job_id for row in rows], "parts": [row.part for row in rows]}
    found = {}
    for row in connection.execute(_BATCHES, wanted):
        number = numbers[row.job_id, row.part]
        everything = sights[number].sealed
        ids = [one for one, is_open in zip(row.ids, row.open, strict=True) if everything or is_open]
        if ids:
            listed = BodyDocuments(len(ids), documents_url(number, url), list)
            found[row.job_id, row.part] = DocumentsStored(row.job_id, number, row.made_at, ids, listed, row.reference)
    return found
