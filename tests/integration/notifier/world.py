"""What the notifier's tests stand on: a receiver that can be told how to answer, and cases to tell about."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Engine, func, insert, select
from standardwebhooks.webhooks import Webhook

from services.notifier.intake.completion_rows import delivery_id
from services.notifier.settings import NotifierSettings
from services.notifier.worker import Notifier
from shared.db import catalog, delivery, progress
from shared.db.engine import make_engine
from shared.domain.api_keys import new_webhook_secret
from shared.domain.cnj import ProcessNumber
from shared.events.envelope import Event, deterministic_id, encode
from shared.events.process_completed import JobOutcome, ProcessCompleted
from shared.events.topics import PROCESS_COMPLETED, WEBHOOK_SUBSCRIBED
from shared.events.webhook_subscribed import WebhookSubscribed, subscription_id
from shared.kafka.producer import Producer
from tests.support import Servers, wait_until_async
from tests.tcp import tcp_server

Answer = Callable[["Call"], Awaitable[bytes | None]]
GROUP_PREFIX = f"notifier-tests-{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True)
class Call:
    """One request that the receiver got."""

    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def delivery_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def attempt(self) -> int:
        return int(self.headers["webhook-attempt"])

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)["data"]
        return found

    def verify(self, secret: str) -> Any:
        return Webhook(secret).verify(self.body, dict(self.headers))


def status(code: int, **headers: str) -> bytes:
    """An answer with a status and headers (underscores become dashes)."""
    lines = [f"HTTP/1.1 {code} X", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "content-length: 0", "", ""]).encode()


@dataclass
class Receiver:
    """An HTTP server on loopback. ``answer`` decides; None: never answers."""

    answer: Answer
    calls: list[Call] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def of(self, wanted: str) -> list[Call]:
        return [call for call in self.calls if call.delivery_id == wanted]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = (line.partition(":") for line in head.strip().split("\r\n")[1:])
            headers = {name.lower(): value.strip() for name, _, value in fields}
            body = await reader.readexactly(int(headers["content-length"]))
            call = Call(headers, body, asyncio.get_running_loop().time())
            self.calls.append(call)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            try:
                text = await self.answer(call)
                if text is None:
                    await reader.read()
                    return
                writer.write(text)
                await writer.drain()
            finally:
                self.in_flight -= 1


async def accept(_: Call) -> bytes:
    return status(204)


async def never(_: Call) -> None:
    return None


def always(code: int, **headers: str) -> Answer:
    async def answer(_: Call) -> bytes:
        return status(code, **headers)

    return answer


def in_turn(*codes: int) -> Answer:
    """These statuses, a delivery's first attempt the first; the last one for all that follow."""

    async def answer(call: Call) -> bytes:
        return status(codes[min(call.attempt, len(codes)) - 1])

    return answer


@asynccontextmanager
async def receiving(answer: Answer = accept) -> AsyncIterator[Receiver]:
    receiver = Receiver(answer)
    async with tcp_server(receiver.serve, backlog=1024) as receiver.port:
        yield receiver


@dataclass(frozen=True)
class Job:
    """A job that a test made: what its events say."""

    job_id: str
    process_number: str
    client_id: str
    documents: tuple[str, ...]

    def subscribed(self, url: str, *, sealed: bool = False) -> WebhookSubscribed:
        return WebhookSubscribed(
            subscription_id=subscription_id(self.job_id, self.client_id, url),
            job_id=self.job_id,
            process_number=self.process_number,
            client_id=self.client_id,
            url=url,
            sealed=sealed,
        )

    def delivery(self, url: str) -> str:
        return delivery_id(self.subscribed(url).subscription_id)

    def completed(self, outcome: JobOutcome = JobOutcome.COMPLETED, failed: int = 0) -> ProcessCompleted:
        now = datetime.now(UTC)
        return ProcessCompleted(
            job_id=self.job_id,
            process_number=self.process_number,
            status=outcome,
            total_documents=len(self.documents),
            completed_documents=len(self.documents) - failed,
            failed_documents=failed,
            created_at=now,
            completed_at=now,
        )


class World:
    """The database as its owner sees it, and a producer: what the other services would have done."""

    def __init__(self, engine: Engine, producer: Producer, numbers: Callable[[], ProcessNumber]) -> None:
        self.engine = engine
        self.producer = producer
        self._numbers = numbers

    def client(self, **more: Any) -> tuple[str, str]:
        """A new client: its id and its webhook secret."""
        client_id, secret = f"client-{uuid.uuid4().hex[:8]}", new_webhook_secret()
        with self.engine.begin() as connection:
            connection.execute(
                insert(catalog.clients).values(client_id=client_id, name="test", webhook_secret=secret, **more)
            )
        return client_id, secret

    def job(
        self,
        client_id: str,
        *,
        documents: int = 2,
        failed: int = 0,
        scope: str | None = None,
        level: int | None = 0,
        sealed: int = 0,
    ) -> Job:
        """A job whose documents have ended; the first ``failed`` of them badly, and the last ``sealed`` are sealed."""
        number, job_id, now = str(self._numbers()), str(uuid.uuid4()), datetime.now(UTC)
        ids = [str(uuid.uuid4()) for _ in range(documents)]
        with self.engine.begin() as connection:
            connection.execute(
                insert(catalog.processes).values(
                    process_number=number,
                    court="TJSP",
                    subjects=["a"],
                    parties=[],
                    movements=[],
                    claim_value="1234.56",
                    secrecy_level=level,
                    fetched_at=now,
                    filed_at=now,
                )
            )
            connection.execute(
                insert(catalog.jobs).values(
                    job_id=job_id,
                    process_number=number,
                    client_id=client_id,
                    scope=ids[0] if scope == "first" else "all",
                    discover=False,
                    created_at=now,
                )
            )
            if ids:
                connection.execute(
                    insert(catalog.documents),
                    [
                        {
                            "process_number": number,
                            "document_id": document,
                            "position": position,
                            "name": f"Petição {position}",
                            "secrecy_level": "PUBLICO" if position < documents - sealed else "SIGILO_ABSOLUTO",
                            "source_path": "/x",
                        }
                        for position, document in enumerate(ids)
                    ],
                )
                connection.execute(
                    insert(progress.documents),
                    [
                        {
                            "process_number": number,
                            "document_id": document,
                            "job_id": job_id,
                            "status": "failed" if position < failed else "available",
                            "sha256": "ab" * 32,
                            "size": 1000,
                            "content_type": "application/pdf",
                            "attempts": 1,
                            "error_code": "no_access" if position < failed else None,
                            "updated_at": now,
                        }
                        for position, document in enumerate(ids)
                    ],
                )
        return Job(job_id, number, client_id, tuple(ids))

    async def publish(self, *events: Event, repeat: int = 1) -> None:
        records = [
            encode(
                event,
                PROCESS_COMPLETED if isinstance(event, ProcessCompleted) else WEBHOOK_SUBSCRIBED,
                event_id=deterministic_id("test", event.TYPE, event.key()),
                source="/autos/test",
                time=datetime.now(UTC),
            )
            for event in events
            for _ in range(repeat)
        ]
        await self.producer.send(records)

    async def start(self, url: str, client_id: str, **more: Any) -> str:
        """A finished job with a webhook: the id of its delivery."""
        job = self.job(client_id, **more)
        await self.publish(job.subscribed(url), job.completed())
        return job.delivery(url)

    def delivery(self, wanted: str) -> Any:
        with self.engine.connect() as connection:
            query = select(delivery.deliveries).where(delivery.deliveries.c.delivery_id == wanted)
            return connection.execute(query).one_or_none()

    def count(self, client_id: str, state: str | None = None) -> int:
        """How many deliveries a client has, of one state or of any."""
        table = delivery.deliveries
        query = select(func.count()).select_from(table).where(table.c.client_id == client_id)
        with self.engine.connect() as connection:
            found: int = connection.execute(
                query if state is None else query.where(table.c.status == state)
            ).scalar_one()
        return found

    def attempts(self, wanted: str) -> list[Any]:
        table = delivery.attempts
        with self.engine.connect() as connection:
            return list(connection.execute(select(table).where(table.c.delivery_id == wanted).order_by(table.c.id)))

    def endpoint(self, wanted: str) -> Any:
        """The endpoint of a delivery."""
        table = delivery.endpoints
        with self.engine.connect() as connection:
            endpoint_id = self.delivery(wanted).endpoint_id
            return connection.execute(select(table).where(table.c.endpoint_id == endpoint_id)).one()

    def outbox_of(self, wanted: str) -> list[tuple[str, str]]:
        """Topic and type of what went into the outbox about a delivery, in order."""
        table = delivery.outbox
        with self.engine.connect() as connection:
            query = select(table.c.aggregatetype, table.c.type).where(table.c.aggregateid == wanted)
            return [(row.aggregatetype, row.type) for row in connection.execute(query.order_by(table.c.seq))]

    async def until(self, wanted: str, state: str, timeout: float = 60.0) -> Any:
        """Wait until a delivery is in a state; its row."""

        def found() -> Any:
            row = self.delivery(wanted)
            return row if row is not None and row.status == state else None

        return await wait_until_async(found, timeout, f"delivery {state}")


Running = Callable[..., AbstractAsyncContextManager[Notifier]]


def settings_for(servers: Servers, **more: Any) -> NotifierSettings:
    """Quick retries and a quick time-out, on the notifier's own role."""
    values: dict[str, Any] = {
        "database_url": servers.role_urls["notifier"],
        "kafka_bootstrap_servers": servers.bootstrap_servers,
        "kafka_group_prefix": GROUP_PREFIX,
        "s3_endpoint_url": servers.s3_endpoint_url,
        "s3_bucket": servers.s3_bucket,
        "AWS_ACCESS_KEY_ID": servers.s3_access_key_id,
        "AWS_SECRET_ACCESS_KEY": servers.s3_secret_access_key,
        "webhook_allowed_networks": "127.0.0.0/8",
        "webhook_retry_delays": "0.2,0.3,0.4",
        "webhook_timeout_seconds": 2.0,
        "shutdown_seconds": 6.0,
        "webhook_sweep_seconds": 0.5,
        **more,
    }
    return NotifierSettings(**values)


@contextmanager
def opened_world(servers: Servers, process_number: Callable[[], ProcessNumber]) -> Iterator[World]:
    """The world on these servers, as the database's owner; closed afterwards."""
    engine = make_engine(servers.owner_url, application_name="notifier-tests", pool_size=3)
    producer = Producer(servers.bootstrap_servers)
    yield World(engine, producer, process_number)
    producer.close()
    engine.dispose()
