"""The deep check on the real servers: a system in order passes, and each thing that is broken in it is named."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import obstore
import psycopg2
import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from obstore.store import S3Store

from ops.invariants.check import Check
from ops.invariants.database import DatabaseReader
from ops.invariants.findings import Findings, Patience, Rule
from ops.invariants.store import StoreReader
from ops.invariants.topics import GROUPS, TopicReader
from shared.domain.cnj import ProcessNumber
from shared.events import topics
from shared.events.envelope import encode
from shared.events.process_completed import JobOutcome, ProcessCompleted
from shared.events.process_requested import ProcessRequested
from shared.kafka.config import common_config
from shared.kafka.consumer.offset_metadata import encode_metadata
from shared.settings import StorageSettings
from shared.storage.store import make_store, object_key
from tests.integration.db.fresh import fresh_database
from tests.support import Servers, wait_until

CONTENT = b"%PDF-1.7 twelve bytes and more"
BEGAN = datetime.now(UTC) - timedelta(hours=1)


@dataclass
class System:
    """A database, the bucket and the groups of a deployment of its own, with one finished job in them."""

    servers: Servers
    url: str
    prefix: str
    number: ProcessNumber
    store: S3Store
    job: str
    document: str
    waits: list[float]

    def sql(self, statement: str, **parameters: Any) -> None:
        with closing(psycopg2.connect(self.url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, {"job": self.job, "document": self.document, **parameters})

    def look(self, *, hashes: bool = False) -> Findings:
        with (
            closing(TopicReader(self.servers.bootstrap_servers, self.prefix)) as reader,
            closing(DatabaseReader(self.url, BEGAN - timedelta(hours=2))) as database,
        ):
            check = Check(
                database,
                StoreReader(self.store, hashes=hashes),
                reader,
                Patience(),
                BEGAN - timedelta(hours=2),
                sleep=self.waits.append,
            )
            return check.run()

    def rules(self, *, hashes: bool = False) -> set[Rule]:
        return {mismatch.rule for mismatch in self.look(hashes=hashes).mismatches}

    def produce(
        self, topic: str, key: str, value: bytes, headers: dict[str, bytes], *, transaction: bool = False
    ) -> Any:
        """Write one record; its message with partition and offset."""
        done: list[Any] = []
        extra = {"transactional.id": f"{self.prefix}.{uuid.uuid4()}"} if transaction else {}
        producer = Producer({**common_config(self.servers.bootstrap_servers), **extra})
        if transaction:
            producer.init_transactions()
            producer.begin_transaction()
        producer.produce(topic, value, key, headers=list(headers.items()), on_delivery=lambda _, m: done.append(m))
        producer.flush(60)
        if transaction:
            producer.commit_transaction()
        return done[0]

    def complete(self, status: JobOutcome = JobOutcome.COMPLETED, event_id: str | None = None) -> None:
        event = ProcessCompleted(
            job_id=self.job,
            process_number=self.number,
            status=status,
            total_documents=1,
            completed_documents=1,
            failed_documents=0,
            created_at=BEGAN,
            completed_at=BEGAN,
        )
        record = encode(
            event, topics.PROCESS_COMPLETED, event_id=event_id or self.job, source="/autos/status", time=BEGAN
        )
        message = self.produce(record.topic, record.key.decode(), record.value or b"", dict(record.headers))
        self.commit("notifier", message.topic(), message.partition(), message.offset() + 1)

    def commit(self, group: str, topic: str, partition: int, offset: int, metadata: str = "") -> None:
        admin = AdminClient(common_config(self.servers.bootstrap_servers))
        where = TopicPartition(topic, partition, offset, metadata)
        name = f"{self.prefix}.{group}"
        admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(name, [where])])[name].result(60)

    def commit_ends(self) -> None:
        """Every group of this deployment has read everything that other tests have written."""
        admin = AdminClient(common_config(self.servers.bootstrap_servers))
        known = admin.list_topics(timeout=60).topics
        config = {**common_config(self.servers.bootstrap_servers), "group.id": f"{self.prefix}.ends"}
        with closing(Consumer(config)) as reader:

            def end(topic: str, partition: int) -> TopicPartition | None:
                try:
                    _, offset = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=60)
                except KafkaException:
                    # A broker that has just been started does not lead all of its partitions yet.
                    return None
                return TopicPartition(topic, partition, offset)

            for group, names in GROUPS.items():
                partitions = [(name, number) for name in names for number in known[name].partitions]
                offsets = [wait_until(partial(end, *each)) for each in partitions]
                name = f"{self.prefix}.{group}"
                known_ends = [each for each in offsets if each is not None]
                admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(name, known_ends)])[name].result(60)


@pytest.fixture(scope="module")
def database_url(servers: Servers) -> Iterator[str]:
    with fresh_database(servers) as database:
        yield database.owner_url


@pytest.fixture
def system(servers: Servers, database_url: str, process_number: Callable[[], ProcessNumber]) -> System:
    settings = StorageSettings.model_validate(
        {
            "s3_endpoint_url": servers.s3_endpoint_url,
            "s3_bucket": servers.s3_bucket,
            "aws_access_key_id": servers.s3_access_key_id,
            "aws_secret_access_key": servers.s3_secret_access_key,
        }
    )
    made = System(
        servers,
        database_url,
        f"deep-{uuid.uuid4().hex[:8]}",
        process_number(),
        make_store(settings),
        str(uuid.uuid4()),
        str(uuid.uuid4()),
        [],
    )
    made.sql(
        """
        TRUNCATE catalog.clients, catalog.jobs, catalog.job_webhooks, catalog.outbox, progress.jobs,
            progress.job_documents, progress.documents, delivery.completions, delivery.endpoints,
            delivery.deliveries, delivery.attempts CASCADE
        """
    )
    made.commit_ends()
    fill(made)
    return made


def fill(system: System) -> None:
    """One job with one document and one delivered webhook, as the services leave it."""
    key = object_key(system.number, system.document)
    obstore.put(system.store, key, CONTENT)
    system.sql(
        """
        INSERT INTO catalog.clients (client_id, name, webhook_secret) VALUES ('deep', 'deep', 'whsec_x')
            ON CONFLICT DO NOTHING;
        INSERT INTO catalog.jobs (job_id, process_number, client_id, scope, discover, active, created_at)
            VALUES (%(job)s, %(number)s, 'deep', 'all', false, false, %(at)s);
        INSERT INTO catalog.job_webhooks (subscription_id, job_id, client_id, url, created_at)
            VALUES (%(document)s, %(job)s, 'deep', 'http://127.0.0.1/x', %(at)s);
        INSERT INTO progress.jobs (job_id, process_number, status, total_documents, completed_documents,
            failed_documents, created_at, started_at, planned_at, completed_at, updated_at)
            VALUES (%(job)s, %(number)s, 'completed', 1, 1, 0, %(at)s, %(at)s, %(at)s, %(at)s, %(at)s);
        INSERT INTO progress.job_documents VALUES (%(job)s, %(document)s, 'available');
        INSERT INTO progress.documents (process_number, document_id, job_id, status, object_key, sha256, size,
            content_type, download_completed_at, updated_at)
            VALUES (%(number)s, %(document)s, %(job)s, 'available', %(key)s, %(sha256)s, %(size)s,
            'application/pdf', %(at)s, %(at)s);
        INSERT INTO delivery.completions (job_id, process_number, status, total_documents, completed_documents,
            failed_documents, created_at, completed_at)
            VALUES (%(job)s, %(number)s, 'completed', 1, 1, 0, %(at)s, %(at)s);
        INSERT INTO delivery.endpoints (endpoint_id, client_id, url, origin)
            VALUES (%(document)s, 'deep', 'http://127.0.0.1/x', 'http://127.0.0.1');
        INSERT INTO delivery.deliveries (delivery_id, subscription_id, job_id, process_number, client_id, endpoint_id,
            url, status, attempts, created_at, updated_at, delivered_at)
            VALUES (%(document)s, %(document)s, %(job)s, %(number)s, 'deep', %(document)s, 'http://127.0.0.1/x',
            'delivered', 1, %(at)s, %(at)s, %(at)s);
        INSERT INTO delivery.attempts (delivery_id, attempt, started_at, duration_ms, succeeded)
            VALUES (%(document)s, 1, %(at)s, 5, true);
        """,
        number=system.number,
        at=BEGAN,
        key=key,
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        size=len(CONTENT),
    )
    system.complete()


def test_a_system_in_order_has_nothing_to_tell_and_is_looked_at_once(system: System) -> None:
    # An event that the relay published twice is the same event.
    system.complete()
    found = system.look(hashes=True)
    assert found.mismatches == []
    assert found.running == []
    assert found.counted["jobs"] == found.counted["available documents"] == found.counted["deliveries delivered"] == 1
    assert found.counted["repeated announcements"] == 1
    assert system.waits == []


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("UPDATE progress.jobs SET completed_documents = 0", Rule.JOB_COUNTS),
        ("UPDATE progress.jobs SET status = 'processing', error_code = 'x'", Rule.JOB_STATUS),
        ("UPDATE progress.job_documents SET status = 'failed'", Rule.JOB_COUNTS),
        ("UPDATE progress.documents SET status = 'failed'", Rule.JOB_DOCUMENTS),
        ("DELETE FROM progress.jobs", Rule.JOB_LOST),
        ("UPDATE progress.jobs SET completed_at = NULL, status = 'processing'", Rule.JOB_STUCK),
        ("DELETE FROM catalog.job_webhooks; DELETE FROM catalog.jobs", Rule.JOB_UNKNOWN),
        ("DELETE FROM delivery.completions", Rule.JOB_COMPLETION),
        ("DELETE FROM delivery.deliveries", Rule.DELIVERY_MISSING),
        ("DELETE FROM delivery.attempts", Rule.DELIVERY_UNPROVEN),
        (
            "UPDATE delivery.deliveries SET status = 'waiting', next_attempt_at = now() - interval '2 minutes'",
            Rule.DELIVERY_OVERDUE,
        ),
        (
            "UPDATE delivery.deliveries SET status = 'sending', lease_until = now() - interval '2 minutes'",
            Rule.DELIVERY_LEASE,
        ),
        ("UPDATE progress.documents SET size = 1", Rule.OBJECT_SIZE),
        ("UPDATE progress.documents SET object_key = 'elsewhere'", Rule.OBJECT_KEY),
        ("UPDATE progress.documents SET sha256 = 'ff'", Rule.OBJECT_HASH),
        (
            """INSERT INTO catalog.outbox (id, aggregatetype, aggregateid, type, payload, headers, created_at)
            VALUES (%(job)s, 't', 'k', 'e', '{}', '{}', now() - interval '11 seconds')""",
            Rule.OUTBOX_UNPUBLISHED,
        ),
    ],
)
def test_what_is_broken_is_named_after_a_second_look(system: System, statement: str, rule: Rule) -> None:
    system.sql(statement)
    # Another status is not the announced one either.
    also = {Rule.JOB_ANNOUNCEMENT} if rule is Rule.JOB_STATUS else set()
    assert system.rules(hashes=True) == {rule} | also
    assert len(system.waits) == 1


def test_a_missing_object_is_named(system: System) -> None:
    obstore.delete(system.store, object_key(system.number, system.document))
    assert system.rules(hashes=True) == {Rule.OBJECT_MISSING}


def test_a_second_announcement_of_another_id_is_named(system: System) -> None:
    system.complete(event_id=str(uuid.uuid4()))
    assert system.rules() == {Rule.JOB_ANNOUNCEMENT}


def test_what_heals_between_the_looks_is_not_told(system: System) -> None:
    system.sql("UPDATE progress.jobs SET completed_documents = 0")
    heal = "UPDATE progress.jobs SET completed_documents = 1"
    system.waits = Healing(lambda: system.sql(heal))
    assert system.rules() == set()


class Healing(list[float]):
    """A wait in which something is put right."""

    def __init__(self, heal: Callable[[], None]) -> None:
        super().__init__()
        self._heal = heal

    def append(self, seconds: float) -> None:
        super().append(seconds)
        self._heal()


# ---- what is on its way in the topics -------------------------------------------------------------------------------


def request(system: System, **more: Any) -> tuple[str, str, bytes, dict[str, bytes]]:
    event = ProcessRequested(
        job_id=system.job,
        process_number=system.number,
        client_id="deep",
        document_ids=None,
        discover=False,
        created_at=BEGAN,
        **more,
    )
    record = encode(event, topics.PROCESS_REQUESTED, event_id=str(uuid.uuid4()), source="/autos/api", time=BEGAN)
    return record.topic, record.key.decode(), record.value or b"", dict(record.headers)


def test_the_marker_behind_a_transaction_is_no_backlog(system: System) -> None:
    message = system.produce(*request(system), transaction=True)
    with closing(TopicReader(system.servers.bootstrap_servers, system.prefix)) as reader:
        (before,) = reader.pending().backlogs
        assert (before.records, before.members, before.committed) == (1, 0, message.offset())
        system.commit("planner", message.topic(), message.partition(), message.offset() + 1)
        assert reader.pending().backlogs == []


def test_a_record_on_its_way_keeps_a_job_from_being_lost(system: System) -> None:
    system.sql("DELETE FROM progress.jobs")
    message = system.produce(*request(system))
    found = system.look()
    assert found.mismatches == []
    assert any("1 jobs" in words for words in found.running)
    assert any("1 records of process.requested" in words for words in found.running)
    system.commit("planner", message.topic(), message.partition(), message.offset() + 1)
    assert system.rules() == {Rule.JOB_LOST}


def test_what_a_commit_calls_finished_and_what_is_not_due_is_told_apart(system: System) -> None:
    first = system.produce(*request(system))
    second = system.produce(*request(system, not_before=datetime.now(UTC) + timedelta(hours=1)))
    assert (second.partition(), second.offset()) == (first.partition(), first.offset() + 1)
    finished = encode_metadata(first.offset(), [(first.offset() + 1, first.offset() + 2)])
    with closing(TopicReader(system.servers.bootstrap_servers, system.prefix)) as reader:
        (both,) = reader.pending().backlogs
        assert both.records == 2
        system.commit("planner", first.topic(), first.partition(), first.offset(), finished)
        (one,) = reader.pending().backlogs
        assert (one.records, one.due_since is None) == (1, False)
        system.commit("planner", first.topic(), first.partition(), first.offset() + 1)
        (later,) = reader.pending().backlogs
        assert (later.records, later.due_since) == (1, None)
