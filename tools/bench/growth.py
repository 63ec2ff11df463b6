"""How large the database is with a million documents, and what the retention brings it back to.

Half of the cases were asked for long ago. Rows of every table that grows with a case are made by SQL, then the parts
that the services run delete the old half as AUTOS_CASE_RETENTION_DAYS does; then as many new cases come. A database
that does not grow without bound is then about as large as before. The object store is left out: removing objects is its
own cost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, text

from services.api.deletions.retention import CaseRetention
from services.api.deletions.service import DeletionService
from services.notifier.intake import deletion_rows as delivery_rows
from services.status.projection import deletion_rows as progress_rows
from shared.clock import utc_now
from shared.db.engine import Database, make_engine
from shared.deletion import DeletedCase, DeletionSteps
from tools.bench.figures import Figure
from tools.bench.product import case_numbers, running_servers
from tools.bench.registry import Benchmark, BenchmarkFailed, Plan

_OF_A_CASE: Final = 100
_KEPT_DAYS: Final = 365
_TOGETHER: Final = 500
"""Cases whose rows are made in one transaction."""
_CLIENT: Final = "INSERT INTO catalog.clients (client_id, name, webhook_secret) VALUES ('growth', 'bench', 's')"
# A case as it is after its job: its documents, a webhook delivered at the third attempt, its event in the feed.
_STATEMENTS: Final = (
    "INSERT INTO catalog.processes (process_number, court, class, subjects, parties, movements, secrecy_level,"
    " fetched_at) SELECT n, 'TJSP', 'Procedimento Comum Cível', '[]', jsonb_build_array(repeat('Parte ', 20)),"
    " jsonb_build_array(repeat('Juntada de petição ', 100)), 0, now() - CAST(:age AS interval)"
    " FROM unnest(CAST(:numbers AS text[])) AS n",
    "INSERT INTO catalog.jobs (job_id, process_number, client_id, scope, discover, active, created_at)"
    " SELECT gen_random_uuid(), n, 'growth', 'all', false, false, now() - CAST(:age AS interval)"
    " FROM unnest(CAST(:numbers AS text[])) AS n",
    "INSERT INTO catalog.process_requests (client_id, process_number, first_requested_at, last_requested_at)"
    " SELECT 'growth', n, now() - CAST(:age AS interval), now() - CAST(:age AS interval)"
    " FROM unnest(CAST(:numbers AS text[])) AS n",
    "INSERT INTO catalog.documents (process_number, document_id, position, name, type, secrecy_level, source_path,"
    " size) SELECT n, gen_random_uuid(), place, 'Petição intermediária ' || place, 'Petição', 'PUBLICO',"
    " '/api/v2/processos/' || n || '/documentos/' || gen_random_uuid() || '/binario', 100000"
    " FROM unnest(CAST(:numbers AS text[])) AS n CROSS JOIN generate_series(1, :documents) AS place",
    "INSERT INTO progress.jobs (job_id, process_number, status, total_documents, completed_documents, created_at,"
    " planned_at, completed_at) SELECT job_id, process_number, 'completed', :documents, :documents, created_at,"
    " created_at, created_at FROM catalog.jobs WHERE process_number = ANY (CAST(:numbers AS text[]))",
    "INSERT INTO progress.documents (process_number, document_id, job_id, status, object_key, sha256, size,"
    " content_type, attempts, download_started_at, download_completed_at, updated_at)"
    " SELECT process_number, document_id, job_id, 'available', 'processes/' || process_number || '/' || document_id,"
    " encode(sha256(document_id::text::bytea), 'hex'), 100000, 'application/pdf', 1, j.created_at, j.created_at,"
    " j.created_at FROM catalog.documents JOIN catalog.jobs AS j USING (process_number)"
    " WHERE process_number = ANY (CAST(:numbers AS text[]))",
    "INSERT INTO progress.job_documents (job_id, document_id, status) SELECT job_id, document_id, 'available'"
    " FROM progress.documents WHERE process_number = ANY (CAST(:numbers AS text[]))",
    "INSERT INTO delivery.completions (job_id, process_number, status, total_documents, completed_documents,"
    " failed_documents, created_at, completed_at, recorded_at) SELECT job_id, process_number, 'completed', :documents,"
    " :documents, 0, created_at, created_at, created_at FROM catalog.jobs"
    " WHERE process_number = ANY (CAST(:numbers AS text[]))",
    "INSERT INTO delivery.subscriptions (subscription_id, job_id, process_number, client_id, url)"
    " SELECT gen_random_uuid(), job_id, process_number, 'growth', 'https://example.com/hook' FROM catalog.jobs"
    " WHERE process_number = ANY (CAST(:numbers AS text[]))",
    "INSERT INTO delivery.deliveries (delivery_id, subscription_id, job_id, process_number, client_id, endpoint_id,"
    " url, status, attempts, created_at, updated_at) SELECT gen_random_uuid(), subscription_id, job_id, process_number,"
    " 'growth', gen_random_uuid(), url, 'delivered', 3, now() - CAST(:age AS interval), now() - CAST(:age AS interval)"
    " FROM delivery.subscriptions WHERE process_number = ANY (CAST(:numbers AS text[]))",
    "INSERT INTO delivery.attempts (delivery_id, attempt, started_at, duration_ms, succeeded, response_excerpt)"
    " SELECT delivery_id, attempt, created_at, 100, attempt = 3, repeat('x', 500) FROM delivery.deliveries"
    " CROSS JOIN generate_series(1, 3) AS attempt WHERE process_number = ANY (CAST(:numbers AS text[]))",
    "INSERT INTO delivery.feed_events (client_id, position, event_type, job_id, process_number, recorded_at)"
    " SELECT 'growth', (SELECT COALESCE(max(position), 0) FROM delivery.feed_events) + row_number() OVER (),"
    " 'process.completed', job_id, process_number, recorded_at FROM delivery.completions"
    " WHERE process_number = ANY (CAST(:numbers AS text[]))",
)
_BYTES: Final = text(
    "SELECT COALESCE(sum(pg_total_relation_size(format('%I.%I', schemaname, tablename)::regclass)), 0)::bigint"
    " FROM pg_tables WHERE schemaname IN ('catalog', 'progress', 'delivery', 'source')"
)


def _run(plan: Plan) -> list[Figure]:
    """One round, whatever is asked for: a second one would begin with a database that is full of the first.

    Raises BenchmarkFailed when the retention leaves an old case or takes a new one.
    """
    cases = plan.size(10_000, 200)
    numbers = iter(case_numbers(cases + cases // 2))
    with running_servers(plan) as stack:
        url = stack.database_url
        engine = make_engine(url, application_name="bench", pool_size=2)
        try:
            with engine.begin() as connection:
                connection.execute(text(_CLIENT))
            began = time.perf_counter()
            _fill(engine, [next(numbers) for _ in range(cases // 2)], "400 days")
            _fill(engine, [next(numbers) for _ in range(cases // 2)], "1 day")
            full = _size(engine)
            plan.say(f"  {cases * _OF_A_CASE:,} documents in {time.perf_counter() - began:.0f} s: {full:.0f} MB")
            began = time.perf_counter()
            deleted = asyncio.run(_retain(url))
            seconds = time.perf_counter() - began
            _vacuum(engine)
            after = _size(engine)
            plan.say(f"  {deleted:,} old cases deleted in {seconds:.0f} s: {after:.0f} MB")
            if deleted != cases // 2:
                raise BenchmarkFailed(f"{deleted} cases were deleted, and not {cases // 2}")
            _fill(engine, [next(numbers) for _ in range(cases // 2)], "1 day")
            again = _size(engine)
            plan.say(f"  as many new ones: {again:.0f} MB")
        finally:
            engine.dispose()
    documents = deleted * _OF_A_CASE
    return [
        Figure("with half as many new cases once the old ones are deleted", "MB", (again,), (full,)),
        Figure("deleted documents", "/s", (documents / seconds,)),
        Figure("deleted cases", "/s", (deleted / seconds,)),
        Figure("bytes of a document and what belongs to it", "B", (full * 1e6 / (cases * _OF_A_CASE),)),
    ]


def _fill(engine: Engine, numbers: list[str], age: str) -> None:
    """Make these cases with all that belongs to them, as if they had been asked for so long ago (an interval)."""
    for start in range(0, len(numbers), _TOGETHER):
        with engine.begin() as connection:
            made = {"numbers": numbers[start : start + _TOGETHER], "age": age, "documents": _OF_A_CASE}
            for statement in _STATEMENTS:
                connection.execute(text(statement), made)
    _vacuum(engine)


def _vacuum(engine: Engine) -> None:
    """As autovacuum does by itself, at a moment of its own."""
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _size(engine: Engine) -> float:
    """Tables and indexes of the four schemas, in megabytes."""
    with engine.connect() as connection:
        return int(connection.execute(_BYTES).scalar_one()) / 1e6


def _nothing(connection: Connection, case: DeletedCase) -> Mapping[str, int]:
    """The downloader's part without an object store."""
    return {}


@contextmanager
def _connected(url: str) -> Iterator[Database]:
    """The database as a service has it: a pool and its threads."""
    database = Database.connect(url, application_name="bench-retention", pool_size=4)
    try:
        yield database
    finally:
        database.close()


async def _retain(url: str) -> int:
    """Delete what is older than a year, with the parts that the services run, until nothing is left to do."""
    with _connected(url) as database:
        deletions = DeletionService(database, utc_now)
        retention = CaseRetention(deletions, database, utc_now, float(_KEPT_DAYS))
        steps = [
            DeletionSteps(database, "source", _nothing, utc_now),
            DeletionSteps(database, "progress", progress_rows.purge, utc_now),
            DeletionSteps(database, "delivery", delivery_rows.purge, utc_now),
        ]
        while await retention.round():
            # The three services, at once as they are three processes.
            await asyncio.gather(*(one.round() for one in steps))
            await deletions.round()
        with database.transaction() as connection:
            done = text("SELECT count(*) FROM catalog.case_deletions WHERE completed_at IS NOT NULL")
            return int(connection.execute(done).scalar_one())


BENCHMARK = Benchmark(
    name="growth",
    measures="the size of the database with a million documents, and after the retention and as many new ones",
    baseline="the size before the retention",
    run=_run,
)
