"""A long history of deliveries and attempts, and the plans of the real statements on it.

``python -m tests.integration.notifier.history 500000`` fills a database of its own with that many deliveries of two
attempts each, and prints the plan and the milliseconds of each statement.
"""

from __future__ import annotations

import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from services.api.deliveries import repository
from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.domain.retry_policy import RetryPolicy
from services.notifier.sending import claim_rows, record_rows
from shared.db.engine import make_engine
from shared.domain.secrecy import Viewer
from tests.integration.db.fresh import fresh_database
from tests.statements import note
from tests.support import Servers

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
CLIENT = "client-0"
"""Half of all is this one's."""
_FILL = (
    """
    INSERT INTO delivery.endpoints (endpoint_id, client_id, url, origin)
    SELECT md5('endpoint' || n)::uuid, 'client-' || mod(n, 20), 'https://example.com/' || n, 'https://example.com'
      FROM generate_series(0, 199) AS n
    """,
    # Newest last; one of 500 is exhausted, one of 1,000 waits, and a tenth of these are due.
    """
    INSERT INTO delivery.deliveries (delivery_id, subscription_id, job_id, process_number, client_id, endpoint_id, url,
           status, attempts, round_attempts, next_attempt_at, created_at, updated_at)
    SELECT md5('delivery' || n)::uuid, md5('subscription' || n)::uuid, md5('job' || n)::uuid,
           lpad((mod(n, %(count)s / 2))::text, 7, '0') || '-00.2026.8.26.0001',
           'client-' || CASE WHEN mod(n, 2) = 0 THEN 0 ELSE mod(n, 20) END, md5('endpoint' || mod(n, 200))::uuid,
           'https://example.com/' || mod(n, 200),
           CASE WHEN mod(n, 500) = 0 THEN 'exhausted' WHEN mod(n, 1000) = 1 THEN 'waiting' ELSE 'delivered' END, 2, 2,
           CASE WHEN mod(n, 1000) = 1 THEN %(now)s + (mod(n, 10000) - 1000) * interval '1 second' END,
           %(now)s - (%(count)s - n) * interval '10 seconds', %(now)s
      FROM generate_series(0, %(count)s - 1) AS n
    """,
    """
    INSERT INTO delivery.attempts (delivery_id, attempt, started_at, duration_ms, address, status_code, succeeded,
           response_excerpt)
    SELECT md5('delivery' || n)::uuid, a, %(now)s - (%(count)s - n) * interval '10 seconds', 10, '192.0.2.1',
           CASE WHEN a = 1 THEN 503 ELSE 200 END, a = 2, repeat('answer ', 10)
      FROM generate_series(0, %(count)s - 1) AS n CROSS JOIN generate_series(1, 2) AS a
    """,
    "ANALYZE delivery.endpoints",
    "ANALYZE delivery.deliveries",
    "ANALYZE delivery.attempts",
)


@dataclass(frozen=True)
class Plan:
    """How the server runs a statement. ``scans`` are "Index Scan using x on y" and the like, in the plan's order."""

    name: str
    scans: tuple[str, ...]
    rows: int
    milliseconds: float


@contextmanager
def history(servers: Servers, deliveries: int) -> Iterator[Engine]:
    """A database with so many deliveries, twice as many attempts, and statistics."""
    with fresh_database(servers) as database:
        engine = make_engine(database.owner_url, application_name="history", pool_size=1)
        try:
            with engine.begin() as connection:
                for statement in _FILL:
                    connection.exec_driver_sql(statement, {"count": deliveries, "now": NOW})
            yield engine
        finally:
            engine.dispose()


def plans(engine: Engine, deliveries: int) -> list[Plan]:
    """The plan of every statement that reads the history."""
    found: list[Plan] = []
    for name, ask in _questions(deliveries).items():
        # Twice: the second one is what a server that has the pages in memory does.
        for _ in range(2):
            seen = list(_explained(engine, name, ask))
        found += seen
    return found


_VIEWER = Viewer(CLIENT, sealed=True)


def _questions(deliveries: int) -> dict[str, Callable[[Connection], object]]:
    def page(**more: Any) -> Callable[[Connection], object]:
        wanted = {"process_number": None, "status": None, "before": None, "limit": 51, **more}
        return lambda connection: repository.page(connection, _VIEWER, **wanted)

    def identity(number: int) -> Callable[[Connection], str]:
        text = "SELECT md5('delivery' || %(n)s)::uuid::text"
        return lambda connection: str(connection.exec_driver_sql(text, {"n": number}).scalar_one())

    last = deliveries - 2
    number = f"{(deliveries // 4) * 2 % (deliveries // 2):07d}-00.2026.8.26.0001"
    # Three quarters down the client's list.
    deep = (NOW - timedelta(seconds=10 * (deliveries * 3 // 4)), "00000000-0000-0000-0000-000000000000")
    waiting = lambda connection: claim_rows.due(  # noqa: E731
        connection, NOW, grace=timedelta(seconds=1), full=[], each=300, most=500
    )
    return {
        "list": page(),
        "list, deep cursor": page(before=deep),
        "list by case": page(process_number=number),
        "list by status, few": page(status="exhausted"),
        "list by status, few, deep cursor": page(status="exhausted", before=deep),
        "list by status, none": page(status="gone"),
        "list by status, most": page(status="delivered"),
        "one": lambda connection: repository.find(connection, _VIEWER, identity(last)(connection)),
        "attempts of a page": lambda connection: repository.attempts_of(
            connection, [identity(last - 2 * index)(connection) for index in range(50)]
        ),
        "sweep": waiting,
        # Claimed for a client that is not there: they are cancelled, so that the statement that writes is seen too.
        "claim": lambda connection: claim_rows.claim(
            connection,
            [DueDelivery(identity(10_000 * index + 1)(connection), "", "", "") for index in range(5)],
            NOW,
            RetryPolicy(),
            lambda: str(uuid.uuid4()),
        ),
        "purge": lambda connection: record_rows.purge_attempts(
            connection, NOW - timedelta(seconds=10 * deliveries - 1000), most=5_000
        ),
    }


def _explained(engine: Engine, name: str, ask: Callable[[Connection], object]) -> Iterator[Plan]:
    """The plans of what ``ask`` executes; nothing of it stays."""
    seen: list[tuple[str, Any]] = []

    def heard(_: object, statement: str, parameters: Any) -> None:
        # What a prepared statement says stands in its PREPARE, and its EXECUTE can be explained.
        if statement.startswith("EXECUTE") or ("delivery." in statement and not statement.startswith("PREPARE")):
            seen.append((statement, parameters))

    end = note(engine, heard)
    with engine.connect() as connection:
        end()
        ask(connection)
        connection.rollback()
        # The plan that the server keeps, made without the parameters.
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        for statement, parameters in tuple(seen):
            explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
            (answer,) = connection.exec_driver_sql(explain, parameters).scalar_one()
            rows = int(answer["Plan"]["Actual Rows"])
            yield Plan(name, tuple(_scans(answer["Plan"])), rows, answer["Execution Time"])
        connection.rollback()


def _scans(node: dict[str, Any]) -> Iterator[str]:
    if "Scan" in node["Node Type"] and node["Node Type"] not in {"CTE Scan", "WorkTable Scan", "Subquery Scan"}:
        index = f" using {node['Index Name']}" if "Index Name" in node else ""
        table = f" on {node['Relation Name']}" if "Relation Name" in node else ""
        yield f"{node['Node Type']}{index}{table}"
    for below in node.get("Plans", ()):
        yield from _scans(below)


def main(deliveries: int) -> None:
    """Print every plan."""
    from tests.embedded import embedded_servers

    with (
        tempfile.TemporaryDirectory(prefix="autos-history-") as temporary,
        embedded_servers(Path(temporary) / "data") as servers,
        history(servers, deliveries) as engine,
    ):
        for plan in plans(engine, deliveries):
            print(f"{plan.name:36} {plan.milliseconds:9.2f} ms {plan.rows:6} rows  {'; '.join(plan.scans)}")  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500_000)
