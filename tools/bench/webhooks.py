"""Webhooks: deliveries a second to one endpoint, what one costs, how soon after the last document it comes."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg2
import uvloop

from shared.clock import utc_now
from shared.concurrency.task_groups import run_together
from shared.events.webhook_subscribed import WebhookSubscribed
from shared.http.dial import WebhookCaller
from shared.http.guard import GuardPolicy
from shared.kafka.producer import Producer
from shared.webhooks.signing import signature_headers
from tools.bench.delivery import ask, make_cases, wait_for_end
from tools.bench.figures import Figure, difference, percentile
from tools.bench.product import Product, case_numbers, running_product
from tools.bench.raw_loop import cpu_seconds
from tools.bench.registry import Benchmark, BenchmarkFailed, Plan
from tools.bench.sink import Arrival, HookSink, running_sink
from tools.bench.subscriptions import DOCUMENTS, count_deliveries, finished_jobs, subscription

_IN_FLIGHT = 4
"""The notifier's own limit for one endpoint."""
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_TIMEOUT = 180.0


@dataclass(frozen=True)
class Burst:
    """So many deliveries: a second, CPU milliseconds each in the notifier and with the database, bytes of a body."""

    rate: float
    own_cpu_ms: float
    cpu_ms: float
    size: float


def _run(plan: Plan) -> list[Figure]:
    """Bursts to one endpoint beside the same posts by a bare client; then the time from a document to its webhook."""
    deliveries = plan.size(3_000, 600)
    with running_product(plan) as product, running_sink() as sink:
        jobs = finished_jobs(product, plan.size(300, 100))
        _burst(product, sink, jobs, 100, "warm-up")
        ours: list[Burst] = []
        bare: list[Burst] = []
        for round_number in range(plan.rounds):
            bare.append(_bare(sink, deliveries, int(_size(sink)), f"/bare/{round_number}"))
            ours.append(_burst(product, sink, jobs, deliveries, f"round-{round_number}"))
            plan.say(
                f"  {ours[-1].rate:.0f}/s, bare {bare[-1].rate:.0f}/s; CPU {ours[-1].own_cpu_ms:.2f} ms a delivery, "
                f"{ours[-1].cpu_ms:.2f} with the database, bare {bare[-1].own_cpu_ms:.2f}"
            )
        whole, notified = _latencies(product, sink, plan.size(60, 15))
    return [
        Figure(
            "to one endpoint",
            "deliveries/s",
            tuple(burst.rate for burst in ours),
            tuple(burst.rate for burst in bare),
            "≥ 600",
        ),
        Figure(
            "CPU, notifier and database",
            "ms/delivery",
            tuple(burst.cpu_ms for burst in ours),
            tuple(burst.own_cpu_ms for burst in bare),
            "≤ 3",
        ),
        Figure("CPU, notifier alone", "ms/delivery", tuple(burst.own_cpu_ms for burst in ours)),
        Figure("payload", "bytes", tuple(burst.size for burst in ours)),
        *(
            Figure(f"{name}, {label}", "ms", (percentile(seconds, share) * 1000,), aim=aim)
            for name, seconds, share, label, aim in (
                ("last document available → received", whole, 0.5, "p50", "< 50"),
                ("last document available → received", whole, 0.99, "p99", ""),
                ("job's end committed → received", notified, 0.5, "p50", ""),
                ("job's end committed → received", notified, 0.99, "p99", ""),
            )
        ),
    ]


async def _delivered(product: Product, number: str, url: str) -> None:
    async with product.client() as client:
        await ask(client, number, webhook_url=url)
    await wait_for_end(product, [number], DOCUMENTS, _TIMEOUT)


def _burst(product: Product, sink: HookSink, jobs: Sequence[WebhookSubscribed], count: int, name: str) -> Burst:
    """So many subscriptions to finished jobs at once, to one endpoint (they differ in the query).

    Many jobs, in turn: what concerns one job keeps its order in the notifier, and would measure that.
    """
    records = [subscription(jobs[index % len(jobs)], sink.url(f"/burst?{name}-{index}")) for index in range(count)]
    earlier = len(sink.arrivals())
    delivered = _delivered_count(product)
    before = product.processes.cpu()
    producer = Producer(product.kafka)
    try:
        producer.send_blocking(records, _TIMEOUT)
    finally:
        producer.close()
    arrivals = _own(sink.wait(count, _TIMEOUT, earlier), f"/burst?{name}-")
    _wait_recorded(product, delivered + count)
    used = difference(product.processes.cpu(), before)
    took = arrivals[-1].at - arrivals[0].at
    return Burst(
        (len(arrivals) - 1) / took,
        used["notifier"] * 1000 / count,
        (used["notifier"] + used["postgres"]) * 1000 / count,
        sum(arrival.size for arrival in arrivals) / len(arrivals),
    )


def _own(arrivals: Sequence[Arrival], prefix: str) -> list[Arrival]:
    found = [arrival for arrival in arrivals if arrival.target.startswith(prefix)]
    if len(found) != len({arrival.target for arrival in found}):
        raise BenchmarkFailed("a webhook came twice, with nothing gone wrong")
    return found


def _delivered_count(product: Product) -> int:
    return count_deliveries(product, "status = 'delivered'")


def _wait_recorded(product: Product, count: int) -> None:
    deadline = time.monotonic() + _TIMEOUT
    while (recorded := _delivered_count(product)) < count:
        if time.monotonic() > deadline:
            raise BenchmarkFailed(f"{recorded} of {count} deliveries are recorded as delivered")
        time.sleep(0.02)


def _bare(sink: HookSink, count: int, size: int, path: str) -> Burst:
    """The same caller and signature in a plain loop: no broker, no database, a body that is there already."""
    earlier = len(sink.arrivals())
    cpu = cpu_seconds()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_post_all(sink, count, size, path))
    used = cpu_seconds() - cpu
    arrivals = sink.wait(count, _TIMEOUT, earlier)
    took = arrivals[-1].at - arrivals[0].at
    return Burst((count - 1) / took, used * 1000 / count, used * 1000 / count, size)


async def _post_all(sink: HookSink, count: int, size: int, path: str) -> None:
    caller = WebhookCaller(GuardPolicy(allowed_networks=(ipaddress.ip_network("127.0.0.0/8"),)), timeout=15.0)
    body = b"x" * size
    left = iter(range(count))

    async def work() -> None:
        for index in left:
            headers = signature_headers([_SECRET], f"bench-{index}", utc_now(), body, 1)
            result = await caller.post(sink.url(f"{path}?{index}"), list(headers.items()), body)
            if not result.succeeded:
                raise BenchmarkFailed(f"the bare sender failed: {result.error_code or result.status_code}")

    await run_together(work() for _ in range(_IN_FLIGHT))
    await caller.aclose()


def _size(sink: HookSink) -> float:
    """The size of the last webhook that came, in bytes."""
    return sink.arrivals()[-1].size


def _latencies(product: Product, sink: HookSink, count: int) -> tuple[list[float], list[float]]:
    """Seconds to the webhook, one case at a time on an idle system.

    First from the last document's completion, then from the projection's transaction that ended the job.
    """
    whole: list[float] = []
    notified: list[float] = []
    for index, number in enumerate(case_numbers(count)):
        make_cases(product, [number], DOCUMENTS, 100_000)
        earlier = len(sink.arrivals())
        asyncio.run(_delivered(product, number, sink.url(f"/latency/{index}")))
        arrived = sink.wait(1, _TIMEOUT, earlier)[0].at
        available, ended = _moments(product, number)
        whole.append(arrived - available.timestamp())
        notified.append(arrived - ended.timestamp())
    return whole, notified


def _moments(product: Product, number: str) -> tuple[datetime, datetime]:
    """When the last document was available, and when the projection wrote the job's end into its outbox."""
    connection = psycopg2.connect(product.database_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT (SELECT max(download_completed_at) FROM progress.documents WHERE process_number = %(number)s),"
                " (SELECT max(created_at) FROM progress.outbox WHERE aggregateid = %(number)s)",
                {"number": number},
            )
            row = cursor.fetchone()
    finally:
        connection.close()
    if row is None or row[0] is None or row[1] is None:
        raise BenchmarkFailed("the projection does not have the case")
    return row[0], row[1]


BENCHMARK = Benchmark(
    name="webhooks",
    measures="webhooks to one quick endpoint (4 kB), and the time from the last document to the webhook",
    baseline="the same caller and signature in a plain loop",
    run=_run,
)
