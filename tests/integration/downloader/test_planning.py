"""What is planned: discovery, documents that are there already, failures told again, cancelled jobs, large cases."""

from __future__ import annotations

import time
import uuid
from collections import Counter

import orjson
import pytest

from autos.local.pdpj.control import Failure, FailureKind, Growth
from shared.db.case_store import lock_case
from shared.domain.cnj import ProcessNumber
from shared.events import topics
from shared.records import OutgoingRecord
from shared.storage.store import object_key
from tests.integration.downloader.workers import Workers
from tests.support import wait_until_async

LARGE = 10_000


async def put_available(bench: Workers, number: str, document_id: str, size: int = 7, key: str = "k") -> None:
    """As the projection would have it."""
    await bench.sql(
        "INSERT INTO progress.documents (process_number, document_id, job_id, status, object_key, sha256, size,"
        " content_type, attempts, updated_at) VALUES (:n, :d, :j, 'available', :k, 'ab', :s, 'text/plain', 2, now())",
        n=number,
        d=document_id,
        j=str(uuid.uuid4()),
        s=size,
        k=key,
    )


async def put_failed(bench: Workers, number: str, document_id: str, code: str) -> None:
    await bench.sql(
        "INSERT INTO progress.documents (process_number, document_id, job_id, status, error_code, error_message,"
        " attempts, updated_at) VALUES (:n, :d, :j, 'failed', :c, 'as it was', 3, now())",
        n=number,
        d=document_id,
        j=str(uuid.uuid4()),
        c=code,
    )


def ids(bench: Workers, number: ProcessNumber) -> list[str]:
    return [document.document_id for document in bench.pdpj.case(number, hashes=False).documents]


async def test_an_unknown_case_aborts_the_job(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, exists=False)
    async with bench.worker():
        assert await bench.aborted(await bench.ask(number)) == "process_not_found"
    assert bench.pdpj.case_metrics(number).case_requests == 1


async def test_a_case_that_somebody_holds_keeps_no_other_from_being_planned(bench: Workers) -> None:
    held, free = bench.fresh_number(), bench.fresh_number()
    for number in (held, free):
        bench.pdpj.put_case(number, documents=2)
    async with bench.worker():
        for number in (held, free):
            await bench.ended(await bench.ask(number))
        with bench.database.transaction() as connection:
            lock_case(connection, held)
            waiting = await bench.ask(held, discover=False)
            others = [await bench.ask(free, discover=False) for _ in range(3)]
            for job in others:
                await bench.ended(job)
            assert bench.told(waiting, "job.planned") == []
        await bench.ended(waiting)
    for job in (waiting, *others):
        (planned,) = bench.told(job, "job.planned")
        assert (planned["total_documents"], planned["already_available"]) == (2, 0), "no projection runs here"


async def put_asked(bench: Workers, number: str, *, sealed: bool) -> None:
    await bench.sql(
        "INSERT INTO catalog.process_requests VALUES ('test', :n, now(), now(), :s)"
        " ON CONFLICT (client_id, process_number) DO UPDATE SET sealed = excluded.sealed",
        n=number,
        s=sealed,
    )


async def test_a_sealed_case_is_downloaded_for_those_who_may_see_it_and_else_unknown(
    bench: Workers,
) -> None:
    """Clients that left the reading to the job: nothing is kept unless one of them asked with the scope."""
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=2, secrecy_level=2)
    stored = "SELECT secrecy_level FROM catalog.processes WHERE process_number = :n"
    async with bench.worker():
        await put_asked(bench, number, sealed=False)
        assert await bench.aborted(await bench.ask(number)) == "process_not_found"
        assert await bench.sql(stored, n=number) == []
        await put_asked(bench, number, sealed=True)
        job = await bench.ask(number)
        await wait_until_async(lambda: bench.told(job, "job.planned"))
        assert [row.secrecy_level for row in await bench.sql(stored, n=number)] == [2]
        # Stored once: what is known of its secrecy is kept up to date, and shown to nobody.
        await put_asked(bench, number, sealed=False)
        bench.pdpj.put_case(number, documents=2, secrecy_level=5)
        assert await bench.aborted(await bench.ask(number)) == "process_not_found"
        assert [row.secrecy_level for row in await bench.sql(stored, n=number)] == [5]
    requested = [event.value for event in bench.listen() if event.topic == topics.DOCUMENT_REQUESTED]
    mine = [value for value in requested if value["process_number"] == number]
    assert len(mine) == 2 and all(value["name"] == value["document_id"] for value in mine)


async def test_a_case_that_is_closed_to_us_aborts_the_job(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, failures=[Failure(kind=FailureKind.NO_ACCESS_401, on="case")])
    async with bench.worker():
        assert await bench.aborted(await bench.ask(number)) == "no_access"


async def test_a_case_that_the_source_cannot_answer_aborts_after_the_tiers_and_is_dead(
    bench: Workers,
) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, failures=[Failure(kind=FailureKind.ERROR_500, on="case")])
    async with bench.worker():
        job = await bench.ask(number)
        assert await bench.aborted(job) == "source_error"
        dead = await wait_until_async(lambda: [e for e in bench.listen() if e.topic == topics.PROCESS_DEAD])
    assert [each.value["job_id"] for each in dead] == [job]
    assert bench.pdpj.case_metrics(number).case_requests == 4


async def test_a_discovery_outlasts_an_outage_that_is_longer_than_the_tiers(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=2)
    bench.pdpj.outage(FailureKind.UNAVAILABLE_503)
    async with bench.worker(download_retry_delays=(0.05,)):
        job = await bench.ask(number)
        await wait_until_async(lambda: (bench.sample("autos_downloader_jobs_total", outcome="put_off") or 0) >= 5)
        assert bench.told(job, "job.aborted") == []
        bench.pdpj.outage(None)
        assert set((await bench.ended(job)).values()) == {"available"}


def reads_of_the_lake(bench: Workers) -> tuple[int, int, int]:
    """How often the source was asked for a version, a case and a list of documents."""
    counted = bench.pdpj.metrics(by_case=False).by_route
    return (
        counted.get("datalake.last_update", 0),
        counted.get("datalake.case", 0),
        counted.get("datalake.documents", 0),
    )


async def test_a_case_that_the_data_lake_has_not_changed_is_not_read_again(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=2)
    fetched = "SELECT fetched_at FROM catalog.processes WHERE process_number = :n"
    async with bench.worker(pdpj_api="datalake", pdpj_base_url=bench.pdpj.data_lake_url):
        assert len(await bench.ended(await bench.ask(number))) == 2
        assert reads_of_the_lake(bench) == (1, 1, 1)
        ((first,),) = await bench.sql(fetched, n=number)

        assert len(await bench.ended(await bench.ask(number))) == 2, "the job runs as ever"
        assert reads_of_the_lake(bench) == (2, 1, 1)
        ((second,),) = await bench.sql(fetched, n=number)
        assert second > first

        bench.pdpj.put_case(number, documents=3)
        assert len(await bench.ended(await bench.ask(number))) == 3
        assert reads_of_the_lake(bench) == (3, 2, 2)


async def test_a_change_between_the_version_and_the_case_is_not_missed(bench: Workers) -> None:
    number = bench.fresh_number()
    # The version of the first reading is that of one document less than the second reading shows.
    bench.pdpj.put_case(number, documents=2, grow=Growth(documents=1, after_reads=1))
    async with bench.worker(pdpj_api="datalake", pdpj_base_url=bench.pdpj.data_lake_url):
        assert len(await bench.ended(await bench.ask(number))) == 2
        assert len(await bench.ended(await bench.ask(number))) == 3
    assert reads_of_the_lake(bench) == (2, 2, 2)


@pytest.mark.parametrize("kind", [FailureKind.ERROR_500, FailureKind.UNAUTHORIZED_TOKEN, FailureKind.HANG])
async def test_when_the_version_does_not_come_the_case_is_read(bench: Workers, kind: FailureKind) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=1, failures=[Failure(kind=kind, on="last_update")])
    lake = {"pdpj_api": "datalake", "pdpj_base_url": bench.pdpj.data_lake_url}
    async with bench.worker(**lake, discovery_timeout=4.0):
        for _ in range(2):
            assert set((await bench.ended(await bench.ask(number))).values()) == {"available"}
    assert reads_of_the_lake(bench) == (2, 2, 2)
    # A 401 without a body may be about the case: it neither renews the token nor counts as a refused log-in.
    assert bench.pdpj.metrics(by_case=False).token_requests <= 1, "the one of the start, unless it was kept"


async def test_a_throttled_version_pauses_and_the_case_is_not_asked_for_meanwhile(bench: Workers) -> None:
    number = bench.fresh_number()
    throttled = Failure(kind=FailureKind.RATE_LIMIT, on="last_update", times=1, retry_after=1)
    bench.pdpj.put_case(number, documents=1, failures=[throttled])
    async with bench.worker(pdpj_api="datalake", pdpj_base_url=bench.pdpj.data_lake_url):
        job = await bench.ask(number)
        await wait_until_async(lambda: reads_of_the_lake(bench)[0] == 1)
        assert reads_of_the_lake(bench) == (1, 0, 0)
        assert set((await bench.ended(job)).values()) == {"available"}


async def test_the_portal_has_no_versions_and_is_always_read(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=1)
    async with bench.worker():
        for _ in range(2):
            await bench.ended(await bench.ask(number))
    assert bench.pdpj.case_metrics(number).case_requests == 2


async def test_a_case_without_documents_is_read_again(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=0)
    async with bench.worker(pdpj_api="datalake", pdpj_base_url=bench.pdpj.data_lake_url):
        for _ in range(2):
            assert await bench.ended(await bench.ask(number)) == {}
    assert reads_of_the_lake(bench)[:2] == (2, 2)


async def test_jobs_that_need_no_source_are_planned_while_it_is_away(bench: Workers) -> None:
    known, unknown = bench.fresh_number(), [bench.fresh_number() for _ in range(20)]
    bench.pdpj.put_case(known, documents=3)
    async with bench.worker(plan_concurrency=4, discovery_timeout=120, shutdown_seconds=0.5):
        await bench.ended(await bench.ask(known))
        bench.pdpj.outage(FailureKind.HANG)
        for number in unknown:
            await bench.ask(number)
        await wait_until_async(lambda: bench.pdpj.metrics().in_flight >= 1)
        job = await bench.ask(known, discover=False)
        await wait_until_async(lambda: bench.told(job, "job.planned"))
        bench.pdpj.outage(None)


async def test_what_is_available_is_counted_and_not_downloaded_again(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=4)
    first, *others = ids(bench, number)
    await put_available(bench, number, first)
    async with bench.worker():
        job = await bench.ask(number)
        assert set(await bench.ended(job)) == set(others)
    (planned,) = bench.told(job, "job.planned")
    assert (planned["total_documents"], planned["already_available"]) == (4, 1)
    assert first not in bench.pdpj.case_metrics(number).document_requests


async def test_a_final_failure_is_not_asked_again_unless_the_document_is_named(
    bench: Workers,
) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=3)
    refused, passing, _ = ids(bench, number)
    await put_failed(bench, number, refused, "no_access")
    await put_failed(bench, number, passing, "source_error")
    async with bench.worker():
        job = await bench.ask(number)
        ended = await bench.ended(job)
        assert (ended[refused], ended[passing]) == ("no_access", "available")
        (failed,) = bench.told(job, "document.failed")
        assert (failed["error_message"], failed["attempts"]) == ("as it was", 3)
        assert refused not in bench.pdpj.case_metrics(number).document_requests

        by_name = await bench.ask(number, discover=False, document_ids=[refused, str(uuid.uuid4())])
        assert await bench.ended(by_name) == {refused: "available"}
        (planned,) = bench.told(by_name, "job.planned")
        assert planned["total_documents"] == 1


async def test_a_cancelled_job_is_neither_planned_nor_downloaded(bench: Workers) -> None:
    number, other = bench.fresh_number(), bench.fresh_number()
    bench.pdpj.put_case(number, documents=200, latency=0.05)
    bench.pdpj.put_case(other, documents=1)
    job = await bench.ask(number)
    async with bench.worker():
        await wait_until_async(lambda: len(bench.told(job, "document.available")) >= 5)
        await bench.sql("UPDATE catalog.jobs SET cancelled_at = now() WHERE process_number = :n", n=number)
        again = await bench.ask(number, discover=False)
        await bench.sql("UPDATE catalog.jobs SET cancelled_at = now() WHERE job_id = :j", j=again)
        settled = await wait_until_async(lambda: quiet(bench, number))
        assert await bench.ended(await bench.ask(other)) != {}
        assert sum(bench.pdpj.case_metrics(number).document_requests.values()) == settled < 200


async def quiet(bench: Workers, number: str) -> int:
    """How many documents were asked for, once none has been for a second; 0 when some are."""

    def asked() -> int:
        return sum(bench.pdpj.case_metrics(number).document_requests.values())

    before, until = asked(), time.monotonic() + 1.0
    await wait_until_async(lambda: asked() != before or time.monotonic() > until)
    return before if asked() == before else 0


async def test_a_document_that_another_job_brought_is_told_for_this_job_without_a_download(
    bench: Workers,
) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=3)
    known, *_ = ids(bench, number)
    job = await bench.ask(number)
    async with bench.worker():
        await bench.ended(job)
    size = bench.pdpj.case(number).documents[0].size
    await put_available(bench, number, known, size=size, key=object_key(number, known))
    requested = [e for e in bench.heard if e.topic == topics.DOCUMENT_REQUESTED and e.value["document_id"] == known]
    bench.pdpj.reset_metrics()
    async with bench.worker():
        first = requested[0]
        value = orjson.dumps(first.value)
        await bench.produce(OutgoingRecord(topics.DOCUMENT_REQUESTED, first.key or b"", value, first.headers))
        told = await wait_until_async(lambda: [e for e in bench.told(job, "document.available") if e["sha256"] == "ab"])
    assert (told[0]["size"], told[0]["attempts"]) == (size, 2)
    assert bench.pdpj.case_metrics(number).document_requests == {}


async def test_ten_thousand_documents_are_planned_once_each(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=LARGE, size=10)

    def requested() -> Counter[str]:
        found = (each for each in bench.listen() if each.topic == topics.DOCUMENT_REQUESTED)
        return Counter(each.value["document_id"] for each in found if each.value["job_id"] == job)

    # One window is one transaction, for which a slow machine has more time here than in the product.
    patient = {"transaction.timeout.ms": 60_000, "delivery.timeout.ms": 60_000}
    async with bench.worker(download_concurrency=1, download_window=LARGE, kafka_config=patient):
        discovered = await bench.ask(number)
        await wait_until_async(lambda: bench.told(discovered, "job.planned"))
        await bench.sql("UPDATE catalog.jobs SET cancelled_at = now() WHERE job_id = :j", j=discovered)
        job = await bench.ask(number, discover=False)
        (planned,) = await wait_until_async(lambda: bench.told(job, "job.planned"))
        await bench.sql("UPDATE catalog.jobs SET cancelled_at = now() WHERE job_id = :j", j=job)
        await wait_until_async(lambda: len(requested()) == LARGE)
    assert planned["total_documents"] == LARGE
    assert set(requested().values()) == {1}
