"""What is too old leaves the access log, in batches, by the role that may delete and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

from services.notifier.intake import access_log_upkeep
from services.notifier.intake.access_log_upkeep import AccessLogUpkeep
from shared.db.engine import Database
from tests.integration.db.fresh import FreshDatabase, fresh_database
from tests.support import Servers


@pytest.fixture
def database(servers: Servers) -> Iterator[FreshDatabase]:
    with fresh_database(servers) as fresh:
        yield fresh


async def test_rows_leave_when_they_are_too_old(database: FreshDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log_upkeep, "_BATCH", 10)
    now = datetime(2030, 1, 31, tzinfo=UTC)
    connection = psycopg2.connect(database.owner_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        # One an hour, for fifty hours.
        cursor.execute(
            "INSERT INTO audit.access_log (at, process_number, route, sealed)"
            " SELECT %s - n * interval '1 hour', 'x', 'GET /', false FROM generate_series(0, 49) n",
            (now,),
        )
        notifier = Database.connect(database.role_urls["notifier"], application_name="test", pool_size=1)
        upkeep = AccessLogUpkeep(notifier, lambda: now, retention=timedelta(hours=24))
        assert await upkeep.round() == 25
        assert await upkeep.round() == 0
        cursor.execute("SELECT count(*), min(at) FROM audit.access_log")
        assert cursor.fetchone() == (25, now - timedelta(hours=24))
    connection.close()
    notifier.close()
