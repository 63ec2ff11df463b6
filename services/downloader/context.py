"""What planner and fetcher share in one process: settings, clients, and the records that both write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from obstore.store import S3Store

from services.downloader.dead_letter_ends import DeadLetterEnds
from services.downloader.deleted_cases import DeletedCases
from services.downloader.event_records import EventRecords
from services.downloader.metrics import DownloaderMetrics
from services.downloader.settings import DownloaderSettings
from shared.clock import Clock
from shared.db.engine import Database
from shared.events.topics import Tier
from shared.kafka.config import consumer_config
from shared.kafka.consumer.client import ConsumerFactory, kafka_consumer
from shared.kafka.consumer.due_times import longest_waits
from shared.kafka.metrics import KafkaMetrics
from shared.kafka.producer import Producer

COMPRESSION: Final = {"compression.type": "lz4"}
"""Of the events of documents, which our own services read: half of gzip's time here, and less in the broker, which
looks into every batch (docs/adr/0008-projection.md)."""


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The worker makes it and closes what is in it."""

    settings: DownloaderSettings
    clock: Clock
    database: Database
    producer: Producer
    store: S3Store
    event_records: EventRecords
    dead_letter_ends: DeadLetterEnds
    deleted_cases: DeletedCases
    metrics: DownloaderMetrics
    kafka_metrics: KafkaMetrics

    def consumer(self, group: str) -> ConsumerFactory:
        """Makes the consumer of a runtime."""
        settings = self.settings
        return kafka_consumer(
            consumer_config(
                settings.kafka_bootstrap_servers,
                settings.group(group),
                settings.kafka_config,
                group_protocol=settings.kafka_group_protocol,
            )
        )

    def longest_waits(self, first: str, tiers: Sequence[Tier]) -> dict[str, float]:
        """By topic: how many seconds a record can have to wait there; in the ``first`` topic none waits."""
        delays = {tier.topic: tier.delay for tier in tiers}
        return {first: 0.0, **longest_waits(delays, max(self.settings.download_retry_delays, default=0.0))}
