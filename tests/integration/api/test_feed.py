"""GET /events: a client's own events in order, by cursor, filtered, waited for; what is sealed stays so."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import Engine, update

from services.api.feed.changes import FeedChanges
from services.api.http.provided import parts_of
from services.notifier.intake import completion_rows, feed_rows
from shared.db import catalog
from shared.db.feed import feeds
from shared.events.process_completed import JobOutcome, ProcessCompleted
from tests.integration.api.scripted import MakeApp, MakeKey, MakeNumber, Progress, ScriptedSource, client_of
from tests.support import wait_until_async


class Ends:
    """Plays downloader and notifier."""

    def __init__(self, owner: Engine, progress: Progress) -> None:
        self._owner = owner
        self._progress = progress

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
            completion_rows.add_completions(connection, [ended], now)
            feed_rows.append_ends(connection, [ended.job_id], now)


async def ended(api: httpx.AsyncClient, ends: Ends, source: ScriptedSource, number: Any, **more: str) -> dict[str, Any]:
    source.add(number, 2)
    view: dict[str, Any] = (await api.get(f"/processes/{number}", params=more)).json()
    ends.finish(view)
    return view


async def events(api: httpx.AsyncClient, **wanted: Any) -> dict[str, Any]:
    answer = await api.get("/events", params=wanted)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def test_events_come_in_order_by_cursor_with_the_data_of_a_thin_webhook(
    make_app: MakeApp,
    new_key: MakeKey,
    source: ScriptedSource,
    progress: Progress,
    owner: Engine,
    process_number: MakeNumber,
) -> None:
    ends, app = Ends(owner, progress), make_app()
    async with client_of(app, new_key()) as api, client_of(app, new_key()) as other:
        assert await events(api) == {"events": [], "next_cursor": (await events(api))["next_cursor"], "missed": False}
        numbers = [process_number() for _ in range(3)]
        views = [await ended(api, ends, source, number, reference=f"matter {number}") for number in numbers]
        assert (await events(other))["events"] == []
        first = await events(api, limit=2)
        rest = await events(api, after=first["next_cursor"])
        found = first["events"] + rest["events"]
        assert [event["data"]["job_id"] for event in found] == [view["job"]["job_id"] for view in views]
        assert len({event["id"] for event in found}) == 3 and (await events(api))["events"] == found
        data = found[0]["data"]
        assert found[0]["type"] == "process.completed" and found[0]["timestamp"] == data["completed_at"]
        assert data["reference"] == f"matter {numbers[0]}" and data["process"]["court"] == "TJSP"
        assert (data["status"], data["total_documents"], data["documents"]) == ("completed", 2, [])
        assert data["documents_truncated"] and data["documents_total"] == 2
        assert data["documents_url"] == f"/processes/{numbers[0]}/documents"
        # Nothing new: the cursor stays where it is; filters leave the rest out.
        assert await events(api, after=rest["next_cursor"]) == {**rest, "events": []}
        assert [one["id"] for one in (await events(api, process_number=numbers[1]))["events"]] == [found[1]["id"]]
        assert (await events(api, types="document.available"))["events"] == []
        assert len((await events(api, types="process.completed,document.available"))["events"]) == 3
        assert (await events(api, after="end"))["next_cursor"] == rest["next_cursor"]
        for wrong in ({"after": "x"}, {"types": "x"}, {"wait": "61"}, {"limit": "0"}, {"process_number": "1"}):
            assert (await api.get("/events", params=wrong)).status_code == 422, wrong
        # What was too old is gone, and whoever stood before it is told.
        with owner.begin() as connection:
            connection.execute(update(feeds).values(purged_position=1))
        beginning = first["next_cursor"]
        assert not (await events(api, after=beginning))["missed"]
        with owner.begin() as connection:
            connection.execute(update(feeds).values(purged_position=3))
        assert (await events(api, after=beginning))["missed"]


async def test_a_waiting_reader_has_the_event_when_it_is_committed(
    make_app: MakeApp,
    new_key: MakeKey,
    source: ScriptedSource,
    progress: Progress,
    owner: Engine,
    process_number: MakeNumber,
) -> None:
    app: FastAPI = make_app()
    ends, key, number = Ends(owner, progress), new_key(), process_number()
    source.add(number, 1)
    async with app.router.lifespan_context(app), client_of(app, key) as api:
        view = (await api.get(f"/processes/{number}")).json()
        waiting = asyncio.create_task(events(api, after="end", wait=30))
        await wait_until_async(lambda: parts_of(app).get(FeedChanges).waiting() == 1)
        ends.finish(view)
        page = await waiting
        assert [event["data"]["job_id"] for event in page["events"]] == [view["job"]["job_id"]]


async def test_events_of_a_case_that_becomes_sealed_are_gone_for_a_key_without_the_scope(
    make_app: MakeApp,
    new_key: MakeKey,
    source: ScriptedSource,
    progress: Progress,
    owner: Engine,
    process_number: MakeNumber,
) -> None:
    ends, app, number = Ends(owner, progress), make_app(), process_number()
    plain = new_key("feed-client", scopes=["read", "download"])
    sealed = new_key("feed-client", scopes=["read", "download", "sealed"])
    async with client_of(app, plain) as low, client_of(app, sealed) as high:
        await ended(high, ends, source, number)
        assert len((await events(low))["events"]) == 1
        with owner.begin() as connection:
            its = catalog.processes.c.process_number == number
            connection.execute(update(catalog.processes).where(its).values(secrecy_level=5))
        page = await events(low)
        assert page["events"] == [] and page["next_cursor"] == (await events(low, after="end"))["next_cursor"]
        (event,) = (await events(high))["events"]
        # As in a webhook: nothing of the case itself.
        assert event["data"]["process"]["secrecy_level"] == 5 and event["data"]["process"]["court"] is None
