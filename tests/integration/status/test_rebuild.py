"""A rebuild beside the live worker: the same rows, no second announcement, the same grants, or nothing at all."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from confluent_kafka import Producer

from ops.migrations.run import differences
from services.status.projection.rows import DocumentRow, JobRow
from services.status.rebuild import NEW_SCHEMA, RebuildRefused, Rebuilt, rebuild
from shared.domain.cnj import ProcessNumber
from shared.events.envelope import deterministic_id
from shared.kafka.config import producer_config
from tests.integration.db.fresh import FreshDatabase
from tests.integration.status.conftest import PARTITIONS, Query, StartWorker
from tests.integration.status.events import available, new_id, planned, produce, started, whole_job
from tests.support import Servers, wait_until

Numbers = Callable[[], ProcessNumber]
ENDED = "SELECT count(*) FROM progress.jobs WHERE completed_at IS NOT NULL"


@pytest.fixture
def producer(servers: Servers) -> Producer:
    return Producer(producer_config(servers.bootstrap_servers))


def rows(query: Query) -> dict[str, list[tuple[Any, ...]]]:
    """The projection, but for when each row was written."""
    return {
        "jobs": query(f"SELECT {', '.join(JobRow._fields)} FROM progress.jobs ORDER BY job_id"),
        "job_documents": query("SELECT * FROM progress.job_documents ORDER BY 1, 2"),
        "documents": query(f"SELECT {', '.join(DocumentRow._fields)} FROM progress.documents ORDER BY 1, 2"),
    }


def grants(query: Query) -> list[tuple[Any, ...]]:
    return query(
        "SELECT grantee, table_name, privilege_type FROM information_schema.role_table_grants"
        " WHERE table_schema = 'progress' AND grantee LIKE 'autos%%' ORDER BY 1, 2, 3"
    )


def test_a_rebuild_gives_what_the_live_worker_made(
    servers: Servers,
    database: FreshDatabase,
    topic: str,
    query: Query,
    start_worker: StartWorker,
    process_number: Numbers,
    producer: Producer,
) -> None:
    for index in range(40):
        produce(producer, topic, whole_job(process_number(), new_id(), 6, failures=index % 3))
    number, again = process_number(), new_id()
    document = new_id()
    produce(producer, topic, [planned(number, again, 2), started(number, again, document)])
    producer.produce(topic, key=b"x", value=b"not json", headers=[("ce_type", b"autos.job.planned")])
    produce(producer, topic, [available(number, again, new_id(), size=2**63)])
    assert producer.flush(10) == 0
    # Markers of an aborted transaction at the end of every partition: they have offsets and no record.
    options = {"transactional.id": f"t-{uuid.uuid4()}", "transaction.timeout.ms": 30_000, "delivery.timeout.ms": 20_000}
    transactional = Producer(producer_config(servers.bootstrap_servers, options))
    transactional.init_transactions(10)
    transactional.begin_transaction()
    for _ in range(PARTITIONS * 4):
        produce(transactional, topic, whole_job(process_number(), new_id(), 1))
    transactional.flush(10)
    transactional.abort_transaction(10)
    worker = start_worker()
    wait_until(lambda: query(ENDED) == [(40,)] and query("SELECT count(*) FROM progress.dead_letters") == [(2,)], 45)
    before, granted = rows(query), grants(query)
    done = rebuild(database.owner_url, servers.bootstrap_servers, topic=topic)
    assert rows(query) == before
    assert grants(query) == granted
    assert granted
    assert (done.jobs, done.skipped, done.announced) == (41, 2, 0)
    assert differences(database.owner_url) == []
    assert query("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", NEW_SCHEMA) == []
    # The live worker goes on with the new tables.
    produce(producer, topic, [available(number, again, document), available(number, again, new_id())])
    assert producer.flush(10) == 0
    wait_until(lambda: query(ENDED) == [(41,)], 30)
    announced = [row[0] for row in query("SELECT id::text FROM progress.outbox")]
    assert len(announced) == len(set(announced)) == 41
    assert worker.stop() == 0
    assert "again" not in worker.log


def test_a_rebuild_under_load_loses_and_repeats_nothing(
    servers: Servers,
    database: FreshDatabase,
    topic: str,
    query: Query,
    start_worker: StartWorker,
    process_number: Numbers,
    producer: Producer,
) -> None:
    worker = start_worker()
    jobs: list[str] = []
    feeding = threading.Event()

    def feed() -> None:
        while not feeding.is_set():
            job = new_id()
            jobs.append(job)
            produce(producer, topic, whole_job(process_number(), job, 5, failures=len(jobs) % 2))
            producer.poll(0)
            feeding.wait(0.003)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        wait_until(lambda: int(query(ENDED)[0][0]) > 50, 45)
        done: list[Rebuilt] = [rebuild(database.owner_url, servers.bootstrap_servers, topic=topic) for _ in range(2)]
    finally:
        feeding.set()
        thread.join()
    assert producer.flush(10) == 0
    assert done[1].events > done[0].events > 0
    wait_until(lambda: query(ENDED) == [(len(jobs),)], 45)
    announced = sorted(row[0] for row in query("SELECT id::text FROM progress.outbox"))
    assert announced == sorted(deterministic_id(job, "completed") for job in jobs)
    live = rows(query)
    assert worker.stop() == 0
    rebuild(database.owner_url, servers.bootstrap_servers, topic=topic)
    assert rows(query) == live


def test_an_end_that_the_live_worker_had_not_reached_is_announced_once(
    servers: Servers,
    database: FreshDatabase,
    topic: str,
    query: Query,
    start_worker: StartWorker,
    process_number: Numbers,
    producer: Producer,
) -> None:
    job = new_id()
    produce(producer, topic, whole_job(process_number(), job, 3))
    assert producer.flush(10) == 0
    assert rebuild(database.owner_url, servers.bootstrap_servers, topic=topic).announced == 1
    assert rebuild(database.owner_url, servers.bootstrap_servers, topic=topic).announced == 0
    worker = start_worker()
    later = new_id()
    produce(producer, topic, whole_job(process_number(), later, 1))
    assert producer.flush(10) == 0
    wait_until(lambda: query(ENDED) == [(2,)], 30)
    assert worker.stop() == 0
    announced = sorted(row[0] for row in query("SELECT id::text FROM progress.outbox"))
    assert announced == sorted(deterministic_id(name, "completed") for name in (job, later))


def test_a_topic_that_knows_less_is_refused(
    servers: Servers, database: FreshDatabase, topic: str, query: Query, process_number: Numbers, producer: Producer
) -> None:
    produce(producer, topic, whole_job(process_number(), new_id(), 1))
    assert producer.flush(10) == 0
    connection = psycopg2.connect(database.owner_url)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO progress.jobs (job_id, process_number, status) VALUES (%s, %s, 'processing')",
            (new_id(), process_number()),
        )
    connection.close()
    before = rows(query)
    with pytest.raises(RebuildRefused, match="1 jobs"):
        rebuild(database.owner_url, servers.bootstrap_servers, topic=topic)
    assert rows(query) == before
    assert query("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", NEW_SCHEMA) == []
