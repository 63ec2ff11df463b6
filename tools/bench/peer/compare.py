"""Runs both sides in turns and makes figures of it."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from autos.local.pdpj.control import SourceSetting
from shared.concurrency.task_groups import run_together
from tools.bench.delivery import make_cases
from tools.bench.figures import Figure, difference, percentile
from tools.bench.peer.servers import running_peer
from tools.bench.peer.sides import PeerSide, ProductSide, Side
from tools.bench.product import Product, at_once, case_numbers, running_product
from tools.bench.registry import BenchmarkFailed, Plan
from tools.bench.sink import HookSink, running_sink

_SIZE: Final = 100_000
_END_SECONDS: Final = 240.0
_WIDE: Final = at_once(32, 64)
"""As many documents at once as the peer's workers have places."""
_runs = itertools.count(1)


@dataclass(frozen=True)
class Load:
    """Cases of equal size, all asked for at once. ``latency`` in seconds before each answer of the source."""

    name: str
    cases: int
    documents: int
    latency: float


@dataclass(frozen=True)
class Outcome:
    """What one run took. Seconds; ``cpu`` are CPU seconds by process.

    ``seconds`` is from the first request to the last webhook, ``webhooks`` from a case's last stored document to its
    webhook.
    """

    documents: int
    seconds: float
    cpu: dict[str, float]
    webhooks: tuple[float, ...]
    answers: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Documents a second."""
        return self.documents / self.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds a document in every process of the side, its servers included."""
        return sum(used for name, used in self.cpu.items() if name not in _APART) * 1000 / self.documents


_APART: Final = frozenset({"pdpj", "receiver"})
"""The simulators of those outside: the source, and a receiver that this benchmark does not use."""


def loads(plan: Plan) -> list[Load]:
    """One large case, and what offices ask for: many small ones."""
    return [
        Load("1 case of 500", 1, plan.size(500, 100), 0.0),
        Load("100 cases of 12", plan.size(100, 20), 12, 0.02),
    ]


def run(plan: Plan) -> list[Figure]:
    """Both loads, warm, in turns. Raises BenchmarkFailed."""
    figures: list[Figure] = []
    with running_product(plan, _WIDE) as product, running_peer(plan, product) as peer, running_sink() as sink:
        sides: tuple[Side, Side] = (ProductSide(product), PeerSide(peer))
        for load in loads(plan):
            product.simulator.configure_source(SourceSetting(latency=load.latency))
            for _ in range(plan.size(3, 1)):
                for side in sides:
                    measure(product, side, sink, load)
            ours, theirs = _rounds(plan, product, sides, sink, load)
            figures += compared(load.name, ours, theirs)
    return figures


def _rounds(
    plan: Plan, product: Product, sides: tuple[Side, Side], sink: HookSink, load: Load
) -> tuple[list[Outcome], list[Outcome]]:
    outcomes: dict[str, list[Outcome]] = {side.name: [] for side in sides}
    for number in range(plan.rounds):
        # Each begins every other round, so that whatever drifts on the machine meets both.
        for side in sides if number % 2 == 0 else reversed(sides):
            outcomes[side.name].append(measure(product, side, sink, load))
        ours, theirs = (outcomes[side.name][-1] for side in sides)
        plan.say(
            f"  {load.name}: {ours.rate:.0f}/s, peer {theirs.rate:.0f}/s; CPU {ours.cpu_ms:.2f} ms a document, peer "
            f"{theirs.cpu_ms:.2f}; load average of the machine {os.getloadavg()[0]:.1f}"
        )
    return outcomes[sides[0].name], outcomes[sides[1].name]


def measure(product: Product, side: Side, sink: HookSink, load: Load, moments: bool = True) -> Outcome:
    """One run of one side; without ``moments`` its database is not asked when documents were stored.

    Raises BenchmarkFailed when a webhook does not come, or comes twice.
    """
    numbers = case_numbers(load.cases)
    make_cases(product, numbers, load.documents, _SIZE)
    prefix = f"/{side.name}/{next(_runs)}/"
    earlier = len(sink.arrivals())
    before = side.processes.cpu()
    began = time.time()
    answers = asyncio.run(_ask_all(side, numbers, lambda number: sink.url(prefix + number)))
    arrivals = sink.wait(load.cases, _END_SECONDS, earlier)
    side.wait_recorded(numbers)
    cpu = difference(side.processes.cpu(), before)
    came = {arrival.target.removeprefix(prefix): arrival.at for arrival in arrivals}
    if len(arrivals) != load.cases or came.keys() != set(numbers):
        raise BenchmarkFailed(f"{side.name}: {len(arrivals)} webhooks for {load.cases} cases")
    stored = side.last_stored(numbers, load.documents) if moments else came
    return Outcome(
        load.cases * load.documents,
        max(came.values()) - began,
        cpu,
        tuple(came[number] - stored[number] for number in numbers),
        tuple(answers),
    )


async def _ask_all(side: Side, numbers: Sequence[str], url: Callable[[str], str]) -> list[float]:
    async with side.client() as client:
        return await run_together(side.ask(client, number, url(number)) for number in numbers)


def compared(name: str, ours: Sequence[Outcome], theirs: Sequence[Outcome]) -> list[Figure]:
    """The figures of one load; each side's CPU by process stands below."""

    def figure(what: str, unit: str, of: Callable[[Outcome], float], aim: str = "") -> Figure:
        return Figure(f"{name}: {what}", unit, tuple(map(of, ours)), tuple(map(of, theirs)), aim)

    return [
        figure("rate", "documents/s", lambda one: one.rate, "≥ 2 × peer"),
        figure("CPU", "ms/document", lambda one: one.cpu_ms, "≤ 0.6 × peer"),
        figure("last document → webhook, p50", "ms", lambda one: percentile(one.webhooks, 0.5) * 1000, "≤ 150"),
        figure("last document → webhook, p99", "ms", lambda one: percentile(one.webhooks, 0.99) * 1000),
        figure("first answer, p50", "ms", lambda one: percentile(one.answers, 0.5) * 1000),
        figure("first answer, p99", "ms", lambda one: percentile(one.answers, 0.99) * 1000, "≤ 800"),
        *_by_process(name, "product", ours),
        *_by_process(name, "peer", theirs),
    ]


def _by_process(load: str, side: str, outcomes: Sequence[Outcome]) -> list[Figure]:
    names = sorted({name for outcome in outcomes for name in outcome.cpu} - _APART)
    return [
        Figure(
            f"{load}: CPU of {side}'s {name}",
            "ms/document",
            tuple(outcome.cpu.get(name, 0.0) * 1000 / outcome.documents for outcome in outcomes),
        )
        for name in names
    ]
