"""How many events a second the projection takes: ``python tools/bench/projection.py --database-url URL``.

Batches of 1,000 events as a busy case mix makes them (12 documents a job: planned, started, available), decoded from
their records, projected and committed; with ``--bootstrap-servers`` also through Faust. Prints one JSON object. The
database is migrated if it is empty, and the rows of the run stay in it: give it one of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import confluent_kafka
import uvloop
from prometheus_client import CollectorRegistry

from ops.migrations.run import upgrade
from services.status.batch_writer import BatchWriter, decode_all
from services.status.faust_stream.log_filter import quieten_aiokafka
from services.status.metrics import StatusMetrics
from services.status.projection.apply import Projection
from services.status.settings import StatusSettings
from services.status.worker import StatusWorker
from shared.clock import utc_now
from shared.db.engine import Database
from shared.domain.cnj import make
from shared.events.document_events import DocumentAvailable, DocumentStarted, JobEvent, JobPlanned
from shared.events.envelope import encode
from shared.events.topics import DOCUMENT_EVENTS
from shared.kafka.admin import ensure_topics
from shared.kafka.config import producer_config
from shared.records import Record, TopicSpec

DOCUMENTS = 12


def job_events(process_number: str) -> list[JobEvent]:
    """One job's events, in the order of a run."""
    job_id = str(uuid.uuid4())
    at = datetime.now(UTC)
    events: list[JobEvent] = [
        JobPlanned(
            job_id=job_id, process_number=process_number, total_documents=DOCUMENTS, already_available=0, created_at=at
        )
    ]
    documents = [str(uuid.uuid4()) for _ in range(DOCUMENTS)]
    events += [
        DocumentStarted(job_id=job_id, process_number=process_number, document_id=document, at=at)
        for document in documents
    ]
    events += [
        DocumentAvailable(
            job_id=job_id,
            process_number=process_number,
            document_id=document,
            object_key=f"processes/{job_id}/documents/{document}",
            sha256="ab" * 32,
            size=100_000,
            content_type="application/pdf",
            at=at,
        )
        for document in documents
    ]
    return events


def records(events: int, interleaved: int = 20) -> list[Record]:
    """So many records; ``interleaved`` jobs run at the same time."""
    made: list[Record] = []
    sequence = int(time.time()) % 9_000_000
    while len(made) < events:
        lanes = []
        for _ in range(interleaved):
            sequence += 1
            lanes.append(job_events(make(sequence % 10_000_000, 2026, 8, 26, 597)))
        for row in zip(*lanes, strict=True):
            for event in row:
                out = encode(event, DOCUMENT_EVENTS, event_id=str(uuid.uuid4()), source="/autos/bench", time=utc_now())
                made.append(Record(out.topic, 0, len(made), out.key, out.value, out.headers, int(time.time() * 1000)))
    return made[:events]


def direct(database: Database, made: list[Record], batch: int) -> dict[str, float]:
    """Decode, project, commit: without Kafka."""
    projection = Projection()
    began, cpu = time.perf_counter(), _cpu()
    for start in range(0, len(made), batch):
        occurrences, _ = decode_all(made[start : start + batch])
        with database.transaction() as connection:
            projection.apply(connection, occurrences, utc_now())
    return _result(len(made), time.perf_counter() - began, _cpu() - cpu)


class Counting(BatchWriter):
    """Counts what is committed and tells when it was all."""

    def __init__(self, database: Database, wanted: int, done: Callable[[], None]) -> None:
        super().__init__(database, Projection(), utc_now, StatusMetrics(CollectorRegistry()))
        self.first: tuple[float, float] | None = None
        self.last = (0.0, 0.0)
        self.batches = 0
        self._left = wanted
        self._done = done

    def write(self, records: Sequence[Record]) -> Mapping[str, int]:
        """As BatchWriter's; ``done`` is called once everything that is wanted has been committed."""
        self.first = self.first or (time.perf_counter(), _cpu())
        left = super().write(records)
        self.last = (time.perf_counter(), _cpu())
        self.batches += 1
        self._left -= len(records)
        if self._left <= 0:
            self._done()
        return left


async def through_faust(database: Database, made: list[Record], settings: StatusSettings) -> dict[str, float]:
    """The status worker as it runs, from a topic of four partitions, without the outbox relay."""
    topic = f"bench.document.events.{uuid.uuid4().hex[:8]}"
    ensure_topics(settings.kafka_bootstrap_servers, [TopicSpec(topic, 4)], None, 1)
    producer = confluent_kafka.Producer(producer_config(settings.kafka_bootstrap_servers))
    for record in made:
        producer.produce(topic, value=record.value, key=record.key, headers=list(record.headers.items()))
        producer.poll(0)
    producer.flush()
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def wake() -> None:
        loop.call_soon_threadsafe(stop.set)

    writer = Counting(database, len(made), wake)
    await StatusWorker(settings, writer, StatusMetrics(CollectorRegistry()), topic=topic).run(stop)
    first = writer.first or (0.0, 0.0)
    result = _result(len(made), writer.last[0] - first[0], writer.last[1] - first[1])
    return {**result, "batches": writer.batches}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _result(events: int, seconds: float, cpu: float) -> dict[str, float]:
    return {
        "events": events,
        "events_per_second": round(events / seconds),
        "cpu_ms_per_event": round(cpu * 1000 / events, 4),
        "events_per_cpu_second": round(events / cpu),
    }


def main() -> None:
    """The command line: one figure of each way, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--bootstrap-servers", help="measure through Faust too")
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--batch", type=int, default=1_000)
    arguments = parser.parse_args()
    upgrade(arguments.database_url)
    database = Database.connect(arguments.database_url, application_name="autos-bench", pool_size=1)
    result: dict[str, object] = {"batch": arguments.batch}
    result["direct"] = direct(database, records(arguments.events), arguments.batch)
    if arguments.bootstrap_servers:
        settings = StatusSettings(
            database_url=arguments.database_url,
            kafka_bootstrap_servers=arguments.bootstrap_servers,
            kafka_group_prefix=f"bench-{uuid.uuid4().hex[:8]}",
            status_batch_size=arguments.batch,
        )
        quieten_aiokafka()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            result["faust"] = runner.run(through_faust(database, records(arguments.events), settings))
    database.close()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
