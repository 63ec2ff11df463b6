"""What a client sees of many cases, read together: the rule of :mod:`shared.db.visibility` for a page of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, bindparam

from shared.db.catalog import process_requests
from shared.db.visibility import KNOWLEDGE
from shared.domain.secrecy import Knowledge, Sight, Viewer

_OF_MANY: Final = KNOWLEDGE.add_columns(process_requests.c.process_number).where(
    process_requests.c.process_number.in_(bindparam("numbers", expanding=True))
)


def read_sights(connection: Connection, viewer: Viewer, process_numbers: Sequence[str]) -> dict[str, Sight]:
    """What ``viewer`` sees of these cases, by number; those of which it sees nothing are not there.

    One statement, however many they are. What is left out of a case that hides documents is not read.
    """
    rows = connection.execute(_OF_MANY, {"client_id": viewer.client_id, "numbers": list(process_numbers)})
    found = {number: Knowledge(True, *known).sight(viewer) for *known, number in rows}
    return {number: sight for number, sight in found.items() if sight is not None}
