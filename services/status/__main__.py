"""``python -m services.status``: the projection's worker and the relay of its outbox, in one process."""

from __future__ import annotations

import asyncio
import gc
import sys

if __name__ == "__main__":
    # What is imported stays: no collector need look at it meanwhile. run_service lets it look again.
    gc.disable()

from services.status.batch_writer import BatchWriter
from services.status.faust_stream.credentials import UnsupportedKafkaConfig, credentials
from services.status.faust_stream.log_filter import quieten_aiokafka
from services.status.metrics import StatusMetrics
from services.status.projection.apply import Projection
from services.status.projection.deletion_rows import OF_JOBS, purge
from services.status.settings import StatusSettings
from services.status.worker import StatusWorker
from shared.clock import utc_now
from shared.db import progress
from shared.db.engine import Database
from shared.deletion import DeletionSteps
from shared.events.topics import DOCUMENT_EVENTS
from shared.kafka.producer import Producer
from shared.outbox.metrics import OutboxMetrics
from shared.outbox.relay import OutboxRelay
from shared.service import run_service


async def main(settings: StatusSettings, stop: asyncio.Event, *, topic: str = DOCUMENT_EVENTS) -> None:
    """Run until ``stop``, then commit, publish and close.

    A Kafka configuration that Faust cannot follow ends the start with one line (SystemExit with status 2).
    """
    try:
        credentials(settings.kafka_config)
    except UnsupportedKafkaConfig as error:
        sys.stderr.write(f"wrong settings: {error}\n")
        raise SystemExit(2) from None
    quieten_aiokafka()
    database = Database.connect(
        settings.database_url, application_name="autos-status", pool_size=settings.database_pool_size
    )
    producer = Producer(settings.kafka_bootstrap_servers, settings.kafka_config)
    relay = OutboxRelay(database.engine, progress.outbox, producer, metrics=OutboxMetrics(progress.SCHEMA))
    metrics = StatusMetrics()
    projection = Projection(public_url=settings.api_public_url)
    worker = StatusWorker(settings, BatchWriter(database, projection, utc_now, metrics), metrics, topic=topic)
    deletions = DeletionSteps(database, progress.SCHEMA, purge, utc_now, OF_JOBS)
    relay.start()
    deleting = asyncio.create_task(deletions.run(stop))
    try:
        await worker.run(stop)
    finally:
        deleting.cancel()
        await asyncio.gather(deleting, return_exceptions=True)
        await asyncio.to_thread(relay.stop)
        await asyncio.to_thread(producer.close)
        await asyncio.to_thread(database.close)


if __name__ == "__main__":
    sys.exit(run_service("status", StatusSettings, main))
