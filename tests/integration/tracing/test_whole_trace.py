"""One trace from a client's request to the attempts of its webhook, over the four services and a collector."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from autos.local.ports_and_secrets import free_port
from ops import clients
from shared.db.engine import make_engine
from shared.events import topics
from shared.secrets.keys import SecretKeys
from tests.integration.downloader.workers import Workers
from tests.integration.tracing.collector import Collector, Span, running_collector
from tests.support import wait_until_async

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
DOCUMENTS = 5


class Services:
    """The four services as processes of their own, which send their spans to a collector."""

    def __init__(self, bench: Workers, collector: Collector, logs: Path) -> None:
        self._bench = bench
        self._logs = logs
        self.port = free_port()
        bench.skip_to_end(f"{bench.prefix}.status", [topics.DOCUMENT_EVENTS])
        bench.skip_to_end(f"{bench.prefix}.notifier", [topics.PROCESS_COMPLETED, topics.WEBHOOK_SUBSCRIBED])
        bench.skip_to_end(f"{bench.prefix}.notifier-retry", [tier.topic for tier in topics.WEBHOOK_RETRY])
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AUTOS_")},
            **bench.servers.environment,
            "AUTOS_KAFKA_GROUP_PREFIX": bench.prefix,
            "AUTOS_DATA_DIR": str(bench.data_dir),
            "AUTOS_PDPJ_BASE_URL": bench.pdpj.portal_url,
            "AUTOS_PDPJ_TOKEN_URL": bench.pdpj.token_url,
            "AUTOS_PDPJ_CLIENT_ID": "autos",
            "AUTOS_PDPJ_CLIENT_SECRET": "secret",
            "AUTOS_API_PORT": str(self.port),
            "AUTOS_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            "AUTOS_WEBHOOK_RETRY_DELAYS": "0.2,0.2",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }

    @contextmanager
    def running(self) -> Iterator[None]:
        started = []
        try:
            for name in ("api", "downloader", "status", "notifier"):
                environment = {**self._environment, "AUTOS_DATABASE_URL": self._bench.servers.role_urls[name]}
                with (self._logs / f"{name}.log").open("ab") as log:
                    process = subprocess.Popen([sys.executable, "-m", f"services.{name}"], env=environment, stderr=log)
                started.append(process)
            yield
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(60)


class Receiver:
    """Answers 503 once, then 204."""

    def __init__(self) -> None:
        self.calls = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        self.calls += 1
        status = b"503 Service Unavailable" if self.calls == 1 else b"204 No Content"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


async def answers(api: httpx.AsyncClient, address: str) -> Any:
    try:
        return (await api.get(address)).status_code == 200
    except httpx.TransportError:
        return None


async def test_a_request_is_one_trace_to_each_attempt_of_its_webhook(bench: Workers, tmp_path: Path) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=DOCUMENTS, size=2_000)
    leave_nothing_to_publish(bench.servers.owner_url)
    key = clients.create_key(bench.servers.owner_url, f"client-{bench.prefix}", name="test", secrets=SecretKeys())[1]
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    hook = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    with running_collector() as collector:
        services = Services(bench, collector, tmp_path)
        with services.running():
            headers = {"Authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{services.port}", headers=headers, trust_env=False, timeout=60
            ) as api:
                await wait_until_async(lambda: answers(api, "/health/live"), 60)
                caller = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
                asked = await api.get(f"/processes/{number}", params={"webhook_url": hook}, headers=caller)
                assert asked.status_code in (200, 202), asked.text

                def attempts() -> list[Span]:
                    found = [span for span in collector.of(TRACE) if span.name == "POST webhook"]
                    return found if len(found) == 2 else []

                made = await wait_until_async(attempts, what="both attempts of the webhook")

                # A span is told when its attempt ends; the attempt is written a moment later.
                async def recorded() -> dict[str, Any] | None:
                    page = (await api.get("/webhooks/deliveries", params={"process_number": number})).json()
                    (only,) = page["deliveries"]
                    return only if len(only["attempts"]) == len(made) else None

                delivery: Any = await wait_until_async(recorded, what="both attempts on record")
                refused = await api.get("/processes/1", headers=caller)
        server.close()
        check(collector, made, number)
    # Views and problems name the trace and the spans.
    assert delivery["trace_id"] == TRACE
    assert {attempt["span_id"] for attempt in delivery["attempts"]} == {span.span_id for span in made}
    assert refused.json()["trace_id"] == TRACE


def leave_nothing_to_publish(owner_url: str) -> None:
    """What other tests left would come into the same batches, and a batch of several traces is in none of them."""
    engine = make_engine(owner_url, application_name="tracing-test", pool_size=1)
    with engine.begin() as connection:
        for schema in ("catalog", "progress", "delivery"):
            connection.execute(text(f"UPDATE {schema}.outbox SET published_at = now() WHERE published_at IS NULL"))
    engine.dispose()


def check(collector: Collector, attempts: list[Span], number: str) -> None:
    """Every step is there, begins with what caused it, and nothing began a trace of its own for it."""
    trace = collector.of(TRACE)
    by_id = {span.span_id: span for span in trace}
    (request,) = (
        span
        for span in trace
        if span.name == "GET /processes/{numero}"
        and span.service == "autos-api"
        and span.attributes["http.response.status_code"] != 422
    )
    assert request.parent == CALLER
    names = [span.name for span in trace]
    for name in ("send catalog.outbox", "process process.requested", "send progress.outbox"):
        assert name in names, names
    assert names.count("process document.requested") == DOCUMENTS
    planned = next(span for span in trace if span.name == "process process.requested")
    assert planned.parent == request.span_id
    documents = [span for span in trace if span.name == "process document.requested"]
    assert {span.parent for span in documents} == {planned.span_id}
    assert len({span.attributes["autos.document_id"] for span in documents}) == DOCUMENTS
    projected = [span for span in trace if span.name == "process document.events"]
    assert {span.service for span in projected} == {"autos-status"}
    (completed,) = (span for span in trace if span.name == "process process.completed")
    assert by_id[completed.parent].service == "autos-status"
    (subscribed,) = (span for span in trace if span.name == "process webhook.subscribed")
    assert subscribed.parent == request.span_id
    assert [span.attributes["http.response.status_code"] for span in attempts] == [503, 204]
    # Every parent is in the trace, or is the caller.
    assert {span.parent for span in trace} <= {*by_id, CALLER}
    assert not [span for span in trace if number in f"{span.name} {span.attributes}"]
