"""A rebuild beside the live worker: the same rows, no second announcement, the same grants, or nothing at all."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

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
LEAD = 500
"""How many jobs the feed under load may be ahead of the worker: a slow machine must not get more than it can read."""


@pytest.fixture
def producer(servers: Servers) -> Producer:
    return Producer(producer_config(servers.bootstrap_servers))


@dataclass(frozen=True)
class RebuildTools:
    """What these tests work with: each of these is a fixture of its own, too."""

    servers: Servers
    database: FreshDatabase
    topic: str
    query: Query
    start_worker: StartWorker
    process_number: Numbers
    producer: Producer

    def rebuild(self) -> Rebuilt:
        return rebuild(self.database.owner_url, self.servers.bootstrap_servers, topic=self.topic)


@pytest.fixture
def tools(
    servers: Servers,
    database: FreshDatabase,
    topic: str,
    query: Query,
    start_worker: StartWorker,
    process_number: Numbers,
    producer: Producer,
) -> RebuildTools:
    return RebuildTools(servers, database, topic, query, start_worker, process_number, producer)


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


def test_a_rebuild_gives_what_the_live_worker_made(tools: RebuildTools) -> None:
    for index in range(40):
        produce(tools.producer, tools.topic, whole_job(tools.process_number(), new_id(), 6, failures=index % 3))
    number, again = tools.process_number(), new_id()
    document = new_id()
    produce(tools.producer, tools.topic, [planned(number, again, 2), started(number, again, document)])
    tools.producer.produce(tools.topic, key=b"x", value=b"not json", headers=[("ce_type", b"autos.job.planned")])
    produce(tools.producer, tools.topic, [available(number, again, new_id(), size=2**63)])
    assert tools.producer.flush(60) == 0
    # Markers of an aborted transaction at the end of every partition: they have offsets and no record.
    options = {"transactional.id": f"t-{uuid.uuid4()}", "transaction.timeout.ms": 30_000, "delivery.timeout.ms": 20_000}
    transactional = Producer(producer_config(tools.servers.bootstrap_servers, options))
    transactional.init_transactions(10)
    transactional.begin_transaction()
    for _ in range(PARTITIONS * 4):
        produce(transactional, tools.topic, whole_job(tools.process_number(), new_id(), 1))
    transactional.flush(60)
    transactional.abort_transaction(10)
    worker = tools.start_worker()
    wait_until(
        lambda: tools.query(ENDED) == [(40,)] and tools.query("SELECT count(*) FROM progress.dead_letters") == [(2,)],
    )
    before, granted = rows(tools.query), grants(tools.query)
    done = tools.rebuild()
    assert rows(tools.query) == before
    assert grants(tools.query) == granted
    assert granted
    assert (done.jobs, done.skipped, done.announced) == (41, 2, 0)
    assert differences(tools.database.owner_url) == []
    assert tools.query("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", NEW_SCHEMA) == []
    # The live worker goes on with the new tables.
    produce(tools.producer, tools.topic, [available(number, again, document), available(number, again, new_id())])
    assert tools.producer.flush(60) == 0
    wait_until(lambda: tools.query(ENDED) == [(41,)])
    announced = [row[0] for row in tools.query("SELECT id::text FROM progress.outbox")]
    assert len(announced) == len(set(announced)) == 41
    assert worker.stop() == 0
    assert "again" not in worker.log


def test_a_rebuild_under_load_loses_and_repeats_nothing(tools: RebuildTools) -> None:
    worker = tools.start_worker()
    jobs: list[str] = []
    feeding = threading.Event()

    def has_room() -> bool:
        return feeding.is_set() or len(jobs) - int(tools.query(ENDED)[0][0]) < LEAD

    def feed() -> None:
        while not feeding.is_set():
            if len(jobs) % 100 == 0:
                wait_until(has_room)
            job = new_id()
            jobs.append(job)
            produce(tools.producer, tools.topic, whole_job(tools.process_number(), job, 5, failures=len(jobs) % 2))
            tools.producer.poll(0)
            feeding.wait(0.003)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        wait_until(lambda: int(tools.query(ENDED)[0][0]) > 50)
        done: list[Rebuilt] = [tools.rebuild() for _ in range(2)]
    finally:
        feeding.set()
        thread.join()
    assert tools.producer.flush(60) == 0
    assert done[1].events > done[0].events > 0
    wait_until(lambda: tools.query(ENDED) == [(len(jobs),)])
    announced = sorted(row[0] for row in tools.query("SELECT id::text FROM progress.outbox"))
    assert announced == sorted(deterministic_id(job, "completed") for job in jobs)
    live = rows(tools.query)
    assert worker.stop() == 0
    tools.rebuild()
    assert rows(tools.query) == live


def test_an_end_that_the_live_worker_had_not_reached_is_announced_once(tools: RebuildTools) -> None:
    job = new_id()
    produce(tools.producer, tools.topic, whole_job(tools.process_number(), job, 3))
    assert tools.producer.flush(60) == 0
    assert tools.rebuild().announced == 1
    assert tools.rebuild().announced == 0
    worker = tools.start_worker()
    later = new_id()
    produce(tools.producer, tools.topic, whole_job(tools.process_number(), later, 1))
    assert tools.producer.flush(60) == 0
    wait_until(lambda: tools.query(ENDED) == [(2,)])
    assert worker.stop() == 0
    announced = sorted(row[0] for row in tools.query("SELECT id::text FROM progress.outbox"))
    assert announced == sorted(deterministic_id(name, "completed") for name in (job, later))


def test_a_topic_that_knows_less_is_refused(tools: RebuildTools) -> None:
    produce(tools.producer, tools.topic, whole_job(tools.process_number(), new_id(), 1))
    assert tools.producer.flush(60) == 0
    connection = psycopg2.connect(tools.database.owner_url)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO progress.jobs (job_id, process_number, status) VALUES (%s, %s, 'processing')",
            (new_id(), tools.process_number()),
        )
    connection.close()
    before = rows(tools.query)
    with pytest.raises(RebuildRefused, match="1 jobs"):
        tools.rebuild()
    assert rows(tools.query) == before
    assert tools.query("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", NEW_SCHEMA) == []


def test_a_topic_that_has_forgotten_is_no_loss_while_the_tables_know(tools: RebuildTools) -> None:
    worker = tools.start_worker()
    for _ in range(10):
        produce(tools.producer, tools.topic, whole_job(tools.process_number(), new_id(), 4, failures=1))
    assert tools.producer.flush(60) == 0
    wait_until(lambda: tools.query(ENDED) == [(10,)])
    admin: Any = AdminClient({"bootstrap.servers": tools.servers.bootstrap_servers})
    everything = [TopicPartition(tools.topic, number, -1) for number in range(PARTITIONS)]
    for future in admin.delete_records(everything).values():
        future.result()
    produce(tools.producer, tools.topic, whole_job(tools.process_number(), new_id(), 4))
    assert tools.producer.flush(60) == 0
    wait_until(lambda: tools.query(ENDED) == [(11,)])
    before = rows(tools.query)
    done = tools.rebuild()
    assert rows(tools.query) == before
    assert (done.jobs, done.announced) == (11, 0)
    assert done.carried >= 10

    # Tables that were lost come from a backup: nothing is swapped that knows less than the catalog.
    with owner(tools.database) as cursor:
        cursor.execute("INSERT INTO catalog.clients (client_id, name, webhook_secret) VALUES ('c', 'c', 's')")
        cursor.execute(
            "INSERT INTO catalog.jobs (job_id, process_number, client_id, scope, discover, active, created_at)"
            " VALUES (%s, %s, 'c', 'all', false, false, now() - interval '1 day')",
            (new_id(), tools.process_number()),
        )
    with pytest.raises(RebuildRefused, match="from a backup first"):
        tools.rebuild()
    assert rows(tools.query) == before
    assert worker.stop() == 0


def test_a_rebuild_leaves_out_what_was_deleted(tools: RebuildTools) -> None:
    worker = tools.start_worker()
    gone, kept = new_id(), new_id()
    for job in (gone, kept):
        produce(tools.producer, tools.topic, whole_job(tools.process_number(), job, 3))
    assert tools.producer.flush(60) == 0
    wait_until(lambda: tools.query(ENDED) == [(2,)])
    with owner(tools.database) as cursor:
        cursor.execute("INSERT INTO catalog.deleted_jobs (job_id) VALUES (%s)", (gone,))
        for table in ("documents", "job_documents", "jobs"):
            cursor.execute(f"DELETE FROM progress.{table} WHERE job_id = %s", (gone,))
    # What comes late for it changes nothing, and neither does a rebuild, which reads all of its events again.
    produce(tools.producer, tools.topic, [available(tools.process_number(), gone, new_id())])
    produce(tools.producer, tools.topic, whole_job(tools.process_number(), new_id(), 1))
    assert tools.producer.flush(60) == 0
    wait_until(lambda: tools.query(ENDED) == [(2,)])
    assert tools.rebuild().jobs == 2
    assert tools.query("SELECT count(*) FROM progress.jobs WHERE job_id = %s", gone) == [(0,)]
    assert worker.stop() == 0


@contextmanager
def owner(database: FreshDatabase) -> Iterator[Any]:
    """A cursor as the owner of the tables; commits at the end."""
    connection = psycopg2.connect(database.owner_url)
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
