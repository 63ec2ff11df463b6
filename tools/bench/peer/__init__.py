"""The product beside the same job as a Celery, Redis and PostgreSQL application, in turns, in one run.

``app`` is that application, in an environment of its own (``make .venv/peer``), ``servers`` starts it, ``sides`` asks
both alike, ``compare`` runs them in turns.
"""

from __future__ import annotations

from tools.bench.peer.compare import run
from tools.bench.registry import Benchmark

BENCHMARK = Benchmark(
    name="peer",
    measures="cases with webhooks: one of 500 documents, and 100 of 12 at once at a source that takes 20 ms",
    baseline="a Celery + Redis + PostgreSQL application that does the same job",
    run=run,
)
