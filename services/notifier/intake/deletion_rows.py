"""SQL that removes a case from the notifier's tables, a batch at a time.

An end, a subscription or a request of a deleted job that comes later is left out where it is taken
(services/notifier/intake/handlers.py), so that nothing of the case is made anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, text

from services.notifier.intake.job_locks import wait_for_jobs
from shared.db import delivery
from shared.db.deletions import outbox_rows, removing
from shared.deletion import DeletedCase, remove_rows

_OF_JOBS: Final = "job_id = ANY (CAST(:jobs AS uuid[]))"
_OF_CASE: Final = f"process_number = :number OR {_OF_JOBS}"
# An endpoint is remembered by the URL that a request gave, without its query; a client may have put the number there.
_NAMED_ENDPOINT: Final = "NOT registered AND (position(:number IN url) > 0 OR position(:digits IN url) > 0)"


def _removing(condition: str) -> dict[str, Any]:
    """The statements that remove what belongs to deliveries, ends and the like that meet a condition of our own."""
    return {
        "attempts": removing(
            "delivery.attempts",
            f"delivery_id IN (SELECT delivery_id FROM delivery.deliveries WHERE {condition})",  # noqa: S608
        ),
        **{
            name: removing(f"delivery.{name}", condition)
            for name in ("deliveries", "subscriptions", "feed_events", "document_batches", "completions")
        },
    }


# Deliveries and events of feeds have no index by their job. These tables have, and one of them has the job for as long
# as there is anything of it: the database asks them first, and looks through the others only where they have one.
_IS_LEFT: Final = " OR ".join(
    f"EXISTS (SELECT FROM delivery.{name} WHERE {_OF_JOBS})"
    for name in ("completions", "subscriptions", "document_batches")
)
OF_JOBS: Final = _removing(f"(SELECT {_IS_LEFT}) AND {_OF_JOBS}")
"""Of old jobs alone. A process that starts looks at all that were deleted, of which next to nothing is left."""
_STATEMENTS: Final = {
    **_removing(_OF_CASE),
    "endpoint_starts": removing(
        "delivery.endpoint_starts",
        f"endpoint_id IN (SELECT endpoint_id FROM delivery.endpoints WHERE {_NAMED_ENDPOINT})",  # noqa: S608
    ),
    "endpoints": removing("delivery.endpoints", _NAMED_ENDPOINT),
    "outbox": outbox_rows(delivery.SCHEMA),
}
_LOCK: Final = text(f"SELECT FROM delivery.deliveries WHERE {_OF_CASE} ORDER BY delivery_id FOR UPDATE")


def purge(connection: Connection, case: DeletedCase) -> Mapping[str, int]:
    """Remove at most a batch of one case; the caller commits.

    It waits for those who hold one of the case's jobs and may have looked before it was deleted; who comes later sees
    that it is. An attempt that is on its way is recorded nowhere: its delivery is gone.
    """
    if case.job_ids:
        wait_for_jobs(connection, case.job_ids)
    # An attempt that is being recorded ends first, so that its row is seen below.
    connection.execute(_LOCK, case.names)
    return remove_rows(connection, case, _STATEMENTS)
