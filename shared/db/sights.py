"""What a client sees of many cases, read together: the rule of :mod:`shared.db.visibility` for a page of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, text

from shared.db.visibility import sealed_text
from shared.domain.secrecy import Knowledge, Sight, Viewer

_KNOWLEDGE: Final = text(f"""
SELECT r.process_number, r.sealed, p.process_number IS NOT NULL AS stored, p.secrecy_level,
       EXISTS (SELECT FROM catalog.documents AS d
                WHERE d.process_number = r.process_number AND {sealed_text("d")}) AS has_sealed,
       r.reference_changes
  FROM catalog.process_requests AS r LEFT JOIN catalog.processes AS p USING (process_number)
 WHERE r.client_id = :client AND r.process_number = ANY (:numbers)
""")  # noqa: S608


def read_sights(connection: Connection, viewer: Viewer, process_numbers: Sequence[str]) -> dict[str, Sight]:
    """What ``viewer`` sees of these cases, by number; those of which it sees nothing are not there.

    One statement, however many they are. What is left out of a case that hides documents is not read.
    """
    rows = connection.execute(_KNOWLEDGE, {"client": viewer.client_id, "numbers": list(process_numbers)})
    found = {
        row.process_number: Knowledge(
            True, row.sealed, row.stored, row.secrecy_level, row.has_sealed, row.reference_changes
        ).sight(viewer)
        for row in rows
    }
    return {number: sight for number, sight in found.items() if sight is not None}
