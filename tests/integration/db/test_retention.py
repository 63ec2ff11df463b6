"""What is too old goes, batch by batch, and a kill between two batches leaves the rest to the next round."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import psycopg2
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection

from services.api.deletions.retention import CaseRetention
from services.api.deletions.service import DeletionService
from services.downloader.deleted_cases import DeletedCases
from services.downloader.event_records import EventRecords
from services.downloader.metrics import DownloaderMetrics
from services.downloader.retention import EXPIRED, DocumentRetention
from services.notifier.intake import deletion_rows as delivery_rows
from services.status.batch_writer import decode_all
from services.status.projection import deletion_rows as progress_rows
from services.status.projection.apply import Projection
from shared.db.engine import Database
from shared.deletion import DeletedCase, DeletionSteps
from shared.domain.cnj import ProcessNumber
from shared.kafka.producer import Producer
from shared.records import OutgoingRecord, Record
from shared.settings import StorageSettings
from shared.storage.removal import ObjectRemoval
from shared.storage.store import make_client, object_key
from tests.integration.db.fresh import FreshDatabase
from tests.support import Servers

Numbers = Callable[[], ProcessNumber]
NOW = datetime.now(UTC)
OLD, NEW = NOW - timedelta(days=40), NOW - timedelta(days=1)


class AppliedAtOnce:
    """A producer whose records are in the projection as soon as they are sent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        read = [
            Record(record.topic, 0, place, record.key, record.value, record.headers, int(NOW.timestamp() * 1000))
            for place, record in enumerate(records)
        ]
        occurrences, rejected = decode_all(read)
        assert not rejected
        await self._database.run(lambda connection: Projection().apply(connection, occurrences, NOW))


@contextmanager
def connected(database: FreshDatabase, role: str) -> Iterator[Database]:
    with closing(Database.connect(database.role_urls[role], application_name="test", pool_size=3)) as made:
        yield made


@pytest.fixture
def cursor(database: FreshDatabase) -> Iterator[Any]:
    with closing(psycopg2.connect(database.owner_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO catalog.clients (client_id, name, webhook_secret) VALUES ('office', 'o', 's')"
                " ON CONFLICT DO NOTHING"
            )
            yield cursor


@pytest.fixture
def storage(servers: Servers) -> StorageSettings:
    return StorageSettings.model_validate(
        {
            "s3_endpoint_url": servers.s3_endpoint_url,
            "s3_bucket": servers.s3_bucket,
            "AWS_ACCESS_KEY_ID": servers.s3_access_key_id,
            "AWS_SECRET_ACCESS_KEY": servers.s3_secret_access_key,
        }
    )


def put_case(
    cursor: Any, number: str, asked_at: datetime, stored: Mapping[str, datetime], *, runs: bool = False
) -> str:
    """A case that was asked for at a moment, with documents that were stored at theirs; the id of its job."""
    job = str(uuid.uuid4())
    cursor.execute(
        "INSERT INTO catalog.processes (process_number, subjects, parties, movements, secrecy_level, fetched_at)"
        " VALUES (%s, '[]', '[]', '[]', 0, %s)",
        (number, asked_at),
    )
    cursor.execute(
        "INSERT INTO catalog.jobs (job_id, process_number, client_id, scope, discover, active, created_at)"
        " VALUES (%s, %s, 'office', 'all', false, %s, %s)",
        (job, number, runs, asked_at),
    )
    cursor.execute(
        "INSERT INTO catalog.process_requests (client_id, process_number, first_requested_at, last_requested_at)"
        " VALUES ('office', %s, %s, %s)",
        (number, asked_at, asked_at),
    )
    cursor.execute(
        "INSERT INTO progress.jobs (job_id, process_number, status, completed_at) VALUES (%s, %s, 'completed', %s)",
        (job, number, None if runs else asked_at),
    )
    for position, (document, at) in enumerate(stored.items(), 1):
        cursor.execute(
            "INSERT INTO catalog.documents (process_number, document_id, position, name) VALUES (%s, %s, %s, 'n')",
            (number, document, position),
        )
        cursor.execute(
            "INSERT INTO progress.documents (process_number, document_id, job_id, status, object_key, sha256, size,"
            " content_type, download_completed_at, updated_at)"
            " VALUES (%s, %s, %s, 'available', %s, %s, 1, 'text/plain', %s, %s)",
            (number, document, job, object_key(number, document), "ab" * 32, at, at),
        )
    return job


def states(cursor: Any, number: str) -> dict[str, tuple[str, str | None]]:
    cursor.execute(
        "SELECT document_id::text, status, error_code FROM progress.documents WHERE process_number = %s", (number,)
    )
    return {document: (status, code) for document, status, code in cursor.fetchall()}


async def test_the_bytes_of_old_documents_go_and_it_is_said_why(
    database: FreshDatabase, storage: StorageSettings, cursor: Any, process_number: Numbers
) -> None:
    number, running = process_number(), process_number()
    old, new, left = (str(uuid.uuid4()) for _ in range(3))
    put_case(cursor, number, NEW, {old: OLD, new: NEW})
    put_case(cursor, running, NEW, {left: OLD}, runs=True)
    s3: Any = make_client(storage)
    for case, document in ((number, old), (number, new), (running, left)):
        s3.put_object(Bucket=storage.s3_bucket, Key=object_key(case, document), Body=b"x")
    metrics = DownloaderMetrics(CollectorRegistry())
    with connected(database, "downloader") as downloader, connected(database, "status") as status:
        retention = DocumentRetention(
            downloader,
            cast(Producer, AppliedAtOnce(status)),
            ObjectRemoval(storage),
            EventRecords(lambda: NOW),
            kept=timedelta(days=30),
            clock=lambda: NOW,
            metrics=metrics,
        )
        assert await retention.round() == 1
        # Again, by whoever: nothing is left to do.
        assert await retention.round() == 0
    assert states(cursor, number) == {old: ("failed", EXPIRED), new: ("available", None)}
    assert states(cursor, running) == {left: ("available", None)}
    listed = [
        one["Key"]
        for case in (number, running)
        for one in s3.list_objects_v2(Bucket=storage.s3_bucket, Prefix=f"processes/{case.digits}/").get("Contents", [])
    ]
    assert listed == [object_key(number, new), object_key(running, left)]
    for table in ("progress.documents", "progress.jobs", "catalog.documents", "catalog.jobs", "catalog.processes"):
        cursor.execute(f"DELETE FROM {table}")
    cursor.execute("DELETE FROM catalog.process_requests")


def put_end(cursor: Any, job: str, number: str) -> None:
    """The end of a job as the notifier has it, with a delivery and an event of a feed."""
    cursor.execute(
        "INSERT INTO delivery.completions (job_id, process_number, status, total_documents, completed_documents,"
        " failed_documents, created_at, completed_at) VALUES (%s, %s, 'completed', 0, 0, 0, %s, %s)",
        (job, number, OLD, OLD),
    )
    cursor.execute(
        "INSERT INTO delivery.deliveries (delivery_id, subscription_id, job_id, process_number, client_id, endpoint_id,"
        " url, status, created_at, updated_at) VALUES (gen_random_uuid(), gen_random_uuid(), %s, %s, 'office',"
        " gen_random_uuid(), 'https://example.com', 'delivered', %s, %s)",
        (job, number, OLD, OLD),
    )
    cursor.execute(
        "INSERT INTO delivery.feed_events (client_id, position, event_type, job_id, process_number, recorded_at)"
        " VALUES ('office', 1, 'process.completed', %s, %s, %s)",
        (job, number, OLD),
    )


class OneRowEach:
    """Removes a row at a time, and is killed before the third."""

    def __init__(self) -> None:
        self.left = 5
        self.killed = False

    def __call__(self, connection: Connection, case: DeletedCase) -> Mapping[str, int]:
        if self.left == 3 and not self.killed:
            self.killed = True
            raise RuntimeError("killed")
        if self.left == 0:
            return {}
        self.left -= 1
        return {"plans": 1}


async def test_old_cases_go_with_a_certificate_and_others_stay(
    database: FreshDatabase, storage: StorageSettings, cursor: Any, process_number: Numbers
) -> None:
    old, new, running = process_number(), process_number(), process_number()
    job = put_case(cursor, old, OLD, {str(uuid.uuid4()): OLD})
    put_case(cursor, new, NEW, {str(uuid.uuid4()): OLD})
    put_case(cursor, running, OLD, {}, runs=True)
    # Of a case that stays, a job that is old and not the newest.
    cursor.execute(
        "INSERT INTO catalog.jobs (job_id, process_number, client_id, scope, discover, active, created_at)"
        " VALUES (%s, %s, 'office', 'all', false, false, %s)",
        (history := str(uuid.uuid4()), new, OLD),
    )
    cursor.execute(
        "INSERT INTO progress.jobs (job_id, process_number, status, completed_at) VALUES (%s, %s, 'completed', %s)",
        (history, new, OLD),
    )
    put_end(cursor, history, new)
    killed = OneRowEach()
    with (
        connected(database, "api") as api,
        connected(database, "downloader") as downloader,
        connected(database, "status") as status,
        connected(database, "notifier") as notifier,
    ):
        deletions = DeletionService(api, lambda: NOW)
        retention = CaseRetention(deletions, api, lambda: NOW, 30.0)
        assert await retention.round()
        parts = [
            DeletionSteps(downloader, "source", killed, lambda: NOW),
            DeletionSteps(status, "progress", progress_rows.purge, lambda: NOW, progress_rows.OF_JOBS),
            DeletionSteps(notifier, "delivery", delivery_rows.purge, lambda: NOW, delivery_rows.OF_JOBS),
        ]
        with pytest.raises(RuntimeError, match="killed"):
            await parts[0].round()
        for part in parts:
            assert await part.round() == 1
            assert await part.round() == 0
        await deletions.round()
        [found] = (await deletions.page(None, 10))["deletions"]
        assert (found["status"], found["reason"], found["documents"]) == ("completed", "retention", 1)
        # Two rows before the kill, three after it: counted once each.
        assert found["removed"]["plans"] == 5
        assert not await retention.round()
        for part in parts[1:]:
            await part.sweep()
        # What comes for its job is dropped by planner and fetcher.
        assert await DeletedCases(downloader, ObjectRemoval(storage)).among([job, str(uuid.uuid4())]) == {job}
    cursor.execute("SELECT process_number FROM catalog.processes")
    assert {number for (number,) in cursor.fetchall()} == {new, running}
    of_end = ("delivery.completions", "delivery.deliveries", "delivery.feed_events")
    for table in ("catalog.jobs", "progress.jobs", *of_end):
        cursor.execute(f"SELECT count(*) FROM {table} WHERE job_id = ANY (%s::uuid[])", ([job, history],))
        assert cursor.fetchone() == (0,), table
