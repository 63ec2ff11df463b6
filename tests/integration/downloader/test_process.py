"""The worker as a process: SIGTERM ends it in order and in time; work that takes long does not cost its partitions."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time

from tests.integration.downloader.workers import Workers
from tests.support import wait_until_async

SHUTDOWN_SECONDS = 3.0
LEAVE_SECONDS = 30.0
"""What leaving the group and closing the connections may take besides."""
POLL_INTERVAL_SECONDS = 7.0
"""More than the broker's session, as librdkafka wants it."""


async def ended_by_sigterm(process: subprocess.Popen[bytes], seconds: float) -> int:
    """The exit status. Raises TimeoutExpired."""
    process.terminate()
    return await asyncio.to_thread(process.wait, seconds)


async def test_sigterm_finishes_what_is_in_flight_begins_nothing_more_and_commits(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=40, size=2_000, latency=0.5)
    job = await bench.ask(number)
    with bench.process(AUTOS_SHUTDOWN_SECONDS="20") as process:
        await wait_until_async(lambda: bench.pdpj.case_metrics(number).in_flight == 5)
        assert await ended_by_sigterm(process, 20 + LEAVE_SECONDS) == 0
    begun = set(bench.pdpj.case_metrics(number).document_requests)
    assert 0 < len(begun) < 40
    await wait_until_async(lambda: begun == {event["document_id"] for event in bench.told(job, "document.available")})
    with bench.process():
        await bench.ended(job, timeout=60)
    bench.check_stored(number, job)
    # Committed to the last one: whoever comes next repeats nothing.
    assert set(bench.pdpj.case_metrics(number).document_requests.values()) == {1}


async def test_sigterm_does_not_wait_longer_than_the_setting_and_loses_nothing(bench: Workers) -> None:
    number = bench.fresh_number()
    # A minute for each document.
    bench.pdpj.put_case(number, documents=2, size=60_000, bytes_per_second=1_000)
    job = await bench.ask(number)
    with bench.process(AUTOS_SHUTDOWN_SECONDS=str(SHUTDOWN_SECONDS), AUTOS_PDPJ_MIN_BYTES_PER_SECOND="0") as process:
        await wait_until_async(lambda: bench.pdpj.case_metrics(number).in_flight == 2)
        began = time.monotonic()
        assert await ended_by_sigterm(process, SHUTDOWN_SECONDS + LEAVE_SECONDS) == 0
        assert time.monotonic() - began >= SHUTDOWN_SECONDS
    assert bench.told(job, "document.available", "document.failed") == []
    bench.pdpj.put_case(number, documents=2, size=60_000)
    with bench.process():
        assert set((await bench.ended(job, timeout=60)).values()) == {"available"}
    bench.check_stored(number, job)


async def test_a_document_longer_than_the_poll_interval_costs_no_partition(
    bench: Workers,
) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=3, size=2_000, latency=POLL_INTERVAL_SECONDS + 3)
    config = json.dumps({"max.poll.interval.ms": int(POLL_INTERVAL_SECONDS * 1000)})
    job = await bench.ask(number)
    with bench.process(AUTOS_KAFKA_CONFIG=config, AUTOS_DISCOVERY_TIMEOUT="60"):
        assert set((await bench.ended(job, timeout=60)).values()) == {"available"}
    assert set(bench.pdpj.case_metrics(number).document_requests.values()) == {1}
