"""A large case is requested in windows: nothing is lost or done twice, and a small one beside it passes."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import accumulate

import pytest

from autos.local.pdpj.control import Failure, FailureKind
from services.downloader.event_records import EventRecords
from services.downloader.planner.plan_rows import find_stalled, forget_ended
from services.downloader.planner.plan_upkeep import PlanUpkeep
from shared.clock import utc_now
from shared.events import topics
from shared.kafka.partitioner import partition_of
from tests.integration.downloader.workers import Workers
from tests.support import wait_until_async

WINDOW = 16


def in_one_partition(bench: Workers) -> Iterator[str]:
    """Fresh numbers whose records lie in the same partition."""
    first = bench.fresh_number()
    yield first
    wanted = partition_of(first, topics.DOCUMENT_PARTITIONS)
    while True:
        number = bench.fresh_number()
        if partition_of(number, topics.DOCUMENT_PARTITIONS) == wanted:
            yield number


def requested(bench: Workers, job: str) -> Counter[str]:
    found = (each.value for each in bench.listen() if each.topic == topics.DOCUMENT_REQUESTED)
    return Counter(value["document_id"] for value in found if value["job_id"] == job)


def most_open(bench: Workers, job: str) -> int:
    """How many documents at the most were requested and not yet ended, by the times of their events."""
    first: dict[tuple[str, bool], str] = {}
    for each in bench.listen():
        if each.value.get("job_id") == job and "document_id" in each.value:
            is_request = each.topic == topics.DOCUMENT_REQUESTED
            if is_request or each.type in {"document.available", "document.failed"}:
                place, time = (each.value["document_id"], is_request), each.headers["ce_time"].decode()
                first[place] = min(time, first.get(place, time))
    # Of one time, ends come first: False sorts before True.
    in_order = sorted((time, is_request) for (_, is_request), time in first.items())
    return max(accumulate(1 if is_request else -1 for _, is_request in in_order))


async def test_a_large_job_is_requested_in_windows_and_each_document_once(bench: Workers) -> None:
    number = bench.fresh_number()
    failing = [Failure(kind=FailureKind.NOT_FOUND_404, document=index) for index in (8, 12, 40)]
    bench.pdpj.put_case(number, documents=100, size=10, latency=0.02, failures=failing)
    async with bench.worker(download_window=WINDOW):
        # What the relay of api publishes twice is planned twice, from one decision.
        job = await bench.ask(number, times=2)
        (planned, *_) = await wait_until_async(lambda: bench.told(job, "job.planned"))
        assert planned["total_documents"] == 100
        ended = await bench.ended(job)
        assert Counter(ended.values()) == {"available": 97, "document_not_found": 3}
        assert most_open(bench, job) <= 2 * WINDOW, "the rest waits in the database"
        repeated = {document for document, times in requested(bench, job).items() if times > 1}
        assert len(repeated) <= WINDOW, "only the first window is written again"
        assert set(bench.pdpj.case_metrics(number).document_requests.values()) <= {1, 2}
    kept = "SELECT FROM source.plan_windows JOIN source.plans USING (plan_id) WHERE job_id = :j"
    assert len(await bench.sql(kept, j=job)) == 7
    await bench.sql("UPDATE catalog.jobs SET cancelled_at = now() WHERE job_id = :j", j=job)
    assert await bench.database.run(lambda connection: forget_ended(connection, timedelta(days=14))) >= 1
    assert await bench.sql("SELECT FROM source.plans WHERE job_id = :j", j=job) == []


@pytest.mark.parametrize("protocol", ["consumer", "classic"])
async def test_so_many_of_a_case_at_once_over_two_workers_and_two_jobs(bench: Workers, protocol: str) -> None:
    numbers = [bench.fresh_number() for _ in range(4)]
    retried = [Failure(kind=FailureKind.ERROR_500, document=index, times=1) for index in range(0, 30, 6)]
    for number in numbers:
        bench.pdpj.put_case(number, documents=30, size=10, latency=0.05, failures=retried)
    options = {"download_per_process": 3, "download_window": WINDOW, "kafka_group_protocol": protocol}
    async with (
        bench.worker(**options) as one,
        bench.worker(**options, replica=f"{bench.prefix}.two") as two,
    ):
        await wait_until_async(lambda: len(one.assignment) == len(two.assignment) == 24, what="both have half")
        for worker in (one, two):
            # The partitions of a case are with one worker, those of its retries too.
            assert len({partition for _, partition in worker.assignment}) == 6
        first = [await bench.ask(number) for number in numbers]
        for job in first:
            await wait_until_async(partial(bench.told, job, "job.planned"))
        second = [await bench.ask(number, discover=False) for number in numbers]
        for job in (*first, *second):
            assert set((await bench.ended(job)).values()) == {"available"}
    for number in numbers:
        assert bench.pdpj.case_metrics(number).max_in_flight <= 3


async def test_a_small_case_passes_ten_large_ones_in_its_partition(bench: Workers) -> None:
    numbers = in_one_partition(bench)
    large, small = [next(numbers) for _ in range(10)], next(numbers)
    for number in large:
        bench.pdpj.put_case(number, documents=200, size=10, latency=0.02)
    bench.pdpj.put_case(small, documents=3, size=10)

    def taken() -> int:
        return sum(sum(bench.pdpj.case_metrics(number).document_requests.values()) for number in large)

    # As in the settings: one and a half windows of ten cases fit into what is read ahead; ten whole cases do not.
    async with bench.worker(download_window=WINDOW, download_read_ahead=16 * WINDOW, download_concurrency=16):
        jobs = [await bench.ask(number) for number in large]
        for job in jobs:
            await wait_until_async(partial(bench.told, job, "job.planned"))
        job = await bench.ask(small)
        assert set((await bench.ended(job)).values()) == {"available"}
        others = taken()
        await bench.sql("UPDATE catalog.jobs SET cancelled_at = now() WHERE job_id = ANY (CAST(:j AS uuid[]))", j=jobs)
    assert others < 1_200, "it did not wait until the two thousand before it had had their turns"


async def test_all_that_failed_for_good_is_tried_again_when_the_jobs_row_says_so(bench: Workers) -> None:
    number = bench.fresh_number()
    failures = [Failure(kind=FailureKind.NO_ACCESS_403, document=index, times=1) for index in range(40)]
    bench.pdpj.put_case(number, documents=40, size=10, failures=failures)
    async with bench.worker(download_window=WINDOW):
        job = await bench.ask(number)
        ended = await bench.ended(job)
        assert set(ended.values()) == {"no_access"}
        for event in bench.told(job, "document.failed"):
            await bench.sql(
                "INSERT INTO progress.documents"
                " (process_number, document_id, job_id, status, error_code, error_message, attempts, updated_at)"
                " VALUES (:n, :d, :j, 'failed', :c, 'gone', 1, now())",
                n=number,
                d=event["document_id"],
                j=job,
                c=event["error_code"],
            )
        plain = await bench.ask(number, discover=False)
        assert set((await bench.ended(plain)).values()) == {"no_access"}
        assert set(bench.pdpj.case_metrics(number).document_requests.values()) == {1}, "told again, not asked for"
        one = await bench.ask(number, discover=False, scope=next(iter(ended)))
        assert await bench.ended(one) == {next(iter(ended)): "available"}
        again = await bench.ask(number, discover=False, retry_failed=True)
        assert list((await bench.ended(again)).values()) == ["available"] * 40


async def test_a_window_that_nobody_asks_for_is_asked_for_again(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=40, size=10)
    async with bench.worker(download_window=WINDOW):
        known = await bench.ask(number)
        everything = list(await bench.ended(known))
        job, plan = str(uuid.uuid4()), str(uuid.uuid4())
        await bench.make_job(job, number)
        # Everything of the first window has ended, and the record that should ask for the second is gone.
        await bench.sql(
            "INSERT INTO progress.jobs"
            " (job_id, process_number, status, total_documents, completed_documents, planned_at, updated_at)"
            " VALUES (:j, :n, 'processing', 40, 16, now(), now() - interval '1 hour')",
            j=job,
            n=number,
        )
        await bench.sql(
            "INSERT INTO source.plans (plan_id, job_id, process_number, total, available, reminded)"
            " VALUES (:p, :j, :n, 40, 0, '{}')",
            p=plan,
            j=job,
            n=number,
        )
        for window in range(3):
            await bench.sql(
                "INSERT INTO source.plan_windows (plan_id, number, document_ids) VALUES (:p, :w, CAST(:d AS uuid[]))",
                p=plan,
                w=window,
                d=everything[window * WINDOW : (window + 1) * WINDOW],
            )
        upkeep = PlanUpkeep(bench.database, bench.producer, EventRecords(utc_now))
        assert await upkeep.once() == 1

        def told() -> set[str]:
            return {event["document_id"] for event in bench.told(job, "document.available")}

        await wait_until_async(lambda: told() == set(everything[WINDOW:]))
        await bench.sql("UPDATE progress.jobs SET completed_documents = 20 WHERE job_id = :j", j=job)
        stalled = await bench.database.run(lambda connection: list(find_stalled(connection, timedelta(minutes=2))))
        assert stalled == [], "something of the window is still to come"
        await bench.sql("UPDATE progress.jobs SET completed_at = now() WHERE job_id = :j", j=job)
        assert await upkeep.once() == 0
    assert await bench.sql("SELECT FROM source.plans WHERE job_id = :j", j=job) == []
