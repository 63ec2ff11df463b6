"""Many small cases with one, two and four replicas of each service: what more of them bring, and what is full first."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import httpx
import psutil

from autos.local.pdpj.control import SourceSetting
from tools.bench.figures import Figure
from tools.bench.peer.compare import Load, Outcome, measure
from tools.bench.peer.sides import ProductSide
from tools.bench.product import Product, at_once, running_product
from tools.bench.registry import Benchmark, Plan
from tools.bench.sink import HookSink, running_sink

_AT_ONCE: Final = 4
"""Documents at once of one downloader where the source is slow: its waiting is the limit then, and not this machine."""
_DOCUMENTS: Final = 12


@dataclass(frozen=True)
class Circumstances:
    """How slow the source is (seconds before each answer), and how many documents each downloader fetches at once."""

    name: str
    latency: float
    at_once: int


_CIRCUMSTANCES: Final = (Circumstances("source 100 ms", 0.1, _AT_ONCE), Circumstances("source at once", 0.0, 32))
_SCALES: Final[tuple[tuple[str, ...], ...]] = (
    (),
    ("downloader=2",),
    ("downloader=4",),
    ("api=2",),
    ("status=2",),
    ("notifier=2",),
    ("api=2", "downloader=2", "status=2", "notifier=2"),
)


class _EveryApi(ProductSide):
    """Its clients share out their requests among all replicas of the API."""

    def __init__(self, product: Product) -> None:
        super().__init__(product)
        host = httpx.URL(product.api_url)
        ports = [int(psutil.Process(pid).environ()["AUTOS_API_PORT"]) for pid in product.processes.pids("api")]
        self._urls = itertools.cycle([str(host.copy_with(port=port)) for port in ports])

    async def ask(self, client: httpx.AsyncClient, number: str, url: str) -> float:
        client.base_url = next(self._urls)
        return await super().ask(client, number, url)


def _run(plan: Plan) -> list[Figure]:
    figures: list[Figure] = []
    with running_sink() as sink:
        for around in _CIRCUMSTANCES:
            outcomes = {scale: _measured(plan, around, scale, sink) for scale in _SCALES}
            alone = tuple(one.rate for one in outcomes[()])
            for scale, runs in outcomes.items():
                figures += _figures(f"{around.name}, {' '.join(scale) or 'one of each'}", runs, alone)
    return figures


def _measured(plan: Plan, around: Circumstances, scale: Sequence[str], sink: HookSink) -> list[Outcome]:
    """Rounds on a stack of its own, after three that warm up; the source allows what four downloaders ask for."""
    load = Load(around.name, plan.size(50 if around.latency else 100, 10), _DOCUMENTS, around.latency)
    with running_product(plan, at_once(around.at_once, 4 * around.at_once), *scale) as product:
        product.simulator.configure_source(SourceSetting(latency=around.latency))
        side = _EveryApi(product)
        for _ in range(plan.size(3, 1)):
            measure(product, side, sink, Load("warm-up", load.cases, _DOCUMENTS, 0.0))
        runs = [measure(product, side, sink, load) for _ in range(plan.rounds)]
    rates = ", ".join(f"{run.rate:.0f}" for run in runs)
    plan.say(f"  {around.name}, {' '.join(scale) or 'one of each'}: {rates}/s")
    return runs


def _figures(name: str, runs: Sequence[Outcome], alone: tuple[float, ...]) -> list[Figure]:
    cores = os.cpu_count() or 1
    used = [{process: seconds / run.seconds for process, seconds in run.cpu.items()} for run in runs]
    middle = {process: sorted(one.get(process, 0.0) for one in used)[len(used) // 2] for process in used[0]}
    fullest = max(middle, key=middle.__getitem__)
    return [
        Figure(f"{name}: rate", "documents/s", tuple(run.rate for run in runs), alone),
        Figure(f"{name}: CPU", "ms/document", tuple(run.cpu_ms for run in runs)),
        Figure(f"{name}: of the machine", "%", tuple(sum(one.values()) * 100 / cores for one in used)),
        Figure(f"{name}: most of a core, {fullest}", "%", tuple(one.get(fullest, 0.0) * 100 for one in used)),
    ]


BENCHMARK = Benchmark(
    name="scale_out",
    measures="cases of 12 with webhooks, with 1, 2 and 4 downloaders and 1 and 2 of the others; source 100 ms and 0",
    baseline="one of each service",
    run=_run,
)
