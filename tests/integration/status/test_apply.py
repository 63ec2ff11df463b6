"""Apply against PostgreSQL: the rows are those of the pure projection, in any batches, by any number of workers."""

from __future__ import annotations

import itertools
import random
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.status.batch_writer import BatchWriter
from services.status.metrics import StatusMetrics
from services.status.projection.apply import Projection
from services.status.projection.project import project
from services.status.projection.rows import RANK, DocumentRow, JobRow, KnownRows, Occurrence
from shared.clock import utc_now
from shared.db.channels import PROGRESS
from shared.db.engine import Database
from shared.domain.cnj import ProcessNumber, make
from shared.errors import InfrastructureAway
from shared.events.document_events import JobAborted, JobEvent
from tests.integration.db.fresh import FreshDatabase, fresh_database
from tests.integration.status.conftest import Query
from tests.integration.status.events import as_record, available, failed, new_id, planned, started, whole_job
from tests.support import Servers, wait_until

T0 = datetime(2026, 2, 1, tzinfo=UTC)
Numbers = Callable[[], ProcessNumber]


@pytest.fixture
def progress(database: FreshDatabase) -> Iterator[Database]:
    connected = Database.connect(database.role_urls["status"], application_name="test-apply", pool_size=4)
    yield connected
    connected.close()


def occurrences(events: list[JobEvent]) -> list[Occurrence]:
    return [Occurrence(event, T0 + timedelta(seconds=index)) for index, event in enumerate(events)]


def stored(query: Callable[..., list[tuple[Any, ...]]]) -> KnownRows:
    """What the tables hold, as the projection's state."""
    jobs = query(f"SELECT job_id::text, {', '.join(JobRow._fields[1:])} FROM progress.jobs")
    ranks = query("SELECT job_id::text, document_id::text, status FROM progress.job_documents")
    documents = query(
        f"SELECT process_number, document_id::text, job_id::text, {', '.join(DocumentRow._fields[3:])}"
        " FROM progress.documents"
    )
    return KnownRows(
        {row[0]: JobRow(*row) for row in jobs},
        {(row[0], row[1]): RANK[row[2]] for row in ranks},
        {(row[0], row[1]): DocumentRow(*row) for row in documents},
    )


def apply(database: Database, items: list[Occurrence]) -> list[str]:
    """Apply in one transaction; the outcomes announced."""
    with database.transaction() as connection:
        applied = Projection().apply(connection, items, utc_now())
    return [completion.status.value for completion in applied.completions]


def test_a_batch_notifies_each_case_once(progress: Database, database: FreshDatabase, process_number: Numbers) -> None:
    listener = psycopg2.connect(database.owner_url)
    listener.autocommit = True
    with listener.cursor() as cursor:
        cursor.execute(f'LISTEN "{PROGRESS}"')
    first, second = process_number(), process_number()
    events = [*whole_job(first, new_id(), 3), *whole_job(second, new_id(), 2)]
    apply(progress, occurrences(events))

    def arrived() -> bool:
        listener.poll()
        return len(listener.notifies) >= 2

    wait_until(arrived)
    assert sorted(notice.payload for notice in listener.notifies) == sorted([first, second])
    listener.notifies.clear()
    apply(progress, occurrences(events))
    with listener.cursor() as cursor:
        cursor.execute("SELECT 1")
    listener.poll()
    assert listener.notifies == []
    listener.close()


def test_a_rollback_leaves_nothing(progress: Database, query: Query, process_number: Numbers) -> None:
    events = occurrences(whole_job(process_number(), new_id(), 2))
    with progress.engine.connect() as connection:
        Projection().apply(connection, events, utc_now())
        connection.rollback()
    assert stored(query) == KnownRows()
    assert query("SELECT count(*) FROM progress.outbox") == [(0,)]
    assert apply(progress, events) == ["completed"]


def test_plans_that_the_server_keeps_go_by_keys_though_made_of_empty_tables(
    progress: Database, process_number: Numbers
) -> None:
    """They are kept while the tables grow."""
    given = {"text": "'[]'", "text[]": "'{}'"}
    with progress.engine.connect() as connection:
        Projection().apply(connection, occurrences(whole_job(process_number(), new_id(), 2)), utc_now())
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        prepared = connection.exec_driver_sql(
            "SELECT name, parameter_types::text[] FROM pg_prepared_statements WHERE name LIKE '%%_progress'"
        ).all()
        plans = {}
        for name, kinds in prepared:
            values = ", ".join(given[kind] for kind in kinds)
            plan = connection.exec_driver_sql(f"EXPLAIN EXECUTE {name} ({values})")
            plans[name] = "\n".join(line for (line,) in plan)
    assert len(plans) >= 6
    assert not [plan for plan in plans.values() if re.search(r"Seq Scan on (jobs|job_documents|documents)", plan)]
    assert "pk_jobs" in plans["load_jobs_progress"]
    assert "pk_documents" in plans["load_documents_progress"]


def test_two_workers_with_the_same_events_announce_once(
    progress: Database, query: Query, process_number: Numbers
) -> None:
    """A worker that lost its partitions and does not know it yet writes what the new owner writes."""
    events: list[JobEvent] = []
    for _ in range(10):
        events += whole_job(process_number(), new_id(), 4, failures=1)
    items = occurrences(events)
    barrier = threading.Barrier(4)

    def work(seed: int) -> list[str]:
        chances = random.Random(seed)
        barrier.wait()
        told: list[str] = []
        start = 0
        while start < len(items):
            end = start + chances.randint(1, 25)
            try:
                told += apply(progress, items[start:end])
            except InfrastructureAway:
                # A deadlock between two of them is resolved as an outage is: the batch is written again.
                continue
            start = end
        return told

    with ThreadPoolExecutor(4) as threads:
        told = [outcome for done in threads.map(work, range(4)) for outcome in done]
    assert told == ["partial"] * 10
    assert query("SELECT count(*), count(DISTINCT id) FROM progress.outbox") == [(10, 10)]
    assert stored(query) == KnownRows().after(project(KnownRows(), items))


def test_two_jobs_of_one_case_in_two_workers_never_undo_available(
    progress: Database, query: Query, process_number: Numbers
) -> None:
    for _ in range(15):
        number, document = process_number(), new_id()
        first, second = new_id(), new_id()
        barrier = threading.Barrier(2)

        def write(items: list[Occurrence], barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            apply(progress, items)

        ended = occurrences([planned(number, first, 1), available(number, first, document)])
        begun = occurrences([planned(number, second, 1), started(number, second, document)])
        with ThreadPoolExecutor(2) as threads:
            for done in [threads.submit(write, items) for items in (ended, begun)]:
                done.result()
        rows = query("SELECT status FROM progress.documents WHERE process_number = %s", number)
        assert rows == [("available",)]


NUMBERS = [make(7_000_000 + index, 2025, 8, 26, 597) for index in range(2)]
JOBS = [f"00000000-0000-4000-8000-00000000000{digit}" for digit in "abc"]
DOCUMENTS = [f"00000000-0000-4000-8000-0000000000d{digit}" for digit in range(3)]
# A job belongs to one case; two jobs share the first case.
cases = st.sampled_from([(NUMBERS[0], JOBS[0]), (NUMBERS[0], JOBS[1]), (NUMBERS[1], JOBS[2])])
documents = st.sampled_from(DOCUMENTS)
events = st.one_of(
    st.builds(lambda case, total: planned(case[0], case[1], total), cases, st.integers(0, 3)),
    st.builds(lambda case, document: started(case[0], case[1], document), cases, documents),
    st.builds(lambda case, document: available(case[0], case[1], document), cases, documents),
    st.builds(lambda case, document: failed(case[0], case[1], document), cases, documents),
    st.builds(
        lambda case: JobAborted(
            job_id=case[1], process_number=case[0], error_code="cancelled", error_message="by the client"
        ),
        cases,
    ),
)


@pytest.fixture(scope="module")
def shared_database(servers: Servers) -> Iterator[tuple[Database, Query]]:
    with fresh_database(servers) as fresh:
        connected = Database.connect(fresh.owner_url, application_name="test-apply", pool_size=1)

        def query(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
            with connected.transaction() as connection:
                cursor = connection.connection.cursor()
                cursor.execute(statement, parameters)
                return list(cursor.fetchall()) if cursor.description else []

        yield connected, query
        connected.close()


@given(st.lists(events, max_size=20), st.lists(st.integers(0, 20), max_size=4))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_tables_are_the_pure_projection(
    shared_database: tuple[Database, Query], history: list[JobEvent], cuts: list[int]
) -> None:
    database, query = shared_database
    query("TRUNCATE progress.jobs, progress.job_documents, progress.documents, progress.outbox")
    items = occurrences(history)
    edges = [0, *sorted(cuts), len(items)]
    told = [outcome for start, end in itertools.pairwise(edges) for outcome in apply(database, items[start:end])]
    pure = project(KnownRows(), items)
    assert stored(query) == KnownRows().after(pure)
    assert told == [completion.status.value for completion in pure.completions]


def writer(database: Database) -> tuple[BatchWriter, CollectorRegistry]:
    registry = CollectorRegistry()
    return BatchWriter(database, Projection(), utc_now, StatusMetrics(registry)), registry


def test_an_unstorable_event_alone_is_set_aside(progress: Database, query: Query, process_number: Numbers) -> None:
    number, job = process_number(), new_id()
    good = whole_job(number, job, 4)
    bad = available(number, job, new_id(), size=2**63)
    records = [as_record(event, offset) for offset, event in enumerate([*good[:4], bad, *good[4:]])]
    batches, registry = writer(progress)
    batches.write(records)
    batches.write(records)
    assert query('SELECT "offset", reason FROM progress.dead_letters') == [(4, "unstorable")]
    assert query("SELECT status, completed_documents FROM progress.jobs") == [("completed", 4)]
    assert registry.get_sample_value("autos_status_completions_total", {"status": "completed"}) == 1


def test_a_missing_table_is_waited_for_and_not_blamed_on_the_events(
    progress: Database, database: FreshDatabase, query: Query, process_number: Numbers
) -> None:
    records = [as_record(event, offset) for offset, event in enumerate(whole_job(process_number(), new_id(), 1))]
    connection = psycopg2.connect(database.owner_url)
    connection.autocommit = True
    batches, _ = writer(progress)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE progress.documents RENAME TO elsewhere")
        with pytest.raises(InfrastructureAway):
            batches.write(records)
        cursor.execute("ALTER TABLE progress.elsewhere RENAME TO documents")
    connection.close()
    batches.write(records)
    assert query("SELECT status FROM progress.jobs") == [("completed",)]
    assert query("SELECT count(*) FROM progress.dead_letters") == [(0,)]
