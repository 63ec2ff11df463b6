"""Isolation: what the quick receivers notice of one that never answers, of one that drips, and of a backlog.

A steady load of webhooks goes to ten quick endpoints, once alone and once while two bad endpoints get as many as
all of these together: one accepts and never answers, the other sends a byte a second. Then the same load beside
1,000 deliveries that wait for a receiver that never answers. The time is from the record that subscribes to a
finished job to the request at the receiver, which is a process of its own.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from contextlib import ExitStack

from shared.events.webhook_subscribed import WebhookSubscribed
from shared.kafka.producer import Producer
from tools.bench.bad_receivers import bad_receiver, drip, never
from tools.bench.figures import Figure, percentile
from tools.bench.product import Product, running_product
from tools.bench.registry import Benchmark, BenchmarkFailed, Plan
from tools.bench.sink import HookSink, running_sink
from tools.bench.subscriptions import count_deliveries, finished_jobs, subscription

_ENDPOINTS = 10
_RATE = 100.0
"""Webhooks a second to the quick endpoints together, and as many to the bad ones."""
_WAITING = 1_000
_TIMEOUT = 120.0


def _run(plan: Plan) -> list[Figure]:
    """Deliveries to a good receiver: alone, beside bad ones, and behind what waits for one that never answers."""
    count = plan.size(2_000, 500)
    with ExitStack() as running:
        product = running.enter_context(running_product(plan))
        sink = running.enter_context(running_sink())
        dead, dripping, backlogged = (running.enter_context(bad_receiver(kind)) for kind in (never, drip, never))
        load = _Load(product, sink, finished_jobs(product, plan.size(200, 100)))
        running.callback(load.close)
        load.run(100, ())
        alone = [load.run(count, ()) for _ in range(plan.rounds)]
        beside = [load.run(count, (dead, dripping)) for _ in range(plan.rounds)]
        load.fill(backlogged, _WAITING)
        behind = [load.run(count, ()) for _ in range(plan.rounds)]
    for name, seconds in (("alone", alone), ("beside bad ones", beside), ("behind a backlog", behind)):
        middle, late = (percentile(seconds[-1], share) * 1000 for share in (0.5, 0.99))
        plan.say(f"  {name}: p50 {middle:.0f} ms, p99 {late:.0f} ms")

    def rounds(found: Sequence[Sequence[float]], share: float) -> tuple[float, ...]:
        return tuple(percentile(seconds, share) * 1000 for seconds in found)

    return [
        Figure("beside one that never answers and one that drips, p50", "ms", rounds(beside, 0.5), rounds(alone, 0.5)),
        Figure(
            "beside one that never answers and one that drips, p99",
            "ms",
            rounds(beside, 0.99),
            rounds(alone, 0.99),
            "≤ 1.5 × alone",
        ),
        Figure(
            f"behind {_WAITING:,} for one that never answers, p50",
            "ms",
            rounds(behind, 0.5),
            rounds(alone, 0.5),
            "< 1,000",
        ),
        Figure(f"behind {_WAITING:,} for one that never answers, p99", "ms", rounds(behind, 0.99), rounds(alone, 0.99)),
    ]


class _Load:
    """Publishes subscriptions at a steady rate and hears of their arrival."""

    def __init__(self, product: Product, sink: HookSink, jobs: Sequence[WebhookSubscribed]) -> None:
        self._product = product
        self._sink = sink
        self._jobs = itertools.cycle(jobs)
        self._numbers = itertools.count()
        self._producer = Producer(product.kafka)

    def close(self) -> None:
        self._producer.close()

    def run(self, count: int, bad: Sequence[str]) -> list[float]:
        """Seconds to the receiver of each of ``count``, while the ``bad`` receivers get as many together."""
        earlier = len(self._sink.arrivals())
        sent: dict[str, float] = {}
        began = time.time()
        for index in range(count):
            time.sleep(max(0.0, began + index / _RATE - time.time()))
            number = next(self._numbers)
            target = f"/isolation/{index % _ENDPOINTS}?{number}"
            sent[target] = time.time()
            urls = [self._sink.url(target)]
            if bad:
                urls.append(f"{bad[index % len(bad)]}/bad?{number}")
            self._send(urls)
        arrived = {arrival.target: arrival.at for arrival in self._sink.wait(count, _TIMEOUT, earlier)}
        if arrived.keys() != sent.keys():
            raise BenchmarkFailed(f"{len(arrived.keys() ^ sent.keys())} webhooks are not those that were sent")
        return [arrived[target] - at for target, at in sent.items()]

    def fill(self, bad: str, count: int) -> None:
        """Let ``count`` deliveries wait for a receiver."""
        before = self._open()
        self._send([f"{bad}/backlog?{next(self._numbers)}" for _ in range(count)])
        deadline = time.monotonic() + _TIMEOUT
        while self._open() < before + count:
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"the backlog was not there after {_TIMEOUT:g} s")
            time.sleep(0.1)

    def _open(self) -> int:
        return count_deliveries(self._product, "url LIKE %s AND delivered_at IS NULL", "%/backlog?%")

    def _send(self, urls: Sequence[str]) -> None:
        self._producer.send_blocking([subscription(next(self._jobs), url) for url in urls], _TIMEOUT)


BENCHMARK = Benchmark(
    name="isolation",
    measures="webhooks to quick receivers beside bad ones: one never answers, one drips, one has 1,000 waiting",
    baseline="the same load on the same system without the bad ones",
    run=_run,
)
