"""A client's own reference: in all of its views, in the events, and never shown to another client."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import select

from shared.db import progress as projected
from tests.integration.api.scripted import (
    ApiTools,
    MakeNumber,
    ScriptedSource,
    Stored,
    client_of,
)

HOOK = "http://127.0.0.1:8099/hook"


async def views(client: httpx.AsyncClient, number: str, job_id: str) -> list[Any]:
    """The reference in every view of a job."""
    case = (await client.get(f"/processes/{number}", params={"auto_download": False})).json()
    status = (await client.get(f"/processes/{number}/status")).json()
    job = (await client.get(f"/jobs/{job_id}")).json()
    (listed,) = [
        entry for entry in (await client.get("/processes")).json()["processes"] if entry["process_number"] == number
    ]
    return [
        case["reference"],
        case["job"]["reference"],
        status["reference"],
        job["reference"],
        listed["job"]["reference"],
    ]


async def test_each_client_sees_its_own_reference_of_a_shared_job(tools: ApiTools) -> None:
    number = tools.process_number()
    tools.source.add(number, 2)
    app = tools.make_app()
    async with (
        client_of(app, tools.new_key()) as one,
        client_of(app, tools.new_key()) as two,
        client_of(app, tools.new_key()) as none,
    ):
        view = (await one.get(f"/processes/{number}", params={"reference": "Ação 1/2026", "webhook_url": HOOK})).json()
        job_id = view["job"]["job_id"]
        joined = (await two.get(f"/processes/{number}", params={"reference": "matter-2"})).json()
        plain = (await none.get(f"/processes/{number}")).json()
        assert joined["job"]["job_id"] == plain["job"]["job_id"] == job_id
        assert view["reference"] == view["job"]["reference"] == "Ação 1/2026"
        assert await views(one, number, job_id) == ["Ação 1/2026"] * 5
        assert await views(two, number, job_id) == ["matter-2"] * 5
        assert await views(none, number, job_id) == [None] * 5
        tools.progress.finish(view)
        # After the end too.
        assert await views(two, number, job_id) == ["matter-2"] * 5
    (subscribed,) = tools.stored.events(number, "autos.webhook.subscribed")
    assert subscribed["reference"] == "Ação 1/2026"
    (requested,) = tools.stored.events(number, "autos.process.requested")
    assert "Ação" not in orjson.dumps(requested).decode()
    with tools.owner.connect() as connection:
        rows = connection.execute(select(projected.outbox.c.payload).where(projected.outbox.c.aggregateid == number))
        (completed,) = [orjson.loads(row.payload) for row in rows]
    # Of the client that started the job.
    assert completed["reference"] == "Ação 1/2026"
    assert completed["documents_url"] == f"/processes/{number}/documents"


@pytest.mark.usefixtures("whole_minute")
async def test_the_reference_given_last_is_shown_and_makes_another_entity_tag(tools: ApiTools) -> None:
    number = tools.process_number()
    tools.source.add(number, 1)
    async with client_of(tools.make_app(), tools.new_key()) as api:
        first = await api.get(f"/processes/{number}", params={"reference": "a", "webhook_url": HOOK})
        status = await api.get(f"/processes/{number}/status")
        held = {"If-None-Match": status.headers["ETag"]}
        assert (await api.get(f"/processes/{number}/status", headers=held)).status_code == 304
        # Nothing is given: what was given stays.
        same = await api.get(f"/processes/{number}", params={"webhook_url": HOOK})
        assert same.json()["reference"] == "a" and len(tools.stored.events(number, "autos.webhook.subscribed")) == 1
        again = await api.get(f"/processes/{number}", params={"reference": "b", "webhook_url": HOOK})
        assert again.json()["reference"] == again.json()["job"]["reference"] == "b"
        assert again.headers["ETag"] != first.headers["ETag"]
        changed = await api.get(f"/processes/{number}/status", headers=held)
        assert changed.status_code == 200 and changed.json()["reference"] == "b"
    # The webhook of the same URL is told of it too.
    events = tools.stored.events(number, "autos.webhook.subscribed")
    assert [event["reference"] for event in events] == ["a", "b"]
    assert len({event["subscription_id"] for event in events}) == 1


async def test_a_body_gives_the_reference_of_a_download_and_of_each_case_of_a_batch(
    api: httpx.AsyncClient, source: ScriptedSource, process_number: MakeNumber
) -> None:
    one, two = process_number(), process_number()
    source.add(one, 1)
    answer = await api.post(f"/processes/{one}/download-all-documents", json={"reference": "all"})
    assert answer.status_code == 202 and answer.json()["job"]["reference"] == "all"
    batch = await api.post("/processes/batch", json={"process_numbers": [one, two], "reference": "many"})
    assert batch.status_code == 202
    for number in (one, two):
        assert (await api.get(f"/processes/{number}/status")).json()["reference"] == "many"


@pytest.mark.parametrize(
    ("reference", "code"), [("", "empty"), ("x" * 201, "too_long"), ("a\r\nb", "control_characters")]
)
async def test_what_is_no_reference_is_refused(
    api: httpx.AsyncClient,
    source: ScriptedSource,
    stored: Stored,
    process_number: MakeNumber,
    reference: str,
    code: str,
) -> None:
    number = process_number()
    source.add(number, 1)
    answers = [
        await api.get(f"/processes/{number}", params={"reference": reference}),
        await api.post(f"/processes/{number}/download-all-documents", json={"reference": reference}),
        await api.post("/processes/batch", json={"process_numbers": [number], "reference": reference}),
    ]
    for answer in answers:
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["errors"][0]["code"]) == (422, "invalid_reference", code)
        assert not reference or reference not in answer.text
    assert stored.jobs(number) == []
