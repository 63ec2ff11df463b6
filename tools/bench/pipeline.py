"""The pipeline against a raw loop: documents a second, and CPU a document in our own processes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from autos.local.pdpj.control import SourceSetting
from tools.bench.delivery import Run, deliver, make_cases
from tools.bench.figures import Figure
from tools.bench.product import Product, at_once, case_numbers, running_product
from tools.bench.raw_loop import RawRun, raw_loop
from tools.bench.registry import Benchmark, Plan

_SIZE = 100_000
_WARM_UPS = 5
"""Runs of 500 documents or more before the first that counts. Kafka's virtual machine compiles what it runs often, the
store grows its volumes: the first five hundred documents after a start come at half the rate of the fourth (shown as a
figure of its own)."""


@dataclass(frozen=True)
class Workload:
    """Cases of equal size. ``latency`` in seconds before each answer of the source; ``at_once`` documents."""

    name: str
    cases: int
    documents: int
    latency: float
    at_once: int
    rate_aim: str
    settings: Mapping[str, str] = field(default_factory=dict)
    warm_ups: int = _WARM_UPS


_CPU_AIM = "≤ 1.6 × raw"


def workloads(plan: Plan) -> list[Workload]:
    """The three of the issue; the many cases show the planner and their turns, the last one the source's limit.

    Before the first document and after the last lie a few steps, one after the other: a sixth of the second that the
    case of 500 takes. The larger case tells what the rate is without them.
    """
    wide = at_once(32, 64)
    # Places beyond the source's, so that storing and telling do not take the source's time: what the product is for.
    narrow = at_once(32, 16)
    return [
        Workload("1 case, 0 ms", 1, plan.size(500, 200), 0.0, 32, "≥ 0.8 × raw", wide),
        Workload("1 large case, 0 ms", 1, plan.size(2000, 400), 0.0, 32, "", wide, 2),
        Workload("many cases, 20 ms", plan.size(100, 25), 12, 0.02, 32, "≥ 0.8 × raw", wide),
        Workload("source is the limit", 1, plan.size(500, 200), 0.1, 16, "≥ 0.95 × raw", narrow),
    ]


def _run(plan: Plan) -> list[Figure]:
    figures: list[Figure] = []
    for workload in workloads(plan):
        with running_product(plan, workload.settings) as product:
            figures += _measure(plan, product, workload)
    return figures


def _measure(plan: Plan, product: Product, workload: Workload) -> list[Figure]:
    """Rounds of the product and of the raw loop in turns, after runs that warm up."""
    product.simulator.configure_source(SourceSetting(latency=workload.latency))
    _ours(product, Workload("connections", 2, 10, 0.0, 8, ""))
    cold = _ours(product, workload)
    for _ in range(plan.size(workload.warm_ups, 1) - 1):
        _ours(product, workload)
    _raw(product, workload)
    ours: list[Run] = []
    raw: list[RawRun] = []
    busiest: list[float] = []
    for round_number in range(plan.rounds):
        # In turns, so that whatever drifts on the machine meets both.
        if round_number % 2 == 0:
            raw.append(_raw(product, workload))
            ours.append(_ours(product, workload))
            busiest.append(_busiest(product))
        else:
            ours.append(_ours(product, workload))
            busiest.append(_busiest(product))
            raw.append(_raw(product, workload))
        plan.say(
            f"  {workload.name}: {ours[-1].documents_per_second:.0f}/s, raw {raw[-1].documents_per_second:.0f}/s; "
            f"CPU {ours[-1].own_cpu_ms:.2f} ms a document, raw {raw[-1].cpu_ms:.2f}"
        )
    return [
        Figure(
            f"{workload.name}: rate",
            "documents/s",
            tuple(run.documents_per_second for run in ours),
            tuple(run.documents_per_second for run in raw),
            workload.rate_aim,
        ),
        Figure(
            f"{workload.name}: CPU",
            "ms/document",
            tuple(run.own_cpu_ms for run in ours),
            tuple(run.cpu_ms for run in raw),
            _CPU_AIM,
        ),
        Figure(f"{workload.name}: rate of the first run after a start", "documents/s", (cold.documents_per_second,)),
        Figure(f"{workload.name}: first document", "ms from the request", tuple(run.first * 1000 for run in ours)),
        Figure(f"{workload.name}: most at once at the source", "requests", tuple(busiest), aim=f"{workload.at_once}"),
        *(
            Figure(
                f"{workload.name}: CPU of {name}",
                "ms/document",
                tuple(run.cpu.get(name, 0.0) * 1000 / run.documents for run in ours),
            )
            for name in ("downloader", "status", "api", "notifier", "kafka", "postgres", "s3", "pdpj")
        ),
    ]


def _ours(product: Product, workload: Workload) -> Run:
    numbers = case_numbers(workload.cases)
    make_cases(product, numbers, workload.documents, _SIZE)
    product.simulator.reset_metrics()
    return asyncio.run(deliver(product, numbers, workload.documents))


def _busiest(product: Product) -> float:
    """The most requests that the source has served at once in the run before."""
    return float(product.simulator.metrics(by_case=False).max_in_flight)


def _raw(product: Product, workload: Workload) -> RawRun:
    numbers = case_numbers(workload.cases)
    make_cases(product, numbers, workload.documents, _SIZE)
    return raw_loop(product, numbers, at_once=workload.at_once, expected=workload.cases * workload.documents)


BENCHMARK = Benchmark(
    name="pipeline",
    measures="documents of 100 kB from request to stored, at the limit of the machine and of the source",
    baseline="same HTTP client and store in a plain loop",
    run=_run,
)
