"""What a careful or hostile client finds at the edges: codes, order of refusals, long texts, ended keys, odd ranges."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from obstore.store import S3Store

from ops import clients
from services.api.access import keys as auth
from services.api.http import cursors
from services.api.http.provided import parts_of
from services.api.processes.follow.changes import CaseChanges
from tests.integration.api.scripted import (
    ApiTools,
    MakeApp,
    MakeKey,
    MakeNumber,
    Progress,
    ScriptedSource,
    Stored,
    client_of,
)
from tests.integration.api.test_documents_and_jobs import BODY, put
from tests.integration.api.test_http import HOOK, assert_problem
from tests.support import Servers, wait_until_async

JSON = {"Content-Type": "application/json"}


async def test_who_asks_is_looked_at_before_what_is_asked(make_app: MakeApp) -> None:
    async with client_of(make_app(), "autos_sk_unknown") as anybody:
        for verb, path in (
            ("GET", "/processes/123"),
            ("GET", "/processes/123?nonsense=1"),
            ("GET", "/jobs/nonsense"),
            ("GET", "/processes?cursor=nonsense"),
            ("POST", "/processes/batch"),
            ("POST", "/webhooks/deliveries/nonsense/redeliver"),
        ):
            assert_problem(await anybody.request(verb, path), 401, "unauthorized")


async def test_every_documented_route_but_health_needs_a_key(make_app: MakeApp) -> None:
    app = make_app()
    open_to_all = set()
    async with client_of(app, "autos_sk_unknown") as anybody:
        for path, item in app.openapi()["paths"].items():
            for verb, operation in item.items():
                answer = await anybody.request(verb, re.sub(r"\{.*?\}", "x", path))
                assert (answer.status_code == 401) is (operation.get("security") != []), (
                    verb,
                    path,
                    answer.status_code,
                )
                if answer.status_code != 401:
                    open_to_all.add(path)
    assert open_to_all == {"/health/live", "/health/ready", "/metrics", "/.well-known/webhook-keys.json"}


async def test_a_text_that_is_too_long_has_the_code_of_what_it_should_have_been(
    api: httpx.AsyncClient, process_number: MakeNumber
) -> None:
    number, url = process_number(), "https://example.com/" + "a" * 2048
    for answer, code, field, rule in (
        (await api.get(f"/processes/{'1' * 300}"), "invalid_process_number", "numero", "format"),
        (
            await api.get("/webhooks/deliveries", params={"process_number": "1" * 300}),
            "invalid_process_number",
            "query.process_number",
            "format",
        ),
        (await api.get("/processes", params={"cursor": "a" * 300}), "invalid_cursor", "query.cursor", "invalid"),
        (
            await api.get(f"/processes/{number}", params={"webhook_url": url}),
            "invalid_webhook_url",
            "webhook_url",
            "invalid_url",
        ),
        (await api.post("/webhooks/test", json={"url": url}), "invalid_webhook_url", "body.url", "invalid_url"),
        (
            await api.post("/processes/batch", json={"process_numbers": [number], "webhook_url": url}),
            "invalid_webhook_url",
            "body.webhook_url",
            "invalid_url",
        ),
    ):
        assert_problem(answer, 422, code)
        [error] = answer.json()["errors"]
        assert (error["field"], error["code"]) == (field, rule)


async def test_a_cursor_of_the_list_of_cases_is_none_of_a_list_with_ids(
    api: httpx.AsyncClient, process_number: MakeNumber
) -> None:
    cursor = cursors.encode(datetime.now(UTC), str(process_number()))
    for path in ("/deletions", "/webhooks/deliveries"):
        answer = await api.get(path, params={"cursor": cursor})
        assert_problem(answer, 422, "invalid_cursor")
        assert [error["field"] for error in answer.json()["errors"]] == ["query.cursor"]


@pytest.mark.parametrize("tail", [r"\ud800", r"?q=\udfff", r"\u0000", r"\u2028"])
async def test_a_url_with_what_is_no_character_is_refused(
    api: httpx.AsyncClient, process_number: MakeNumber, tail: str
) -> None:
    body = b'{"webhook_url": "https://example.com/%b"}' % tail.encode()
    answer = await api.post(f"/processes/{process_number()}/download-all-documents", content=body, headers=JSON)
    assert_problem(answer, 422, "invalid_webhook_url")
    assert answer.json()["errors"][0]["code"] == "invalid_url"


@pytest.mark.parametrize(
    "path",
    [
        "/processes/{numero}/documents?type=",
        "/processes/{numero}/documents?degree=",
        "/processes/{numero}/documents?court=",
        "/processes/{numero}/documents.zip?types=",
        "/processes/{numero}/manifest.json?types=",
        "/access-log?client=",
    ],
)
async def test_a_text_to_look_for_that_no_row_can_hold_is_refused(
    api: httpx.AsyncClient, process_number: MakeNumber, path: str
) -> None:
    numero = process_number()
    await api.get(f"/processes/{numero}")
    answer = await api.get(path.format(numero=numero) + "a%00b")
    assert_problem(answer, 422, "validation_failed")
    assert answer.json()["errors"][0]["code"] == "string_pattern_mismatch"


@pytest.mark.parametrize("body", [b"\xff\xfe", b"[" * 60_000, b"NaN", b"1e999999", b'{"a"', b'"text"'])
async def test_a_body_that_is_no_object_is_a_problem(
    api: httpx.AsyncClient, process_number: MakeNumber, body: bytes
) -> None:
    answer = await api.post(f"/processes/{process_number()}/download-all-documents", content=body, headers=JSON)
    assert_problem(answer, 422, "validation_failed")


async def test_a_batch_with_one_number_twice_has_the_first_start_what_the_second_joins(
    make_app: MakeApp, new_key: MakeKey, stored: Stored, process_number: MakeNumber
) -> None:
    one, two = process_number(), process_number()
    async with client_of(make_app(rate_limit_bulk="1/hour", rate_limit_burst=10), new_key()) as api:
        numbers = [one, two, one.digits, "1" * 300, one]
        answer = await api.post("/processes/batch", json={"process_numbers": numbers})
    entries = answer.json()["entries"]
    assert [entry["outcome"] for entry in entries] == ["accepted", "accepted", "joined", "refused", "joined"]
    assert entries[0]["job_id"] == entries[2]["job_id"] == entries[4]["job_id"] != entries[1]["job_id"]
    assert entries[3]["problem"]["code"] == "invalid_process_number"
    # Two were paid for.
    assert answer.headers["ratelimit"].startswith('"bulk";r=8;')
    assert len(stored.jobs(one)) == 1


async def test_a_batch_beyond_the_limit_says_when_to_come_again(
    make_app: MakeApp, new_key: MakeKey, process_number: MakeNumber
) -> None:
    async with client_of(make_app(rate_limit_bulk="1/hour", rate_limit_burst=3), new_key()) as api:
        answer = await api.post("/processes/batch", json={"process_numbers": [process_number() for _ in range(5)]})
    outcomes = sorted(entry["outcome"] for entry in answer.json()["entries"])
    assert answer.status_code == 202 and outcomes == ["accepted"] * 3 + ["refused"] * 2
    assert answer.headers["ratelimit"].startswith('"bulk";r=0;') and int(answer.headers["retry-after"]) > 3000


async def test_the_list_of_cases_goes_on_where_its_page_ended(
    api: httpx.AsyncClient, source: ScriptedSource, progress: Progress, process_number: MakeNumber
) -> None:
    numbers = [process_number() for _ in range(3)]
    for number in numbers:
        source.add(number, 2)
    progress.finish((await api.get(f"/processes/{numbers[0]}")).json())
    await api.get(f"/processes/{numbers[1]}")
    await api.post(f"/processes/{numbers[2]}/download-documents")
    seen, cursor = [], None
    for _ in numbers:
        page = (await api.get("/processes", params={"limit": 1, **({"cursor": cursor} if cursor else {})})).json()
        seen += page["processes"]
        cursor = page["next_cursor"]
    assert cursor is None
    assert [entry["process_number"] for entry in seen] == numbers[::-1]
    assert seen[0]["job"] is None
    assert seen[1]["job"]["status"] == "pending" and seen[1]["job"]["total_documents"] == 2
    assert seen[2]["job"]["status"] == "completed" and seen[2]["job"]["completed_documents"] == 2


@pytest.mark.parametrize(
    ("asked", "status", "content", "content_range"),
    [
        ("bytes=0-0", 206, BODY[:1], f"bytes 0-0/{len(BODY)}"),
        ("bytes=3-", 206, BODY[3:], f"bytes 3-{len(BODY) - 1}/{len(BODY)}"),
        ("bytes=-99999999", 206, BODY, f"bytes 0-{len(BODY) - 1}/{len(BODY)}"),
        ("bytes=0-99999999", 206, BODY, f"bytes 0-{len(BODY) - 1}/{len(BODY)}"),
        # RFC 9110, section 14.2: several ranges, another unit and nonsense may be answered with the whole.
        ("bytes=0-1,4-5", 200, BODY, None),
        ("lines=1-2", 200, BODY, None),
        ("bytes=9-1", 200, BODY, None),
        ("bytes=-", 200, BODY, None),
        ("bytes=-0", 416, None, f"bytes */{len(BODY)}"),
        ("bytes=99999999-", 416, None, f"bytes */{len(BODY)}"),
    ],
)
async def test_a_range_through_the_api_is_what_the_standard_says(
    tools: ApiTools,
    asked: str,
    status: int,
    content: bytes | None,
    content_range: str | None,
) -> None:
    number = tools.process_number()
    tools.source.add(number, 1)
    app = tools.make_app()
    async with client_of(app, tools.new_key()) as api:
        view = (await api.get(f"/processes/{number}")).json()
        await put(parts_of(app).get(S3Store), view, tools.progress)
        path = f"/processes/{number}/documents/{view['documents'][0]['id']}/content"
        answer = await api.get(path, params={"proxy": "true"}, headers={"Range": asked})
        assert answer.status_code == status and answer.headers.get("content-range") == content_range
        assert content is None or answer.content == content
        whole = await api.get(path, params={"proxy": "true"})
        held = {"If-None-Match": whole.headers["etag"]}
        unchanged = await api.get(path, params={"proxy": "true"}, headers=held)
        assert unchanged.status_code == 304 and unchanged.content == b""
        # A date is no tag that we gave (RFC 9110, section 13.1.5): the whole.
        dated = {"Range": "bytes=0-0", "If-Range": "Wed, 21 Oct 2015 07:28:00 GMT"}
        assert (await api.get(path, params={"proxy": "true"}, headers=dated)).status_code == 200


async def test_what_waits_ends_when_the_key_is_revoked(
    tools: ApiTools,
    servers: Servers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(auth, "CACHE_SECONDS", 0.0)
    number, client = tools.process_number(), "client-of-two-keys"
    tools.source.add(number, 2)
    key = tools.new_key(client)
    app = tools.make_app()
    parts_of(app).get(CaseChanges).start()
    try:
        async with client_of(app, key) as api:
            view = (await api.get(f"/processes/{number}")).json()
            tag = (await api.get(f"/processes/{number}/status")).headers["etag"]
            waiting = asyncio.create_task(
                api.get(f"/processes/{number}/status", params={"wait": 20}, headers={"If-None-Match": tag})
            )
            listening = asyncio.create_task(api.get(f"/processes/{number}/events"))
            changes = parts_of(app).get(CaseChanges)
            await wait_until_async(lambda: changes.waiting(number) == 2)
            [known] = [one for one in clients.list_keys(servers.owner_url) if key.startswith(one.prefix)]
            clients.revoke_key(servers.owner_url, known.key_id)
            await asyncio.to_thread(tools.progress.finish, view)
            async with asyncio.timeout(10):
                polled, streamed = await asyncio.gather(waiting, listening)
        assert_problem(polled, 401, "unauthorized")
        assert b"event: completed" not in streamed.content and b"available" not in streamed.content
    finally:
        await asyncio.to_thread(parts_of(app).get(CaseChanges).stop)


async def test_an_expired_key_ends_at_its_time_though_it_was_remembered(make_app: MakeApp, new_key: MakeKey) -> None:
    app = make_app()
    async with client_of(app, new_key()) as other:
        # The first request of all dials the database, and that may take a second.
        assert (await other.get("/webhooks/secret")).status_code == 200
    async with client_of(app, new_key(expires_at=datetime.now(UTC) + timedelta(seconds=1))) as api:
        assert (await api.get("/webhooks/secret")).status_code == 200

        async def refused() -> bool:
            return (await api.get("/webhooks/secret")).status_code == 401

        await wait_until_async(refused)


async def test_the_rate_limit_is_one_for_all_replicas(
    make_app: MakeApp, new_key: MakeKey, source: ScriptedSource, process_number: MakeNumber
) -> None:
    numbers = [process_number() for _ in range(12)]
    for number in numbers:
        source.add(number, 1)
    key = new_key()
    rules = {"rate_limit_bulk": "1/hour", "rate_limit_burst": 5}
    async with client_of(make_app(**rules), key) as one, client_of(make_app(**rules), key) as other:
        asked = [(one, other)[index % 2].get(f"/processes/{number}") for index, number in enumerate(numbers)]
        answers = await asyncio.gather(*asked)
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429] * 7
    assert sorted(answer.headers["ratelimit"].split(";")[1] for answer in answers if answer.is_success) == [
        "r=0",
        "r=1",
        "r=2",
        "r=3",
        "r=4",
    ]


async def test_browsers_of_elsewhere_may_call_only_when_the_setting_says_so(
    make_app: MakeApp, new_key: MakeKey
) -> None:
    asked = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    for app, allowed in ((make_app(), None), (make_app(api_cors_origins="https://app.example"), "https://app.example")):
        async with client_of(app, new_key()) as api:
            preflight = await api.options("/processes", headers=asked)
            answer = await api.get("/processes", headers={"Origin": "https://app.example"})
        assert preflight.headers.get("access-control-allow-origin") == allowed
        assert answer.headers.get("access-control-allow-origin") == allowed
        assert preflight.is_success is (allowed is not None)


@pytest.mark.usefixtures("whole_minute")
async def test_the_tag_of_a_started_job_is_the_one_that_is_read_afterwards(
    api: httpx.AsyncClient, source: ScriptedSource, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number, 1)
    first = await api.get(f"/processes/{number}", params={"webhook_url": HOOK})
    again = await api.get(
        f"/processes/{number}", params={"webhook_url": HOOK}, headers={"If-None-Match": first.headers["etag"]}
    )
    assert again.status_code == 304
