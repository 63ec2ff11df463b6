"""Cases that the source never gives: they end with a reason, and no other client's case notices them."""

from __future__ import annotations

from autos.local.pdpj.control import Failure, FailureKind
from tests.integration.downloader.workers import Workers
from tests.support import wait_until_async

KINDS = (FailureKind.TIMEOUT_504, FailureKind.RESET, FailureKind.HANG, FailureKind.MALFORMED_LENGTHS)


async def ask_for_bad_cases(bench: Workers, *kinds: FailureKind, documents: int) -> dict[str, FailureKind]:
    jobs = {}
    for kind in kinds:
        number = bench.fresh_number()
        bench.pdpj.put_case(number, documents=documents, size=2_000, failures=[Failure(kind=kind)])
        jobs[await bench.ask(number)] = kind
    return jobs


async def test_a_healthy_case_beside_bad_ones_is_not_delayed_and_these_end_failed(bench: Workers) -> None:
    async with bench.worker(pdpj_read_timeout=0.8, download_retry_delays=(0.1,)):
        jobs = await ask_for_bad_cases(bench, *KINDS, *KINDS, documents=6)
        await wait_until_async(lambda: len(bench.pdpj.metrics().by_failure) == len(KINDS))
        number = bench.fresh_number()
        bench.pdpj.put_case(number, documents=3, size=2_000)
        assert set((await bench.ended(await bench.ask(number))).values()) == {"available"}
        for job, kind in jobs.items():
            code = "unexpected_answer" if kind is FailureKind.MALFORMED_LENGTHS else "source_unavailable"
            assert set((await bench.ended(job, timeout=60)).values()) == {code}


async def test_bad_cases_alone_end_failed_too(bench: Workers) -> None:
    async with bench.worker(download_retry_delays=()):
        kinds = (FailureKind.UNAVAILABLE_503,) * 4
        for job in await ask_for_bad_cases(bench, *kinds, documents=5):
            assert set((await bench.ended(job, timeout=60)).values()) == {"source_unavailable"}
        assert bench.sample("autos_downloader_breaker_state") == 0


async def test_a_cancelled_case_leaves_the_line_at_the_gate(bench: Workers) -> None:
    async with bench.worker():
        kinds = (FailureKind.HANG,) * 8
        jobs = await ask_for_bad_cases(bench, *kinds, documents=10)
        await wait_until_async(lambda: bench.pdpj.metrics().by_failure.get("hang", 0) >= 8)
        for job in jobs:
            await bench.sql("UPDATE catalog.jobs SET cancelled_at = now() WHERE job_id = CAST(:job AS uuid)", job=job)
        # What has been asked for ends by itself; everything else leaves, and is asked for no more.
        cancelled = {"outcome": "cancelled"}
        await wait_until_async(lambda: (bench.sample("autos_downloader_documents_total", **cancelled) or 0) >= 56)
        asked = bench.pdpj.metrics().by_failure["hang"]
    assert bench.pdpj.metrics().by_failure["hang"] == asked <= 48
