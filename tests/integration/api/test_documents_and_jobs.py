"""Content, archives, jobs, deliveries, secrets and test events over the real database and object store."""

from __future__ import annotations

import hashlib
import io
import uuid
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from obstore.store import S3Store
from sqlalchemy import Engine, insert

from services.api.http.provided import parts_of
from shared.db import delivery
from shared.events.document_events import DocumentAvailable
from shared.storage.store import object_key
from tests.integration.api.scripted import (
    ApiTools,
    Progress,
    client_of,
    openapi_document,
)
from tests.integration.api.test_http import HOOK, assert_problem
from tests.support import wait_until_async

BODY = b"%PDF-1.7 " + bytes(range(256)) * 4096


async def put(app_store: object, view: dict[str, Any], progress: Progress, body: bytes = BODY) -> list[str]:
    """Store a body for every document of a case and tell the projection."""
    identities = [document["id"] for document in view["documents"]]
    progress.plan(view, len(identities))
    for identity in identities:
        key = object_key(view["process_number"], identity)
        await app_store.put_async(key, body)  # type: ignore[attr-defined]
        progress.tell(
            DocumentAvailable(
                job_id=view["job"]["job_id"],
                process_number=view["process_number"],
                document_id=identity,
                object_key=key,
                sha256=hashlib.sha256(body).hexdigest(),
                size=len(body),
                content_type="application/pdf",
            )
        )
    return identities


async def test_content_comes_by_link_or_through_the_api(tools: ApiTools) -> None:
    number = tools.process_number()
    tools.source.add(number, 2)
    app = tools.make_app()
    async with client_of(app, tools.new_key()) as api:
        view = (await api.get(f"/processes/{number}")).json()
        path = f"/processes/{number}/documents/{view['documents'][0]['id']}/content"
        assert_problem(await api.get(path), 404, "document_not_available")
        await put(parts_of(app).get(S3Store), view, tools.progress)

        redirect = await api.get(path)
        assert redirect.status_code == 307
        async with httpx.AsyncClient() as anybody:
            linked = await anybody.get(redirect.headers["location"])
        assert linked.content == BODY
        assert "filename*=UTF-8''Peti" in linked.headers["content-disposition"]

        proxied = await api.get(path, params={"proxy": "true"})
        assert proxied.status_code == 200 and proxied.content == BODY
        assert proxied.headers["content-length"] == str(len(BODY))
        assert proxied.headers["accept-ranges"] == "bytes"
        tag = proxied.headers["etag"]
        part = await api.get(path, params={"proxy": "true"}, headers={"Range": "bytes=5-9", "If-Range": tag})
        assert part.status_code == 206 and part.content == BODY[5:10]
        assert part.headers["content-range"] == f"bytes 5-9/{len(BODY)}"
        end = await api.get(path, params={"proxy": "true"}, headers={"Range": "bytes=-7"})
        assert end.content == BODY[-7:]
        whole = await api.get(path, params={"proxy": "true"}, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
        assert whole.status_code == 200
        behind = await api.get(path, params={"proxy": "true"}, headers={"Range": f"bytes={len(BODY)}-"})
        assert_problem(behind, 416, "range_not_satisfiable")
        assert behind.headers["content-range"] == f"bytes */{len(BODY)}"

        files = (await api.get(f"/processes/{number}/files")).json()
        assert len(files["documents"]) == 2 and all(one["download_url"] for one in files["documents"])


async def test_the_archive_has_every_available_document(tools: ApiTools) -> None:
    number = tools.process_number()
    tools.source.add(number, 3)
    app = tools.make_app()
    async with client_of(app, tools.new_key()) as api:
        assert_problem(await api.get(f"/processes/{number}/documents.zip"), 404, "process_unknown")
        assert_problem(await api.get(f"/processes/{number}/files"), 404, "process_unknown")
        view = (await api.get(f"/processes/{number}")).json()
        await put(parts_of(app).get(S3Store), view, tools.progress)
        answer = await api.get(f"/processes/{number}/documents.zip")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 4
        assert archive.read("002 Petição nº 1.pdf") == BODY


async def test_a_cancelled_job_is_told_to_the_projection(
    tools: ApiTools,
    api: httpx.AsyncClient,
) -> None:
    number = tools.process_number()
    tools.source.add(number, 2)
    view = (await api.get(f"/processes/{number}", params={"webhook_url": HOOK})).json()
    job_id = view["job"]["job_id"]
    async with client_of(tools.make_app(), tools.new_key()) as other:
        assert_problem(await other.post(f"/jobs/{job_id}/cancel"), 404, "job_not_found")
        await other.get(f"/processes/{number}", params={"webhook_url": HOOK, "auto_download": False})
        assert_problem(await other.post(f"/jobs/{job_id}/cancel"), 403, "not_your_job")
    assert_problem(await api.post(f"/jobs/{job_id}/cancel"), 409, "job_shared")

    number = tools.process_number()
    tools.source.add(number, 2)
    view = (await api.get(f"/processes/{number}")).json()
    job_id = view["job"]["job_id"]
    cancelled = await api.post(f"/jobs/{job_id}/cancel")
    assert cancelled.status_code == 200 and cancelled.json()["status"] == "cancelled"
    assert (await api.post(f"/jobs/{job_id}/cancel")).json()["status"] == "cancelled"
    [aborted] = tools.stored.events(number, "autos.job.aborted")
    assert aborted["job_id"] == job_id and aborted["error_code"] == "cancelled"
    [job] = tools.stored.jobs(number)
    assert not job.active and job.cancelled_at is not None
    # The answer is the stored one until a new job is wanted explicitly.
    assert (await api.get(f"/processes/{number}")).json()["job"]["job_id"] == job_id
    anew = (await api.post(f"/processes/{number}/download-all-documents")).json()
    assert anew["job"]["job_id"] != job_id
    tools.progress.finish(anew)
    assert_problem(await api.post(f"/jobs/{anew['job']['job_id']}/cancel"), 409, "job_finished")


def add_delivery(owner: Engine, client_id: str, number: str, *, status: str, age: int = 0) -> str:
    identity = str(uuid.uuid4())
    now = datetime.now(UTC) - timedelta(seconds=age)
    with owner.begin() as connection:
        connection.execute(
            insert(delivery.deliveries).values(
                delivery_id=identity,
                subscription_id=str(uuid.uuid4()),
                job_id=str(uuid.uuid4()),
                process_number=number,
                client_id=client_id,
                endpoint_id=str(uuid.uuid4()),
                url=HOOK,
                status=status,
                attempts=1,
                created_at=now,
                updated_at=now,
            )
        )
        connection.execute(
            insert(delivery.attempts).values(
                delivery_id=identity,
                attempt=1,
                started_at=now,
                duration_ms=12,
                address="127.0.0.1",
                status_code=500,
                succeeded=False,
                error_code="http_500",
                response_excerpt="no",
            )
        )
    return identity


async def test_a_client_sees_its_own_deliveries_only(tools: ApiTools) -> None:
    number, client = tools.process_number(), f"client-{uuid.uuid4().hex}"
    mine = [add_delivery(tools.owner, client, number, status="exhausted", age=age) for age in range(5)]
    theirs = add_delivery(tools.owner, "somebody else", number, status="exhausted")
    app = tools.make_app()
    async with client_of(app, tools.new_key(client)) as api:
        seen: list[str] = []
        cursor = None
        while True:
            page = (
                await api.get("/webhooks/deliveries", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
            ).json()
            seen += [one["id"] for one in page["deliveries"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == mine
        by_case = await api.get("/webhooks/deliveries", params={"process_number": number.digits, "status": "exhausted"})
        assert len(by_case.json()["deliveries"]) == 5
        assert (await api.get("/webhooks/deliveries", params={"status": "delivered"})).json()["deliveries"] == []
        assert_problem(await api.get("/webhooks/deliveries", params={"cursor": "zzz"}), 422, "invalid_cursor")
        assert_problem(await api.get("/webhooks/deliveries", params={"status": "odd"}), 422, "validation_failed")

        detail = (await api.get(f"/webhooks/deliveries/{mine[0]}")).json()
        assert detail["attempts"][0]["status_code"] == 500
        assert_problem(await api.get(f"/webhooks/deliveries/{theirs}"), 404, "delivery_not_found")
        assert_problem(await api.post(f"/webhooks/deliveries/{theirs}/redeliver"), 404, "delivery_not_found")
        assert (await api.post(f"/webhooks/deliveries/{mine[0]}/redeliver")).status_code == 202
    [requested] = tools.stored.events(number, "autos.webhook.redelivery_requested")
    assert requested["delivery_id"] == mine[0] and requested["client_id"] == client


async def test_after_an_outage_a_client_sends_all_of_its_deliveries_again_whatever_its_limit(
    tools: ApiTools,
) -> None:
    number, client = tools.process_number(), f"client-{uuid.uuid4().hex}"
    mine = [add_delivery(tools.owner, client, number, status="exhausted", age=age) for age in range(4)]
    async with client_of(tools.make_app(rate_limit_bulk="1/hour", rate_limit_burst=1), tools.new_key(client)) as api:
        for delivery_id in mine:
            answer = await api.post(f"/webhooks/deliveries/{delivery_id}/redeliver")
            assert answer.status_code == 202 and "ratelimit" not in answer.headers
        endpoint = (await api.get(f"/webhooks/deliveries/{mine[0]}")).json()["endpoint_id"]
        with tools.owner.begin() as connection:
            row = {"endpoint_id": endpoint, "client_id": client, "url": "https://a.example/", "origin": "o"}
            connection.execute(insert(delivery.endpoints).values(row))
        assert (await api.post(f"/webhooks/endpoints/{endpoint}/enable")).status_code == 202
        # They have used up nothing.
        assert (await api.post("/webhooks/endpoints", json={"url": "http://127.0.0.1:8099/"})).status_code == 201
    assert len(tools.stored.events(number, "autos.webhook.redelivery_requested")) == 4


async def test_a_rotated_secret_keeps_the_old_one_for_a_day(api: httpx.AsyncClient) -> None:
    first = (await api.get("/webhooks/secret")).json()
    assert first["secret"].startswith("whsec_") and first["previous_secret_until"] is None
    second = (await api.post("/webhooks/secret/rotate")).json()
    assert second["secret"] != first["secret"]
    until = datetime.fromisoformat(second["previous_secret_until"])
    assert timedelta(hours=23, minutes=59) < until - datetime.now(UTC) <= timedelta(hours=24)
    assert (await api.get("/webhooks/secret")).json() == second


async def test_a_test_event_tells_what_came_back(api: httpx.AsyncClient, unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}/hook"
    result = (await api.post("/webhooks/test", json={"url": url})).json()
    assert result["succeeded"] is False and result["error_code"] == "connection_refused"
    assert_problem(await api.post("/webhooks/test", json={"url": "http://10.0.0.1/"}), 422, "invalid_webhook_url")


async def test_ended_jobs_are_released_without_a_request(
    tools: ApiTools,
    api: httpx.AsyncClient,
) -> None:
    number = tools.process_number()
    tools.source.add(number, 1)
    tools.progress.finish((await api.get(f"/processes/{number}")).json())
    assert tools.stored.jobs(number)[0].active
    app = tools.make_app()
    async with app.router.lifespan_context(app):
        await wait_until_async(lambda: not tools.stored.jobs(number)[0].active)


def test_the_openapi_document_has_every_route_with_its_problems() -> None:
    document = openapi_document()
    assert document["openapi"].startswith("3.1")
    assert "process.completed" in document["webhooks"]
    assert "callbacks" in document["paths"]["/processes/{numero}"]["get"]
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            if path.startswith(("/health", "/metrics", "/.well-known/")):
                assert operation["security"] == []
                continue
            assert operation["security"], (verb, path)
            assert {"401", "403", "422", "500", "503"} <= set(operation["responses"]), (verb, path)
    assert "HTTPValidationError" not in str(document)


@pytest.fixture
def unused_tcp_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def test_a_document_whose_object_is_gone_or_cut_says_what_to_do_and_that_is_true(tools: ApiTools) -> None:
    number = tools.process_number()
    tools.source.add(number, 3)
    app = tools.make_app()
    store = parts_of(app).get(S3Store)
    async with client_of(app, tools.new_key()) as api:
        view = (await api.get(f"/processes/{number}")).json()
        gone, cut, whole = await put(store, view, tools.progress)
        first = view["job"]["job_id"]
        untouched = await api.post(f"/processes/{number}/download-document/{gone}")
        assert untouched.json()["job"]["job_id"] == first, "it is there: nothing is to be done"
        await store.delete_async(object_key(number, gone))
        await store.put_async(object_key(number, cut), BODY[:10])
        for document in (gone, cut):
            way = f"POST /processes/{number}/download-document/{document}"
            for options in ({}, {"proxy": "true"}):
                answer = await api.get(f"/processes/{number}/documents/{document}/content", params=options)
                assert_problem(answer, 404, "document_gone")
                assert way in answer.json()["detail"]
            ranged = {"Range": "bytes=100-200"}
            path = f"/processes/{number}/documents/{document}/content"
            assert_problem(await api.get(path, params={"proxy": "true"}, headers=ranged), 404, "document_gone")
        archive = await api.get(f"/processes/{number}/documents.zip")
        assert_problem(archive, 404, "document_gone")
        assert f"POST /processes/{number}/download-all-documents" in archive.json()["detail"]
        assert (await api.get(f"/processes/{number}/documents/{whole}/content")).status_code == 307

        started = await api.post(f"/processes/{number}/download-document/{gone}")
        assert started.status_code == 202 and started.json()["job"]["job_id"] != first
        again = await api.post(f"/processes/{number}/download-document/{gone}")
        assert again.json()["job"]["job_id"] == started.json()["job"]["job_id"]
        everything = await api.post(f"/processes/{number}/download-all-documents")
        refreshed = await api.get(f"/processes/{number}", params={"refresh": "true"})
    asked = {event["job_id"]: event["verify"] for event in tools.stored.events(number, "autos.process.requested")}
    jobs = {answer.json()["job"]["job_id"] for answer in (started, everything, refreshed)}
    assert asked == {first: False, **dict.fromkeys(jobs, True)}


async def test_a_store_that_is_away_does_not_make_a_document_gone(
    tools: ApiTools,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = tools.process_number()
    tools.source.add(number, 1)
    key = tools.new_key()
    app = tools.make_app()
    async with client_of(app, key) as api:
        view = (await api.get(f"/processes/{number}")).json()
        (document,) = await put(parts_of(app).get(S3Store), view, tools.progress)
    # Nobody listens there; tried once, or each answer would take the seconds of ten tries.
    away = S3Store(
        "b", endpoint="http://127.0.0.1:9", client_options={"allow_http": True}, retry_config={"max_retries": 0}
    )
    monkeypatch.setattr("services.api.assembly.make_store", lambda settings: away)
    async with client_of(tools.make_app(), key) as api:
        path = f"/processes/{number}/documents/{document}/content"
        assert (await api.get(path)).status_code == 307
        assert_problem(await api.get(path, params={"proxy": "true"}), 503, "service_unavailable")
        assert_problem(await api.get(f"/processes/{number}/documents.zip"), 503, "service_unavailable")
        answer = await api.post(f"/processes/{number}/download-document/{document}")
        assert answer.json()["job"]["job_id"] == view["job"]["job_id"]
