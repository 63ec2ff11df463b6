"""What clients call their jobs: ``catalog.job_references``. Each is read with the id of the client that gave it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.catalog import job_references, process_requests
from shared.db.prepared import Prepared

_OWN: Final = Prepared(
    "autos_job_reference",
    select(job_references.c.reference).where(
        job_references.c.job_id == bindparam("job_id"), job_references.c.client_id == bindparam("client_id")
    ),
)
_NEW: Final = insert(job_references).values(
    {name: bindparam(name) for name in ("job_id", "client_id", "reference", "given_at")}
)
_GIVE: Final = _NEW.on_conflict_do_update(
    index_elements=["job_id", "client_id"],
    set_={"reference": _NEW.excluded.reference, "given_at": _NEW.excluded.given_at},
    where=job_references.c.reference != _NEW.excluded.reference,
)
_COUNT: Final = (
    update(process_requests)
    .where(
        process_requests.c.client_id == bindparam("its_client"),
        process_requests.c.process_number == bindparam("number"),
    )
    .values(reference_changes=process_requests.c.reference_changes + 1)
)


def read_reference(connection: Connection, job_id: str, client_id: str) -> str | None:
    """What the client calls the job; None when it gave no reference."""
    found: str | None = _OWN.run(connection, {"job_id": job_id, "client_id": client_id}).scalar_one_or_none()
    return found


def give_reference(
    connection: Connection, job_id: str, client_id: str, process_number: str, reference: str, now: datetime
) -> None:
    """The client calls the job this from now on. The same reference again changes nothing.

    Another one also counts up ``process_requests.reference_changes``, which is part of the entity tag. The caller has
    recorded that the client asked for the case, and commits.
    """
    row = {"job_id": job_id, "client_id": client_id, "reference": reference, "given_at": now}
    if connection.execute(_GIVE, row).rowcount == 1:
        connection.execute(_COUNT, {"its_client": client_id, "number": str(process_number)})
