"""What the downloader's tests do to it: ask for cases, run workers, hear the events, read the store."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import confluent_kafka
import orjson
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, text

from autos.local.pdpj.control import SimulatorControl
from services.downloader.settings import DownloaderSettings
from services.downloader.worker import Worker
from shared.clock import utc_now
from shared.db.engine import Database
from shared.domain.cnj import ProcessNumber
from shared.events import topics
from shared.events.envelope import encode
from shared.events.process_requested import ProcessRequested
from shared.kafka.config import common_config
from shared.kafka.producer import Producer
from shared.records import OutgoingRecord
from shared.storage.store import make_client
from sources.registry import SOURCES, SourceRegistry
from tests.support import Servers, wait_until, wait_until_async

INPUTS = (
    topics.PROCESS_REQUESTED,
    topics.DOCUMENT_REQUESTED,
    *(tier.topic for tier in (*topics.PROCESS_RETRY, *topics.DOCUMENT_RETRY)),
)
OUTPUTS = (topics.DOCUMENT_EVENTS, topics.DOCUMENT_REQUESTED, topics.DOCUMENT_DEAD, topics.PROCESS_DEAD)


@dataclass(frozen=True)
class Heard:
    """A record of an output topic, as a read-committed reader sees it."""

    topic: str
    type: str
    key: bytes | None
    value: dict[str, Any]
    headers: dict[str, bytes]


@dataclass
class Workers:
    """One test's workers and ears. Groups are its own and begin at the topics' ends, so tests do not see each other."""

    servers: Servers
    pdpj: SimulatorControl
    fresh_number: Callable[[], ProcessNumber]
    data_dir: Path
    prefix: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:8]}")
    heard: list[Heard] = field(default_factory=list)
    sources: SourceRegistry = SOURCES

    async def open(self) -> None:
        self.database = Database.connect(self.servers.owner_url, application_name="test", pool_size=2)
        self.producer = Producer(self.servers.bootstrap_servers)
        self._store: Any = make_client(self.settings())
        self._ears = confluent_kafka.Consumer(
            {
                **common_config(self.servers.bootstrap_servers),
                "group.id": f"{self.prefix}.ears",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        self._ears.assign(self.ends(OUTPUTS))
        for group in ("planner", "fetcher"):
            self.skip_to_end(f"{self.prefix}.{group}")
        await self.database.run(_make_client)

    async def close(self) -> None:
        self._ears.close()
        self._store.close()
        await asyncio.to_thread(self.producer.close)
        await asyncio.to_thread(self.database.close)

    def settings(self, **options: Any) -> DownloaderSettings:
        servers = self.servers
        values: dict[str, Any] = {
            "data_dir": self.data_dir,
            "database_url": servers.role_urls["downloader"],
            "kafka_bootstrap_servers": servers.bootstrap_servers,
            "kafka_group_prefix": self.prefix,
            "s3_endpoint_url": servers.s3_endpoint_url,
            "s3_bucket": servers.s3_bucket,
            "AWS_ACCESS_KEY_ID": servers.s3_access_key_id,
            "AWS_SECRET_ACCESS_KEY": servers.s3_secret_access_key,
            "pdpj_base_url": self.pdpj.portal_url,
            "pdpj_token_url": self.pdpj.token_url,
            "pdpj_client_id": "autos",
            "pdpj_client_secret": "secret",
            "download_retry_delays": (0.2, 0.3, 0.4),
            "replica": self.prefix,
            "shutdown_seconds": 5.0,
        }
        return DownloaderSettings(_env_file=None, **{**values, **options})

    @asynccontextmanager
    async def worker(self, **options: Any) -> AsyncIterator[Worker]:
        """A worker that runs inside of the block; its failure is the test's. Its metrics are in ``registry``.

        A second one at the same time needs a ``replica`` of its own.
        """
        self.registry = CollectorRegistry()
        worker = Worker(self.settings(**options), registry=self.registry, sources=self.sources)
        stop = asyncio.Event()
        running = asyncio.ensure_future(worker.run(stop))
        try:
            yield worker
        finally:
            stop.set()
            await running

    @contextmanager
    def process(self, replica: str = "1", **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker in a process of its own, for the test to kill; ended with the block in any case."""
        settings = {
            **os.environ,
            **self.servers.environment,
            "AUTOS_DATABASE_URL": self.servers.role_urls["downloader"],
            "AUTOS_KAFKA_GROUP_PREFIX": self.prefix,
            "AUTOS_DATA_DIR": str(self.data_dir),
            "AUTOS_REPLICA": f"{self.prefix}.{replica}",
            "AUTOS_PDPJ_BASE_URL": self.pdpj.portal_url,
            "AUTOS_PDPJ_TOKEN_URL": self.pdpj.token_url,
            "AUTOS_PDPJ_CLIENT_ID": "autos",
            "AUTOS_PDPJ_CLIENT_SECRET": "secret",
            "AUTOS_DOWNLOAD_RETRY_DELAYS": "0.2,0.3,0.4",
            **environment,
        }
        with (self.data_dir / f"downloader.{replica}.log").open("ab") as log:
            process = subprocess.Popen([sys.executable, "-m", "services.downloader"], env=settings, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    async def ask(
        self,
        number: str,
        *,
        discover: bool = True,
        document_ids: list[str] | None = None,
        scope: str = "all",
        retry_failed: bool = False,
        verify: bool = False,
        times: int = 1,
    ) -> str:
        """Ask for a case as api does, whose relay may publish the same event several times; the job's id."""
        job_id = str(uuid.uuid4())
        await self.make_job(job_id, number, scope, retry_failed)
        request = ProcessRequested(
            job_id=job_id,
            process_number=number,
            client_id="test",
            document_ids=document_ids,
            discover=discover,
            verify=verify,
            created_at=datetime(2025, 1, 2, tzinfo=UTC),
        )
        event = encode(request, topics.PROCESS_REQUESTED, event_id=job_id, source="/autos/api", time=utc_now())
        await self.produce(*[event] * times)
        return job_id

    async def make_job(self, job_id: str, number: str, scope: str = "all", retry_failed: bool = False) -> None:
        """A job in the catalog, as api makes it."""
        await self.database.run(lambda connection: _make_job(connection, job_id, number, scope, retry_failed))

    async def produce(self, *records: OutgoingRecord) -> None:
        await self.producer.send(records)

    def sample(self, name: str, **labels: str) -> float | None:
        """A metric of the worker that was started last; None when there is none yet."""
        return self.registry.get_sample_value(name, labels)

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        """As the owner of the database."""

        def run(connection: Connection) -> list[Any]:
            result = connection.execute(text(statement), values)
            return list(result) if result.returns_rows else []

        return await self.database.run(run)

    def listen(self) -> list[Heard]:
        """Everything heard so far."""
        for message in self._ears.consume(5_000, timeout=0.01):
            assert message.error() is None, message.error()
            headers = {name: bytes(value or b"") for name, value in cast(Any, message.headers() or [])}
            kind = headers.get("ce_type", b"").decode()
            value = message.value()
            readable = orjson.loads(value) if value and value[:1] == b"{" else {"raw": value}
            self.heard.append(
                Heard(str(message.topic()), kind.removeprefix("autos."), message.key(), readable, headers)
            )
        return self.heard

    def told(self, job_id: str, *kinds: str) -> list[dict[str, Any]]:
        """The values of a job's events of these types, in order."""
        return [
            each.value
            for each in self.listen()
            if each.type in kinds and each.value.get("job_id") == job_id and each.topic == topics.DOCUMENT_EVENTS
        ]

    async def ended(self, job_id: str, timeout: float = 60.0) -> dict[str, str]:
        """Wait until each document of a job has its end: the last word on each, by document."""
        ends = ("document.available", "document.failed")

        def all_ended() -> dict[str, str] | None:
            planned = self.told(job_id, "job.planned")
            last = {event["document_id"]: event for event in self.told(job_id, *ends)}
            if not planned or len(last) < planned[0]["total_documents"] - planned[0]["already_available"]:
                return None
            return {name: event.get("error_code") or "available" for name, event in last.items()} | {"": ""}

        found = await wait_until_async(all_ended, timeout, f"{job_id} ended")
        assert found is not None
        del found[""]
        return found

    async def aborted(self, job_id: str, timeout: float = 60.0) -> str:
        (told,) = await wait_until_async(lambda: self.told(job_id, "job.aborted"), timeout, "aborted")
        code: str = told["error_code"]
        return code

    def stored(self, key: str) -> tuple[bytes, dict[str, str], str]:
        """An object: its bytes, metadata and content type."""
        found = self._store.get_object(Bucket=self.servers.s3_bucket, Key=key)
        with found["Body"] as body:
            return body.read(), found["Metadata"], found["ContentType"]

    def spoil(self, key: str, content: bytes | None = None) -> None:
        """Behind everybody's back: another content for an object, or none at all."""
        if content is None:
            self._store.delete_object(Bucket=self.servers.s3_bucket, Key=key)
        else:
            self._store.put_object(Bucket=self.servers.s3_bucket, Key=key, Body=content)

    def check_stored(self, number: ProcessNumber, job_id: str, *, but: Sequence[str] = ()) -> None:
        """Every document of the case is in the store with the SHA-256 that the source's copy has."""
        available = {event["document_id"]: event for event in self.told(job_id, "document.available")}
        expected = [document for document in self.pdpj.case(number).documents if document.document_id not in but]
        assert set(available) == {document.document_id for document in expected}
        for document in expected:
            event = available[document.document_id]
            content, metadata, content_type = self.stored(event["object_key"])
            assert hashlib.sha256(content).hexdigest() == document.sha256 == event["sha256"] == metadata["sha256"]
            assert len(content) == document.size == event["size"]
            assert content_type == event["content_type"]

    def ends(self, names: Sequence[str]) -> list[TopicPartition]:
        admin = AdminClient(common_config(self.servers.bootstrap_servers))
        found = admin.list_topics(timeout=60).topics
        partitions = [TopicPartition(name, index) for name in names for index in found[name].partitions]
        asked: dict[TopicPartition, Any] = dict.fromkeys(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]

        def answered() -> list[TopicPartition]:
            try:
                return [
                    TopicPartition(each.topic, each.partition, answer.result().offset)
                    for each, answer in admin.list_offsets(asked, request_timeout=60).items()
                ]
            except KafkaException:
                return []  # a topic that was just made has no leader yet

        return wait_until(answered, what="the ends of the topics")

    def skip_to_end(self, group: str, topics: Sequence[str] = INPUTS) -> None:
        """Have a group begin with what is written from now on."""
        consumer = confluent_kafka.Consumer({**common_config(self.servers.bootstrap_servers), "group.id": group})

        def committed() -> bool:
            try:
                consumer.commit(offsets=self.ends(topics), asynchronous=False)
            except KafkaException as error:
                # A broker that has just started names a coordinator before it is one.
                passing = ("NOT_COORDINATOR", "COORDINATOR_LOAD_IN_PROGRESS")
                if not error.args[0].retriable() and error.args[0].name() not in passing:
                    raise
                return False
            return True

        try:
            wait_until(committed, what=f"the first offsets of {group}")
        finally:
            consumer.close()


def _make_client(connection: Connection) -> None:
    connection.execute(
        text(
            "INSERT INTO catalog.clients (client_id, name, webhook_secret) VALUES ('test', 't', '')"
            " ON CONFLICT DO NOTHING"
        )
    )


def _make_job(connection: Connection, job_id: str, number: str, scope: str, retry_failed: bool) -> None:
    connection.execute(
        text(
            "INSERT INTO catalog.jobs"
            " (job_id, process_number, client_id, scope, discover, retry_failed, active, created_at)"
            " VALUES (:job_id, :number, 'test', :scope, true, :retry_failed, false, now())"
        ),
        {"job_id": job_id, "number": number, "scope": scope, "retry_failed": retry_failed},
    )
