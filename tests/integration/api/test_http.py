"""What every request meets: keys and scopes, problems, limits, entity tags, ids, headers, health."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import Engine, text

from ops import clients
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
from tests.support import Servers, wait_until_async

HOOK = "http://127.0.0.1:8099/hook"


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["code"] == code and body["status"] == status
    assert body["type"].endswith(code) and body["title"] and body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]


async def test_without_a_good_key_nothing_is_shown(make_app: MakeApp, new_key: MakeKey) -> None:
    app = make_app()
    expired = new_key(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    for key in ("", "autos_sk_wrong", "x" * 5000, expired):
        async with client_of(app, key) as client:
            answer = await client.get("/webhooks/secret")
        assert_problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    async with client_of(app, "") as client:
        del client.headers["authorization"]
        assert_problem(await client.get("/jobs/nonsense"), 401, "unauthorized")
        answer = await client.get("/webhooks/secret", headers={"X-API-Key": new_key()})
        assert answer.status_code == 200
        for path in ("/health/live", "/docs", "/openapi.json", "/metrics"):
            assert (await client.get(path)).status_code == 200


async def test_a_scope_is_needed(
    make_app: MakeApp, new_key: MakeKey, source: ScriptedSource, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number)
    async with client_of(make_app(), new_key(scopes=("read",))) as client:
        assert_problem(await client.get(f"/processes/{number}"), 403, "insufficient_scope")
        assert_problem(await client.post(f"/processes/{number}/download-all-documents"), 403, "insufficient_scope")
        assert_problem(await client.get("/webhooks/secret"), 403, "insufficient_scope")
        assert (await client.get(f"/processes/{number}", params={"auto_download": "false"})).status_code == 200


async def test_a_revoked_key_is_refused_soon(servers: Servers, make_app: MakeApp, new_key: MakeKey) -> None:
    key = new_key()
    async with client_of(make_app(), key) as client:
        assert (await client.get("/webhooks/secret")).status_code == 200
        [known] = [one for one in clients.list_keys(servers.owner_url) if key.startswith(one.prefix)]
        assert clients.revoke_key(servers.owner_url, known.key_id)

        async def refused() -> bool:
            return (await client.get("/webhooks/secret")).status_code == 401

        await wait_until_async(refused)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("123", "format"), ("1000145-92.2023.8.26.0597", "check_digits"), ("abc", "format"), ("9" * 63, "format")],
)
async def test_a_wrong_number_is_explained(api: httpx.AsyncClient, text: str, reason: str) -> None:
    for path in (f"/processes/{text}", f"/processes/{text}/status", f"/processes/{text}/files"):
        answer = await api.get(path)
        assert_problem(answer, 422, "invalid_process_number")
        assert answer.json()["errors"][0]["code"] == reason


async def test_a_number_is_read_however_it_is_written(
    api: httpx.AsyncClient, source: ScriptedSource, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number)
    for spelling in (number.digits, number.replace("-", "\u2013"), f" {number} ", number.replace(".", " ")):
        answer = await api.get(httpx.URL("http://api").copy_with(path=f"/processes/{spelling}"))
        assert answer.status_code == 200, spelling
        assert answer.json()["process_number"] == number


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://example.com/", "scheme_not_allowed"),
        ("https://user:secret@example.com/", "userinfo_not_allowed"),
        ("https://example.com:22/", "port_not_allowed"),
        ("https://10.0.0.1/", "address_not_public"),
        ("https://2130706433.0.0.1.example:99999/", "port_not_allowed"),
        ("https://[::ffff:169.254.169.254]/", "address_not_public"),
        ("nonsense", "scheme_not_allowed"),
        ("", "invalid_url"),
    ],
)
async def test_a_wrong_webhook_url_is_explained(
    api: httpx.AsyncClient, source: ScriptedSource, stored: Stored, process_number: MakeNumber, url: str, code: str
) -> None:
    number = process_number()
    source.add(number)
    by_query = await api.get(f"/processes/{number}", params={"webhook_url": url})
    by_body = await api.post(f"/processes/{number}/download-all-documents", json={"webhook_url": url})
    for answer in (by_query, by_body):
        assert_problem(answer, 422, "invalid_webhook_url")
        assert answer.json()["errors"][0]["code"] == code
    assert stored.jobs(number) == []


async def test_requests_of_another_shape_are_refused(api: httpx.AsyncClient, process_number: MakeNumber) -> None:
    number = process_number()
    assert_problem(await api.get(f"/processes/{number}", params={"webhok_url": HOOK}), 422, "unknown_parameter")
    assert "webhook_url" in (await api.get(f"/processes/{number}", params={"webhok_url": HOOK})).json()["detail"]
    assert_problem(await api.get(f"/processes/{number}", params={"refresh": "maybe"}), 422, "validation_failed")
    assert_problem(await api.get(f"/processes/{number}/status", params={"wait": 61}), 422, "validation_failed")
    assert_problem(
        await api.post(f"/processes/{number}/download-all-documents", json={"hook": 1}), 422, "validation_failed"
    )
    assert_problem(await api.post(f"/processes/{number}/download-document/12"), 422, "validation_failed")
    assert_problem(await api.get("/jobs/5b0e9e2c-6b1c-4a53-8a56-0b6a1d4f1c11"), 404, "job_not_found")
    assert_problem(await api.put(f"/processes/{number}"), 405, "method_not_allowed")
    assert_problem(await api.get("/nothing/here"), 404, "not_found")
    big = await api.post(f"/processes/{number}/download-all-documents", content=b"x" * 70_000)
    assert_problem(big, 413, "body_too_large")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b" " * 1024

    chunked = await api.post(
        f"/processes/{number}/download-all-documents",
        content=chunks(),
        headers={"Content-Type": "application/json"},
    )
    assert_problem(chunked, 413, "body_too_large")


async def test_starting_downloads_is_limited_and_repeating_is_free(tools: ApiTools) -> None:
    numbers = [tools.process_number() for _ in range(3)]
    for number in numbers:
        tools.source.add(number, 1)
    app = tools.make_app(rate_limit_bulk="1/hour", rate_limit_burst=2)
    async with client_of(app, tools.new_key()) as client:
        first = await client.get(f"/processes/{numbers[0]}")
        assert first.headers["ratelimit-policy"] == '"bulk";q=2;w=7200'
        assert first.headers["ratelimit"].startswith('"bulk";r=1;t=')
        for _ in range(5):
            assert (await client.get(f"/processes/{numbers[0]}")).status_code == 200
        tools.progress.finish(first.json())
        assert (await client.get(f"/processes/{numbers[0]}")).status_code == 200
        assert (await client.get(f"/processes/{numbers[1]}")).status_code == 200
        refused = await client.get(f"/processes/{numbers[2]}")
        assert_problem(refused, 429, "rate_limited")
        assert 3500 < int(refused.headers["retry-after"]) <= 3600
        assert refused.headers["ratelimit"].startswith('"bulk";r=0;t=')
        assert numbers[2] not in tools.source.reads
        assert (await client.get(f"/processes/{numbers[1]}")).status_code == 200
    async with client_of(app, tools.new_key()) as other:
        assert (await other.get(f"/processes/{numbers[2]}")).status_code == 200


async def test_a_client_has_so_many_active_jobs_and_no_more(tools: ApiTools) -> None:
    numbers = [tools.process_number() for _ in range(2)]
    for number in numbers:
        tools.source.add(number, 1)
    async with client_of(tools.make_app(max_active_jobs=1), tools.new_key()) as client:
        first = await client.get(f"/processes/{numbers[0]}")
        assert_problem(await client.get(f"/processes/{numbers[1]}"), 429, "too_many_active_jobs")
        tools.progress.finish(first.json())
        assert (await client.get(f"/processes/{numbers[1]}")).status_code == 200


@pytest.mark.usefixtures("whole_minute")
async def test_an_unchanged_status_is_a_304_and_a_changed_one_is_not(
    api: httpx.AsyncClient, source: ScriptedSource, progress: Progress, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number, 2)
    view = (await api.get(f"/processes/{number}")).json()
    first = await api.get(f"/processes/{number}/status")
    tag = first.headers["etag"]
    same = await api.get(f"/processes/{number}/status", headers={"If-None-Match": tag})
    assert same.status_code == 304 and same.content == b"" and same.headers["etag"] == tag
    progress.plan(view, 2)
    changed = await api.get(f"/processes/{number}/status", headers={"If-None-Match": tag})
    assert changed.status_code == 200 and changed.json()["status"] == "processing"
    assert changed.headers["etag"] != tag


@pytest.mark.usefixtures("whole_minute")
async def test_a_long_poll_ends_with_the_change(tools: ApiTools) -> None:
    number = tools.process_number()
    tools.source.add(number, 2)
    app = tools.make_app()
    parts_of(app).get(CaseChanges).start()
    try:
        async with client_of(app, tools.new_key()) as api:
            view = (await api.get(f"/processes/{number}")).json()
            tag = (await api.get(f"/processes/{number}/status")).headers["etag"]
            timed_out = await api.get(
                f"/processes/{number}/status", params={"wait": 0.05}, headers={"If-None-Match": tag}
            )
            assert timed_out.status_code == 304
            waiting = asyncio.create_task(
                api.get(f"/processes/{number}/status", params={"wait": 60}, headers={"If-None-Match": tag})
            )
            changes = parts_of(app).get(CaseChanges)
            await wait_until_async(lambda: changes.waiting(number) > 0)
            await asyncio.to_thread(tools.progress.plan, view, 2)
            async with asyncio.timeout(50):
                answer = await waiting
            assert answer.status_code == 200 and answer.json()["status"] == "processing"
            await asyncio.to_thread(tools.progress.finish, view)
            async with asyncio.timeout(50):
                ended = await api.get(f"/processes/{number}/status", params={"wait": 60})
            assert ended.json()["status"] == "completed"
    finally:
        await asyncio.to_thread(parts_of(app).get(CaseChanges).stop)


async def test_events_tell_the_whole_story_and_resume(
    api: httpx.AsyncClient, source: ScriptedSource, progress: Progress, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number, 2)
    view = (await api.get(f"/processes/{number}")).json()
    progress.finish(view)
    answer = await api.get(f"/processes/{number}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = [dict(line.split(": ", 1) for line in block.split("\n")) for block in answer.text.strip().split("\n\n")]
    assert [block.get("event") for block in blocks] == [None, "document", "document", "progress", "completed"]
    over = await api.get(f"/processes/{number}/events", headers={"Last-Event-ID": blocks[-1]["id"]})
    assert over.status_code == 204


async def test_ids_and_security_headers_go_with_every_answer(
    api: httpx.AsyncClient, source: ScriptedSource, stored: Stored, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = await api.get(
        f"/processes/{number}",
        headers={"X-Request-ID": "order-17", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"},
    )
    assert answer.headers["x-request-id"] == "order-17"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert (await api.get("/webhooks/secret")).headers["cache-control"] == "no-store"
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers
    assert stored.traces(number) == {trace}
    forged = await api.get("/health/live", headers={"X-Request-ID": "a b"})
    assert forged.headers["x-request-id"] != "a b"


async def test_a_fault_of_ours_is_a_problem_without_its_text(
    tools: ApiTools,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tools.source.failing = RuntimeError("Maria da Silva")
    async with client_of(tools.make_app(), tools.new_key()) as client:
        answer = await client.get(f"/processes/{tools.process_number()}")
    assert_problem(answer, 500, "internal_error")
    assert "Maria" not in answer.text
    assert "Maria" not in caplog.text


async def test_ready_means_that_requests_are_answered_and_tells_what_is_away(
    make_app: MakeApp, api: httpx.AsyncClient, owner: Engine
) -> None:
    with owner.begin() as connection:
        # No relay runs here: what other tests asked for would wait.
        connection.execute(text("TRUNCATE catalog.outbox, progress.outbox, delivery.outbox"))
    good = await api.get("/health/ready")
    assert good.status_code == 200, good.text
    assert good.json()["status"] == "ok"
    assert good.json()["checks"] == dict.fromkeys(("database", "broker", "object_store", "outbox", "source"), "ok")
    for missing, setting in (
        ("object_store", {"s3_endpoint_url": "http://127.0.0.1:9"}),
        ("broker", {"kafka_bootstrap_servers": "127.0.0.1:9"}),
        ("database", {"database_url": "postgresql://autos_api:x@127.0.0.1:9/autos"}),
    ):
        async with client_of(make_app(**setting), "") as client:
            answer = await client.get("/health/ready")
        checks = answer.json()["checks"]
        # Without the database nobody knows how the outboxes stand.
        also = {"outbox"} if missing == "database" else set()
        assert {name for name, outcome in checks.items() if outcome != "ok"} == {missing} | also
        needed = missing == "database"
        assert answer.status_code == (503 if needed else 200)
        assert answer.json()["status"] == ("unavailable" if needed else "degraded")


async def test_an_outbox_that_stands_still_is_degraded_and_says_since_when(make_app: MakeApp, owner: Engine) -> None:
    old = "now() - interval '2 minutes'"
    with owner.begin() as connection:
        connection.execute(text("TRUNCATE catalog.outbox, progress.outbox, delivery.outbox"))
        (seq,) = connection.execute(
            text(
                "INSERT INTO catalog.outbox (id, aggregatetype, aggregateid, type, payload, headers, created_at)"
                f" VALUES (gen_random_uuid(), 'no.topic', 'k', 't', '', '{{}}', {old}) RETURNING seq"
            )
        ).one()
    try:
        async with client_of(make_app(), "") as client:
            answer = await client.get("/health/ready")
            backlog = (await client.get("/metrics")).text
    finally:
        with owner.begin() as connection:
            connection.execute(text("DELETE FROM catalog.outbox WHERE seq = :seq"), {"seq": seq})
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert re.fullmatch(r"catalog: the oldest event waits for 1[2-9]\d s", answer.json()["checks"]["outbox"])
    assert re.search(r"^autos_api_outbox_lag_seconds 1[2-9]\d\.", backlog, re.M)


async def test_the_oldest_job_that_has_not_ended_is_in_the_metrics(
    make_app: MakeApp, owner: Engine, process_number: MakeNumber
) -> None:
    job_id, number = str(uuid.uuid4()), process_number()

    async def shown() -> list[float]:
        async with client_of(make_app(), "") as client:
            text_of = (await client.get("/metrics")).text
        return [float(value) for value in re.findall(r"^autos_api_oldest_unfinished_\w+_seconds (\S+)$", text_of, re.M)]

    with owner.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO catalog.jobs (job_id, process_number, client_id, scope, discover, created_at)"
                " SELECT :job, :number, client_id, 'all', false, now() - interval '400 days'"
                " FROM catalog.clients LIMIT 1"
            ),
            {"job": job_id, "number": number},
        )
    year = 365 * 86_400
    try:
        job, document = await shown()
        assert job > year > document
        planned = (
            "INSERT INTO progress.jobs (job_id, process_number, status, total_documents, planned_at)"
            " VALUES (:job, :number, 'processing', 2, now() - interval '399 days')"
        )
        with owner.begin() as connection:
            connection.execute(text(planned), {"job": job_id, "number": number})
        job, document = await shown()
        assert job > document > year
        with owner.begin() as connection:
            ended = "UPDATE progress.jobs SET completed_at = now(), completed_documents = 2 WHERE job_id = :job"
            connection.execute(text(ended), {"job": job_id})
        assert all(value < year for value in await shown())
    finally:
        with owner.begin() as connection:
            for table in ("progress.jobs", "catalog.jobs"):
                connection.execute(text(f"DELETE FROM {table} WHERE job_id = :job"), {"job": job_id})


async def test_a_source_that_forbids_everything_is_degraded_with_its_reason(make_app: MakeApp, owner: Engine) -> None:
    with owner.begin() as connection:
        connection.execute(
            text("INSERT INTO source.workers (worker_id, forbidden_since) VALUES ('w', now() - interval '700 s')")
        )
    try:
        async with client_of(make_app(), "") as client:
            answer = await client.get("/health/ready")
    finally:
        with owner.begin() as connection:
            connection.execute(text("DELETE FROM source.workers WHERE worker_id = 'w'"))
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["source"].startswith("source_forbidden: ")


async def test_a_source_that_is_away_is_degraded_while_a_downloader_says_so(make_app: MakeApp, owner: Engine) -> None:
    with owner.begin() as connection:
        away = "VALUES ('court', 'away', 'source_unavailable', now() - interval '70 s')"
        connection.execute(text(f"INSERT INTO source.states (source, state, reason, since) {away}"))
    try:
        async with client_of(make_app(), "") as client:
            assert (await client.get("/health/ready")).json()["checks"]["source"] == "ok"
        with owner.begin() as connection:
            connection.execute(text("INSERT INTO source.workers (worker_id, source) VALUES ('w', 'court')"))
        async with client_of(make_app(), "") as client:
            answer = await client.get("/health/ready")
    finally:
        with owner.begin() as connection:
            connection.execute(text("DELETE FROM source.workers WHERE worker_id = 'w'"))
            connection.execute(text("DELETE FROM source.states WHERE source = 'court'"))
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["source"].startswith("source_unavailable: ")


async def test_requests_are_accepted_while_the_broker_is_away(tools: ApiTools) -> None:
    number = tools.process_number()
    tools.source.add(number, 1)
    async with client_of(tools.make_app(kafka_bootstrap_servers="127.0.0.1:9"), tools.new_key()) as client:
        answer = await client.get(f"/processes/{number}", params={"webhook_url": HOOK})
    assert answer.status_code == 200 and answer.json()["job"]["status"] == "pending"
    assert len(tools.stored.events(number, "autos.process.requested")) == 1
    assert len(tools.stored.events(number, "autos.webhook.subscribed")) == 1


async def test_database_away_is_a_503_that_says_when_to_come_again(
    make_app: MakeApp, process_number: MakeNumber
) -> None:
    app = make_app(database_url="postgresql://autos_api:x@127.0.0.1:9/autos")
    async with client_of(app, "autos_sk_any") as client:
        answer = await client.get(f"/processes/{process_number()}/status")
        assert_problem(answer, 503, "service_unavailable")
        assert answer.headers["retry-after"]
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/metrics")).status_code == 200
