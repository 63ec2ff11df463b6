"""What runs while an application serves: the listener for changes, the relay of the outbox, the release of jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from fastapi import FastAPI

from services.api.assembly import ApiSource
from services.api.deletions.retention import CaseRetention
from services.api.deletions.service import DeletionService
from services.api.feed.changes import FeedChanges
from services.api.http.provided import ApplicationParts
from services.api.jobs.aborts import aborted_by_broker
from services.api.jobs.repository import release_ended_jobs
from services.api.metrics import ApiMetrics
from services.api.processes.follow.changes import CaseChanges
from services.api.processes.request.source_reader import SourceReader
from services.api.processes.request.start_notices import StartNotices
from services.api.source.service import SourceStatusService
from shared.db.catalog import outbox
from shared.db.engine import Database
from shared.errors import InfrastructureAway
from shared.http.dial import WebhookCaller
from shared.outbox.metrics import OutboxMetrics
from shared.outbox.publishing import Publisher
from shared.outbox.relay import OutboxRelay, RelayHooks

_RELEASE_EVERY_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


def make_lifespan(
    parts: ApplicationParts, source: ApiSource, publisher: Publisher | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """The lifespan of an application of these parts; it closes them, and ``source``, at its end.

    While it lasts: two listening connections, the relay of the outbox where there is a ``publisher``, and every 10
    seconds the release of jobs that have ended.
    """
    outbox_metrics = OutboxMetrics(str(outbox.schema), parts.get(ApiMetrics).registry)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        """Start what runs beside the requests, and stop it after the last one."""
        database, changes = parts.get(Database), parts.get(CaseChanges)
        feed_changes = parts.get(FeedChanges)
        relay = None
        if publisher is not None:
            relay = OutboxRelay(
                database.engine, outbox, publisher, metrics=outbox_metrics, hooks=RelayHooks(aborted_by_broker)
            )
        changes.start()
        feed_changes.start()
        if relay is not None:
            relay.start()
            parts.get(StartNotices).wake_relay = relay.wake
        release = asyncio.create_task(_release_ended(database))
        deletions = asyncio.create_task(parts.get(DeletionService).run())
        retention = asyncio.create_task(parts.get(CaseRetention).run())
        try:
            yield
        finally:
            changes.close()
            feed_changes.close()
            for task in (release, deletions, retention):
                task.cancel()
            await asyncio.gather(release, deletions, retention, return_exceptions=True)
            await parts.get(SourceReader).aclose()
            await parts.get(StartNotices).aclose()
            await parts.get(SourceStatusService).aclose()
            await source.aclose()
            await parts.get(WebhookCaller).aclose()
            if relay is not None:
                await asyncio.to_thread(relay.stop)
            await asyncio.to_thread(changes.stop)
            await asyncio.to_thread(feed_changes.stop)
            await asyncio.to_thread(database.close)

    return lifespan


async def _release_ended(database: Database) -> None:
    """Release jobs that have ended although nobody asks for their cases, so that they do not count as active."""
    while True:
        try:
            await database.run(release_ended_jobs)
        except InfrastructureAway:
            # The next round finds them too.
            _log.debug("Ended jobs could not be released, will try again in %g s", _RELEASE_EVERY_SECONDS)
        await asyncio.sleep(_RELEASE_EVERY_SECONDS)
