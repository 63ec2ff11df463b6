"""Each request pays for what it causes, once: reads of the source, jobs, webhooks, tests of webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.integration.api.scripted import MakeApp, MakeKey, MakeNumber, Progress, ScriptedSource, client_of
from tests.integration.api.test_http import HOOK, assert_problem

BURST = 5


@pytest.fixture
async def api(make_app: MakeApp, new_key: MakeKey) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(make_app(rate_limit_bulk="1/hour", rate_limit_burst=BURST), new_key()) as client:
        yield client


def left(answer: httpx.Response) -> int:
    assert answer.headers["ratelimit-policy"] == f'"bulk";q={BURST};w=18000', answer.text
    return int(answer.headers["ratelimit"].partition(";r=")[2].partition(";")[0])


def refused(answer: httpx.Response) -> None:
    assert_problem(answer, 429, "rate_limited")
    assert left(answer) == 0 and int(answer.headers["retry-after"]) > 3000


async def test_each_read_of_the_source_is_paid_for(
    api: httpx.AsyncClient, source: ScriptedSource, process_number: MakeNumber
) -> None:
    numbers = [process_number() for _ in range(3)]
    for number in numbers:
        source.add(number, 1)
    only_look = {"auto_download": "false"}
    # Unknown to us: by either route; then known, which is free; then read again.
    assert left(await api.get(f"/processes/{numbers[0]}", params=only_look)) == 4
    assert left(await api.post(f"/processes/{numbers[1]}/download-documents")) == 3
    for number in numbers[:2]:
        assert left(await api.get(f"/processes/{number}", params=only_look)) == 3
        assert left(await api.post(f"/processes/{number}/download-documents")) == 3
    assert left(await api.get(f"/processes/{numbers[0]}", params={**only_look, "refresh": "true"})) == 2
    # One that the source does not have was looked for all the same.
    source.failing = None
    missing = process_number()
    source.missing.add(missing)
    answer = await api.get(f"/processes/{missing}", params=only_look)
    assert_problem(answer, 404, "process_not_found")
    assert left(answer) == 1
    # A read and the job that it is for are one.
    assert left(await api.get(f"/processes/{numbers[0]}", params={"refresh": "true"})) == 0
    reads = dict(source.reads)
    for path, asked in (
        (f"/processes/{numbers[1]}", {**only_look, "refresh": "true"}),
        (f"/processes/{numbers[2]}", only_look),
        (f"/processes/{numbers[1]}", {"refresh": "true"}),
    ):
        refused(await api.get(path, params=asked))
    refused(await api.post(f"/processes/{numbers[2]}/download-documents"))
    assert source.reads == reads
    # What is stored is shown to a client that may cause nothing any more.
    assert (await api.get(f"/processes/{numbers[1]}", params=only_look)).status_code == 200


async def test_webhooks_attached_to_a_job_are_paid_for_one_by_one_and_a_repeat_is_free(
    api: httpx.AsyncClient, source: ScriptedSource, progress: Progress, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number, 1)
    first = await api.get(f"/processes/{number}", params={"webhook_url": f"{HOOK}/0"})
    assert left(first) == 4
    assert left(await api.get(f"/processes/{number}", params={"webhook_url": f"{HOOK}/1"})) == 3
    progress.finish(first.json())
    ended = {"auto_download": "false"}
    assert left(await api.get(f"/processes/{number}", params={**ended, "webhook_url": f"{HOOK}/2"})) == 2
    for index in range(3):
        assert left(await api.get(f"/processes/{number}", params={**ended, "webhook_url": f"{HOOK}/{index}"})) == 2
    body = {"process_numbers": [number], "webhook_url": f"{HOOK}/3"}
    assert left(await api.post("/processes/batch", json=body)) == 1
    assert left(await api.post("/processes/batch", json=body)) == 1
    assert left(await api.get(f"/processes/{number}", params={"webhook_url": f"{HOOK}/4"})) == 0
    refused(await api.get(f"/processes/{number}", params={**ended, "webhook_url": f"{HOOK}/5"}))
    [entry] = (await api.post("/processes/batch", json={**body, "webhook_url": f"{HOOK}/6"})).json()["entries"]
    assert entry["problem"]["code"] == "rate_limited"
    # What is attached stays so.
    assert (await api.get(f"/processes/{number}", params={"webhook_url": f"{HOOK}/4"})).status_code == 200


async def test_tests_of_webhooks_are_paid_for(api: httpx.AsyncClient) -> None:
    assert_problem(await api.post("/webhooks/test", json={"url": "ftp://x/"}), 422, "invalid_webhook_url")
    for expected in range(BURST - 1, -1, -1):
        answer = await api.post("/webhooks/test", json={"url": HOOK})
        assert answer.status_code == 200 and left(answer) == expected
    refused(await api.post("/webhooks/test", json={"url": HOOK}))


async def test_a_burst_of_one_client_for_one_case_costs_what_one_request_costs(
    api: httpx.AsyncClient, source: ScriptedSource, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number, 1)
    source.delay = 0.1
    asked = {"webhook_url": HOOK}
    answers = await asyncio.gather(*(api.get(f"/processes/{number}", params=asked) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert min(map(left, answers)) == 4 and source.reads[number] == 1


async def test_who_cannot_pay_for_a_read_keeps_nobody_else_from_it(
    make_app: MakeApp, new_key: MakeKey, source: ScriptedSource, process_number: MakeNumber
) -> None:
    numbers = [process_number() for _ in range(2)]
    for number in numbers:
        source.add(number, 1)
    app = make_app(rate_limit_bulk="1/hour", rate_limit_burst=1)
    async with client_of(app, new_key()) as poor, client_of(app, new_key()) as rich:
        assert (await poor.get(f"/processes/{numbers[0]}")).status_code == 200
        asked = [client.get(f"/processes/{numbers[1]}") for client in (poor, poor, rich, poor)]
        answers = await asyncio.gather(*asked)
        assert answers[2].status_code == 200
        assert {answer.status_code for answer in answers} <= {200, 429}
