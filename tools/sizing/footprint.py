"""``python -m tools.sizing.footprint``: what one document costs, measured on the stack that ``autos up`` runs.

CPU by process, rows and write-ahead log of PostgreSQL, bytes in Kafka by topic. The stack must have been started with
AUTOS_RATE_LIMIT_BURST large enough for the cases, and nobody else should use it meanwhile. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import text

from autos.context import data_dir, read_stack
from autos.local.pdpj.control import SimulatorControl
from shared.db.command_transaction import command_transaction
from shared.domain import cnj
from tools.bench.processes import StackProcesses

_ENDED: Final = ("completed", "partial", "failed", "cancelled")
_SETTLE_SECONDS: Final = 5.0
_DEADLINE_SECONDS: Final = 600.0

_TABLES: Final = """
    SELECT n.nspname || '.' || c.relname AS name, pg_total_relation_size(c.oid) AS bytes
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname IN ('catalog', 'source', 'progress', 'delivery')
"""


@dataclass(frozen=True)
class Counters:
    """Counters that only grow: CPU seconds by process, bytes by table and by topic, bytes of write-ahead log."""

    cpu: dict[str, float]
    tables: dict[str, float]
    topics: dict[str, float]
    wal: float


class RunningStack:
    """The running local stack, as stack.json of its data directory describes it."""

    def __init__(self, found: dict[str, Any]) -> None:
        self._found = found
        self._processes = StackProcesses(lambda: self._found["processes"])

    def port(self, process: str) -> int:
        """The port of a process, from its command line."""
        words = self._found["processes"][process]["command"].split()
        return int(words[words.index("--port") + 1])

    def read(self) -> Counters:
        """Read every counter now. Sizes of tables and topics are as the servers have written them so far."""
        with command_transaction(self._found["database_url"], "autos-footprint") as connection:
            tables = {row.name: float(row.bytes) for row in connection.execute(text(_TABLES))}
            wal = float(connection.execute(text("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")).scalar_one())
        return Counters(self._processes.cpu(), tables, _topic_bytes(data_dir() / "kafka" / "data"), wal)


def _topic_bytes(directory: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for log in directory.glob("*-[0-9]*/*.log"):
        topic = log.parent.name.rpartition("-")[0]
        found[topic] = found.get(topic, 0.0) + float(log.stat().st_size)
    return found


def measure(stack: RunningStack, url: str, key: str, cases: int, documents: int, size: int) -> dict[str, Any]:
    """Deliver the cases with a webhook each; what that cost, by document. Blocks, for ten minutes a case at most.

    ``size`` is bytes of a document. Raises RuntimeError when a case fails, or does not end in time.
    """
    numbers = [cnj.make(random.randrange(1_000_000, 9_000_000), 2024, 8, 26, 1) for _ in range(cases)]
    with SimulatorControl(f"http://127.0.0.1:{stack.port('pdpj')}") as simulator:
        for number in numbers:
            simulator.put_case(number, documents=documents, size=size)
    hook = f"http://127.0.0.1:{stack.port('receiver')}/footprint"
    before, began = stack.read(), time.monotonic()
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, timeout=90, trust_env=False) as client:
        for number in numbers:
            client.get(f"/processes/{number}", params={"webhook_url": hook}).raise_for_status()
        for number in numbers:
            _wait(client, number)
    seconds = time.monotonic() - began
    # Webhooks, commits and the broker's writes come a moment later.
    time.sleep(_SETTLE_SECONDS)
    after, total = stack.read(), cases * documents
    return {
        "cases": cases,
        "documents": total,
        "document_bytes": size,
        "documents_per_second": round(total / seconds, 1),
        "cpu_ms_per_document": _each(before.cpu, after.cpu, 1000 / total, 3),
        "database_bytes_per_document": _each(before.tables, after.tables, 1 / total, 1),
        "wal_bytes_per_document": round((after.wal - before.wal) / total, 1),
        "kafka_bytes_per_document": _each(before.topics, after.topics, 1 / total, 1),
    }


def _wait(client: httpx.Client, number: str) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while time.monotonic() < deadline:
        view = client.get(f"/processes/{number}/status", params={"wait": 30}).raise_for_status().json()
        if view["status"] in _ENDED:
            if view["status"] != "completed":
                raise RuntimeError(f"a case ended {view['status']}")
            return
        time.sleep(0.2)
    raise RuntimeError("a case did not end in time")


def _each(before: dict[str, float], after: dict[str, float], factor: float, digits: int) -> dict[str, float]:
    grown = {name: round((value - before.get(name, 0.0)) * factor, digits) for name, value in sorted(after.items())}
    kept = {name: value for name, value in grown.items() if value > 0 and not name.startswith("__")}
    return {**kept, "total": round(sum(kept.values()), digits)}


def main() -> int:
    """1 when no stack runs."""
    parser = argparse.ArgumentParser(prog="python -m tools.sizing.footprint", description=__doc__)
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--documents", type=int, default=100, help="of each case")
    parser.add_argument("--size", type=int, default=100_000, help="bytes of a document")
    chosen = parser.parse_args()
    found = read_stack()
    if found is None:
        sys.stderr.write("no local stack runs in AUTOS_DATA_DIR (autos up --detach)\n")
        return 1
    figures = measure(
        RunningStack(found), found["api_url"], found["api_key"], chosen.cases, chosen.documents, chosen.size
    )
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
