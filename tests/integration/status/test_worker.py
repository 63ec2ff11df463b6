"""The status service on real Kafka and PostgreSQL: kills, rebalances, transactions, poison, an absent database."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from shared.domain.cnj import ProcessNumber
from shared.events.document_events import JobEvent
from shared.events.envelope import deterministic_id
from shared.events.topics import DOCUMENT_EVENTS, PROCESS_COMPLETED
from shared.kafka.admin import lag
from shared.kafka.config import consumer_config, producer_config
from tests.hostile import harvest, pour
from tests.integration.status.conftest import PARTITIONS, Query, StartWorker, Worker
from tests.integration.status.events import available, new_id, planned, produce, started, whole_job
from tests.support import Servers, wait_until

Numbers = Callable[[], ProcessNumber]

ENDED = "SELECT count(*) FROM progress.jobs WHERE completed_at IS NOT NULL"


def producer_of(servers: Servers, **options: Any) -> Producer:
    return Producer(producer_config(servers.bootstrap_servers, options))


def transactional(servers: Servers) -> Producer:
    producer = producer_of(
        servers,
        **{
            "transactional.id": f"test-{uuid.uuid4()}",
            "transaction.timeout.ms": 180_000,
            "delivery.timeout.ms": 20_000,
        },
    )
    producer.init_transactions(20)
    return producer


def members(servers: Servers, worker: Worker) -> dict[str, int]:
    """By member of the group: how many partitions it holds."""
    admin = AdminClient({"bootstrap.servers": servers.bootstrap_servers})
    described = admin.describe_consumer_groups([worker.group])[worker.group].result()
    return {member.member_id: len(member.assignment.topic_partitions) for member in described.members}


def many_jobs(process_number: Numbers, jobs: int, documents: int) -> tuple[list[str], list[JobEvent]]:
    """Jobs at the same time: the order is kept within each, as the topic keeps it."""
    ids = [new_id() for _ in range(jobs)]
    lanes = [whole_job(process_number(), job, documents, failures=index % 3) for index, job in enumerate(ids)]
    chances = random.Random(7)
    events: list[JobEvent] = []
    while lanes:
        lane = chances.choice(lanes)
        events.append(lane.pop(0))
        if not lane:
            lanes.remove(lane)
    return ids, events


def assert_all_ended_right(query: Query, ids: list[str], documents: int) -> None:
    rows = query(
        "SELECT job_id::text, status, total_documents, completed_documents, failed_documents FROM progress.jobs"
    )
    assert {row[0]: row[1:] for row in rows} == {
        job: ("partial" if index % 3 else "completed", documents, documents - index % 3, index % 3)
        for index, job in enumerate(ids)
    }
    announced = query("SELECT id::text FROM progress.outbox")
    assert sorted(row[0] for row in announced) == sorted(deterministic_id(job, "completed") for job in ids)
    counted = query("SELECT status, count(*) FROM progress.documents GROUP BY status")
    assert sum(count for _, count in counted) == len(ids) * documents
    assert {status for status, _ in counted} == {"available", "failed"}


def test_events_become_rows_and_an_announcement(
    servers: Servers, topic: str, query: Query, start_worker: StartWorker, process_number: Numbers, tmp_path: Path
) -> None:
    number, job = process_number(), new_id()
    producer = producer_of(servers)
    produce(producer, topic, whole_job(number, job, 3, failures=1))
    assert producer.flush(60) == 0
    worker = start_worker()
    listener = Consumer(consumer_config(servers.bootstrap_servers, f"listener-{uuid.uuid4()}"))
    listener.subscribe([PROCESS_COMPLETED])
    found: list[Any] = []

    def announced() -> bool:
        for message in listener.consume(100, 0.2):
            if not message.error() and message.key() == number.encode():
                found.append(message)
        return bool(found)

    wait_until(announced)
    listener.close()
    body = orjson.loads(found[0].value())
    assert (body["job_id"], body["status"]) == (job, "partial")
    assert (body["total_documents"], body["completed_documents"], body["failed_documents"]) == (3, 2, 1)
    assert body["created_at"] == "2026-03-01T12:00:00.000000Z"
    assert dict(found[0].headers())["ce_id"].decode() == deterministic_id(job, "completed")
    assert query("SELECT count(*) FROM progress.documents WHERE status = 'available'") == [(2,)]
    assert worker.stop() == 0
    assert sum(lag(servers.bootstrap_servers, worker.group).values()) == 0
    assert [orjson.loads(line)["message"] for line in worker.log.splitlines()] == ["The service starts"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".log") == []


def test_what_a_transaction_aborted_is_not_seen(
    servers: Servers, topic: str, query: Query, start_worker: StartWorker, process_number: Numbers
) -> None:
    aborted, committed = new_id(), new_id()
    worker = start_worker()
    producer = transactional(servers)
    for job, end in (
        (aborted, producer.abort_transaction),
        (committed, producer.commit_transaction),
        (new_id(), producer.abort_transaction),
    ):
        producer.begin_transaction()
        produce(producer, topic, whole_job(process_number(), job, 2))
        producer.flush(60)
        end(10)
    wait_until(lambda: query(ENDED) == [(1,)])
    # A later event of the same partitions: whatever lay before it has been read by then.
    after = [new_id() for _ in range(3 * PARTITIONS)]
    producer.begin_transaction()
    for job in after:
        produce(producer, topic, whole_job(process_number(), job, 1))
    producer.commit_transaction(10)
    wait_until(lambda: query(ENDED) == [(1 + len(after),)])
    assert {row[0] for row in query("SELECT job_id::text FROM progress.jobs")} == {committed, *after}
    assert worker.stop() == 0


def test_an_open_transaction_is_not_seen_until_it_commits(
    servers: Servers, topic: str, query: Query, start_worker: StartWorker, process_number: Numbers
) -> None:
    start_worker()
    producer = transactional(servers)
    before, inside = new_id(), new_id()
    produce_plain = producer_of(servers)
    produce(produce_plain, topic, whole_job(process_number(), before, 1))
    assert produce_plain.flush(60) == 0
    producer.begin_transaction()
    produce(producer, topic, whole_job(process_number(), inside, 1))
    producer.flush(60)
    wait_until(lambda: query(ENDED) == [(1,)])
    assert query("SELECT job_id::text FROM progress.jobs") == [(before,)]
    producer.commit_transaction(10)
    wait_until(lambda: query(ENDED) == [(2,)])


def test_kill_9_loses_nothing_and_announces_once(
    servers: Servers, topic: str, query: Query, start_worker: StartWorker, process_number: Numbers
) -> None:
    ids, events = many_jobs(process_number, jobs=120, documents=20)
    producer = producer_of(servers)
    produce(producer, topic, events)
    assert producer.flush(60) == 0
    seen = 0
    for _ in range(2):
        worker = start_worker()

        def moved(before: int = seen) -> bool:
            return int(query("SELECT coalesce(sum(version), 0) FROM progress.jobs")[0][0]) > before

        wait_until(moved)
        worker.kill()
        seen = int(query("SELECT coalesce(sum(version), 0) FROM progress.jobs")[0][0])
    last = start_worker()
    wait_until(lambda: query(ENDED) == [(len(ids),)])
    assert_all_ended_right(query, ids, 20)
    assert last.stop() == 0
    assert sum(lag(servers.bootstrap_servers, last.group).values()) == 0


def test_two_workers_share_and_one_takes_over(
    servers: Servers, topic: str, query: Query, start_worker: StartWorker, process_number: Numbers
) -> None:
    ids, events = many_jobs(process_number, jobs=90, documents=20)
    third = len(events) // 3
    producer = producer_of(servers)
    first, second = start_worker(), start_worker()
    wait_until(lambda: sorted(members(servers, first).values()) == [2, 2])
    produce(producer, topic, events[:third])
    assert producer.flush(60) == 0
    wait_until(lambda: query("SELECT 1 FROM progress.jobs LIMIT 1"))
    third_worker = start_worker()
    produce(producer, topic, events[third : 2 * third])
    assert producer.flush(60) == 0
    wait_until(lambda: len(members(servers, first)) == 3)
    first.kill()
    produce(producer, topic, events[2 * third :])
    assert producer.flush(60) == 0
    wait_until(lambda: query(ENDED) == [(len(ids),)])
    assert_all_ended_right(query, ids, 20)
    assert (second.stop(), third_worker.stop()) == (0, 0)


def test_poison_is_set_aside_and_the_rest_goes_on(
    servers: Servers, topic: str, query: Query, start_worker: StartWorker, process_number: Numbers
) -> None:
    number, job = process_number(), new_id()
    documents = [new_id() for _ in range(3)]
    producer = producer_of(servers)
    key = job.encode()
    produce(producer, topic, [planned(number, job, 3), started(number, job, documents[0])])
    typed: Any = [("ce_type", b"autos.document.started")]
    producer.produce(topic, key=key, value=b"not json", headers=typed)
    producer.produce(topic, key=key, value=b"{}", headers=typed)
    producer.produce(topic, key=key, value=b"{}")
    producer.produce(topic, key=key, value=b"{}", headers=[("ce_type", b"autos.something.else")])
    producer.produce(topic, key=key, value=None, headers=typed)
    # An event by its schema, but no bigint holds it.
    produce(producer, topic, [available(number, job, documents[0], size=2**63)])
    produce(producer, topic, [available(number, job, document) for document in documents])
    assert producer.flush(60) == 0
    worker = start_worker()
    wait_until(lambda: query(ENDED) == [(1,)])
    reasons = query('SELECT reason FROM progress.dead_letters ORDER BY "offset"')
    assert [row[0] for row in reasons] == [
        "not_json",
        "wrong_schema",
        "no_type",
        "unknown_type",
        "no_value",
        "unstorable",
    ]
    assert bytes(query("SELECT value FROM progress.dead_letters WHERE reason = 'not_json'")[0][0]) == b"not json"
    assert query("SELECT status, completed_documents FROM progress.jobs") == [("completed", 3)]
    assert worker.stop() == 0


async def test_no_record_stops_the_projection(
    servers: Servers, topic: str, query: Query, start_worker: StartWorker, process_number: Numbers
) -> None:
    """Every partition gets records that nobody should write; each is applied or set aside, once, and jobs go on."""
    taken = await pour(servers.bootstrap_servers, {topic: harvest(DOCUMENT_EVENTS, 150)})
    assert taken > 100
    producer = producer_of(servers)
    ids = [new_id() for _ in range(2 * PARTITIONS)]
    for job in ids:
        produce(producer, topic, whole_job(process_number(), job, 3))
    assert producer.flush(60) == 0
    worker = start_worker()
    ended = "SELECT count(*) FROM progress.jobs WHERE job_id = ANY (%s::uuid[]) AND status = 'completed'"
    wait_until(lambda: query(ended, ids) == [(len(ids),)])
    wait_until(lambda: not any(lag(servers.bootstrap_servers, worker.group).values()))
    reasons: dict[str, int] = dict(query("SELECT reason, count(*)::int FROM progress.dead_letters GROUP BY reason"))
    assert reasons.keys() >= {"unreadable_headers", "not_json", "wrong_schema", "no_value"}
    assert worker.stop() == 0
    assert "trying again" not in worker.log


def test_a_bug_in_taking_an_event_does_not_leave_partitions_unread(
    servers: Servers, topic: str, query: Query, start_worker: StartWorker, process_number: Numbers
) -> None:
    producer = producer_of(servers)
    worker = start_worker("--fail-once")
    produce(producer, topic, whole_job(process_number(), new_id(), 3))
    assert producer.flush(60) == 0
    wait_until(lambda: query(ENDED) == [(1,)])
    assert "The consumer ended, another is started" in worker.log
    assert worker.stop() == 0


def test_an_absent_database_is_waited_for(
    servers: Servers,
    topic: str,
    database: Any,
    query: Query,
    start_worker: StartWorker,
    process_number: Numbers,
) -> None:
    producer = producer_of(servers)
    worker = start_worker()
    produce(producer, topic, whole_job(process_number(), new_id(), 2))
    assert producer.flush(60) == 0
    wait_until(lambda: query(ENDED) == [(1,)])
    database.allow_connections(False)
    produce(producer, topic, whole_job(process_number(), new_id(), 2))
    assert producer.flush(60) == 0
    wait_until(lambda: "The projection waits, its batch is tried again" in worker.log)
    wait_until(lambda: worker.metric("autos_consumer_lag") == 5, what="what is read and not written counts")
    database.allow_connections(True)
    wait_until(lambda: query(ENDED) == [(2,)])
    wait_until(lambda: worker.metric("autos_consumer_lag") == 0)
    assert worker.metric("autos_status_lag_seconds") == 0
    assert worker.process.poll() is None
    assert worker.log.count("The projection waits, its batch is tried again") == 1
    assert worker.stop() == 0


def test_a_stop_while_the_database_is_away_is_quick(
    servers: Servers, topic: str, database: Any, start_worker: StartWorker, process_number: Numbers
) -> None:
    database.allow_connections(False)
    producer = producer_of(servers)
    produce(producer, topic, whole_job(process_number(), new_id(), 2))
    assert producer.flush(60) == 0
    worker = start_worker()
    wait_until(lambda: "The projection waits, its batch is tried again" in worker.log)
    assert worker.stop(15) == 0
