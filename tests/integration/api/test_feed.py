"""GET /events: a client's own events in order, by cursor, filtered, waited for; what is sealed stays so."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import insert, update

from ops import clients
from services.api.access import keys
from services.api.feed.changes import FeedChanges
from services.api.http.provided import parts_of
from services.api.server import serve
from services.api.settings import ApiSettings
from services.notifier.intake import completion_rows, document_batches, feed_rows, source_event_rows
from shared.db import catalog
from shared.db.engine import Database
from shared.db.feed import feeds
from shared.db.webhook_endpoints import webhook_endpoints
from shared.events.process_completed import JobOutcome, ProcessCompleted
from shared.webhooks.facts import SourceChanged
from tests.integration.api.scripted import ApiTools, client_of
from tests.statements import noted
from tests.support import Servers, wait_until_async


class Ends:
    """Plays downloader and notifier."""

    def __init__(self, tools: ApiTools) -> None:
        self.source = tools.source
        self._owner = tools.owner
        self._progress = tools.progress

    def finish(self, view: dict[str, Any]) -> None:
        self._progress.finish(view)
        now, total = datetime.now(UTC), len(view["documents"])
        ended = ProcessCompleted(
            job_id=view["job"]["job_id"],
            process_number=view["process_number"],
            status=JobOutcome.COMPLETED,
            total_documents=total,
            completed_documents=total,
            failed_documents=0,
            created_at=now,
            completed_at=now,
        )
        with self._owner.begin() as connection:
            document_batches.make_batches(connection, [ended.job_id], now)
            completion_rows.add_completions(connection, [ended], now)
            feed_rows.append(connection, [ended.job_id], now)


async def ended(api: httpx.AsyncClient, ends: Ends, number: Any, **more: str) -> dict[str, Any]:
    ends.source.add(number, 2)
    view: dict[str, Any] = (await api.get(f"/processes/{number}", params=more)).json()
    ends.finish(view)
    return view


async def ends_of(api: httpx.AsyncClient, **wanted: Any) -> dict[str, Any]:
    """A page of the ends of jobs."""
    return await events(api, types="process.completed", **wanted)


async def events(api: httpx.AsyncClient, **wanted: Any) -> dict[str, Any]:
    answer = await api.get("/events", params=wanted)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def test_events_come_in_order_by_cursor_with_the_data_of_a_thin_webhook(
    tools: ApiTools,
) -> None:
    ends, app = Ends(tools), tools.make_app()
    async with client_of(app, tools.new_key()) as api, client_of(app, tools.new_key()) as other:
        assert await events(api) == {"events": [], "next_cursor": (await events(api))["next_cursor"], "missed": False}
        numbers = [tools.process_number() for _ in range(3)]
        views = [await ended(api, ends, number, reference=f"matter {number}") for number in numbers]
        assert (await events(other))["events"] == []
        first = await ends_of(api, limit=2)
        rest = await ends_of(api, after=first["next_cursor"])
        found = first["events"] + rest["events"]
        assert [one["data"]["job_id"] for one in found] == [view["job"]["job_id"] for view in views]
        assert len({one["id"] for one in found}) == 3 and (await ends_of(api))["events"] == found
        data = found[0]["data"]
        assert found[0]["type"] == "process.completed" and found[0]["timestamp"] == data["completed_at"]
        assert data["reference"] == f"matter {numbers[0]}" and data["process"]["court"] == "TJSP"
        assert (data["status"], data["total_documents"], data["documents"]) == ("completed", 2, [])
        assert data["documents_truncated"] and data["documents_total"] == 2
        assert data["documents_url"] == f"/processes/{numbers[0]}/documents"
        # Nothing new: the cursor stays where it is; filters leave the rest out.
        assert await events(api, after=rest["next_cursor"]) == {**rest, "events": []}
        assert [one["id"] for one in (await ends_of(api, process_number=numbers[1]))["events"]] == [found[1]["id"]]
        assert len((await events(api, types="document.available"))["events"]) == 3
        assert await events(api, types="process.completed,document.available") == await events(api)
        assert (await events(api, after="end"))["next_cursor"] == rest["next_cursor"]
        for wrong in ({"after": "x"}, {"types": "x"}, {"wait": "61"}, {"limit": "0"}, {"process_number": "1"}):
            assert (await api.get("/events", params=wrong)).status_code == 422, wrong
        # What was too old is gone, and whoever stood before it is told.
        with tools.owner.begin() as connection:
            connection.execute(update(feeds).values(purged_position=2))
        beginning = first["next_cursor"]
        assert not (await events(api, after=beginning))["missed"]
        with tools.owner.begin() as connection:
            connection.execute(update(feeds).values(purged_position=6))
        assert (await events(api, after=beginning))["missed"]


async def test_a_waiting_reader_has_the_event_when_it_is_committed(
    tools: ApiTools,
) -> None:
    app: FastAPI = tools.make_app()
    ends, key, number = Ends(tools), tools.new_key(), tools.process_number()
    tools.source.add(number, 1)
    async with app.router.lifespan_context(app), client_of(app, key) as api:
        view = (await api.get(f"/processes/{number}")).json()
        waiting = asyncio.create_task(events(api, after="end", wait=30))
        await wait_until_async(lambda: parts_of(app).get(FeedChanges).waiting() == 1)
        ends.finish(view)
        page = await waiting
        assert {one["data"]["job_id"] for one in page["events"]} == {view["job"]["job_id"]}


async def test_events_of_a_case_that_becomes_sealed_are_gone_for_a_key_without_the_scope(
    tools: ApiTools,
) -> None:
    ends, app, number = Ends(tools), tools.make_app(), tools.process_number()
    plain = tools.new_key("feed-client", scopes=["read", "download"])
    sealed = tools.new_key("feed-client", scopes=["read", "download", "sealed"])
    async with client_of(app, plain) as low, client_of(app, sealed) as high:
        await ended(high, ends, number)
        assert len((await events(low))["events"]) == 2
        with tools.owner.begin() as connection:
            its = catalog.processes.c.process_number == number
            connection.execute(update(catalog.processes).where(its).values(secrecy_level=5))
        page = await events(low)
        assert page["events"] == [] and page["next_cursor"] == (await events(low, after="end"))["next_cursor"]
        _, last = (await events(high))["events"]
        # As in a webhook: nothing of the case itself.
        assert last["data"]["process"]["secrecy_level"] == 5 and last["data"]["process"]["court"] is None


async def test_documents_come_before_the_end_of_their_job_with_the_clients_reference_and_without_sealed_ones(
    tools: ApiTools,
) -> None:
    ends, app, number = Ends(tools), tools.make_app(), tools.process_number()
    plain = tools.new_key(scopes=["read", "download"])
    async with client_of(app, plain) as api, client_of(app, tools.new_key()) as other:
        tools.source.add(number, 3)
        view = (await api.get(f"/processes/{number}", params={"reference": "matter 7"})).json()
        await other.get(f"/processes/{number}", params={"reference": "theirs"})
        first, *rest = [document["id"] for document in view["documents"]]
        job_id = view["job"]["job_id"]
        tools.progress.plan(view, 3)
        tools.progress.available(view, first)
        with tools.owner.begin() as connection:
            document_batches.announce_documents(connection, [job_id], datetime.now(UTC))
        ends.finish(view)
        page = await events(api)
        told, last, end = page["events"]
        assert [one["type"] for one in page["events"]] == ["document.available"] * 2 + ["process.completed"]
        assert told["data"] == {
            "job_id": job_id,
            "process_number": number,
            "reference": "matter 7",
            "document_ids": [first],
            "documents": [],
            "documents_total": 1,
            "documents_url": f"/processes/{number}/documents",
            "documents_truncated": True,
        }
        assert last["data"]["document_ids"] == rest and end["data"]["documents_total"] == 3
        assert {one["data"]["reference"] for one in (await events(other))["events"]} == {"theirs"}
        # A page that ends between them goes on behind the first.
        cut = await events(api, limit=1, types="document.available")
        assert (await events(api, after=cut["next_cursor"]))["events"] == [last, end]
        sealed = catalog.documents.c.document_id
        with tools.owner.begin() as connection:
            change = update(catalog.documents).values(secrecy_level="SIGILO_ABSOLUTO")
            connection.execute(change.where(sealed == first))
            connection.execute(change.where(sealed == rest[0]))
        left, after = (await events(api))["events"]
        assert (left["data"]["document_ids"], left["data"]["documents_total"]) == (rest[1:], 1)
        assert (after["id"], after["data"]["total_documents"], after["data"]["documents_total"]) == (end["id"], 1, 1)
        # A key with the scope sees them still.
        assert len((await events(other))["events"]) == 3


async def test_a_page_costs_as_many_statements_as_an_event(
    tools: ApiTools,
) -> None:
    ends, app = Ends(tools), tools.make_app()
    engine = parts_of(app).get(Database).engine
    async with client_of(app, tools.new_key()) as api:
        for index in range(12):
            view = await ended(api, ends, tools.process_number())
            if index % 2:
                # Its counts are those of the documents that are left.
                hidden = catalog.documents.c.document_id == view["documents"][0]["id"]
                with tools.owner.begin() as connection:
                    connection.execute(update(catalog.documents).where(hidden).values(secrecy_level="SEGREDO"))
        await events(api)
        statements = noted(engine)
        counted = []
        for limit in (4, 24):
            statements.clear()
            assert len((await events(api, limit=limit))["events"]) == limit
            # Whose a key is, is looked up again after four seconds, in whichever page that is.
            counted.append(len([one for one in statements if "api_keys" not in one]))
        assert counted[0] == counted[1] <= 14, statements


async def test_a_wait_ends_with_the_server_and_the_cursor_goes_on_at_the_next_one(
    tools: ApiTools,
    unused_tcp_port: int,
) -> None:
    ends, key, number = Ends(tools), tools.new_key(), tools.process_number()
    # Half of it is for the requests that run: a wait would take all of that, and be cut off.
    app, after, stop = tools.make_app(api_port=unused_tcp_port, shutdown_seconds=40), tools.make_app(), asyncio.Event()
    async with client_of(app, key) as api:
        await ended(api, ends, number)
        cursor = (await events(api))["next_cursor"]
    server = asyncio.create_task(serve(app, parts_of(app).get(ApiSettings), stop))
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{unused_tcp_port}", headers=headers, timeout=60) as api:
        waiting = asyncio.create_task(_when_it_listens(api, after=cursor, wait=60))
        await wait_until_async(lambda: parts_of(app).get(FeedChanges).waiting() == 1)
        stop.set()
        async with asyncio.timeout(10):
            assert await waiting == {"events": [], "next_cursor": cursor, "missed": False}
            await server
    async with client_of(after, key) as api:
        view = await ended(api, ends, tools.process_number())
        found = (await events(api, after=cursor))["events"]
        assert [one["data"]["job_id"] for one in found] == [view["job"]["job_id"]] * 2


async def _when_it_listens(api: httpx.AsyncClient, **wanted: Any) -> dict[str, Any]:
    async def page() -> dict[str, Any] | None:
        with contextlib.suppress(httpx.ConnectError):
            return await events(api, **wanted)
        return None

    found: dict[str, Any] | None = await wait_until_async(page, 60)
    assert found is not None
    return found


async def test_a_wait_with_a_key_that_was_revoked_shows_nothing(
    servers: Servers,
    tools: ApiTools,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keys, "CACHE_SECONDS", 0.0)
    app: FastAPI = tools.make_app()
    ends, key, number = Ends(tools), tools.new_key(), tools.process_number()
    tools.source.add(number, 1)
    async with app.router.lifespan_context(app), client_of(app, key) as api:
        view = (await api.get(f"/processes/{number}")).json()
        waiting = asyncio.create_task(api.get("/events", params={"after": "end", "wait": 30}))
        await wait_until_async(lambda: parts_of(app).get(FeedChanges).waiting() == 1)
        [known] = [one for one in clients.list_keys(servers.owner_url) if key.startswith(one.prefix)]
        assert clients.revoke_key(servers.owner_url, known.key_id)
        ends.finish(view)
        answer = await waiting
        assert answer.status_code == 401 and number not in answer.text


async def test_changes_of_a_source_are_there_for_who_asks_for_them_by_name(tools: ApiTools) -> None:
    app, client_id, now = tools.make_app(), "feed-of-sources", datetime.now(UTC)
    async with client_of(app, tools.new_key(client_id)) as api:
        url = {"url": "https://receiver.example/hook", "events": ["source.degraded"]}
        with tools.owner.begin() as connection:
            connection.execute(
                insert(webhook_endpoints).values(
                    endpoint_id=str(uuid.uuid4()),
                    client_id=client_id,
                    payload="full",
                    header_names=[],
                    secret="whsec_AAAA",
                    created_at=now,
                    updated_at=now,
                    **url,
                )
            )
            change = SourceChanged("court", "away", now, now, "source_unavailable")
            source_event_rows.add(connection, str(uuid.uuid4()), change, now)
        assert (await events(api))["events"] == []
        (told,) = (await events(api, types="source.degraded,source.recovered"))["events"]
        assert told["data"].keys() == {"source", "state", "since", "reason", "message"}
        (delivery,) = (await api.get("/webhooks/deliveries")).json()["deliveries"]
        shown = {name: delivery[name] for name in ("event_type", "job_id", "process_number")}
        assert shown == {"event_type": "source.degraded", "job_id": None, "process_number": None}
        assert (await api.post(f"/webhooks/deliveries/{delivery['id']}/redeliver")).status_code == 202
