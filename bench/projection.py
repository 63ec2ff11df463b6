"""How many events a second the projection takes into PostgreSQL: ``python bench/projection.py --database-url URL``.

Batches of 1,000 events as a busy case mix makes them (12 documents a job: planned, started, available), decoded from
their records, projected and committed. Prints one JSON object. The database is migrated if it is empty, and the
rows of the run stay in it: give it one of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
import uuid
from datetime import UTC, datetime

from services.status.apply import Projection
from services.status.batch import sort_out
from shared.clock import utc_now
from shared.cnj import make
from shared.db.engine import Database
from shared.db.migrate import upgrade
from shared.events.document_events import DocumentAvailable, DocumentStarted, JobEvent, JobPlanned
from shared.events.envelope import encode
from shared.events.topics import DOCUMENT_EVENTS
from shared.kafka.records import Record

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--batch", type=int, default=1_000)
    arguments = parser.parse_args()
    upgrade(arguments.database_url)
    database = Database.connect(arguments.database_url, application_name="autos-bench", pool_size=1)
    projection = Projection()
    batches = records(arguments.events)
    rates = []
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    for start in range(0, len(batches), arguments.batch):
        batch = batches[start : start + arguments.batch]
        mark = time.perf_counter()
        occurrences, _ = sort_out(batch)
        with database.transaction() as connection:
            projection.apply(connection, occurrences, utc_now())
        rates.append(len(batch) / (time.perf_counter() - mark))
    seconds = time.perf_counter() - began
    spent = resource.getrusage(resource.RUSAGE_SELF)
    database.close()
    used = spent.ru_utime - cpu.ru_utime + spent.ru_stime - cpu.ru_stime
    print(
        json.dumps(
            {
                "events": len(batches),
                "batch": arguments.batch,
                "events_per_second": round(len(batches) / seconds),
                "events_per_second_median_batch": round(statistics.median(rates)),
                "cpu_ms_per_event": round(used * 1000 / len(batches), 4),
            }
        )
    )


if __name__ == "__main__":
    main()
