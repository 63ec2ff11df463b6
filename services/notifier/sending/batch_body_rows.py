"""SQL of the body of ``document.available``: the documents of one batch, as they are now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, text

from services.notifier.sending.body_key import BodyKey
from services.notifier.sending.body_rows import DOCUMENT_COLUMNS
from shared.db.document_states import listed_text, state_text
from shared.db.visibility import public_text, read_left_out
from shared.domain.secrecy import NOTHING_LEFT_OUT, PUBLIC_LEVEL, LeftOut

_BATCHES: Final = text("""
SELECT b.job_id::text, b.part, b.process_number, b.made_at
  FROM unnest(CAST(:jobs AS uuid[]), CAST(:parts AS int[])) AS wanted (job_id, part)
  JOIN delivery.document_batches AS b USING (job_id, part)
""")
# Not what has become sealed since, and nothing of a case that has.
_DOCUMENTS: Final = text(f"""
SELECT b.job_id::text, b.part, {DOCUMENT_COLUMNS}
  FROM unnest(CAST(:jobs AS uuid[]), CAST(:parts AS int[])) AS wanted (job_id, part)
  JOIN delivery.document_batches AS b USING (job_id, part)
  JOIN catalog.processes AS p ON p.process_number = b.process_number AND p.secrecy_level = {PUBLIC_LEVEL}
 CROSS JOIN {listed_text("b.process_number", "b.document_ids", "d", public_text("listed"))}
  LEFT JOIN {state_text("d", "s")} ON true
 ORDER BY d.position, d.document_id
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class BatchContent:
    """What a body is made of; ``left_out`` is what the documents must not show of sealed ones."""

    batch: Any
    documents: Sequence[Any]
    left_out: LeftOut


def load_batches(connection: Connection, keys: Sequence[BodyKey]) -> dict[BodyKey, BatchContent]:
    """The content of each body; none for a batch that is gone."""
    if not keys:
        return {}
    wanted = {"jobs": [key.job_id for key in keys], "parts": [key.part for key in keys]}
    batches = {(row.job_id, row.part): row for row in connection.execute(_BATCHES, wanted)}
    documents: dict[tuple[str, int], dict[str, Any]] = {name: {} for name in batches}
    for row in connection.execute(_DOCUMENTS, wanted):
        documents[row.job_id, row.part][row.document_id] = row
    left_out = {number: _left_out(connection, number) for number in {row.process_number for row in batches.values()}}
    return {
        key: BatchContent(batch, list(documents[key.job_id, key.part].values()), left_out[batch.process_number])
        for key in keys
        if (batch := batches.get((key.job_id, key.part))) is not None
    }


def _left_out(connection: Connection, process_number: str) -> LeftOut:
    found = read_left_out(connection, process_number)
    return found if found.ids else NOTHING_LEFT_OUT
