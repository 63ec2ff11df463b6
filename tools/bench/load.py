"""``python -m tools.bench.load``: 100 clients ask at once, each for a case with a webhook; ``--soak MINUTES`` goes on.

The load goes through the public API and the webhooks come to a receiver in another process. Anything but a success
is an error, is counted, and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final

import httpx
import psycopg2

from autos.local.pdpj.control import SourceSetting
from shared.concurrency.task_groups import run_together, task_group
from tools.bench import report
from tools.bench.delivery import Progress, make_cases
from tools.bench.figures import difference, percentile
from tools.bench.processes import SERVICES
from tools.bench.product import Product, case_numbers, running_product
from tools.bench.registry import BenchmarkFailed, Plan
from tools.bench.sink import Arrival, HookSink, running_sink

_DOCUMENTS: Final = 12
_SIZE: Final = 100_000
_LATENCY_SECONDS: Final = 0.1
_END_SECONDS: Final = 300.0
_SAMPLE_SECONDS: Final = 0.25


@dataclass
class Tally:
    """What clients saw."""

    seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    async def ask(self, client: httpx.AsyncClient, number: str, webhook_url: str) -> None:
        """One client's request; a failure is counted, never raised."""
        began = time.perf_counter()
        try:
            answer = await client.get(f"/processes/{number}", params={"webhook_url": webhook_url})
        except httpx.HTTPError as error:
            self.errors[f"request: {type(error).__name__}"] += 1
            return
        self.seconds.append(time.perf_counter() - began)
        if answer.status_code not in (200, 202):
            self.errors[f"request: {answer.status_code}"] += 1


class LoadWatch:
    """Memory and open files of every process, sampled in a thread during a ``with``."""

    def __init__(self, product: Product, step: float = _SAMPLE_SECONDS) -> None:
        self._processes = product.processes
        self._step = step
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="watch", daemon=True)
        self.memory: list[dict[str, float]] = []
        self.files: list[dict[str, float]] = []

    def __enter__(self) -> LoadWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            self.memory.append(self._processes.memory())
            self.files.append(self._processes.open_files())
            if self._ending.wait(self._step):
                return


def main(arguments: list[str] | None = None) -> int:
    """Run it once; the exit status is 1 when there was an error."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.load", description=__doc__)
    parser.add_argument("--cases", type=int, default=100, help="cases asked for at once (100)")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="then go on at half the rate that was reached")
    parser.add_argument("--out", type=Path, help="where the JSON goes (.autos/bench/load-<time>.json)")
    chosen = parser.parse_args(arguments)
    target = chosen.out or Path(".autos") / "bench" / f"load-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="autos-load-", dir=target.parent) as work_dir:
        plan = Plan(Path(work_dir).resolve(), print)
        with running_product(plan) as product, running_sink() as sink:
            product.simulator.configure_source(SourceSetting(latency=_LATENCY_SECONDS))
            result, errors = _burst(product, sink, chosen.cases)
            if chosen.soak:
                result["soak"], more = _soak(product, sink, result["documents_per_second"] / 2, chosen.soak * 60)
                errors += more
    target.write_text(json.dumps({"machine": report.machine(), **result}, indent=2) + "\n")
    print(f"errors: {sum(errors.values())} {dict(errors) or ''}\nkept in {target}")
    return 1 if errors else 0


def _burst(product: Product, sink: HookSink, cases: int) -> tuple[dict[str, Any], Counter[str]]:
    numbers = case_numbers(cases)
    make_cases(product, numbers, _DOCUMENTS, _SIZE)
    tally = Tally()
    before = product.processes.cpu()
    with LoadWatch(product) as watch:
        began = time.time()
        asyncio.run(_ask_at_once(product, tally, sink, numbers))
        ends = _wait_for_cases(product, numbers, tally.errors, _END_SECONDS)
        downloaded = time.time() - began
        arrivals = _wait_for_webhooks(sink, numbers, tally.errors, _END_SECONDS)
    used = difference(product.processes.cpu(), before)
    _check(product, numbers, ends, arrivals, tally.errors)
    documents = cases * _DOCUMENTS
    last = max((arrival.at for arrival in arrivals), default=began) - began
    result = {
        "cases": cases,
        "documents": documents,
        "request_p50_seconds": percentile(tally.seconds, 0.5) if tally.seconds else None,
        "request_p99_seconds": percentile(tally.seconds, 0.99) if tally.seconds else None,
        "documents_per_second": documents / downloaded,
        "last_webhook_seconds": last,
        "cpu_seconds": used,
        "peak_memory_mb": _peaks(watch.memory),
        "errors": dict(tally.errors),
    }
    print(
        f"{cases} cases × {_DOCUMENTS} documents of {_SIZE // 1000} kB, source latency {_LATENCY_SECONDS * 1000:g} ms"
    )
    if tally.seconds:
        print(
            f"  request      p50 {percentile(tally.seconds, 0.5) * 1000:.0f} ms, "
            f"p99 {percentile(tally.seconds, 0.99) * 1000:.0f} ms"
        )
    print(f"  documents    {documents / downloaded:.0f}/s, all available after {downloaded:.1f} s")
    print(f"  last webhook after {last:.1f} s ({len(arrivals)} came)")
    _print_processes(used, _peaks(watch.memory), documents)
    return result, tally.errors


async def _ask_at_once(product: Product, tally: Tally, sink: HookSink, numbers: Sequence[str]) -> None:
    async with product.client() as client:
        await run_together(tally.ask(client, number, sink.url(_path(number))) for number in numbers)


def _path(number: str) -> str:
    return f"/load/{number}"


def _wait_for_cases(product: Product, numbers: Sequence[str], errors: Counter[str], timeout: float) -> int:
    """Until every case has ended; how many completed."""
    progress = Progress(product.database_url, numbers)
    deadline = time.monotonic() + timeout
    try:
        while True:
            ended, completed, _ = progress.read()
            if ended == len(numbers):
                break
            if time.monotonic() > deadline:
                errors["case: not ended"] += len(numbers) - ended
                break
            time.sleep(0.05)
    finally:
        progress.close()
    if ended > completed:
        errors["case: not completed"] += ended - completed
    return completed


def _wait_for_webhooks(sink: HookSink, numbers: Sequence[str], errors: Counter[str], timeout: float) -> list[Arrival]:
    """The first webhook of each case."""
    wanted = {_path(number) for number in numbers}
    deadline = time.monotonic() + timeout
    while True:
        first: dict[str, Arrival] = {}
        repeated = 0
        for arrival in sink.arrivals():
            if arrival.target in wanted:
                repeated += arrival.target in first
                first.setdefault(arrival.target, arrival)
        if len(first) == len(wanted):
            break
        if time.monotonic() > deadline:
            errors["webhook: missing"] += len(wanted) - len(first)
            break
        time.sleep(0.05)
    if repeated:
        errors["webhook: twice"] += repeated
    return list(first.values())


def _check(
    product: Product, numbers: Sequence[str], completed: int, arrivals: Sequence[Arrival], errors: Counter[str]
) -> None:
    """What the outside saw is what the database has: every delivery recorded, at its first attempt."""
    deadline = time.monotonic() + 10
    connection = psycopg2.connect(product.database_url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            while True:
                cursor.execute(
                    "SELECT count(*) FILTER (WHERE status = 'delivered'), coalesce(sum(attempts), 0) "
                    "FROM delivery.deliveries WHERE process_number = ANY(%s)",
                    (list(numbers),),
                )
                delivered, attempts = cursor.fetchone() or (0, 0)
                if delivered >= len(arrivals) or time.monotonic() > deadline:
                    break
                time.sleep(0.05)
    finally:
        connection.close()
    if delivered != completed:
        errors["delivery: not recorded"] += abs(completed - delivered)
    if attempts != delivered:
        errors["delivery: needed more attempts"] += abs(int(attempts) - delivered)


def _soak(product: Product, sink: HookSink, rate: float, seconds: float) -> tuple[dict[str, Any], Counter[str]]:
    """A case at a time at ``rate`` documents a second; memory and open files over the whole time."""
    print(f"soak: {seconds / 60:g} minutes at {rate:.0f} documents/s")
    tally = Tally()
    asked: list[str] = []
    with LoadWatch(product, step=max(1.0, seconds / 600)) as watch:
        asyncio.run(_ask_steadily(product, tally, sink, rate / _DOCUMENTS, seconds, asked))
        completed = _wait_for_cases(product, asked, tally.errors, _END_SECONDS)
        arrivals = _wait_for_webhooks(sink, asked, tally.errors, _END_SECONDS)
    _check(product, asked, completed, arrivals, tally.errors)
    print(f"  {len(asked)} cases, request p99 {percentile(tally.seconds, 0.99) * 1000:.0f} ms")
    names = sorted(set().union(*(sample.keys() for sample in watch.memory)))
    for name in SERVICES:
        for what, samples in (("MB", watch.memory), ("open files", watch.files)):
            values = [sample.get(name, 0.0) for sample in samples]
            print(f"\n  {name}, {what}: {report.number(values[0])} → {report.number(values[-1])}")
            print(report.plot(values, height=4))
    return {
        "seconds": seconds,
        "documents_per_second": rate,
        "cases": len(asked),
        "memory_mb": {name: [round(sample.get(name, 0.0), 1) for sample in watch.memory] for name in names},
        "open_files": {name: [sample.get(name, 0.0) for sample in watch.files] for name in names},
        "errors": dict(tally.errors),
    }, tally.errors


async def _ask_steadily(
    product: Product, tally: Tally, sink: HookSink, rate: float, seconds: float, asked: list[str]
) -> None:
    """Requests at fixed times, whether the earlier ones are answered or not."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with product.client() as client, task_group() as running:
        for index in range(max(1, int(rate * seconds))):
            await asyncio.sleep(max(0.0, began + index / rate - loop.time()))
            (number,) = case_numbers(1)
            await asyncio.to_thread(make_cases, product, [number], _DOCUMENTS, _SIZE)
            asked.append(number)
            running.create_task(tally.ask(client, number, sink.url(_path(number))))


def _peaks(samples: Sequence[dict[str, float]]) -> dict[str, float]:
    peaks: dict[str, float] = {}
    for sample in samples:
        for name, value in sample.items():
            peaks[name] = max(peaks.get(name, 0.0), value)
    return peaks


def _print_processes(used: dict[str, float], peaks: dict[str, float], documents: int) -> None:
    print(f"  {'process':<12}{'CPU s':>8}{'ms/document':>13}{'peak MB':>10}")
    for name, seconds in sorted(used.items(), key=lambda item: -item[1]):
        print(f"  {name:<12}{seconds:>8.2f}{seconds * 1000 / documents:>13.2f}{peaks.get(name, 0.0):>10.0f}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # A stop that is asked for unwinds as Ctrl-C does, so that the stacks end too.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        sys.exit(main())
    except BenchmarkFailed as error:
        sys.exit(f"no figure: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
