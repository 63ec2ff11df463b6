"""kill -9 of downloaders: every document arrives, few are asked for twice, and a plan is made exactly once."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient

from shared.events import topics
from shared.kafka.config import common_config
from tests.integration.downloader.fixtures import bench, pdpj, simulator
from tests.integration.downloader.workers import Workers
from tests.support import wait_until_async

__all__ = ["bench", "pdpj", "simulator"]

DOCUMENTS = 1_000
IN_FLIGHT = 32
TAKEOVER_SECONDS = 60.0
NARROW = {"AUTOS_DOWNLOAD_WINDOW": "64"}
WIDE = {"AUTOS_DOWNLOAD_WINDOW": "10000"}
FETCHED = (topics.DOCUMENT_REQUESTED, *(tier.topic for tier in topics.DOCUMENT_RETRY))
COMMIT_WINDOW = timedelta(seconds=1.5)
"""Offsets are committed every half second; on a busy machine the answer and the kill take their time."""


def available(bench: Workers, job: str) -> list[dict[str, Any]]:
    return bench.told(job, "document.available")


def at_risk(bench: Workers, job: str) -> int:
    """How many documents may be asked for again after a kill now: in flight, or done since about the last commit."""
    moments = sorted(datetime.fromisoformat(event["at"]) for event in available(bench, job))
    return IN_FLIGHT + sum(moment > moments[-1] - COMMIT_WINDOW for moment in moments)


async def test_kill_in_the_middle_of_a_case_loses_nothing_and_repeats_little(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=DOCUMENTS, size=5_000, latency=0.01)
    job = await bench.ask(number)
    allowed = 0
    for share in (0.25, 0.5):
        with bench.process(**NARROW) as process:

            def has_share(wanted: float = share * DOCUMENTS) -> bool:
                return len(available(bench, job)) >= wanted

            await wait_until_async(has_share, 60)
            process.kill()
            process.wait()
        allowed += at_risk(bench, job)
    with bench.process(**NARROW):
        ended = await bench.ended(job, timeout=90)
    assert len(ended) == DOCUMENTS
    assert set(ended.values()) == {"available"}
    bench.check_stored(number, job)
    requests = bench.pdpj.case_metrics(number).document_requests
    assert len(requests) == DOCUMENTS
    repeated = sum(requests.values()) - DOCUMENTS
    assert repeated <= allowed
    assert set(requested(bench, job).values()) == {1}, "each window is written once, whoever is killed"


async def test_the_other_worker_takes_over(bench: Workers) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=DOCUMENTS, size=5_000, latency=0.05)
    with bench.process("1") as one, bench.process("2"):
        job = await bench.ask(number)
        await wait_until_async(lambda: len(members(bench)) == 2 and len(available(bench, job)) >= 100, 60)
        one.kill()
        one.wait()
        partitions = {(each.topic, each.partition) for each in bench.ends(FETCHED)}
        await wait_until_async(lambda: members(bench) == [partitions], TAKEOVER_SECONDS)
        await bench.ended(job, timeout=90)
    bench.check_stored(number, job)


def members(bench: Workers) -> list[set[tuple[str, int]]]:
    """The partitions of each member of the fetchers' group."""
    admin = AdminClient(common_config(bench.servers.bootstrap_servers))
    group = f"{bench.prefix}.fetcher"
    described = admin.describe_consumer_groups([group])[group].result(timeout=60)
    return [
        {(each.topic, each.partition) for each in member.assignment.topic_partitions} for member in described.members
    ]


@pytest.mark.parametrize("moment", ["case read", "half written", "committed"])
async def test_a_planner_killed_anywhere_requests_each_document_exactly_once(bench: Workers, moment: str) -> None:
    number = bench.fresh_number()
    bench.pdpj.put_case(number, documents=3_000, size=10)
    written = Uncommitted(bench)
    try:
        with bench.process(**WIDE) as process:
            job = await bench.ask(number)
            if moment == "case read":
                await wait_until_async(lambda: bench.pdpj.case_metrics(number).case_requests)
            elif moment == "half written":
                await wait_until_async(lambda: written.of(job))
            else:
                await wait_until_async(lambda: bench.told(job, "job.planned"))
            process.kill()
            process.wait()
    finally:
        written.close()
    with bench.process(**WIDE):
        (planned,) = await wait_until_async(lambda: bench.told(job, "job.planned"), 60)
        await bench.sql("UPDATE catalog.jobs SET cancelled_at = now() WHERE job_id = :j", j=job)
        await wait_until_async(lambda: len(requested(bench, job)) == 3_000)
        # What comes after it in its partition is planned: the killed request will not be planned once more.
        after = await bench.ask(number, discover=False, document_ids=[str(uuid.uuid4())])
        await wait_until_async(lambda: bench.told(after, "job.planned"))
    assert planned["total_documents"] == 3_000
    assert set(requested(bench, job).values()) == {1}
    assert len(bench.told(job, "job.planned")) == 1


def requested(bench: Workers, job: str) -> Counter[str]:
    """How often each document was requested, as a read-committed reader sees it (retries left out)."""
    found = (each.value for each in bench.listen() if each.topic == topics.DOCUMENT_REQUESTED)
    return Counter(value["document_id"] for value in found if value["job_id"] == job)


class Uncommitted:
    """Sees records of open transactions too."""

    def __init__(self, bench: Workers) -> None:
        self._consumer = confluent_kafka.Consumer(
            {
                **common_config(bench.servers.bootstrap_servers),
                "group.id": f"{bench.prefix}.uncommitted",
                "isolation.level": "read_uncommitted",
                "enable.auto.commit": False,
            }
        )
        self._consumer.assign(bench.ends([topics.DOCUMENT_REQUESTED]))

    def of(self, job: str) -> bool:
        """Whether a record of this job is in the log."""
        return any(job.encode() in (message.value() or b"") for message in self._consumer.consume(100, timeout=0.01))

    def close(self) -> None:
        self._consumer.close()
