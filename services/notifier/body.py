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

from shared.clock import Clock
from shared.pdpj.content import content_disposition
from shared.storage import LINK_SECONDS, object_key
from shared.views import AVAILABLE, case_view, document_view, unknown_case_view
from shared.webhooks.payload import completed_body

_log = logging.getLogger(__name__)

_COMPLETIONS: Final = """
SELECT c.job_id::text, c.process_number, c.status, c.total_documents, c.completed_documents, c.failed_documents,
       c.error_code, c.error_message, c.created_at, c.completed_at, j.scope
  FROM delivery.completions c LEFT JOIN catalog.jobs j USING (job_id) WHERE c.job_id = ANY (%(jobs)s::uuid[])
"""
_CASES: Final = """
SELECT process_number, court, degree, "class", subjects, parties, filed_at, claim_value, secrecy_level, movements,
       fetched_at
  FROM catalog.processes WHERE process_number = ANY (%(numbers)s)
"""


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


_DOCUMENTS: Final = f"""
SELECT d.process_number, d.document_id::text, d.name, d.type, d.sequence, d.filed_at, d.pages, d.size,
       d.content_type, d.secrecy_level, {", ".join(f"s.{name} AS state_{name}" for name in _State._fields)}
  FROM catalog.documents d LEFT JOIN progress.documents s USING (process_number, document_id)
 WHERE d.process_number = ANY (%(numbers)s) ORDER BY d.process_number, d.position, d.document_id
"""  # noqa: S608
_FIRST_STATE: Final = 10
_WHOLE_CASE: Final = "all"


# A document has the same name and type in every attempt, and many have the same ones.
_disposition: Final = lru_cache(maxsize=4096)(content_disposition)


class Links(Protocol):
    """What makes links (:class:`shared.storage.PresignedLinks`)."""

    def make(self, key: str, *, content_disposition: str | None = None, content_type: str | None = None) -> str:
        """A link to ``key`` that works for LINK_SECONDS."""


class Bodies:
    """Makes bodies in the thread of a transaction."""

    def __init__(self, links: Links, clock: Clock) -> None:
        self._links = links
        self._clock = clock

    def make(self, connection: Connection, job_ids: Sequence[str]) -> dict[str, bytes]:
        """The body of each of these jobs. One that cannot be made is left out, so that it stops no other."""
        made = {}
        for job_id, render in self.load(connection, job_ids).items():
            try:
                made[job_id] = render()
            # Whatever it is, it is this case's alone; its own attempt meets it again, and logs it.
            except Exception:  # noqa: BLE001
                _log.debug("a body could not be made", extra={"job_id": job_id})
        return made

    def load(self, connection: Connection, job_ids: Sequence[str]) -> dict[str, Callable[[], bytes]]:
        """For each job, what makes its body without the database: so that a long one holds no transaction."""
        completions = connection.exec_driver_sql(_COMPLETIONS, {"jobs": list(set(job_ids))}).all()
        numbers = sorted({row.process_number for row in completions})
        cases = {row.process_number: row for row in connection.exec_driver_sql(_CASES, {"numbers": numbers})}
        documents: dict[str, list[Any]] = {number: [] for number in numbers}
        for row in connection.exec_driver_sql(_DOCUMENTS, {"numbers": numbers}):
            documents[row.process_number].append(row)

        def renderer(completion: Any) -> Callable[[], bytes]:
            number = completion.process_number
            return lambda: self._render(completion, cases.get(number), documents[number])

        return {row.job_id: renderer(row) for row in completions}

    def _render(self, completion: Any, case: Any | None, documents: Sequence[Any]) -> bytes:
        number = completion.process_number
        if completion.scope not in {None, _WHOLE_CASE}:
            documents = [row for row in documents if row.document_id == completion.scope]
        expires_at = self._clock() + timedelta(seconds=LINK_SECONDS)
        views = [self._document(row, expires_at) for row in documents]
        return completed_body(completion, case_view(case) if case is not None else unknown_case_view(number), views)

    def _document(self, row: Any, expires_at: datetime) -> dict[str, Any]:
        state = _State(*row[_FIRST_STATE:]) if row.state_status is not None else None
        link = None
        if state is not None and state.status == AVAILABLE:
            link = self._links.make(
                state.object_key or object_key(row.process_number, row.document_id),
                content_disposition=_disposition(row.name, state.content_type),
                content_type=state.content_type,
            )
        return document_view(row, state, default_status="pending", link=link, link_expires_at=expires_at)
