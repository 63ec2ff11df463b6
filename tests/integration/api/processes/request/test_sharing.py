"""What clients have in common: what one brought serves the next, and a job is of all who joined it."""

from __future__ import annotations

import httpx
import pytest

from sources.errors import ProcessNotFound, SourceUnavailable
from tests.integration.api.scripted import (
    ApiTools,
    MakeApp,
    MakeKey,
    MakeNumber,
    ScriptedSource,
    client_of,
)
from tests.integration.api.test_http import assert_problem


async def test_what_another_client_brought_is_used_again(tools: ApiTools) -> None:
    number, app = tools.process_number(), tools.make_app()
    tools.source.add(number)
    async with client_of(app, tools.new_key()) as first, client_of(app, tools.new_key()) as second:
        tools.progress.finish((await first.get(f"/processes/{number}")).json())
        assert_problem(await second.get(f"/processes/{number}/status"), 404, "process_unknown")
        view = (await second.get(f"/processes/{number}")).json()
    assert view["job"]["status"] == "completed" and all(one["download_url"] for one in view["documents"])
    assert tools.source.reads[number] == 1 and len(tools.stored.jobs(number)) == 1


async def test_without_sharing_each_client_has_the_source_asked_for_it_once(tools: ApiTools) -> None:
    number, app = tools.process_number(), tools.make_app(share_cases=False)
    tools.source.add(number)
    batch = {"process_numbers": [number]}
    async with client_of(app, tools.new_key()) as first, client_of(app, tools.new_key()) as second:
        tools.progress.finish((await first.get(f"/processes/{number}")).json())
        # Neither is the case shown while the source does not say that it may be, nor is a request left to a job.
        tools.source.failing = SourceUnavailable("away")
        assert_problem(await second.get(f"/processes/{number}"), 503, "source_unavailable")
        [entry] = (await second.post("/processes/batch", json=batch)).json()["entries"]
        assert entry["problem"]["code"] == "source_unavailable"
        assert_problem(await second.get(f"/processes/{number}/status"), 404, "process_unknown")
        tools.source.failing = ProcessNotFound()
        assert_problem(await second.get(f"/processes/{number}"), 404, "process_not_found")
        tools.source.failing = None
        reads = tools.source.reads[number]
        view = (await second.get(f"/processes/{number}")).json()
        # What is stored is used again: every document is there at once.
        assert all(one["status"] == "available" and one["download_url"] for one in view["documents"])
        await second.get(f"/processes/{number}")
        await first.get(f"/processes/{number}")
        assert tools.source.reads[number] == reads + 1


@pytest.mark.parametrize("joined_by", ["get", "post", "batch"])
async def test_a_job_that_another_client_joined_is_not_taken_from_it(
    tools: ApiTools,
    joined_by: str,
) -> None:
    number, app = tools.process_number(), tools.make_app()
    tools.source.add(number)

    async def join(api: httpx.AsyncClient) -> httpx.Response:
        match joined_by:
            case "get":
                return await api.get(f"/processes/{number}")
            case "post":
                return await api.post(f"/processes/{number}/download-all-documents")
            case _:
                return await api.post("/processes/batch", json={"process_numbers": [number]})

    async with client_of(app, tools.new_key()) as starter, client_of(app, tools.new_key()) as other:
        job_id = (await starter.get(f"/processes/{number}")).json()["job"]["job_id"]
        # To look on is not to join.
        await other.get(f"/processes/{number}", params={"auto_download": False})
        await other.get(f"/processes/{number}/status")
        for _ in range(2):
            assert (await join(other)).is_success
        assert_problem(await starter.post(f"/jobs/{job_id}/cancel"), 409, "job_shared")
        assert_problem(await other.post(f"/jobs/{job_id}/cancel"), 403, "not_your_job")
        assert (await other.get(f"/jobs/{job_id}")).json()["status"] == "pending"
    assert tools.stored.events(number, "autos.job.aborted") == []


async def test_a_client_may_cancel_what_others_only_look_at(
    make_app: MakeApp, new_key: MakeKey, source: ScriptedSource, process_number: MakeNumber
) -> None:
    number, app = process_number(), make_app()
    source.add(number)
    async with client_of(app, new_key()) as starter, client_of(app, new_key()) as other:
        job_id = (await starter.get(f"/processes/{number}")).json()["job"]["job_id"]
        await other.get(f"/processes/{number}", params={"auto_download": False})
        assert (await starter.post(f"/jobs/{job_id}/cancel")).json()["status"] == "cancelled"
