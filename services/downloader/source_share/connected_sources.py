"""A source as a worker has it: connected, behind a gate of its own, shared with the other workers, and watched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Self

from services.downloader.cancellations import Cancellations
from services.downloader.metrics import DownloaderMetrics
from services.downloader.settings import DownloaderSettings
from services.downloader.source_share.forbidden_watch import ForbiddenWatch
from services.downloader.source_share.request_counts import RequestCounts
from services.downloader.source_share.source_alerts import CredentialsAlert, ForbiddenAlert, SourceAlarm
from services.downloader.source_share.source_observer import SourceObserver
from services.downloader.source_share.status_report import StatusReport
from services.downloader.source_share.worker_heartbeat import ShareLimits, WorkerHeartbeat
from shared.alerts.channel import Notice
from shared.alerts.sender import AlertSender, channels_of
from shared.clock import Clock
from shared.db.engine import Database
from shared.domain.source_state import SourceFinding
from sources.base import SourceContext
from sources.errors import SourceError, UnknownSource
from sources.gate.control_request import SourceControlRequest
from sources.gate.gate import SourceGate
from sources.registry import Courts, SourceRegistry


class ConnectedSource:
    """One source. Nothing that happens at it holds up another: gate, pauses, credentials and alarms are its own.

    ``source`` itself waits at no gate: who asks takes a slot, to know when its turn has come.
    """

    def __init__(
        self,
        name: str,
        registry: SourceRegistry,
        settings: DownloaderSettings,
        database: Database,
        cancellations: Cancellations,
        *,
        worker_id: str,
        metrics: DownloaderMetrics,
        clock: Clock,
    ) -> None:
        self._metrics = metrics
        limit = min(settings.source_concurrency, settings.download_concurrency)
        self.gate = SourceGate(limit, name=name, on_pause=self._on_pause)
        address = registry.address(name, settings)

        def alarm(alert: Callable[[datetime, str, str], Notice]) -> SourceAlarm:
            return SourceAlarm(
                AlertSender(
                    list(channels_of(settings)), lambda channel, outcome: metrics.alerts.labels(channel, outcome).inc()
                ),
                source=address,
                interval=settings.alert_interval_seconds,
                clock=clock,
                alert=lambda at, source: alert(at, source, name),
            )

        self._alarm = alarm(CredentialsAlert)
        self._forbidden_alarm = alarm(ForbiddenAlert)
        self._watch = ForbiddenWatch(
            database, worker_id, self._forbidden_alarm, seconds=settings.pdpj_forbidden_seconds, source=name
        )
        self._counts, self._observer = RequestCounts(clock), SourceObserver()
        self._report = StatusReport(database, worker_id, name, self._counts, self._finding)
        metrics.answers.begin(name)
        on_end = metrics.answers.counting(lambda _case: name, then=self._on_end)
        context = SourceContext(database, clock=clock, on_end=on_end, on_refused=self._on_refused)
        self.source = registry.connect(name, settings, context)
        # Without it nothing tells an outage from a few bad cases.
        self.control = SourceControlRequest(self.source)
        self.gate.probe_with(self.control)
        self._heartbeat = WorkerHeartbeat(
            worker_id,
            database,
            self.gate,
            cancellations,
            ShareLimits(settings.source_concurrency, settings.download_concurrency),
            metrics=metrics,
            source=name,
        )

    async def join(self) -> None:
        """The first heartbeat, before anything is asked. Waits for a database that is not up yet."""
        await self._heartbeat.join()

    async def run(self) -> None:
        """Heartbeat, watch and report, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._heartbeat.run())
            tasks.create_task(self._watch.run())
            tasks.create_task(self._report.run())

    async def aclose(self) -> None:
        """Ask nothing more, and close every connection."""
        await self.gate.aclose()
        await self.source.aclose()
        await self._alarm.aclose()
        await self._forbidden_alarm.aclose()

    def _on_end(self, case: str, error: SourceError | None, seconds: float) -> None:
        self._watch.request_ended(case, error)
        self._observer.ended(error)
        self._counts.ended(case, error, seconds)

    def _finding(self) -> SourceFinding:
        return self._observer.look(self.gate.snapshot(), self._watch.since)

    def _on_refused(self) -> None:
        self._metrics.refusals.inc()
        self._alarm.refused()

    def _on_pause(self, seconds: float) -> None:
        self._heartbeat.pause_others(seconds)


class ConnectedSources:
    """The sources that the settings read from."""

    def __init__(self, by_name: Mapping[str, ConnectedSource], courts: Courts) -> None:
        self._by_name = dict(by_name)
        self._courts = courts

    @classmethod
    def connect(
        cls,
        registry: SourceRegistry,
        settings: DownloaderSettings,
        database: Database,
        cancellations: Cancellations,
        *,
        worker_id: str,
        metrics: DownloaderMetrics,
        clock: Clock,
    ) -> Self:
        """Every source in use. Raises WrongSettings."""
        by_name = {
            name: ConnectedSource(
                name, registry, settings, database, cancellations, worker_id=worker_id, metrics=metrics, clock=clock
            )
            for name in registry.in_use(settings)
        }
        return cls(by_name, Courts(settings.sources))

    def source_of(self, number: str) -> str:
        """The name of the source that a case is read from."""
        return self._courts.source_of(number)

    def for_case(self, number: str) -> ConnectedSource:
        """The source that a case is read from."""
        return self.named(self.source_of(number))

    def named(self, name: str) -> ConnectedSource:
        """The source of this name. Raises UnknownSource for one that the settings do not read from."""
        found = self._by_name.get(name)
        if found is None:
            raise UnknownSource
        return found

    async def join(self) -> None:
        """The first heartbeat for each source."""
        await asyncio.gather(*(each.join() for each in self._by_name.values()))

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for each in self._by_name.values():
                tasks.create_task(each.run())

    async def aclose(self) -> None:
        """Close every source, also when one fails to."""
        async with AsyncExitStack() as closing:
            for each in self._by_name.values():
                closing.push_async_callback(each.aclose)
