"""Turn the findings of ``doctor --deep`` that a new download repairs into the events that request it.

The events are those that the services write themselves, for the jobs that exist: an object that is missing or wrong
is requested again; a job of which nothing is on its way is planned again, or its documents are requested
again. Nothing is written to any table, and asking twice is harmless.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, text

from ops.invariants.findings import Mismatch, Rule
from shared.clock import Clock, utc_now
from shared.db.document_states import state_text
from shared.domain.cnj import parse
from shared.events.document_requested import DocumentRequested
from shared.events.envelope import encode
from shared.events.process_requested import ProcessRequested
from shared.events.topics import DOCUMENT_REQUESTED, PROCESS_REQUESTED
from shared.records import OutgoingRecord
from shared.storage.store import object_key

SOURCE: Final = "/autos/operator"
_OBJECT_RULES: Final = frozenset({Rule.OBJECT_KEY, Rule.OBJECT_MISSING, Rule.OBJECT_SIZE, Rule.OBJECT_HASH})
_JOB_RULES: Final = frozenset({Rule.JOB_LOST, Rule.JOB_STUCK})
_KEY: Final = re.compile(r"processes/(\d{20})/documents/([0-9a-f-]{36})(?:\.[0-9a-f]{64})?", re.ASCII)

_LISTED: Final = """listed.process_number, listed.document_id::text AS document_id, listed.source_path, listed.name,
           listed.size, listed.content_type, listed.rendition, listed.revision"""
# The same bytes filed twice are one object: whoever is recorded there is asked for.
_DOCUMENTS: Final = text(
    f"""
    SELECT known.job_id::text AS job_id, {_LISTED}
    FROM progress.documents AS known JOIN catalog.documents AS listed USING (process_number, document_id)
    WHERE known.process_number = :number AND known.status = 'available'
        AND (known.object_key = :key OR :elsewhere AND known.document_id = CAST(:document AS uuid))
    """  # noqa: S608 - columns of our own
)
_JOB: Final = text(
    """
    SELECT job.job_id::text AS job_id, job.process_number, job.client_id, job.discover, job.created_at, job.scope,
           job.cancelled_at IS NOT NULL AS cancelled, known.planned_at IS NOT NULL AS planned,
           known.total_documents - known.completed_documents - known.failed_documents AS missing
    FROM catalog.jobs AS job LEFT JOIN progress.jobs AS known USING (job_id)
    WHERE job_id = CAST(:job AS uuid) AND known.completed_at IS NULL
    """
)
# What was available when the job was planned has no row of the job's, and was counted: so it comes last.
_WAITED_FOR: Final = text(
    f"""
    SELECT :job AS job_id, {_LISTED}
    FROM catalog.documents AS listed
    LEFT JOIN {state_text("listed", "known")} ON true
    LEFT JOIN LATERAL (
        SELECT status FROM progress.job_documents
        WHERE job_id = CAST(:job AS uuid) AND document_id = listed.document_id LIMIT 1
    ) AS recorded ON true
    WHERE listed.process_number = :number AND (:scope = 'all' OR listed.document_id::text = :scope)
        AND COALESCE(recorded.status, '') NOT IN ('available', 'failed')
    ORDER BY known.status IS NOT DISTINCT FROM 'available' AND recorded.status IS NULL,
        listed.position, listed.document_id
    LIMIT :missing
    """  # noqa: S608 - columns of our own
)


@dataclass
class Repair:
    """What is requested again and why, what no download repairs, and the events."""

    asked: list[tuple[Mismatch, str]] = field(default_factory=list)
    left: list[Mismatch] = field(default_factory=list)
    records: list[OutgoingRecord] = field(default_factory=list)


def about(mismatches: Iterable[Mismatch], process_number: str) -> list[Mismatch]:
    """Those about one case."""
    named = re.compile(rf" of {re.escape(process_number)}(?![\d.-])")
    return [mismatch for mismatch in mismatches if named.search(mismatch.words)]


def plan(connection: Connection, mismatches: Iterable[Mismatch], *, clock: Clock = utc_now) -> Repair:
    """What to request again for these mismatches, each job and document once. Reads only; the caller sends the records.

    What no download mends is in ``Repair.left``. Asking twice is harmless: the services find what is there already.
    """
    repair = Repair()
    asked: set[tuple[str, str]] = set()
    for mismatch in mismatches:
        events, words = _events(connection, mismatch)
        if not events:
            repair.left.append(mismatch)
            continue
        repair.asked.append((mismatch, words))
        for event in events:
            what = (event.job_id, event.document_id) if isinstance(event, DocumentRequested) else (event.job_id, "")
            if what not in asked:
                asked.add(what)
                topic = DOCUMENT_REQUESTED if isinstance(event, DocumentRequested) else PROCESS_REQUESTED
                repair.records.append(encode(event, topic, event_id=str(uuid.uuid4()), source=SOURCE, time=clock()))
    return repair


def _events(connection: Connection, mismatch: Mismatch) -> tuple[list[DocumentRequested | ProcessRequested], str]:
    """The events that mend it, none when nothing does, and what they ask for."""
    key = _KEY.fullmatch(mismatch.subject)
    if mismatch.rule in _OBJECT_RULES and key is not None:
        asked = {
            "number": str(parse(key[1])),
            "key": mismatch.subject,
            "document": key[2],
            "elsewhere": mismatch.rule is Rule.OBJECT_KEY,
        }
        return [_request(row, refetch=True) for row in connection.execute(_DOCUMENTS, asked)], "fetched again"
    if mismatch.rule not in _JOB_RULES:
        return [], ""
    job = connection.execute(_JOB, {"job": mismatch.subject}).one_or_none()
    # The end of a cancelled job is its cancellation, which no fetching tells.
    if job is None or job.cancelled:
        return [], ""
    if not job.planned:
        return [_again(job)], "planned again"
    wanted = {"job": job.job_id, "number": job.process_number, "scope": job.scope, "missing": job.missing}
    return [_request(row) for row in connection.execute(_WAITED_FOR, wanted)], "its documents are requested again"


def _again(job: Any) -> ProcessRequested:
    return ProcessRequested(
        job_id=job.job_id,
        process_number=job.process_number,
        client_id=job.client_id,
        document_ids=None if job.scope == "all" else [job.scope],
        discover=job.discover,
        created_at=job.created_at,
        verify=True,
    )


def _request(row: Any, *, refetch: bool = False) -> DocumentRequested:
    return DocumentRequested(
        job_id=row.job_id,
        process_number=row.process_number,
        document_id=row.document_id,
        source_path=row.source_path or "",
        object_key=object_key(row.process_number, row.document_id),
        name=row.name,
        expected_size=row.size,
        listed_type=row.content_type,
        rendition=row.rendition,
        revision=row.revision,
        refetch=refetch,
    )
