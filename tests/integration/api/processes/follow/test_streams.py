"""Event streams: what many of them read together of a large case, and how many a client may have."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
from sqlalchemy import Engine, text

from services.api.http.open_requests import OpenStreams, OpenWaits
from services.api.http.provided import parts_of
from services.api.processes.follow.changes import CaseChanges
from services.api.processes.follow.follower import CaseFollower
from services.api.processes.follow.stream_pages import PAGE_DOCUMENTS
from shared.db.engine import Database
from shared.domain.secrecy import Viewer
from tests.integration.api.processes.follow.test_waiting import serving
from tests.integration.api.scripted import ApiTools, client_of
from tests.integration.api.test_http import assert_problem
from tests.statements import noted_rows
from tests.support import wait_until_async

DOCUMENTS = 27_000
STREAMS = 20


def seed(owner: Engine, number: str, job_id: str) -> None:
    """The documents of a running job, most of them available: straight into the tables."""
    values = {"number": number, "job": job_id, "count": DOCUMENTS}
    with owner.begin() as connection:
        for statement in (
            """INSERT INTO catalog.documents (process_number, document_id, position, name, source_path)
               SELECT :number, md5(:number || n)::uuid, n, 'Petição ' || n, '/' || n
               FROM generate_series(10, 9 + :count) n""",
            """INSERT INTO progress.jobs (job_id, process_number, status, total_documents)
               VALUES (CAST(:job AS uuid), :number, 'processing', :count + 1)""",
            """INSERT INTO progress.documents (process_number, document_id, job_id, status, object_key, sha256, size,
                                               content_type, updated_at)
               SELECT :number, md5(:number || n)::uuid, CAST(:job AS uuid), 'available', 'k' || n, repeat('ab', 32), 10,
                      'application/pdf', now() - n * interval '1 second'
               FROM generate_series(10, 9 + :count) n""",
        ):
            connection.execute(text(statement), values)


def listener(client_id: str) -> Callable[[], Awaitable[Viewer]]:
    async def always() -> Viewer:
        return Viewer(client_id, sealed=True)

    return always


async def test_streams_of_a_large_case_share_what_they_read_and_are_told_what_changed(tools: ApiTools) -> None:
    number = tools.process_number()
    tools.source.add(number, 1)
    parts = parts_of(app := tools.make_app())
    async with client_of(app, tools.new_key(client := f"client-{uuid.uuid4().hex[:8]}")) as api:
        view = (await api.get(f"/processes/{number}")).json()
    await asyncio.to_thread(seed, tools.owner, number, view["job"]["job_id"])
    read = noted_rows(parts.get(Database).engine)
    received = [bytearray() for _ in range(STREAMS)]

    async def listen(into: bytearray) -> None:
        async for chunk in parts.get(CaseFollower).events(number, None, listener(client)):
            into += chunk

    parts.get(CaseChanges).start()
    try:
        tasks = [asyncio.create_task(listen(into)) for into in received]
        await wait_until_async(lambda: all(b"event: progress" in into for into in received))
        assert {into.count(b"event: document") for into in received} == {DOCUMENTS}
        # A page at a time, and once for all: two rows a document, not forty.
        assert max(read) <= PAGE_DOCUMENTS
        assert sum(read) < 2.5 * DOCUMENTS
        for into in received:
            into.clear()
        read.clear()
        await asyncio.to_thread(tools.progress.failed, view, view["documents"][0]["id"])
        await wait_until_async(lambda: all(b"event: progress" in into for into in received))
        # What changed, and nothing else.
        assert {into.count(b"event: document") for into in received} == {1}
        assert all(view["documents"][0]["id"].encode() in into for into in received)
        assert max(map(len, received)) < 3000
        assert len(read) < 15 and sum(read) < 60
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(parts.get(CaseChanges).stop)


async def test_a_stream_goes_on_where_it_was_and_tells_a_change_behind_its_cursor(tools: ApiTools) -> None:
    number = tools.process_number()
    case = tools.source.add(number, PAGE_DOCUMENTS + 50)
    parts = parts_of(app := tools.make_app())
    async with client_of(app, tools.new_key(client := f"client-{uuid.uuid4().hex[:8]}")) as api:
        view = (await api.get(f"/processes/{number}")).json()
    identities = sorted(document.document_id for document in case.documents)
    tools.progress.plan(view, len(identities) + 1)
    tools.progress.failed(view, *identities)
    parts.get(CaseChanges).start()
    try:
        stream = parts.get(CaseFollower).events(number, None, listener(client))
        assert await anext(stream) == b"retry: 2000\n\n"
        first = await anext(stream)
        assert first.count(b"event: document") == PAGE_DOCUMENTS
        # A document of the first page changes before the second one is read.
        tools.progress.available(view, identities[0])
        second = await anext(stream)
        assert second.count(b"event: document") == 50
        last = await anext(stream)
        identity = last.partition(b"id: ")[2].partition(b"\n")[0].decode()
        async with asyncio.timeout(10):
            changed = await anext(stream)
        assert identities[0].encode() in changed and b'"available"' in changed
        await stream.aclose()  # type: ignore[attr-defined]
        # Again from the last id that was told: nothing is lost, however much comes twice.
        resumed = parts.get(CaseFollower).events(number, identity, listener(client))
        await anext(resumed)
        async with asyncio.timeout(10):
            assert identities[0].encode() in await anext(resumed) + await anext(resumed)
        await resumed.aclose()  # type: ignore[attr-defined]
    finally:
        await asyncio.to_thread(parts.get(CaseChanges).stop)


@contextlib.asynccontextmanager
async def listening(client: httpx.AsyncClient, number: str) -> AsyncIterator[httpx.Response]:
    async with client.stream("GET", f"/processes/{number}/events") as answer:
        yield answer


async def test_a_client_has_so_many_streams_and_leaves_their_places(unused_tcp_port: int, tools: ApiTools) -> None:
    number = tools.process_number()
    tools.source.add(number, 1)
    app = tools.make_app(api_port=unused_tcp_port, streams_per_client=2, waits_per_client=1)
    streams, waits = parts_of(app).get(OpenStreams), parts_of(app).get(OpenWaits)
    mine, other = f"client-{uuid.uuid4().hex[:8]}", f"client-{uuid.uuid4().hex[:8]}"

    def client(key: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{unused_tcp_port}",
            headers={"Authorization": f"Bearer {key}"},
            trust_env=False,
            timeout=60,
        )

    async with (
        serving(app),
        client(tools.new_key(mine)) as api,
        client(tools.new_key(mine)) as again,
        client(tools.new_key(other)) as they,
    ):
        for one in (api, they):
            await one.get(f"/processes/{number}")
        path = f"/processes/{number}/events"
        async with listening(api, number) as first:
            assert first.status_code == 200
            async with listening(again, number):
                # Whatever its key: the client counts.
                for one in (api, again):
                    refused = await one.get(path)
                    assert_problem(refused, 429, "too_many_streams")
                    assert int(refused.headers["retry-after"]) >= 1
                async with listening(they, number) as theirs:
                    assert theirs.status_code == 200
            await wait_until_async(lambda: streams.count(mine) == 1)
            async with listening(again, number) as third:
                assert third.status_code == 200
        await wait_until_async(lambda: streams.count(mine) == streams.count(other) == 0)
        status = f"/processes/{number}/status"
        tag = (await api.get(status)).headers["etag"]
        held: dict[str, Any] = {"params": {"wait": 20}, "headers": {"If-None-Match": tag}}
        waiting = asyncio.create_task(api.get(status, **held))
        await wait_until_async(lambda: waits.count(mine) == 1)
        assert_problem(await again.get(status, **held), 429, "too_many_waits")
        assert (await again.get(status)).status_code == 200
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
