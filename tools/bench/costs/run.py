"""Runs cases of several sizes, reads every counter around each, tells what a case and a document take."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx

from autos.local.pdpj.control import SourceSetting
from autos.local.ports_and_secrets import read_json
from tools.bench.costs import broker, database, store, threads
from tools.bench.costs.fit import Bound, fit, of_a_case, over
from tools.bench.costs.syscalls import Syscalls
from tools.bench.figures import Figure, difference
from tools.bench.peer.compare import Load, measure
from tools.bench.peer.sides import ProductSide
from tools.bench.processes import SERVICES, family
from tools.bench.product import Product, running_product
from tools.bench.registry import BenchmarkFailed, Plan
from tools.bench.report import number
from tools.bench.sink import HookSink, running_sink

_HERE: Final = Path(__file__).parent
_LATENCY_SECONDS: Final = 0.02
_BUDGETED_SIZE: Final = 12
_WATCHED: Final = (*SERVICES, "kafka", "postgres", "s3")
WHOLE: Final = "a case of 12"
CASE: Final = "a case, whatever its size"
DOCUMENT: Final = "a document"
_IDLE_SECONDS: Final = 10.0
_LEAST: Final = 0.01
"""A line whose case and document both take less than this is not shown."""


def run(plan: Plan) -> list[Figure]:
    """First CPU and switches, then counts. Raises BenchmarkFailed, with ``--check`` also for one over its budget."""
    with running_product(plan, {"PYTHONPATH": str(_HERE / "named_threads")}) as product, running_sink() as sink:
        product.simulator.configure_source(SourceSetting(latency=_LATENCY_SECONDS))
        for _ in range(plan.size(4, 1)):
            measure(product, ProductSide(product), sink, Load("warm-up", plan.size(100, 20), 12, _LATENCY_SECONDS))
        taken: dict[str, list[tuple[int, float]]] = {}
        for counts in (False, True):
            for name, points in _measured(plan, product, sink, counts).items():
                taken[name] = points
    budget = _budget()
    counts_of_12 = {
        name: sum(value for size, value in points if size == _BUDGETED_SIZE) / plan.rounds
        for name, points in taken.items()
    }
    found = over(counts_of_12, budget)
    for sentence in found:
        plan.say(f"  over the budget: {sentence}")
    if plan.check and found:
        raise BenchmarkFailed("; ".join(found))
    return figures(taken, budget)


def figures(taken: Mapping[str, Sequence[tuple[int, float]]], budget: Mapping[str, Bound]) -> list[Figure]:
    """Three lines for each counter: a case of 12 beside its budget, and by the fitted line a case and a document."""
    found = []
    for name, points in sorted(taken.items()):
        cost = fit(points)
        if max(abs(cost.case), abs(cost.document)) < _LEAST:
            continue
        bound = budget.get(name)
        whole = tuple(value for size, value in points if size == _BUDGETED_SIZE)
        base = () if bound is None else (bound.count,) * len(whole)
        aim = "" if bound is None else f"≤ {bound.most:.1f}"
        found.append(Figure(name, WHOLE, whole, base, aim))
        found.append(Figure(name, CASE, (cost.case,)))
        found.append(Figure(name, DOCUMENT, (cost.document,)))
    return found


def table(found: Sequence[Figure]) -> str:
    """A line for each counter: a case of 12 (least to most of the rounds), a case, a document, its budget."""
    by_name: dict[str, dict[str, Figure]] = {}
    for figure in found:
        by_name.setdefault(figure.name, {})[figure.unit] = figure
    width = max(map(len, by_name), default=0)
    lines = [f"  {'':{width}}  {'case of 12':>20}  {'case':>8}  {'document':>8}  budget"]
    for name, parts in by_name.items():
        whole = parts[WHOLE]
        spread = f"{number(min(whole.rounds))} to {number(max(whole.rounds))}"
        case, document = number(parts[CASE].value), number(parts[DOCUMENT].value)
        lines.append(f"  {name:{width}}  {spread:>20}  {case:>8}  {document:>8}  {whole.aim}".rstrip())
    return "\n".join(lines)


def _sizes(plan: Plan) -> list[tuple[int, int]]:
    """Documents of a case, and how many such cases at once."""
    return [(1, plan.size(100, 20)), (_BUDGETED_SIZE, plan.size(100, 20)), (100, plan.size(20, 5))]


def _measured(plan: Plan, product: Product, sink: HookSink, counts: bool) -> dict[str, list[tuple[int, float]]]:
    """For each counter (documents of a case, what one case took) of every round and size."""
    runs: list[tuple[int, dict[str, float]]] = []
    if counts:
        broker.log_requests(product.kafka, True)
        database.log_statements(product.database_url, True)
    try:
        idle = _idle(product, counts)
        for _ in range(plan.rounds):
            for size, cases in _sizes(plan):
                used, seconds = _around(product, sink, counts, Load("costs", cases, size, _LATENCY_SECONDS))
                runs.append((size, of_a_case(used, idle, seconds, cases)))
    finally:
        if counts:
            broker.log_requests(product.kafka, False)
            database.log_statements(product.database_url, False)
    names = {name for _, used in runs for name in used}
    return {name: [(size, used.get(name, 0.0)) for size, used in runs] for name in names}


def _idle(product: Product, counts: bool) -> dict[str, float]:
    """What each counter rises by in a second with nothing to do; nothing late of the run before is among it."""
    time.sleep(database.FLUSHED_SECONDS)
    reading = _Reading(product, counts)
    began = time.monotonic()
    with Syscalls(_pids(product) if counts else {}) as calls:
        time.sleep(_IDLE_SECONDS)
        used = reading.used()
    used |= calls.found
    seconds = time.monotonic() - began
    return {name: value / seconds for name, value in used.items()}


def _around(product: Product, sink: HookSink, counts: bool, load: Load) -> tuple[dict[str, float], float]:
    """What one run of this load took of everything, and its seconds, the waiting for late counters included."""
    reading = _Reading(product, counts)
    began = time.monotonic()
    with Syscalls(_pids(product) if counts else {}) as calls:
        measure(product, ProductSide(product), sink, load, moments=False)
        used = reading.used()
    used |= calls.found
    return used, time.monotonic() - began


class _Reading:
    """The counters at its making; ``used`` tells what they rose by since."""

    def __init__(self, product: Product, counts: bool) -> None:
        self._product = product
        self._counts = counts
        self._before = self._read()
        self._logs = {name: self._log(name).stat().st_size for name in ("kafka", "postgres")}

    def used(self) -> dict[str, float]:
        """Waits first for what PostgreSQL's backends hand in late."""
        if self._counts:
            time.sleep(database.FLUSHED_SECONDS)
        used = difference(self._read(), self._before)
        if not self._counts:
            return threads.summed(used)
        return used | broker.requests(self._written("kafka")) | database.statements(self._written("postgres"))

    def _read(self) -> dict[str, float]:
        entries = self._product.processes.all()
        if not self._counts:
            return threads.read(entry for entry in entries if entry[0] in _WATCHED)
        port = read_json(self._product.data_dir / "ports.json").get("s3_metrics")
        counters = database.read(self._product.database_url)
        try:
            return counters | (store.read(port) if isinstance(port, int) else {})
        except httpx.HTTPError as error:
            raise BenchmarkFailed(f"the object store tells no metrics: {error}") from error

    def _log(self, server: str) -> Path:
        return self._product.data_dir / "logs" / f"{server}.log"

    def _written(self, server: str) -> list[str]:
        with self._log(server).open("rb") as log:
            log.seek(self._logs[server])
            return log.read().decode(errors="replace").splitlines()


def _pids(product: Product) -> dict[str, list[int]]:
    """By service, children included, as they are now."""
    found: dict[str, list[int]] = {}
    for service, pid in product.processes.all():
        if service in _WATCHED:
            found.setdefault(service, []).extend(member.pid for member in family(pid))
    return found


def _budget() -> dict[str, Bound]:
    kept: dict[str, dict[str, float]] = json.loads((_HERE / "budget.json").read_text())
    return {name: Bound(**bound) for name, bound in kept.items()}
