"""Many cases at once, and the list of what a client asked for."""

from __future__ import annotations

import httpx
import pytest

from sources.errors import SourceUnavailable
from tests.integration.api.scripted import (
    ApiTools,
    MakeNumber,
    Progress,
    ScriptedSource,
    client_of,
)
from tests.integration.api.test_http import HOOK, assert_problem


async def test_a_batch_has_an_outcome_for_each_number(tools: ApiTools) -> None:
    done, running, new, over = (tools.process_number() for _ in range(4))
    for number in (done, running):
        tools.source.add(number, 1)
    async with client_of(tools.make_app(rate_limit_bulk="1/hour", rate_limit_burst=3), tools.new_key()) as api:
        # A webhook that comes with the job costs nothing more, and its repetition in the batch nothing at all.
        with_hook = {"webhook_url": HOOK}
        tools.progress.finish((await api.get(f"/processes/{done}", params=with_hook)).json())
        await api.get(f"/processes/{running}", params=with_hook)
        numbers = [done.digits, "123", running, new, new, over]
        answer = await api.post("/processes/batch", json={"process_numbers": numbers, "webhook_url": HOOK})
        assert answer.status_code == 202
        entries = answer.json()["entries"]
        listed = (await api.get("/processes")).json()
        assert len(listed["processes"]) == 3
        assert {done, running} < {one["process_number"] for one in listed["processes"]} < {done, running, new, over}
        only = (await api.get("/processes", params={"status": "completed"})).json()["processes"]
        assert [one["process_number"] for one in only] == [done] and only[0]["job"]["status"] == "completed"
        first = (await api.get("/processes", params={"limit": 2})).json()
        rest = (await api.get("/processes", params={"limit": 2, "cursor": first["next_cursor"]})).json()
        assert len(first["processes"]) == 2 and len(rest["processes"]) == 1 and rest["next_cursor"] is None
    assert [one["process_number"] for one in entries] == [done, "123", running, new, new, over]
    outcomes = [one["outcome"] for one in entries]
    assert outcomes[:3] == ["stored", "refused", "joined"]
    # Two of a kind and one too many run side by side: one new job, one that joins it, and a refusal in some order.
    assert sorted(outcomes[3:]) in (["accepted", "joined", "refused"], ["accepted", "refused", "refused"])
    assert entries[1]["problem"]["code"] == "invalid_process_number"
    assert {one["problem"]["code"] for one in entries[3:] if one["problem"]} == {"rate_limited"}
    assert tools.source.reads.get(new) is None
    for number in (done, running):
        assert len(tools.stored.events(number, "autos.webhook.subscribed")) == 1


async def test_a_batch_of_another_shape_is_refused(api: httpx.AsyncClient, process_number: MakeNumber) -> None:
    number = process_number()
    bodies: list[dict[str, list[str]]] = [
        {"process_numbers": []},
        {"process_numbers": [number] * 501},
        {"numbers": [number]},
        {},
    ]
    for body in bodies:
        assert_problem(await api.post("/processes/batch", json=body), 422, "validation_failed")
    wrong = {"process_numbers": [number], "webhook_url": "http://10.1.1.1/"}
    assert_problem(await api.post("/processes/batch", json=wrong), 422, "invalid_webhook_url")
    assert_problem(await api.get("/processes", params={"cursor": "nope"}), 422, "invalid_cursor")


@pytest.mark.usefixtures("whole_minute")
async def test_a_case_that_did_not_change_is_a_304(
    api: httpx.AsyncClient, source: ScriptedSource, progress: Progress, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number, 1)
    first = await api.get(f"/processes/{number}")
    tag = first.headers["etag"]
    assert (await api.get(f"/processes/{number}", headers={"If-None-Match": tag})).status_code == 304
    progress.finish(first.json())
    changed = await api.get(f"/processes/{number}", headers={"If-None-Match": tag})
    assert changed.status_code == 200 and changed.json()["job"]["status"] == "completed"
    source.failing = SourceUnavailable()
    stale = await api.get(
        f"/processes/{number}", params={"refresh": "true"}, headers={"If-None-Match": changed.headers["etag"]}
    )
    assert stale.status_code == 200 and stale.json()["stale"] is True
