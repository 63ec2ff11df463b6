"""The projection through Faust against the same writes without Kafka; the work is that of tools/bench/projection.py."""

from __future__ import annotations

import asyncio
import uuid

import uvloop

from services.status.faust_stream.log_filter import quieten_aiokafka
from services.status.settings import StatusSettings
from shared.db.engine import Database
from tools.bench.figures import Figure
from tools.bench.product import running_servers
from tools.bench.projection import direct, records, through_faust
from tools.bench.registry import Benchmark, Plan

_BATCH = 1_000


def _run(plan: Plan) -> list[Figure]:
    """The same events through the projection in Faust, and by the batch writer alone."""
    events = plan.size(40_000, 10_000)
    faust: list[dict[str, float]] = []
    bare: list[dict[str, float]] = []
    quieten_aiokafka()
    with running_servers(plan) as stack:
        database = Database.connect(stack.database_url, application_name="autos-bench", pool_size=1)
        try:
            for _ in range(plan.rounds):
                bare.append(direct(database, records(events), _BATCH))
                settings = StatusSettings(
                    database_url=stack.database_url,
                    kafka_bootstrap_servers=stack.kafka,
                    kafka_group_prefix=f"bench-{uuid.uuid4().hex[:8]}",
                    status_batch_size=_BATCH,
                )
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    faust.append(runner.run(through_faust(database, records(events), settings)))
                plan.say(
                    f"  {faust[-1]['events_per_second']:.0f} events/s through Faust, "
                    f"{bare[-1]['events_per_second']:.0f}/s without"
                )
        finally:
            database.close()
    return [
        Figure(
            "through Faust into PostgreSQL",
            "events/s",
            tuple(run["events_per_second"] for run in faust),
            tuple(run["events_per_second"] for run in bare),
            "≥ 8,000 on one core",
        ),
        Figure(
            "through Faust into PostgreSQL",
            "events/CPU second",
            tuple(run["events_per_cpu_second"] for run in faust),
            tuple(run["events_per_cpu_second"] for run in bare),
            "≥ 8,000",
        ),
    ]


BENCHMARK = Benchmark(
    name="projection_rate",
    measures="the status service's batches from a topic to the tables",
    baseline="the same events decoded, projected and committed without Kafka and Faust",
    run=_run,
)
