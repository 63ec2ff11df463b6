"""The look for ends that a request just missed takes as long for each end, however many a client's feed has."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest
from sqlalchemy import Connection

from services.notifier.intake import feed_rows
from shared.db.prepared import plan_once
from tests.integration.notifier.world import World

_ENDS: Final = 400
_FILL: Final = (
    """
    INSERT INTO delivery.completions (job_id, process_number, status, total_documents, completed_documents,
           failed_documents, created_at, completed_at)
    SELECT md5('late' || n)::uuid, lpad(n::text, 7, '0') || '-00.2026.8.26.0002', 'completed', 1, 1, 0, now(), now()
      FROM generate_series(1, %(ends)s) AS n
    """,
    """
    INSERT INTO catalog.process_requests (client_id, process_number, first_requested_at, last_requested_at)
    SELECT %(client)s, lpad(n::text, 7, '0') || '-00.2026.8.26.0002', now(), now()
      FROM generate_series(1, %(ends)s) AS n
    """,
    # The last one is missing.
    """
    INSERT INTO delivery.feed_events (client_id, position, event_type, job_id, part, process_number, recorded_at)
    SELECT %(client)s, n, 'process.completed', md5('late' || n)::uuid, 0,
           lpad(n::text, 7, '0') || '-00.2026.8.26.0002', now()
      FROM generate_series(1, %(ends)s - 1) AS n
    """,
)


@pytest.mark.parametrize("analysed", [(), ("delivery.completions", "catalog.process_requests")])
def test_an_end_that_a_request_missed_is_found_without_reading_the_feed(
    world: World, analysed: tuple[str, ...]
) -> None:
    """With statistics of its own tables at different ages, as they are while a service is new."""
    client, _ = world.client()
    with world.engine.connect() as connection:
        plan_once(connection.connection.dbapi_connection)
        connection.exec_driver_sql("ANALYZE delivery.feed_events")  # while it has few rows
        for statement in _FILL:
            connection.exec_driver_sql(statement, {"ends": _ENDS, "client": client})
        for table in analysed:
            connection.exec_driver_sql(f"ANALYZE {table}")
        now = connection.exec_driver_sql("SELECT now()").scalar_one()
        since, slack = now - timedelta(minutes=2), timedelta(seconds=5)
        missing = connection.exec_driver_sql(f"SELECT md5('late{_ENDS}')::uuid::text").scalar_one()
        before = _read(connection)
        found = feed_rows.late_ends(connection, since, slack=slack, most=500)
        read = _read(connection) - before
        connection.rollback()
        connection.invalidate()  # its settings are the services'
    assert missing in found
    assert read <= 2 * _ENDS


def _read(connection: Connection) -> int:
    """How many rows of feeds this transaction has read by now."""
    sums = "SELECT sum(idx_tup_fetch + seq_tup_read) FROM pg_stat_xact_user_tables WHERE relname = 'feed_events'"
    return int(connection.exec_driver_sql(sums).scalar_one())
