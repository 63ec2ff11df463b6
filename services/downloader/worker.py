"""One downloader process: planner and fetcher on one event loop, each with its consumer and its poll thread."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import Awaitable, Coroutine
from datetime import timedelta
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry

from services.downloader.cancellations import Cancellations
from services.downloader.context import COMPRESSION, WorkerContext
from services.downloader.dead_letter_ends import DeadLetterEnds
from services.downloader.deleted_cases import DeletedCases
from services.downloader.event_records import EventRecords
from services.downloader.fetcher.runtime import fetcher_runtime
from services.downloader.fetcher.start_events import StartEvents
from services.downloader.metrics import DownloaderMetrics
from services.downloader.planner.plan_upkeep import PlanUpkeep
from services.downloader.planner.runtime import planner_runtime
from services.downloader.retention import DocumentRetention
from services.downloader.settings import DownloaderSettings
from services.downloader.source_share.connected_sources import ConnectedSources
from shared.clock import Clock, utc_now
from shared.db import source
from shared.db.engine import Database
from shared.deletion import DeletionSteps
from shared.kafka.metrics import KafkaMetrics
from shared.kafka.producer import Producer
from shared.storage.removal import ObjectRemoval
from shared.storage.store import make_store
from sources.registry import SOURCES, SourceRegistry


class Worker:
    """Makes everything of one process, runs it and closes it. Make it inside of the event loop that runs it.

    Its life: join the other workers at the sources, run planner and fetcher until ``stop`` or until a part ends by
    itself, let both finish what is in flight, then leave and close.
    """

    def __init__(
        self,
        settings: DownloaderSettings,
        *,
        registry: CollectorRegistry = REGISTRY,
        sources: SourceRegistry = SOURCES,
        clock: Clock = utc_now,
    ) -> None:
        metrics, event_records = DownloaderMetrics(registry), EventRecords(clock)
        self._database = Database.connect(
            settings.database_url, application_name="autos-downloader", pool_size=settings.database_pool_size
        )
        self._producer = Producer(settings.kafka_bootstrap_servers, COMPRESSION | settings.kafka_config)
        objects = ObjectRemoval(settings)
        deleted_cases = DeletedCases(self._database, objects)
        context = WorkerContext(
            settings,
            clock,
            self._database,
            self._producer,
            make_store(settings),
            event_records,
            DeadLetterEnds(self._database, event_records),
            deleted_cases,
            metrics,
            KafkaMetrics(registry),
        )
        cancellations = Cancellations(self._database)
        self._sources = ConnectedSources.connect(
            sources,
            settings,
            self._database,
            cancellations,
            worker_id=f"{socket.gethostname()}/{settings.replica}/{uuid.uuid4().hex[:8]}",
            metrics=metrics,
            clock=clock,
        )
        self._starts = StartEvents(self._producer, event_records)
        self._planner = planner_runtime(context, self._sources)
        self._fetcher = fetcher_runtime(context, self._sources, self._starts, cancellations)
        self._upkeep = PlanUpkeep(self._database, self._producer, event_records)
        kept = settings.document_retention_days
        self._retention = DocumentRetention(
            self._database,
            self._producer,
            objects,
            event_records,
            kept=None if kept is None else timedelta(days=kept),
            clock=clock,
            metrics=metrics,
        )
        self._deletions = DeletionSteps(self._database, source.SCHEMA, deleted_cases.purge, clock)

    @property
    def assignment(self) -> list[tuple[str, int]]:
        """Topics and partitions whose documents this worker fetches now."""
        return self._fetcher.assignment

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop``, then let handlers finish within AUTOS_SHUTDOWN_SECONDS, and close. Once.

        Raises what makes going on impossible (see ConsumerRuntime.run); everything is closed by then.
        """
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
        upkeep = asyncio.ensure_future(self._upkeep.run())
        ending = asyncio.Event()
        removals = [
            asyncio.ensure_future(self._deletions.run(ending)),
            asyncio.ensure_future(self._retention.run(ending)),
        ]
        try:
            await asyncio.wait(
                {stopping, heartbeats, upkeep, *removals, *runtimes}, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            self._planner.stop()
            self._fetcher.stop()
            await asyncio.wait(runtimes)
            heartbeats.cancel()
            upkeep.cancel()
            ending.set()
            await asyncio.wait({heartbeats, upkeep, *removals})
            await self._starts.flush()
        for task in (*runtimes, heartbeats, upkeep, *removals):
            if not task.cancelled():
                task.result()

    async def _close(self) -> None:
        await self._sources.aclose()
        await asyncio.to_thread(self._producer.close)
        await asyncio.to_thread(self._database.close)


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
