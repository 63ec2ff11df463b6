"""SQL of a webhook's body: the completion, the case, its documents as far as a body shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, text

from services.notifier.domain.visible import BodyCounts
from services.notifier.sending.body_key import BodyKey
from shared.db import corrected_ends
from shared.db.document_states import state_text
from shared.db.prepared import PreparedCall, PreparedText, run_together
from shared.db.visibility import public_text, read_left_out, sealed_text
from shared.domain.secrecy import NOTHING_LEFT_OUT, LeftOut
from shared.domain.statuses import DocumentStatus, JobScope
from shared.domain.views import MOST_DOCUMENTS
from shared.webhooks.body_form import BodyForm

# A job's end and its case; ``case_number`` is null where the database does not have it.
_ENDS: Final = PreparedText(
    "notifier_body_ends",
    f"""
SELECT {corrected_ends.COLUMNS}, j.scope, k.process_number AS case_number, k.court, k.degree, k."class", k.subjects,
       k.parties, k.filed_at, k.claim_value, k.secrecy_level, k.movements, k.movements_total, k.parties_total,
       k.left_out, k.related, k.fetched_at,
       EXISTS (SELECT FROM catalog.documents AS d WHERE d.process_number = k.process_number AND {sealed_text("d")})
           AS has_sealed
  FROM delivery.completions c LEFT JOIN catalog.jobs j USING (job_id) {corrected_ends.JOIN}
  LEFT JOIN catalog.processes AS k ON k.process_number = c.process_number
 WHERE c.job_id = ANY (CAST(:jobs AS uuid[]))
""",  # noqa: S608
    jobs="text[]",
)


class DocumentState(NamedTuple):
    """A row of ``progress.documents``; ``_DOCUMENTS`` selects its columns with ``state_`` before their names."""

    status: str
    object_key: str | None
    sha256: str | None
    size: int | None
    content_type: str | None
    error_code: str | None
    error_message: str | None
    attempts: int
    download_started_at: datetime | None
    download_completed_at: datetime | None
    warnings: list[str] | None
    rendition: str | None
    revision: int | None
    replaced_at: datetime | None

    @classmethod
    def of(cls, row: Any) -> DocumentState | None:
        """The state in a row that ends with :data:`DOCUMENT_COLUMNS`; None while the projection knows nothing of it."""
        return None if row.state_status is None else cls._make(row[-len(cls._fields) :])


DOCUMENT_COLUMNS: Final = f"""
       d.process_number, d.document_id::text, d.name, d.type, d.sequence, d.filed_at, d.pages, d.size, d.content_type,
       d.secrecy_level, d.source_id, d.rendition, d.court, d.degree, d.instance, d.position, d.revision,
       {", ".join(f"s.{name} AS state_{name}" for name in DocumentState._fields)}
"""
"""Of ``catalog.documents AS d`` and its state, ``progress.documents AS s``; the last columns of their rows."""
# Of each job no more than its body shows, found by the documents' order: a case may have a hundred thousand. What is
# sealed never goes into a body.
_DOCUMENTS: Final = PreparedText(
    "notifier_body_documents",
    f"""
SELECT j.job_id, {DOCUMENT_COLUMNS}
  FROM unnest(CAST(:jobs AS text[]), CAST(:numbers AS text[]), CAST(:scopes AS uuid[])) AS j (job_id, number, scope)
 CROSS JOIN LATERAL (
       SELECT * FROM catalog.documents AS listed
        WHERE process_number = j.number AND (j.scope IS NULL OR document_id = j.scope) AND {public_text("listed")}
        ORDER BY position, document_id LIMIT {MOST_DOCUMENTS + 1}) d
  LEFT JOIN {state_text("d", "s")} ON true
 ORDER BY j.job_id, d.position, d.document_id
""",  # noqa: S608
    jobs="text[]",
    numbers="text[]",
    scopes="text[]",
)
_COUNT: Final = text("SELECT count(*) FROM catalog.documents WHERE process_number = :number")
_NUMBERS: Final = text(f"""
SELECT count(*) AS total, count(*) FILTER (WHERE {public_text("d")}) AS public,
       count(*) FILTER (WHERE {public_text("d")} AND s.status = '{DocumentStatus.AVAILABLE}') AS available,
       count(*) FILTER (WHERE {public_text("d")} AND s.status = '{DocumentStatus.FAILED}') AS failed
  FROM catalog.documents AS d LEFT JOIN {state_text("d", "s")} ON true
 WHERE d.process_number = :number AND (CAST(:scope AS uuid) IS NULL OR d.document_id = CAST(:scope AS uuid))
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class BodyContent:
    """What a body is made of. ``case`` is None when the database does not have it."""

    completion: Any
    case: Any | None
    documents: Sequence[Any]
    """The first public ones, each with its state (:meth:`DocumentState.of`)."""
    counts: BodyCounts
    left_out: LeftOut
    """What the documents must not show of sealed ones."""


def load(
    connection: Connection, keys: Sequence[BodyKey], first: Sequence[PreparedCall] = ()
) -> dict[BodyKey, BodyContent]:
    """The content of each body; none for a job that has not ended. ``first`` is done before anything is read."""
    ids = sorted({key.job_id for key in keys})
    completions = {row.job_id: row for row in run_together(connection, *first, PreparedCall(_ENDS, {"jobs": ids}))}
    # Each job once: its bodies with and without what is sealed show the same documents.
    full = {key.job_id for key in keys if key.form is BodyForm.FULL} & completions.keys()
    documents = _documents(connection, [completions[job_id] for job_id in sorted(full)])

    def content(completion: Any, key: BodyKey) -> BodyContent:
        rows = documents.get(completion.job_id, [])
        case = None if completion.case_number is None else completion
        read = len(rows) if key.form is BodyForm.FULL else None
        return BodyContent(
            completion,
            case,
            rows[:MOST_DOCUMENTS],
            _counts(connection, completion, case, read),
            _left_out(connection, case, sealed=key.sealed),
        )

    return {key: content(completions[key.job_id], key) for key in keys if key.job_id in completions}


def _documents(connection: Connection, completions: Sequence[Any]) -> dict[str, list[Any]]:
    """The first documents of each job, by the job's id."""
    found: dict[str, list[Any]] = {}
    if completions:
        wanted = {
            "jobs": [row.job_id for row in completions],
            "numbers": [row.process_number for row in completions],
            "scopes": [None if is_whole_case(row) else row.scope for row in completions],
        }
        for row in _DOCUMENTS.run(connection, wanted):
            found.setdefault(row.job_id, []).append(row)
    return found


def _left_out(connection: Connection, case: Any | None, *, sealed: bool) -> LeftOut:
    """What the documents of a body must not reveal. For a client that may see all, positions are those of the case."""
    if case is None or not case.has_sealed:
        return NOTHING_LEFT_OUT
    found = read_left_out(connection, case.process_number)
    return LeftOut(ids=found.ids) if sealed else found


def _counts(connection: Connection, completion: Any, case: Any | None, read: int | None) -> BodyCounts:
    """How many documents a job is about; ``read`` is how many public ones were read, where they were."""
    if case is not None and case.has_sealed:
        scope = None if is_whole_case(completion) else completion.scope
        wanted = {"number": completion.process_number, "scope": scope}
        row = connection.execute(_NUMBERS, wanted).one()
        return BodyCounts(row.total, row.public, row.available, row.failed)
    total = read if read is not None and read <= MOST_DOCUMENTS else _count(connection, completion)
    return BodyCounts(total, total, 0, 0)


def _count(connection: Connection, completion: Any) -> int:
    if not is_whole_case(completion):
        return int(completion.total_documents)
    counted: int = connection.execute(_COUNT, {"number": completion.process_number}).scalar_one()
    return counted


def is_whole_case(completion: Any) -> bool:
    """Whether the job is about all documents of its case, and not about one."""
    return completion.scope in {None, JobScope.WHOLE_CASE}
