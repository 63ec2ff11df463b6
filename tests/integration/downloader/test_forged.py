"""Records that no planner and no api wrote: nothing is overwritten, nobody waits for ever, the rest goes on."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from autos.local.pdpj.control import Failure, FailureKind
from services.downloader.planner.plan import PlanRecords
from shared.clock import utc_now
from shared.events import topics
from shared.events.document_requested import DocumentRequested
from shared.events.envelope import encode
from shared.records import OutgoingRecord
from shared.storage.store import object_key
from tests.integration.downloader.workers import Heard, Workers
from tests.support import wait_until_async

NEVER = utc_now() + timedelta(days=300)


def forged(topic: str = topics.DOCUMENT_REQUESTED, **fields: Any) -> OutgoingRecord:
    """A document.requested as anybody could write it; None leaves a field out."""
    value = {"source_path": "/x", "object_key": "k", "name": "n", **fields}
    named = {name: content for name, content in value.items() if content is not None}
    headers = {"ce_type": b"autos.document.requested", "ce_id": uuid.uuid4().bytes}
    return OutgoingRecord(topic, b"k", orjson.dumps(named), headers)


async def dead(bench: Workers, topic: str, count: int = 1) -> list[Heard]:
    def found() -> list[Heard] | None:
        heard = [each for each in bench.listen() if each.topic == topic]
        return heard if len(heard) >= count else None

    return await wait_until_async(found) or []


async def test_a_forged_request_overwrites_nothing_and_fetches_from_nowhere_else(bench: Workers) -> None:
    victim, attacker = bench.fresh_number(), bench.fresh_number()
    bench.pdpj.put_case(victim, documents=1)
    bench.pdpj.put_case(attacker, documents=1)
    (theirs,) = bench.pdpj.case(victim).documents
    (own,) = bench.pdpj.case(attacker).documents
    async with bench.worker():
        first, second = await bench.ask(victim), await bench.ask(attacker)
        await bench.ended(first)
        await bench.ended(second)
        asked = {"job_id": second, "process_number": attacker, "document_id": own.document_id}
        await bench.produce(
            forged(**asked, object_key=object_key(victim, theirs.document_id)),
            forged(**{**asked, "document_id": theirs.document_id}),
            forged(**{**asked, "job_id": first}),
            *(forged(**asked, object_key=key, source_path="//evil.example/x") for key in ("", "x" * 2_000, "a\x00b")),
            OutgoingRecord(topics.DOCUMENT_REQUESTED, b"", b' {"name": "\\ud800"}', {"ce_type": b"x"}),
        )
        letters = await dead(bench, topics.DOCUMENT_DEAD, 3)
        fetched = lambda: len(bench.told(second, "document.available")) == 5  # noqa: E731
        await wait_until_async(fetched)
    bench.check_stored(victim, first)
    keys = {event["object_key"] for event in bench.told(second, "document.available")}
    assert keys == {object_key(attacker, own.document_id)}
    reasons = {each.value.get("error_code") or each.headers["autos_error"].decode() for each in letters}
    assert reasons == {"unknown_document", "wrong_case", "unknown_type"}
    assert bench.told(first, "document.failed") == bench.told(second, "document.failed") == []


async def test_a_record_that_cannot_be_read_ends_the_document_or_the_job_that_it_names(
    bench: Workers,
) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=2)
    (document, _) = bench.pdpj.case(number).documents
    job, lost, other = str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4())
    async with bench.worker():
        known = await bench.ask(number)
        await bench.ended(known)
        for each in (job, lost, other):
            await bench.make_job(each, number)
        await bench.sql(
            "INSERT INTO progress.jobs (job_id, process_number, status, planned_at)"
            " VALUES (:j, :n, 'processing', now())",
            j=known,
            n=number,
        )
        request = {"ce_type": b"autos.process.requested"}
        unreadable = orjson.dumps({"job_id": lost, "process_number": 7})
        await bench.produce(
            forged(job_id=job, process_number=number, document_id=document.document_id, name=5),
            OutgoingRecord(topics.PROCESS_REQUESTED, b"k", unreadable, request),
            # Of a job that is under way already, and of a job of another case: nothing is told.
            OutgoingRecord(topics.PROCESS_REQUESTED, b"k", orjson.dumps({"job_id": known}), request),
            OutgoingRecord(
                topics.PROCESS_REQUESTED,
                b"k",
                orjson.dumps({"job_id": other, "process_number": bench.fresh_number(), "client_id": "x"}),
                request,
            ),
        )
        assert await bench.aborted(lost) == "internal_error"
        (failed,) = await wait_until_async(lambda: bench.told(job, "document.failed"))
        assert (failed["document_id"], failed["error_code"]) == (document.document_id, "internal_error")
        letters = await dead(bench, topics.PROCESS_DEAD, 3)
    reasons = sorted(each.headers["autos_error"].decode() for each in letters)
    assert reasons == ["wrong_case", "wrong_schema", "wrong_schema"]
    assert bench.told(known, "job.aborted") == bench.told(other, "job.aborted") == []


async def test_an_exception_that_nobody_expected_in_the_planner_ends_the_job(
    bench: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, other = bench.fresh_number(), bench.fresh_number()
    bench.pdpj.put_case(number, documents=1)
    bench.pdpj.put_case(other, documents=1)
    plan = PlanRecords.__iter__

    def broken(self: PlanRecords) -> Iterator[OutgoingRecord]:
        if self._asked.request.process_number == number:
            raise ZeroDivisionError
        return plan(self)

    monkeypatch.setattr(PlanRecords, "__iter__", broken)
    async with bench.worker():
        job, well = await bench.ask(number), await bench.ask(other)
        assert await bench.aborted(job) == "internal_error"
        assert set((await bench.ended(well)).values()) == {"available"}
        (letter,) = await dead(bench, topics.PROCESS_DEAD)
    assert letter.headers["autos_error"] == b"handler_error"


async def test_times_that_no_tier_can_mean_keep_no_document_from_its_next_attempt(bench: Workers) -> None:
    number = bench.fresh_number()
    failures = [Failure(kind=FailureKind.ERROR_500, document=0, times=1)]
    bench.pdpj.put_case(number, documents=2, failures=failures)
    (document, late) = bench.pdpj.case(number).documents
    nobody = {"job_id": str(uuid.uuid4()), "process_number": number}
    stray = [
        replace(
            forged("document.retry.5s", **nobody, document_id=str(uuid.uuid4()), attempt=2, not_before=NEVER),
            key=str(place).encode(),
        )
        for place in range(400)
    ]
    async with bench.worker(download_read_ahead=20):
        await bench.produce(*stray)
        job = await bench.ask(number)
        assert set((await bench.ended(job)).values()) == {"available"}
        # A document's own record with such a time gets its attempt.
        again = DocumentRequested(
            job_id=job,
            process_number=number,
            document_id=late.document_id,
            source_path="",
            object_key="",
            name="",
            attempt=3,
            not_before=NEVER,
        )
        await bench.produce(
            encode(again, "document.retry.30s", event_id=str(uuid.uuid4()), source="/test", time=utc_now())
        )
        await wait_until_async(lambda: 3 in {e["attempts"] for e in bench.told(job, "document.available")})
    assert document.document_id in {event["document_id"] for event in bench.told(job, "document.available")}
