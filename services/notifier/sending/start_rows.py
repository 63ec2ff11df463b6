"""SQL of ``delivery.endpoint_starts``: when the next delivery to an endpoint with a rate may start, over all replicas.

The database's clock is used, which all replicas share; ``now()`` is the same in every statement of a transaction. A row
that another replica holds is not waited for: no delivery of another endpoint waits with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from services.notifier.domain.endpoint_rate import TAKEN_SECONDS, ReservedStart, ask_again, reserve

_LOCK: Final = text("""
SELECT endpoint_id::text, extract(epoch FROM next_start_at - now())::float AS seconds FROM delivery.endpoint_starts
 WHERE endpoint_id = ANY (CAST(:ids AS uuid[])) ORDER BY endpoint_starts.endpoint_id FOR UPDATE SKIP LOCKED
""")
# Looked for first: an insert would wait for whoever holds the row that is there.
_KNOWN: Final = text("""
SELECT endpoint_id::text FROM delivery.endpoint_starts WHERE endpoint_id = ANY (CAST(:ids AS uuid[]))
""")
_ADD: Final = text("""
INSERT INTO delivery.endpoint_starts (endpoint_id, next_start_at)
SELECT id, now() FROM unnest(CAST(:ids AS uuid[])) AS id ORDER BY id ON CONFLICT DO NOTHING
RETURNING endpoint_id::text, 0.0::float AS seconds
""")
_MOVE: Final = text("""
UPDATE delivery.endpoint_starts AS s SET next_start_at = now() + make_interval(secs => moved.seconds)
  FROM unnest(CAST(:ids AS uuid[]), CAST(:seconds AS float[])) AS moved (endpoint_id, seconds)
 WHERE s.endpoint_id = moved.endpoint_id
""")
_PURGE: Final = text("""
DELETE FROM delivery.endpoint_starts WHERE endpoint_id IN (
       SELECT endpoint_id FROM delivery.endpoint_starts WHERE next_start_at < :before
        LIMIT :most FOR UPDATE SKIP LOCKED)
""")


def reserve_starts(
    connection: Connection, wanted: Sequence[tuple[str, str]], intervals: Mapping[str, float]
) -> dict[str, ReservedStart | float]:
    """Reserve the starts of these deliveries: pairs of a delivery's id and its endpoint's, which has an interval.

    For each delivery its start, or in how many seconds to ask again. The moments count from the transaction's begin.
    """
    ids = sorted(intervals)
    known = {row.endpoint_id: row.seconds for row in connection.execute(_LOCK, {"ids": ids})}
    if others := set(ids) - known.keys():
        held = connection.execute(_KNOWN, {"ids": list(others)}).scalars().all()
        if new := sorted(others.difference(held)):
            known |= {row.endpoint_id: row.seconds for row in connection.execute(_ADD, {"ids": new})}
    found: dict[str, ReservedStart | float] = {}
    moved: dict[str, float] = {}
    for delivery_id, endpoint_id in wanted:
        if endpoint_id not in known:
            found[delivery_id] = TAKEN_SECONDS
            continue
        start = reserve(known[endpoint_id], intervals[endpoint_id])
        if start is None:
            found[delivery_id] = ask_again(known[endpoint_id])
            continue
        found[delivery_id] = start
        known[endpoint_id] = moved[endpoint_id] = start.after
    if moved:
        connection.execute(_MOVE, {"ids": list(moved), "seconds": list(moved.values())})
    return found


def purge_starts(connection: Connection, before: datetime, *, most: int) -> int:
    """Forget at most ``most`` endpoints that have not been called since; how many were forgotten."""
    return connection.execute(_PURGE, {"before": before, "most": most}).rowcount
