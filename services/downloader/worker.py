"""One downloader process: planner and fetcher on one event loop, each with its consumer and its poll thread."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any, Final

from prometheus_client import REGISTRY, CollectorRegistry

from services.downloader.cancellations import Cancellations
from services.downloader.fetcher import handler as fetching
from services.downloader.fetcher.duplicates import Copies
from services.downloader.fetcher.handler import Fetcher, FetchTask
from services.downloader.fetcher.started import GATHER_SECONDS, Starts
from services.downloader.fetcher.transfer import Transfer
from services.downloader.fetcher.upload import Shelf
from services.downloader.given_up import Ends
from services.downloader.metrics import DownloaderMetrics
from services.downloader.planner import handler as planning
from services.downloader.planner.discovery import Discovery
from services.downloader.planner.handler import Planner, PlanTask
from services.downloader.planner.transactional_sink import TransactionalSink
from services.downloader.planner.upkeep import Upkeep
from services.downloader.records import Reports
from services.downloader.settings import DownloaderSettings
from services.downloader.source_share.connected import ConnectedSources
from shared.clock import Clock, utc_now
from shared.db.engine import Database
from shared.events import topics
from shared.kafka.config import consumer_config
from shared.kafka.consumer import dead_letter as dead
from shared.kafka.consumer.client import kafka_consumer
from shared.kafka.consumer.due_times import longest_waits
from shared.kafka.consumer.handling import Handling
from shared.kafka.consumer.limits import RuntimeLimits
from shared.kafka.consumer.producer_sink import ProducerSink
from shared.kafka.consumer.runtime import ConsumerRuntime
from shared.kafka.metrics import KafkaMetrics
from shared.kafka.producer import Producer
from shared.storage.sizes import ObjectSizes
from shared.storage.store import make_store
from sources.registry import SOURCES, SourceRegistry

_PLANNER_READ_AHEAD: Final = 1_000
_AT_THE_GATE: Final = 2_000
"""Documents that wait for their turn at the source; each is a record and a coroutine, nothing of it is under way."""
_COMPRESSION: Final = {"compression.type": "lz4"}
"""Of the events of documents, which our own services read: half of gzip's time here, and less in the broker, which
looks into every batch (docs/adr/0008-projection.md)."""
_PLANS_OF_ONE_GROUP: Final = 0.5
"""Discoveries take at most this share of the planner's places: what needs no source is not held up by it."""


class Worker:
    """Everything of one process, made and closed here. Made inside of the event loop that runs it."""

    def __init__(
        self,
        settings: DownloaderSettings,
        *,
        registry: CollectorRegistry = REGISTRY,
        sources: SourceRegistry = SOURCES,
        clock: Clock = utc_now,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._metrics = DownloaderMetrics(registry)
        self._kafka_metrics = KafkaMetrics(registry)
        self._reports = Reports(clock)
        self._database = Database.connect(
            settings.database_url, application_name="autos-downloader", pool_size=settings.database_pool_size
        )
        self._producer = Producer(settings.kafka_bootstrap_servers, _COMPRESSION | settings.kafka_config)
        self._cancellations = Cancellations(self._database)
        self._sources = ConnectedSources.connect(
            sources,
            settings,
            self._database,
            self._cancellations,
            worker_id=f"{socket.gethostname()}/{settings.replica}/{uuid.uuid4().hex[:8]}",
            metrics=self._metrics,
            clock=clock,
        )
        self._starts = Starts(self._producer)
        self._store = make_store(settings)
        self._ends = Ends(self._database, self._reports)
        self._planner = self._make_planner()
        self._fetcher = self._make_fetcher()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop``, then finish what is in flight. Raises what makes going on impossible."""
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await _first(stopping, self._sources.join())
            if not stopping.done():
                await self._work(stopping)
        finally:
            stopping.cancel()
            await self._close()

    async def _work(self, stopping: asyncio.Future[Any]) -> None:
        runtimes = [asyncio.ensure_future(self._planner.run()), asyncio.ensure_future(self._fetcher.run())]
        heartbeats = asyncio.ensure_future(self._sources.run())
        upkeep = asyncio.ensure_future(Upkeep(self._database, self._producer, self._reports).run())
        try:
            await asyncio.wait({stopping, heartbeats, upkeep, *runtimes}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._planner.stop()
            self._fetcher.stop()
            await asyncio.wait(runtimes)
            heartbeats.cancel()
            upkeep.cancel()
            await asyncio.wait({heartbeats, upkeep})
            await self._starts.settle()
        for task in (*runtimes, heartbeats, upkeep):
            if not task.cancelled():
                task.result()

    async def _close(self) -> None:
        await self._sources.aclose()
        await asyncio.to_thread(self._producer.close)
        await asyncio.to_thread(self._database.close)

    def _make_planner(self) -> ConsumerRuntime[PlanTask]:
        settings = self._settings
        discovery = Discovery(self._sources, self._database, timeout=settings.discovery_timeout, clock=self._clock)
        planner = Planner(
            self._database,
            discovery,
            ObjectSizes(self._store),
            reports=self._reports,
            delays=settings.download_retry_delays,
            window=settings.download_window,
            metrics=self._metrics,
        )
        return ConsumerRuntime(
            "planner",
            consumer=kafka_consumer(self._consumer_config("planner")),
            topics=[topics.PROCESS_REQUESTED, *(tier.topic for tier in topics.PROCESS_RETRY)],
            handling=Handling(
                decode=planning.decode,
                handler=planner.handle,
                dead_letter=dead.to_topic(topics.PROCESS_DEAD),
                on_given_up=self._ends.of_job,
                group_of=lambda task: planning.group_of(task, self._sources.source_of),
                not_before=lambda task: task.not_before,
                longest_wait=self._longest_waits(topics.PROCESS_REQUESTED, topics.PROCESS_RETRY),
            ),
            sink=TransactionalSink(
                settings.kafka_bootstrap_servers,
                f"autos.planner.{settings.replica}.{socket.gethostname()}",
                _COMPRESSION | settings.kafka_config,
            ),
            limits=RuntimeLimits(
                max_in_flight=settings.plan_concurrency,
                per_group=max(1, int(settings.plan_concurrency * _PLANS_OF_ONE_GROUP)),
                max_buffered_per_partition=_PLANNER_READ_AHEAD,
                shutdown_seconds=settings.shutdown_seconds,
            ),
            clock=self._clock,
            metrics=self._kafka_metrics,
        )

    def _make_fetcher(self) -> ConsumerRuntime[FetchTask]:
        settings = self._settings
        shelf = Shelf(self._store)
        transfer = Transfer(
            self._sources,
            shelf,
            Copies(self._database, shelf),
            spool_dir=settings.spool_dir,
            metrics=self._metrics,
            places=settings.download_concurrency,
        )
        fetcher = Fetcher(
            self._database,
            transfer,
            shelf,
            reports=self._reports,
            starts=self._starts,
            cancellations=self._cancellations,
            delays=settings.download_retry_delays,
            metrics=self._metrics,
        )
        return ConsumerRuntime(
            "fetcher",
            consumer=kafka_consumer(self._consumer_config("fetcher")),
            topics=[topics.DOCUMENT_REQUESTED, *(tier.topic for tier in topics.DOCUMENT_RETRY)],
            handling=Handling(
                decode=fetching.decode,
                handler=fetcher.handle,
                dead_letter=dead.to_topic(topics.DOCUMENT_DEAD),
                on_given_up=self._ends.of_document,
                group_of=lambda task: task.group,
                not_before=lambda task: task.not_before,
                longest_wait=self._longest_waits(topics.DOCUMENT_REQUESTED, topics.DOCUMENT_RETRY),
                prepare=fetcher.prepare,
                cancel_at_once=lambda task: task.turn.waiting,
            ),
            sink=ProducerSink(self._producer, gather_seconds=GATHER_SECONDS),
            limits=RuntimeLimits(
                # They wait at the gate, which knows how many may ask and of which cases.
                max_in_flight=settings.download_concurrency + _AT_THE_GATE,
                per_group=settings.download_per_process,
                max_buffered_per_partition=settings.download_read_ahead,
                shutdown_seconds=settings.shutdown_seconds,
            ),
            clock=self._clock,
            metrics=self._kafka_metrics,
        )

    def _longest_waits(self, first: str, tiers: Sequence[topics.Tier]) -> dict[str, float]:
        """How long a record can have to wait in each topic; in the first nothing waits."""
        delays = {tier.topic: tier.delay for tier in tiers}
        return {first: 0.0, **longest_waits(delays, max(self._settings.download_retry_delays, default=0.0))}

    def _consumer_config(self, name: str) -> dict[str, Any]:
        settings = self._settings
        return consumer_config(
            settings.kafka_bootstrap_servers,
            settings.group(name),
            settings.kafka_config,
            group_protocol=settings.kafka_group_protocol,
        )


async def run_worker(settings: DownloaderSettings, stop: asyncio.Event) -> None:
    """The service's main coroutine."""
    await Worker(settings).run(stop)


async def _first(stopping: Awaitable[Any], work: Coroutine[Any, Any, None]) -> None:
    """Until the work is done or the process is asked to stop."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({asyncio.ensure_future(stopping), task}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.result()
