"""Who asked for which case: ``catalog.process_requests``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, or_
from sqlalchemy.dialects.postgresql import insert

from shared.db.catalog import process_requests
from shared.domain.secrecy import Viewer

_RECORD_EVERY: Final = timedelta(seconds=60)
_NEW_REQUEST: Final = insert(process_requests).values(
    client_id=bindparam("client_id"),
    process_number=bindparam("number"),
    first_requested_at=bindparam("now"),
    last_requested_at=bindparam("now"),
    sealed=bindparam("sealed"),
)
_RECORD: Final = _NEW_REQUEST.on_conflict_do_update(
    index_elements=["client_id", "process_number"],
    set_={
        "last_requested_at": _NEW_REQUEST.excluded.last_requested_at,
        "sealed": or_(process_requests.c.sealed, _NEW_REQUEST.excluded.sealed),
    },
)


def is_noted(noted_at: datetime | None, now: datetime) -> bool:
    """Whether a client's request for a case was recorded within the last minute: one record stands for that time."""
    return noted_at is not None and now - noted_at < _RECORD_EVERY


def record_request(connection: Connection, viewer: Viewer, process_number: str, now: datetime) -> None:
    """Record that a client asked for a case, and whether it ever did with a key of the scope ``sealed``.

    What is recorded decides which cases the client may list and follow. The caller commits; a repeat moves the time,
    and can add the scope.
    """
    wanted = {"client_id": viewer.client_id, "number": str(process_number), "now": now, "sealed": viewer.sealed}
    connection.execute(_RECORD, wanted)
