"""Cases from the source into the store: the main path, and each way a document can fail."""

from __future__ import annotations

import hashlib
import uuid

import pytest

from autos.local.pdpj.control import ExplicitDocument, Failure, FailureKind, SourceSetting, TokenSetting
from services.downloader.fetcher.start_events import START_SECONDS
from shared.clock import utc_now
from shared.events import topics
from shared.records import OutgoingRecord
from shared.storage.known_puts import PutFailed, make_known_puts
from tests.integration.downloader.workers import Heard, Workers
from tests.integration.notifier.world import always, receiving
from tests.support import wait_until_async


async def test_every_document_of_a_case_is_stored_with_the_right_sha256(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=12)
    async with bench.worker():
        job = await bench.ask(number)
        ended = await bench.ended(job)
    assert set(ended.values()) == {"available"}
    bench.check_stored(number, job)
    (planned,) = bench.told(job, "job.planned")
    assert (planned["total_documents"], planned["already_available"]) == (12, 0)
    assert planned["created_at"] == "2025-01-02T00:00:00.000000Z"
    kinds = [
        event.type for event in bench.heard if event.value.get("job_id") == job and event.topic == "document.events"
    ]
    assert kinds[0] == "job.planned"
    assert kinds.count("document.available") == 12
    # A start of its own is told only of what takes longer than a moment; every end says when it began.
    assert all(event["started_at"] <= event["at"] for event in bench.told(job, "document.available"))
    counters = bench.pdpj.case_metrics(number)
    assert set(counters.document_requests.values()) == {1}
    assert counters.max_in_flight <= 5


async def test_the_store_takes_our_own_signature(bench: Workers) -> None:
    puts, key, content = make_known_puts(bench.settings(), utc_now), f"processes/{uuid.uuid4()}", b"%PDF-1.4 signed"
    assert puts is not None
    headers = {"content-type": "text/html; charset=utf-8", "x-amz-meta-name": "Peti%C3%A7%C3%A3o"}
    await puts.put(key, content, hashlib.sha256(content).hexdigest(), headers)
    assert bench.stored(key) == (content, {"name": "Peti%C3%A7%C3%A3o"}, "text/html; charset=utf-8")
    wrong = make_known_puts(bench.settings(AWS_SECRET_ACCESS_KEY="wrong"), utc_now)  # pragma: allowlist secret
    assert wrong is not None
    with pytest.raises(PutFailed) as failed:
        await wrong.put(key, content, hashlib.sha256(content).hexdigest(), headers)
    assert failed.value.status == 403


async def test_the_start_of_a_document_that_takes_longer_than_a_moment_is_told(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=1)
    async with bench.worker():
        bench.pdpj.configure_source(SourceSetting(latency=START_SECONDS + 0.2))
        job = await bench.ask(number)
        await bench.ended(job)
    told = [event for event in bench.heard if event.value.get("job_id") == job and event.topic == "document.events"]
    assert [event.type for event in told] == ["job.planned", "document.started", "document.available"]
    assert told[1].value["at"] == told[2].value["started_at"]


async def test_an_empty_case_is_planned_with_nothing(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=0)
    async with bench.worker():
        job = await bench.ask(number)
        assert await bench.ended(job) == {}


async def test_a_document_that_fails_twice_and_heals_is_available_at_the_third_attempt(
    bench: Workers,
) -> None:
    number = bench.fresh_number()
    failing = Failure(kind=FailureKind.ERROR_500, document=1, times=2)
    bench.pdpj.put_case(number, documents=3, failures=[failing])
    async with bench.worker():
        job = await bench.ask(number)
        await bench.ended(job)
    bench.check_stored(number, job)
    attempts = sorted(event["attempts"] for event in bench.told(job, "document.available"))
    assert attempts == [1, 1, 3]


async def test_a_document_that_always_fails_ends_failed_and_dead_after_its_attempts(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=3, failures=[Failure(kind=FailureKind.ERROR_500, document=0)])
    failing = bench.pdpj.case(number).documents[0].document_id
    async with bench.worker():
        job = await bench.ask(number)
        ended = await bench.ended(job)
        (dead,) = await wait_until_async(
            lambda: [each.value for each in bench.listen() if each.topic == topics.DOCUMENT_DEAD]
        )
    assert ended[failing] == "source_error"
    bench.check_stored(number, job, but=[failing])
    (failed,) = bench.told(job, "document.failed")
    assert failed["attempts"] == 4
    assert (dead["document_id"], dead["error_code"]) == (failing, "source_error")
    assert bench.pdpj.case_metrics(number).document_requests[failing] == 4


async def test_permanent_failures_are_tried_once_and_a_page_again(bench: Workers) -> None:
    number = bench.fresh_number()
    kinds = [FailureKind.SPA_SHELL, FailureKind.NOT_FOUND_404, FailureKind.NO_ACCESS_403]
    failures = [Failure(kind=kind, document=index) for index, kind in enumerate(kinds)]
    bench.pdpj.put_case(number, documents=4, failures=failures)
    failing = [document.document_id for document in bench.pdpj.case(number).documents[:3]]
    async with bench.worker():
        job = await bench.ask(number)
        ended = await bench.ended(job)
    assert [ended[each] for each in failing] == ["not_a_document", "document_not_found", "no_access"]
    requests = bench.pdpj.case_metrics(number).document_requests
    assert [requests[each] for each in failing] == [4, 1, 1], "a deploy serves the shell page for minutes"
    bench.check_stored(number, job, but=failing)


async def test_a_short_and_an_empty_body_are_never_stored(bench: Workers) -> None:
    number = bench.fresh_number()
    failures = [
        Failure(kind=FailureKind.SHORT_BODY, document=0, times=1),
        Failure(kind=FailureKind.EMPTY_BODY, document=1),
    ]
    bench.pdpj.put_case(number, documents=2, size=200_000, failures=failures)
    healed, empty = (document.document_id for document in bench.pdpj.case(number).documents)
    async with bench.worker():
        job = await bench.ask(number)
        ended = await bench.ended(job)
    assert ended == {healed: "available", empty: "empty_body"}
    bench.check_stored(number, job, but=[empty])


async def test_documents_larger_than_memory_allows_go_over_the_disk_whole_or_in_parts(
    bench: Workers,
) -> None:
    number = bench.fresh_number()
    sizes = (1, 1_048_575, 1_048_576, 3_000_000, 8_388_608, 20_000_000)
    bench.pdpj.put_case(number, documents=[ExplicitDocument(size=size) for size in sizes])
    async with bench.worker():
        job = await bench.ask(number)
        await bench.ended(job)
    bench.check_stored(number, job)


async def test_an_outage_costs_no_attempt(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=120, size=2_000, latency=0.1)
    async with bench.worker():
        job = await bench.ask(number)
        await wait_until_async(lambda: len(bench.told(job, "document.available")) >= 3)
        bench.pdpj.outage(FailureKind.UNAVAILABLE_503)
        asked = bench.pdpj.metrics().by_status.get("503", 0)
        await wait_until_async(lambda: bench.pdpj.metrics().by_status.get("503", 0) >= asked + 8)
        bench.pdpj.outage(None)
        await bench.ended(job, timeout=60)
    bench.check_stored(number, job)
    assert {event["attempts"] for event in bench.told(job, "document.available")} == {1}


async def test_a_poison_record_goes_to_the_dead_topic_and_the_rest_goes_on(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=1)
    headers = {"ce_type": b"autos.document.requested", "ce_id": b"x"}
    async with bench.worker():
        await bench.produce(
            OutgoingRecord(topics.DOCUMENT_REQUESTED, b"k", b"not json", headers),
            OutgoingRecord(topics.PROCESS_REQUESTED, b"k", b"{}", {"ce_type": b"autos.process.requested"}),
        )
        job = await bench.ask(number)
        assert set((await bench.ended(job)).values()) == {"available"}
        dead = await wait_until_async(lambda: dead_letters(bench))
    assert dead is not None
    assert dead[topics.DOCUMENT_DEAD].headers["autos_error"] == b"not_json"
    assert dead[topics.PROCESS_DEAD].headers["autos_error"] == b"wrong_schema"


async def test_the_metrics_tell_what_happens(bench: Workers) -> None:
    number = bench.fresh_number()
    failing = Failure(kind=FailureKind.ERROR_500, document=0, times=1)
    bench.pdpj.put_case(number, documents=6, size=2_000, latency=0.05, failures=[failing])
    async with bench.worker():
        job = await bench.ask(number)
        await wait_until_async(lambda: bench.sample("autos_downloader_in_flight"))
        await bench.ended(job)
        await wait_until_async(lambda: bench.sample("autos_downloader_bytes_total") == 12_000)
        assert bench.sample("autos_downloader_fetch_seconds_count") == 6
        assert (bench.sample("autos_downloader_fetch_seconds_sum") or 0) >= 6 * 0.05
        assert bench.sample("autos_downloader_store_seconds_count") == 6
        assert bench.sample("autos_downloader_retries_total", reason="source_error") == 1
        assert bench.sample("autos_downloader_documents_total", outcome="available") == 6
        assert bench.sample("autos_downloader_in_flight") == 0
        assert bench.sample("autos_downloader_breaker_state") == 0
        lag = {"runtime": "fetcher", "topic": topics.DOCUMENT_REQUESTED}
        # The end of the topic may be a transaction's marker, which nobody reads.
        await wait_until_async(lambda: bench.sample("autos_consumer_lag", **lag) is not None)

        bench.pdpj.outage(FailureKind.UNAVAILABLE_503)
        other = bench.fresh_number()
        bench.pdpj.put_case(other, documents=1)
        await bench.ask(other)
        await wait_until_async(lambda: bench.sample("autos_downloader_breaker_state"))
        bench.pdpj.outage(None)
        await wait_until_async(lambda: bench.sample("autos_downloader_breaker_state") == 0)


async def test_refused_credentials_are_told_and_lock_nothing_and_cost_no_attempt(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=2)
    bench.pdpj.configure_tokens(TokenSetting(client_secret="another", lock_after=3))
    # A secret of its own, so that no token of another test is kept for it.
    async with (
        receiving(always(200)) as operations,
        bench.worker(pdpj_client_secret=bench.prefix, alert_webhook_url=operations.url),
    ):
        job = await bench.ask(number)
        await wait_until_async(lambda: bench.sample("autos_downloader_refusals_total"))
        sent = {"way": "webhook", "outcome": "sent"}
        await wait_until_async(lambda: bench.sample("autos_downloader_alerts_total", **sent))
        assert bench.told(job, "job.aborted") == []
        bench.pdpj.configure_tokens(TokenSetting())
        assert set((await bench.ended(job, timeout=60)).values()) == {"available"}
    counted = bench.pdpj.metrics()
    assert 1 <= counted.refused_logins < 3
    assert not counted.account_locked
    assert [call.data for call in operations.calls] == [
        {"source": bench.pdpj.portal_url, "reason": "credentials_refused"}
    ]
    assert {event["attempts"] for event in bench.told(job, "document.available")} == {1}


def dead_letters(bench: Workers) -> dict[str, Heard] | None:
    """One of each dead topic, when both are there."""
    found = {each.topic: each for each in bench.listen() if "autos_error" in each.headers}
    return found if len(found) == 2 else None
