"""``python -m tools.sizing.plan [RATE ...]``: what a rate of documents a second needs; the table of docs/scaling.md.

Linear in the costs of one document (measured.json, written by :mod:`tools.sizing.footprint`). Those were measured at
some five hundred documents a second by one process of each service, so for higher rates they are an upper bound; only
for the projection, which gains most from large batches, is the figure of full batches taken (docs/performance.md).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MEASURED: Final = Path(__file__).parent / "measured.json"
RATES: Final = (1.0, 100.0, 10_000.0)

_DAY: Final = 86_400
_EVENTS_OF_A_DOCUMENT: Final = 2
# Milliseconds of CPU an event in large batches, and from which rate of documents on they are large.
_FULL_BATCH_MS: Final = 0.08
_FULL_BATCH_RATE: Final = 1_000.0
_SERVICES: Final = ("api", "downloader", "status", "notifier")


@dataclass(frozen=True)
class Assumptions:
    """What is not measured but assumed; change it for another source or another kind of case."""

    documents_of_a_case: int = 50
    source_seconds: float = 0.5
    """From the request for a document to its last byte."""
    busy: float = 0.6
    """Share of a core that is planned to be used."""
    concurrency: int = 32
    """AUTOS_DOWNLOAD_CONCURRENCY; raised before more than 48 replicas would be needed for waiting alone."""
    replication: int = 3
    work_days: int = 14
    """How long topics of work are kept (shared/events/topics.py)."""
    spare: int = 2
    """Replicas at least, so that one may be away."""


@dataclass(frozen=True)
class Need:
    """What one rate needs. Bytes are decimal; storage is what a day adds, before replication unless said."""

    rate: float
    source_open: int
    replicas: dict[str, int]
    cores: dict[str, float]
    partitions: int
    concurrency: int
    source_bytes_per_second: float
    database_bytes_per_day: float
    wal_bytes_per_second: float
    events_bytes_per_day: float
    """document.events, which is kept for ever, all replicas."""
    work_bytes: float
    """The other topics at their retention, all replicas."""
    broker_bytes_per_second: float
    """Written by producers, without replication."""
    object_bytes_per_day: float
    puts_per_day: float


def need(rate: float, measured: dict[str, Any], assumed: Assumptions | None = None) -> Need:
    """What ``rate`` documents a second need; ``measured`` is what footprint printed. Raises ValueError unless the rate
    is positive.
    """
    if rate <= 0:
        raise ValueError("a rate is positive")
    given = assumed or Assumptions()
    milliseconds = dict(measured["cpu_ms_per_document"])
    if rate >= _FULL_BATCH_RATE:
        milliseconds["status"] = _FULL_BATCH_MS * _EVENTS_OF_A_DOCUMENT
    cores = {name: rate * milliseconds[name] / 1000 / given.busy for name in (*_SERVICES, "postgres", "kafka")}
    waiting = rate * given.source_seconds
    concurrency = given.concurrency
    while waiting / concurrency > 48 and concurrency < 512:
        concurrency *= 2
    replicas = {name: max(given.spare, math.ceil(cores[name])) for name in _SERVICES}
    replicas["downloader"] = max(replicas["downloader"], math.ceil(waiting / concurrency))
    topics, size = measured["kafka_bytes_per_document"], float(measured["document_bytes"])
    events = float(topics["document.events"])
    work = float(topics["total"]) - events
    return Need(
        rate=rate,
        source_open=math.ceil(waiting),
        replicas=replicas,
        cores=cores,
        partitions=max(12, 12 * math.ceil(2 * max(replicas["downloader"], replicas["status"]) / 12)),
        concurrency=concurrency,
        source_bytes_per_second=rate * size,
        database_bytes_per_day=rate * _DAY * float(measured["database_bytes_per_document"]["total"]),
        wal_bytes_per_second=rate * float(measured["wal_bytes_per_document"]),
        events_bytes_per_day=rate * _DAY * events * given.replication,
        work_bytes=rate * _DAY * given.work_days * work * given.replication,
        broker_bytes_per_second=rate * float(topics["total"]),
        object_bytes_per_day=rate * _DAY * size,
        puts_per_day=rate * _DAY,
    )


def table(needs: list[Need], assumed: Assumptions | None = None) -> str:
    """The needs side by side, in Markdown."""
    given = assumed or Assumptions()
    rows: list[tuple[str, list[str]]] = [
        ("documents a second", [f"{one.rate:,.0f}" for one in needs]),
        ("cases a second", [_figure(one.rate / given.documents_of_a_case) for one in needs]),
        ("requests open at the source", [f"{one.source_open:,}" for one in needs]),
        ("AUTOS_DOWNLOAD_CONCURRENCY", [str(one.concurrency) for one in needs]),
        *(
            (f"{name}: cores · replicas", [f"{_figure(one.cores[name])} · {one.replicas[name]}" for one in needs])
            for name in _SERVICES
        ),
        ("PostgreSQL: cores", [_figure(one.cores["postgres"]) for one in needs]),
        ("Kafka: cores, before replication", [_figure(one.cores["kafka"]) for one in needs]),
        ("partitions of document.requested and document.events", [str(one.partitions) for one in needs]),
        ("from the source, and again to the store", [f"{_bytes(one.source_bytes_per_second)}/s" for one in needs]),
        ("written to the broker", [f"{_bytes(one.broker_bytes_per_second)}/s" for one in needs]),
        ("document.events, 3 replicas", [f"{_bytes(one.events_bytes_per_day)} a day" for one in needs]),
        ("topics of work, 14 days, 3 replicas", [_bytes(one.work_bytes) for one in needs]),
        ("write-ahead log", [f"{_bytes(one.wal_bytes_per_second)}/s" for one in needs]),
        ("database grows by", [f"{_bytes(one.database_bytes_per_day)} a day" for one in needs]),
        ("objects", [f"{_bytes(one.object_bytes_per_day)} a day" for one in needs]),
        ("PUT requests", [f"{one.puts_per_day:,.0f} a day" for one in needs]),
    ]
    head, *body = rows
    lines = [f"| {head[0]} | {' | '.join(head[1])} |", "|---|" + "---:|" * len(needs)]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in body]
    return "\n".join(lines)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2g}"


def _bytes(value: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000:
            return f"{_figure(value)} {unit}"
        value /= 1000
    return f"{_figure(value)} PB"


def read_measured() -> dict[str, Any]:
    """What footprint printed when the file was written."""
    loaded: dict[str, Any] = json.loads(MEASURED.read_text())
    return loaded


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tools.sizing.plan", description=__doc__)
    parser.add_argument("rates", nargs="*", type=float, metavar="RATE", help="documents a second (1 100 10000)")
    measured = read_measured()
    needs = [need(rate, measured) for rate in parser.parse_args().rates or RATES]
    sys.stdout.write(table(needs) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
