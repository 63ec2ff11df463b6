"""Objects that are gone from the store, or not whole, are found by whoever looks and fetched again."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import pytest

from autos.local.pdpj.control import Failure, FailureKind
from services.downloader.settings import DownloaderSettings
from shared.clock import utc_now
from shared.events import topics
from shared.events.document_requested import DocumentRequested
from shared.events.envelope import encode
from shared.storage.sizes import ObjectSizes, ObjectStoreAway
from shared.storage.store import make_store, object_key
from tests.integration.downloader.workers import Workers
from tests.support import wait_until_async


async def know(bench: Workers, job: str) -> None:
    """As the projection has it once the job has ended."""
    for told in bench.told(job, "document.available"):
        await bench.sql(
            "INSERT INTO progress.documents (process_number, document_id, job_id, status, object_key, sha256, size,"
            " content_type, attempts, updated_at) VALUES (:n, :d, :j, 'available', :k, :h, :s, :t, 1, now())"
            # A document with the bytes of another is at the other's object from now on.
            " ON CONFLICT (process_number, document_id) DO UPDATE SET object_key = excluded.object_key",
            n=told["process_number"],
            d=told["document_id"],
            j=job,
            k=told["object_key"],
            h=told["sha256"],
            s=told["size"],
            t=told["content_type"],
        )


async def downloaded(bench: Workers, documents: int, **case: Any) -> tuple[Any, list[str], str]:
    """A case that is downloaded and known so; nothing has been counted since. Inside of a worker."""
    number = bench.fresh_number()
    # Of one degree, and large enough: a second degree may list the same bytes again, and what is cut to 200 bytes may
    # end before its id. The same bytes have one object.
    bench.pdpj.put_case(number, documents=documents, degrees=1, **case)
    job = await bench.ask(number)
    await bench.ended(job)
    await know(bench, job)
    bench.pdpj.reset_metrics()
    return number, [document.document_id for document in bench.pdpj.case(number).documents], job


def check_whole(bench: Workers, number: Any, *jobs: str) -> None:
    """Where the jobs said last that a document is, it is: whole, and what the source has."""
    last = {told["document_id"]: told for job in jobs for told in bench.told(job, "document.available")}
    for document in bench.pdpj.case(number).documents:
        content, _, _ = bench.stored(last[document.document_id]["object_key"])
        assert hashlib.sha256(content).hexdigest() == document.sha256 == last[document.document_id]["sha256"]


async def test_what_is_gone_or_cut_is_fetched_again_when_a_job_looks(bench: Workers) -> None:
    async with bench.worker():
        number, (gone, cut, *kept), first = await downloaded(bench, 5, size=900)
        bench.spoil(object_key(number, gone))
        bench.spoil(object_key(number, cut), b"half")
        trusting = await bench.ask(number, discover=False)
        assert await bench.ended(trusting) == {}
        looking = await bench.ask(number, discover=False, verify=True)
        assert await bench.ended(looking) == {gone: "available", cut: "available"}
        (planned,) = bench.told(looking, "job.planned")
        assert (planned["total_documents"], planned["already_available"]) == (5, 3)
        assert set(bench.pdpj.case_metrics(number).document_requests) == {gone, cut}
        check_whole(bench, number, first, looking)
        await know(bench, looking)
        again = await bench.ask(number, discover=False, verify=True)
        assert await bench.ended(again) == {}, "it is mended"

        bench.spoil(object_key(number, kept[0]))
        single = await bench.ask(number, discover=False, verify=True, scope=kept[0])
        assert await bench.ended(single) == {kept[0]: "available"}
        check_whole(bench, number, first, looking, single)


async def test_a_whole_case_that_is_gone_comes_back_in_windows(bench: Workers) -> None:
    async with bench.worker(download_window=4):
        number, ids, first = await downloaded(bench, 14, size=2000)
        for document in ids:
            bench.spoil(object_key(number, document))
        job = await bench.ask(number, discover=False, verify=True)
        assert await bench.ended(job) == dict.fromkeys(ids, "available")
    assert set(bench.pdpj.case_metrics(number).document_requests.values()) == {1}
    check_whole(bench, number, first, job)


async def test_a_redelivered_request_does_not_believe_what_is_recorded(bench: Workers) -> None:
    async with bench.worker():
        number, (gone, _), first = await downloaded(bench, 2, size=900)
        bench.spoil(object_key(number, gone))
        await ask_one(bench, number, gone, first)
        await wait_until_async(lambda: len(bench.told(first, "document.available")) == 3)
    check_whole(bench, number, first)


async def test_what_is_gone_and_not_given_any_more_is_told_as_lost(bench: Workers) -> None:
    async with bench.worker():
        number, (gone, _), _first = await downloaded(bench, 2, size=900)
        bench.spoil(object_key(number, gone))
        bench.pdpj.put_case(
            number, documents=2, size=900, degrees=1, failures=[Failure(kind=FailureKind.NOT_FOUND_404, document=0)]
        )
        job = await bench.ask(number, discover=False, verify=True)
        assert await bench.ended(job) == {gone: "document_not_found"}
    (failed,) = bench.told(job, "document.failed")
    assert failed["lost"] is True


async def test_what_is_found_wrong_is_fetched_for_a_cancelled_job_too(bench: Workers) -> None:
    async with bench.worker():
        number, (wrong, _), first = await downloaded(bench, 2, size=900)
        bench.spoil(object_key(number, wrong), b"x" * bench.pdpj.case(number).documents[0].size)
        await bench.sql("UPDATE catalog.jobs SET cancelled_at = now() WHERE job_id = :j", j=first)
        await ask_one(bench, number, wrong, first, refetch=True)
        await wait_until_async(lambda: len(bench.told(first, "document.available")) == 3)
    check_whole(bench, number, first)


async def ask_one(bench: Workers, number: str, document_id: str, job: str, **fields: Any) -> None:
    request = DocumentRequested(
        job_id=job,
        process_number=number,
        document_id=document_id,
        source_path="/",
        object_key="k",
        name="n",
        **fields,
    )
    await bench.produce(
        encode(request, topics.DOCUMENT_REQUESTED, event_id=str(uuid.uuid4()), source="/test", time=utc_now())
    )


async def test_only_the_stores_own_answer_says_that_an_object_is_missing(bench: Workers) -> None:
    number, document = bench.fresh_number(), str(uuid.uuid4())
    assert await sizes(bench.settings()).one(object_key(number, document)) is None
    assert await sizes(bench.settings()).of_case(number) == {}
    others = (
        {"s3_bucket": f"no-{uuid.uuid4().hex}"},
        {"s3_endpoint_url": "http://127.0.0.1:9"},
        {"AWS_SECRET_ACCESS_KEY": "wrong"},
    )
    for options in others:
        elsewhere = sizes(bench.settings(**options))
        with pytest.raises(ObjectStoreAway):
            await elsewhere.one(object_key(number, document))
        with pytest.raises(ObjectStoreAway):
            await elsewhere.of_case(number)


def sizes(settings: DownloaderSettings) -> ObjectSizes:
    return ObjectSizes(make_store(settings))
