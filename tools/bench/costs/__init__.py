"""What a case costs whatever its size, and what each of its documents costs: requests, statements, switches, CPU.

``fit`` is pure and has the arithmetic. ``broker``, ``database``, ``store``, ``threads`` and ``syscalls`` each read one
kind of counter, as a mapping from a name to a number that only rises; ``run`` reads them around runs of cases of
several sizes. ``budget.json`` holds the counts of a case of 12 that ``--check`` holds the product to.
"""

from __future__ import annotations

from tools.bench.costs.run import run, table
from tools.bench.registry import Benchmark

BENCHMARK = Benchmark(
    name="costs",
    measures="requests, statements, switches, CPU of a case and of a document, from cases of 1, 12 and 100 documents",
    baseline="the committed budget of a case of 12 (tools/bench/costs/budget.json)",
    run=run,
    table=table,
)
