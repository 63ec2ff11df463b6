"""What the clients' feeds cost: ends of small cases and the documents of a large one, as the notifier records them.

The baseline is the same work for cases that no client asked for: they have no event in any feed.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, text

from services.notifier.intake import completion_rows, document_batches, feed_rows, registered_rows
from services.notifier.intake.job_locks import lock_jobs
from shared.clock import utc_now
from shared.db.engine import make_engine
from shared.events.process_completed import JobOutcome, ProcessCompleted
from tools.bench.figures import Figure
from tools.bench.product import case_numbers, running_servers
from tools.bench.registry import Benchmark, Plan

_TOGETHER: Final = 50
"""Ends in one transaction, as under load."""
_SMALL: Final = 12
"""Documents of a small case."""
_CLIENT: Final = "feed-bench"
_CLIENTS: Final = text("""
INSERT INTO catalog.clients (client_id, name, webhook_secret) VALUES (:client, 'bench', 'whsec_') ON CONFLICT DO NOTHING
""")
_CASES: Final = text("""
INSERT INTO catalog.processes (process_number, subjects, parties, movements, secrecy_level, fetched_at)
SELECT number, '[]', '[]', '[]', 0, now() FROM unnest(CAST(:numbers AS text[])) AS number
""")
_JOBS: Final = text("""
INSERT INTO catalog.jobs (job_id, process_number, client_id, scope, discover, created_at)
SELECT job, number, :client, 'all', false, now()
  FROM unnest(CAST(:jobs AS uuid[]), CAST(:numbers AS text[])) AS made (job, number)
""")
_LISTED: Final = text("""
INSERT INTO catalog.documents (process_number, document_id, position, name, secrecy_level)
SELECT number, gen_random_uuid(), place, 'x', 'PUBLICO'
  FROM unnest(CAST(:numbers AS text[])) AS number CROSS JOIN generate_series(1, :documents) AS place
""")
_STORED: Final = text("""
INSERT INTO progress.documents (process_number, document_id, job_id, status, updated_at)
SELECT d.process_number, d.document_id, j.job_id, 'available', now()
  FROM catalog.documents AS d JOIN catalog.jobs AS j USING (process_number) WHERE j.job_id = ANY (CAST(:jobs AS uuid[]))
""")
_ASKED: Final = text("""
INSERT INTO catalog.process_requests (client_id, process_number, first_requested_at, last_requested_at)
SELECT :client, number, now(), now() FROM unnest(CAST(:numbers AS text[])) AS number
""")
_WAL: Final = text("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")


@dataclass(frozen=True)
class _Cost:
    """Of a document: seconds, and bytes of write-ahead log."""

    seconds: float
    wal: float


def _run(plan: Plan) -> list[Figure]:
    """What the end of a case costs with a feed and without one, for small cases and for a large one."""
    cases, large = plan.size(2_000, 400), plan.size(10_000, 2_000)
    small: dict[bool, list[_Cost]] = {True: [], False: []}
    many: list[_Cost] = []
    with running_servers(plan) as stack:
        engine = make_engine(stack.database_url, application_name="autos-bench", pool_size=2)
        try:
            # The first round warms up and does not count.
            for _ in range(plan.rounds + 1):
                for asked in (False, True):
                    small[asked].append(_small_cases(engine, cases, asked=asked))
                many.append(_large_case(engine, large))
                plan.say(
                    f"  {small[True][-1].seconds * 1e6:.0f} µs a document of a small case, "
                    f"{small[False][-1].seconds * 1e6:.0f} without a feed; {many[-1].seconds * 1e6:.0f} of a large one"
                )
        finally:
            engine.dispose()
    with_feed, without = small[True][1:], small[False][1:]
    label = f"ends of cases of {_SMALL}"
    return [
        Figure(f"{label}: time", "µs/document", _micros(with_feed), _micros(without)),
        Figure(f"{label}: log", "bytes/document", _bytes(with_feed), _bytes(without)),
        Figure(f"a case of {large}: time", "µs/document", _micros(many[1:])),
        Figure(f"a case of {large}: log", "bytes/document", _bytes(many[1:])),
    ]


def _micros(costs: Sequence[_Cost]) -> tuple[float, ...]:
    return tuple(cost.seconds * 1e6 for cost in costs)


def _bytes(costs: Sequence[_Cost]) -> tuple[float, ...]:
    return tuple(cost.wal for cost in costs)


def _small_cases(engine: Engine, cases: int, *, asked: bool) -> _Cost:
    """The ends of cases, so many in a transaction, as services/notifier/intake/handlers.py records them."""
    ends = _ended(engine, cases, _SMALL, asked=asked)
    began, before = time.perf_counter(), _wal(engine)
    for first in range(0, len(ends), _TOGETHER):
        together, now = ends[first : first + _TOGETHER], utc_now()
        ids = [end.job_id for end in together]
        with engine.begin() as connection:
            lock_jobs(connection, ids)
            document_batches.make_batches(connection, ids, now)
            completion_rows.add_completions(connection, together, now)
            interested = registered_rows.interested_endpoints(connection, ids, None)
            registered_rows.subscribe_endpoints(connection, together, interested, now)
            completion_rows.create_deliveries(connection, ids, now)
            feed_rows.append(connection, ids, now)
    return _cost(engine, began, before, cases * _SMALL)


def _large_case(engine: Engine, documents: int) -> _Cost:
    """All documents of a case, as many in a transaction as the notifier takes."""
    (end,) = _ended(engine, 1, documents, asked=True)
    began, before, more = time.perf_counter(), _wal(engine), True
    while more:
        with engine.begin() as connection:
            more = document_batches.announce_documents(connection, [end.job_id], utc_now()).more
    return _cost(engine, began, before, documents)


def _cost(engine: Engine, began: float, before: int, documents: int) -> _Cost:
    return _Cost((time.perf_counter() - began) / documents, (_wal(engine) - before) / documents)


def _wal(engine: Engine) -> int:
    with engine.connect() as connection:
        written: int = connection.execute(_WAL).scalar_one()
    return written


def _ended(engine: Engine, cases: int, documents: int, *, asked: bool) -> list[ProcessCompleted]:
    """New cases whose documents are all available, and the ends of their jobs."""
    numbers, jobs = case_numbers(cases), [str(uuid.uuid4()) for _ in range(cases)]
    with engine.begin() as connection:
        _write_cases(connection, numbers, jobs, documents, asked=asked)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE) progress.documents, catalog.documents, catalog.jobs"))
    now = utc_now()
    return [
        ProcessCompleted(
            job_id=job,
            process_number=number,
            status=JobOutcome.COMPLETED,
            total_documents=documents,
            completed_documents=documents,
            failed_documents=0,
            created_at=now,
            completed_at=now,
        )
        for job, number in zip(jobs, numbers, strict=True)
    ]


def _write_cases(
    connection: Connection, numbers: Sequence[str], jobs: Sequence[str], documents: int, *, asked: bool
) -> None:
    cases = {"numbers": list(numbers)}
    connection.execute(_CLIENTS, {"client": _CLIENT})
    connection.execute(_CASES, cases)
    connection.execute(_JOBS, {**cases, "jobs": list(jobs), "client": _CLIENT})
    connection.execute(_LISTED, {**cases, "documents": documents})
    connection.execute(_STORED, {"jobs": list(jobs)})
    if asked:
        connection.execute(_ASKED, {**cases, "client": _CLIENT})


BENCHMARK = Benchmark(
    name="feed",
    measures="the events of clients' feeds: time and write-ahead log of a document, as the notifier records them",
    baseline="the same for cases that no client asked for, which are in no feed",
    run=_run,
)
