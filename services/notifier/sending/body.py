"""The body of a delivery, from the database: the completion, the case, its documents with fresh links.

Read at every attempt, so that the links of the last one work as long as those of the first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import Connection

from services.notifier.domain.visible import Numbers, telling
from services.notifier.sending.payload import Body, Documents, Form, completed_body
from shared.clock import Clock
from shared.db.visibility import public_text, read_left_out, sealed_text
from shared.domain.secrecy import NOTHING_LEFT_OUT, LeftOut
from shared.domain.views import (
    AVAILABLE,
    MOST_DOCUMENTS,
    document_view,
    documents_url,
    duplicates,
)
from shared.storage.store import LINK_SECONDS, object_key
from sources.content.recognise import content_disposition

_log = logging.getLogger(__name__)

# A dead letter that was replayed corrects the counters of a job that had ended: what is sent again says so.
_COMPLETIONS: Final = """
SELECT c.job_id::text, c.process_number, COALESCE(p.status, c.status) AS status, c.total_documents,
       COALESCE(p.completed_documents, c.completed_documents) AS completed_documents,
       COALESCE(p.failed_documents, c.failed_documents) AS failed_documents,
       c.error_code, c.error_message, c.created_at, c.completed_at, j.scope
  FROM delivery.completions c LEFT JOIN catalog.jobs j USING (job_id)
  LEFT JOIN progress.jobs p ON p.job_id = c.job_id AND p.completed_documents > c.completed_documents
       AND p.completed_documents + p.failed_documents = c.completed_documents + c.failed_documents
 WHERE c.job_id = ANY (%(jobs)s::uuid[])
"""
_CASES: Final = f"""
SELECT process_number, court, degree, "class", subjects, parties, filed_at, claim_value, secrecy_level, movements,
       movements_total, parties_total, left_out, related, fetched_at,
       EXISTS (SELECT FROM catalog.documents AS d WHERE d.process_number = p.process_number AND {sealed_text("d")})
           AS has_sealed
  FROM catalog.processes AS p WHERE process_number = ANY (%(numbers)s)
"""  # noqa: S608


class _State(NamedTuple):
    """A row of ``progress.documents``, in the order of the query."""

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


# Of each job no more than its body shows, found by the documents' order: a case may have a hundred thousand. What is
# sealed never goes into a body.
_DOCUMENTS: Final = f"""
SELECT j.job_id, d.process_number, d.document_id::text, d.name, d.type, d.sequence, d.filed_at, d.pages, d.size,
       d.content_type, d.secrecy_level, d.source_id, d.rendition, d.court, d.degree, d.instance, d.position, d.revision,
       {", ".join(f"s.{name} AS state_{name}" for name in _State._fields)}
  FROM unnest(%(jobs)s::text[], %(numbers)s::text[], %(scopes)s::uuid[]) AS j (job_id, number, scope)
 CROSS JOIN LATERAL (
       SELECT * FROM catalog.documents AS listed
        WHERE process_number = j.number AND (j.scope IS NULL OR document_id = j.scope) AND {public_text("listed")}
        ORDER BY position, document_id LIMIT {MOST_DOCUMENTS + 1}) d
  LEFT JOIN progress.documents s USING (process_number, document_id)
 ORDER BY j.job_id, d.position, d.document_id
"""  # noqa: S608
_COUNT: Final = "SELECT count(*) FROM catalog.documents WHERE process_number = %(number)s"
_NUMBERS: Final = f"""
SELECT count(*), count(*) FILTER (WHERE {public_text("d")}),
       count(*) FILTER (WHERE {public_text("d")} AND s.status = 'available'),
       count(*) FILTER (WHERE {public_text("d")} AND s.status = 'failed')
  FROM catalog.documents AS d LEFT JOIN progress.documents AS s USING (process_number, document_id)
 WHERE d.process_number = %(number)s AND (%(scope)s::uuid IS NULL OR d.document_id = %(scope)s::uuid)
"""  # noqa: S608
_FIRST_STATE: Final = 18
_WHOLE_CASE: Final = "all"


# A document has the same name and type in every attempt, and many have the same ones.
_disposition: Final = lru_cache(maxsize=4096)(content_disposition)


class Links(Protocol):
    """What makes links (:class:`shared.storage.store.PresignedLinks`)."""

    def make(self, key: str, *, content_disposition: str | None = None, content_type: str | None = None) -> str:
        """A link to ``key`` that works for LINK_SECONDS."""


class BodyName(NamedTuple):
    """Which body: of a job, in the form that its endpoint takes, for a client that asked with the scope or without."""

    job_id: str
    form: Form = Form.FULL
    sealed: bool = False


class Bodies:
    """Makes bodies in the thread of a transaction; none has more than ``most_bytes``."""

    def __init__(self, links: Links, clock: Clock, *, most_bytes: int = 1024**2, public_url: str | None = None) -> None:
        self._links = links
        self._clock = clock
        self._most_bytes = most_bytes
        self._public_url = public_url

    def make(self, connection: Connection, names: Sequence[BodyName]) -> dict[BodyName, Body]:
        """Each of these bodies. One that cannot be made is left out, so that it stops no other."""
        made = {}
        for name, render in self.load(connection, names).items():
            try:
                made[name] = render()
            # Whatever it is, it is this case's alone; its own attempt meets it again, and logs it.
            except Exception:  # noqa: BLE001
                _log.debug("a body could not be made", extra={"job_id": name.job_id})
        return made

    def load(self, connection: Connection, names: Sequence[BodyName]) -> dict[BodyName, Callable[[], Body]]:
        """For each body, what makes it without the database: so that a long one holds no transaction."""
        found = connection.exec_driver_sql(_COMPLETIONS, {"jobs": sorted({name.job_id for name in names})}).all()
        completions = {row.job_id: row for row in found}
        numbers = sorted({row.process_number for row in found})
        cases = {row.process_number: row for row in connection.exec_driver_sql(_CASES, {"numbers": numbers})}
        # Each job once: its bodies with and without what is sealed show the same documents.
        full = {name.job_id for name in names if name.form is Form.FULL} & completions.keys()
        documents = _documents(connection, [completions[job_id] for job_id in sorted(full)])

        def renderer(completion: Any, name: BodyName) -> Callable[[], Body]:
            rows = documents.get(completion.job_id, [])
            case = cases.get(completion.process_number)
            numbers = _numbers(connection, completion, case, len(rows) if name.form is Form.FULL else None)
            left_out = _left_out(connection, case, name) if case is not None else NOTHING_LEFT_OUT
            return lambda: self._render(completion, case, rows[:MOST_DOCUMENTS], numbers, left_out, name)

        return {name: renderer(completions[name.job_id], name) for name in names if name.job_id in completions}

    def _render(
        self,
        completion: Any,
        case: Any | None,
        rows: Sequence[Any],
        numbers: Numbers,
        left_out: LeftOut,
        name: BodyName,
    ) -> Body:
        url = self._public_url
        told = telling(completion, case, numbers, sealed=name.sealed, public_url=url)
        total = told.documents_total
        if _is_whole(completion):
            total += told.case["left_out"].get("documents", 0)
        expires_at = self._clock() + timedelta(seconds=LINK_SECONDS)
        shown = rows if told.shows_documents else ()

        def views() -> list[dict[str, Any]]:
            same = duplicates((row.document_id, row.state_sha256, row.state_object_key) for row in shown)
            made = [self._document(row, expires_at, same.get(row.document_id)) for row in shown]
            return [left_out.applied(view) for view in made]

        documents = Documents(total, documents_url(completion.process_number, url), views)
        return completed_body(told.end, told.case, documents, form=name.form, most_bytes=self._most_bytes)

    def _document(self, row: Any, expires_at: datetime, duplicate_of: str | None) -> dict[str, Any]:
        state = _State(*row[_FIRST_STATE:]) if row.state_status is not None else None
        link = None
        if state is not None and state.status == AVAILABLE:
            link = self._links.make(
                state.object_key or object_key(row.process_number, row.document_id),
                content_disposition=_disposition(row.name, state.content_type),
                content_type=state.content_type,
            )
        return document_view(
            row, state, default_status="pending", link=link, link_expires_at=expires_at, duplicate_of=duplicate_of
        )


def _documents(connection: Connection, completions: Sequence[Any]) -> dict[str, list[Any]]:
    """The first documents of each job, by the job's id."""
    found: dict[str, list[Any]] = {}
    if completions:
        wanted = {
            "jobs": [row.job_id for row in completions],
            "numbers": [row.process_number for row in completions],
            "scopes": [None if _is_whole(row) else row.scope for row in completions],
        }
        for row in connection.exec_driver_sql(_DOCUMENTS, wanted):
            found.setdefault(row.job_id, []).append(row)
    return found


def _left_out(connection: Connection, case: Any, name: BodyName) -> LeftOut:
    """What the documents of a body must not tell of: for who may see all, their places are those of the case."""
    if not case.has_sealed:
        return NOTHING_LEFT_OUT
    found = read_left_out(connection, case.process_number)
    return LeftOut(ids=found.ids) if name.sealed else found


def _numbers(connection: Connection, completion: Any, case: Any | None, read: int | None) -> Numbers:
    """How many documents a job is about; ``read`` is how many public ones were read, where they were."""
    if case is not None and case.has_sealed:
        scope = None if _is_whole(completion) else completion.scope
        wanted = {"number": completion.process_number, "scope": scope}
        return Numbers(*connection.exec_driver_sql(_NUMBERS, wanted).one())
    total = read if read is not None and read <= MOST_DOCUMENTS else _count(connection, completion)
    return Numbers(total, total, 0, 0)


def _count(connection: Connection, completion: Any) -> int:
    if not _is_whole(completion):
        return int(completion.total_documents)
    counted: int = connection.exec_driver_sql(_COUNT, {"number": completion.process_number}).scalar_one()
    return counted


def _is_whole(completion: Any) -> bool:
    """Whether the job is about all documents of its case, and not about one."""
    return completion.scope in {None, _WHOLE_CASE}
