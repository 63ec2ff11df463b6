"""Asking for cases: one job, joined and reused; what the source says; webhooks attached."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import httpx
import pytest
from obstore.store import S3Store

from services.api.http.provided import parts_of
from shared.storage.store import object_key
from sources.errors import NoAccess, ProcessNotFound, SourceThrottled, SourceUnavailable
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

HOOK = "http://127.0.0.1:8099/hook"


async def test_first_request_registers_the_case_and_starts_one_job(
    api: httpx.AsyncClient, source: ScriptedSource, stored: Stored, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number, 3)
    answer = await api.get(f"/processes/{number.digits}")
    assert answer.status_code == 200
    view = answer.json()
    assert view["process_number"] == number
    assert view["court"] == "TJSP" and view["class"] == "Procedimento Comum Cível"
    assert [document["status"] for document in view["documents"]] == ["processing"] * 3
    assert view["job"]["status"] == "pending" and view["job"]["total_documents"] == 3
    assert view["job"]["progress_percentage"] == 0.0
    assert view["webhook"] is None and view["stale"] is False
    assert view["links"]["status"] == f"/processes/{number}/status"
    assert view["fetched_at"].endswith("Z")
    [job] = stored.jobs(number)
    assert job.job_id == view["job"]["job_id"] and job.active and not job.discover
    [requested] = stored.events(number, "autos.process.requested")
    assert requested["job_id"] == job.job_id
    assert requested["document_ids"] is None and requested["discover"] is False
    assert requested["created_at"] == view["job"]["created_at"]


@pytest.mark.usefixtures("whole_minute")
@pytest.mark.parametrize(
    ("auto_download", "scopes"), [(True, ["read", "download", "sealed"]), (False, ["read", "download"])]
)
async def test_the_answer_that_stored_a_case_is_the_answer_from_the_store(
    tools: ApiTools, auto_download: bool, scopes: list[str]
) -> None:
    """The first answer is made of what was written, and not read again: what every later one says."""
    number = tools.process_number()
    case = tools.source.add(number, 1003)
    undated, north, sealed, *others = case.documents
    elsewhere = datetime(2024, 5, 2, 23, 30, 0, 123456, tzinfo=timezone(timedelta(hours=-4)))
    documents = [
        *others,
        replace(undated, filed_at=None, sequence=None, size=None, pages=None, source_path=None),
        replace(north, filed_at=elsewhere, source_hash="ab", court="TJAM", degree="G2"),
        replace(sealed, secrecy_level="SIGILOSO", name="MARIA"),
    ]
    items: list[dict[str, Any]] = [
        {"at": "2024-05-01T12:00:00Z", "code": str(index), "a": None, "z": {"é": [1.5, True]}} for index in range(203)
    ]
    tools.source.cases[number] = replace(
        case,
        documents=documents,
        movements=items,
        parties=items,
        related=[{"process_number": "1", "relation": "x"}],
        claim_value=Decimal("1234567.89"),
        filed_at=elsewhere,
        left_out={"movements": 7, "documents": 1},
    )
    wanted = {"auto_download": auto_download}
    api = client_of(tools.make_app(), tools.new_key(scopes=scopes))
    first = await api.get(f"/processes/{number}", params=wanted)
    second = await api.get(f"/processes/{number}", params=wanted)
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert first.headers["ETag"] == second.headers["ETag"]
    assert len(first.json()["documents"]) == 1000
    assert ("MARIA" in first.text) == ("sealed" in scopes)
    assert [document["position"] for document in first.json()["documents"]] == list(range(1, 1001))
    pages = [
        (await api.get(f"/processes/{number}/{name}", params={"limit": 500})).json()
        for name in ("movements", "parties")
    ]
    assert [len(page[name]) for page, name in zip(pages, ("movements", "parties"), strict=True)] == [203, 203]


async def test_documents_are_pending_when_a_webhook_will_tell(
    api: httpx.AsyncClient, source: ScriptedSource, stored: Stored, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number)
    view = (await api.get(f"/processes/{number}", params={"webhook_url": HOOK})).json()
    assert {document["status"] for document in view["documents"]} == {"pending"}
    assert view["webhook"]["url"] == HOOK and view["webhook"]["status"] == "pending"
    [subscribed] = stored.events(number, "autos.webhook.subscribed")
    assert subscribed["subscription_id"] == view["webhook"]["subscription_id"]
    assert subscribed["job_id"] == view["job"]["job_id"] and subscribed["url"] == HOOK


async def test_twenty_simultaneous_first_requests_make_one_job_and_one_read(tools: ApiTools) -> None:
    number = tools.process_number()
    tools.source.add(number)
    tools.source.delay = 0.05
    # Two replicas, as in a deployment.
    async with client_of(tools.make_app(), key := tools.new_key()) as one, client_of(tools.make_app(), key) as other:
        answers = await asyncio.gather(
            *(client.get(f"/processes/{number}") for client in (one, other) for _ in range(10))
        )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["job"]["job_id"] for answer in answers}) == 1
    assert len(tools.stored.jobs(number)) == 1
    assert len(tools.stored.events(number, "autos.process.requested")) == 1
    assert tools.source.reads[number] <= 2


async def test_two_webhooks_share_one_job(tools: ApiTools) -> None:
    number = tools.process_number()
    tools.source.add(number)
    async with client_of(app := tools.make_app(), tools.new_key()) as one, client_of(app, tools.new_key()) as other:
        first = (await one.get(f"/processes/{number}", params={"webhook_url": HOOK})).json()
        second = (await other.get(f"/processes/{number}", params={"webhook_url": HOOK + "2"})).json()
        again = (await other.get(f"/processes/{number}", params={"webhook_url": HOOK + "2"})).json()
        assert (await one.get(f"/processes/{number}")).json()["webhook"]["url"] == HOOK
    assert first["job"]["job_id"] == second["job"]["job_id"] == again["job"]["job_id"]
    assert second["webhook"] == again["webhook"]
    assert second["webhook"]["url"] == HOOK + "2"
    assert len(tools.stored.events(number, "autos.webhook.subscribed")) == 2


async def test_a_finished_case_is_answered_from_the_store(tools: ApiTools, api: httpx.AsyncClient) -> None:
    number = tools.process_number()
    tools.source.add(number, 2)
    first = (await api.get(f"/processes/{number}")).json()
    tools.progress.finish(first)
    view = (await api.get(f"/processes/{number}")).json()
    assert view["job"]["status"] == "completed" and view["job"]["progress_percentage"] == 100.0
    assert view["job"]["job_id"] == first["job"]["job_id"]
    for document in view["documents"]:
        assert document["status"] == "available" and document["size"] == 10
        assert document["download_url"] and document["download_url_expires_at"]
    assert tools.source.reads[number] == 1 and len(tools.stored.jobs(number)) == 1

    late = (await api.get(f"/processes/{number}", params={"webhook_url": HOOK})).json()
    assert late["job"]["job_id"] == first["job"]["job_id"]
    [subscribed] = tools.stored.events(number, "autos.webhook.subscribed")
    assert subscribed["job_id"] == first["job"]["job_id"]


async def test_refresh_reads_again_and_starts_a_new_job(tools: ApiTools, api: httpx.AsyncClient) -> None:
    number = tools.process_number()
    tools.source.add(number, 1)
    first = (await api.get(f"/processes/{number}")).json()
    tools.progress.finish(first)
    tools.source.add(number, 2)
    second = (await api.get(f"/processes/{number}", params={"refresh": "true"})).json()
    assert tools.source.reads[number] == 2
    assert second["job"]["job_id"] != first["job"]["job_id"]
    assert [document["status"] for document in second["documents"]] == ["available", "processing"]
    joined = (await api.get(f"/processes/{number}", params={"refresh": "true"})).json()
    assert joined["job"]["job_id"] == second["job"]["job_id"]
    assert [job.active for job in tools.stored.jobs(number)] == [False, True]


async def test_an_unknown_case_is_a_404_without_a_job(
    api: httpx.AsyncClient, source: ScriptedSource, stored: Stored, process_number: MakeNumber
) -> None:
    number = process_number()
    source.failing = ProcessNotFound()
    answer = await api.get(f"/processes/{number}")
    assert answer.status_code == 404 and answer.json()["code"] == "process_not_found"
    assert answer.headers["content-type"] == "application/problem+json"
    assert stored.jobs(number) == []
    assert (await api.get(f"/processes/{number}/status")).json()["code"] == "process_unknown"


async def test_a_case_without_standing_is_a_403(
    api: httpx.AsyncClient, source: ScriptedSource, process_number: MakeNumber
) -> None:
    source.failing = NoAccess()
    answer = await api.get(f"/processes/{process_number()}")
    assert answer.status_code == 403 and answer.json()["code"] == "no_access"


@pytest.mark.parametrize("failure", [SourceUnavailable(), SourceThrottled(retry_after=5)])
async def test_source_away_is_a_202_whose_job_discovers(
    api: httpx.AsyncClient, source: ScriptedSource, stored: Stored, process_number: MakeNumber, failure: Exception
) -> None:
    number = process_number()
    source.failing = failure
    answer = await api.get(f"/processes/{number}", params={"webhook_url": HOOK})
    view = answer.json()
    assert answer.status_code == 202 and view["documents"] == [] and view["fetched_at"] is None
    assert view["job"]["status"] == "pending" and view["job"]["progress_percentage"] == 0.0
    [requested] = stored.events(number, "autos.process.requested")
    assert requested["discover"] is True
    again = await api.get(f"/processes/{number}")
    assert again.status_code == 202 and again.json()["job"]["job_id"] == view["job"]["job_id"]
    assert source.reads[number] == 1
    status = await api.get(f"/processes/{number}/status")
    assert status.status_code == 200 and status.json()["total_documents"] == 0


async def test_a_slow_source_is_away_after_the_deadline(
    make_app: MakeApp, new_key: MakeKey, source: ScriptedSource, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number)
    source.delay = 30
    async with client_of(make_app(source_deadline_seconds=0.1), new_key()) as api:
        assert (await api.get(f"/processes/{number}")).status_code == 202


async def test_stale_copy_is_served_while_the_source_is_away(tools: ApiTools) -> None:
    number = tools.process_number()
    tools.source.add(number, 1)
    async with client_of(tools.make_app(process_ttl_seconds=0), tools.new_key()) as api:
        first = (await api.get(f"/processes/{number}")).json()
        tools.progress.finish(first)
        tools.source.failing = SourceUnavailable()
        answer = await api.get(f"/processes/{number}")
        view = answer.json()
    assert answer.status_code == 200 and view["stale"] is True
    assert len(view["documents"]) == 1 and view["job"]["job_id"] != first["job"]["job_id"]
    assert tools.stored.events(number, "autos.process.requested")[-1]["discover"] is True


async def test_without_auto_download_only_metadata_is_kept(
    api: httpx.AsyncClient, source: ScriptedSource, stored: Stored, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number)
    view = (await api.get(f"/processes/{number}", params={"auto_download": "false"})).json()
    assert view["job"] is None and {document["status"] for document in view["documents"]} == {"pending"}
    status = (await api.get(f"/processes/{number}/status")).json()
    assert status["job_id"] is None and status["total_documents"] == 3
    assert stored.jobs(number) == []
    started = (await api.get(f"/processes/{number}")).json()
    assert started["job"] is not None and source.reads[number] == 1

    other = process_number()
    source.failing = SourceUnavailable()
    away = await api.post(f"/processes/{other}/download-documents")
    assert away.status_code == 503 and away.json()["code"] == "source_unavailable"
    assert away.headers["retry-after"]


async def test_registering_downloads_nothing(
    api: httpx.AsyncClient, source: ScriptedSource, stored: Stored, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number)
    answer = await api.post(f"/processes/{number}/download-documents")
    assert answer.status_code == 200 and answer.json()["job"] is None
    assert stored.events(number, "autos.process.requested") == []


async def test_one_document_gets_a_job_of_its_own_or_joins(
    tools: ApiTools,
    api: httpx.AsyncClient,
) -> None:
    number = tools.process_number()
    documents = tools.source.add(number).documents
    answer = await api.post(f"/processes/{number}/download-document/{documents[1].document_id}")
    view = answer.json()
    assert answer.status_code == 202 and view["job"]["total_documents"] == 1
    assert [document["status"] for document in view["documents"]] == ["pending", "processing", "pending"]
    [requested] = tools.stored.events(number, "autos.process.requested")
    assert requested["document_ids"] == [documents[1].document_id]
    again = await api.post(f"/processes/{number}/download-document/{documents[1].document_id.upper()}")
    assert again.json()["job"]["job_id"] == view["job"]["job_id"]
    job = (await api.get(f"/jobs/{view['job']['job_id']}")).json()
    assert [document["id"] for document in job["documents"]] == [documents[1].document_id]

    tools.progress.plan(view, 1)
    tools.progress.available(view, documents[1].document_id)
    await parts_of(tools.make_app()).get(S3Store).put_async(object_key(number, documents[1].document_id), b"0123456789")
    stored_answer = await api.post(f"/processes/{number}/download-document/{documents[1].document_id}")
    assert stored_answer.status_code == 202 and stored_answer.json()["job"]["job_id"] == view["job"]["job_id"]

    whole = (await api.get(f"/processes/{number}")).json()
    assert whole["job"]["job_id"] != view["job"]["job_id"]
    joined = await api.post(f"/processes/{number}/download-document/{documents[0].document_id}")
    assert joined.json()["job"]["job_id"] == whole["job"]["job_id"]


async def test_an_unknown_document_is_a_404(
    api: httpx.AsyncClient, source: ScriptedSource, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number)
    unknown = "11111111-2222-4333-8444-555555555555"
    answer = await api.post(f"/processes/{number}/download-document/{unknown}")
    assert answer.status_code == 404 and answer.json()["code"] == "document_not_found"
    content = f"/processes/{number}/documents/{unknown}/content"
    assert (await api.get(content)).json()["code"] == "process_unknown"
    await api.get(f"/processes/{number}")
    assert (await api.get(content)).json()["code"] == "document_not_found"


async def test_download_all_says_in_the_jobs_row_that_what_failed_for_good_is_tried_again(
    tools: ApiTools, api: httpx.AsyncClient
) -> None:
    number = tools.process_number()
    documents = [document.document_id for document in tools.source.add(number).documents]
    first = await api.post(f"/processes/{number}/download-all-documents", json={"webhook_url": HOOK})
    assert first.status_code == 202
    view = first.json()
    tools.progress.plan(view, 3)
    tools.progress.available(view, documents[0])
    tools.progress.failed(view, documents[1], code="no_access")
    tools.progress.failed(view, documents[2])
    partial = (await api.get(f"/processes/{number}/status")).json()
    assert partial["status"] == "partial" and partial["failed_documents"] == 2
    assert partial["documents"][1]["error_code"] == "no_access" and partial["documents"][1]["attempts"] == 4
    again = await api.post(f"/processes/{number}/download-all-documents")
    assert again.json()["job"]["job_id"] != view["job"]["job_id"]
    assert tools.stored.events(number, "autos.process.requested")[-1]["document_ids"] is None, (
        "no event grows with a case"
    )
    assert [job.retry_failed for job in tools.stored.jobs(number)] == [True, True]
    assert tools.source.reads[number] == 1


async def test_an_empty_case_is_whole_when_its_job_has_ended(
    api: httpx.AsyncClient, source: ScriptedSource, progress: Progress, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number, 0)
    view = (await api.get(f"/processes/{number}")).json()
    progress.plan(view, 0)
    status = (await api.get(f"/processes/{number}/status")).json()
    assert status["status"] == "completed" and status["progress_percentage"] == 100.0
