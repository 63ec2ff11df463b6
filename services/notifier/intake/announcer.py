"""Looks every few seconds for documents to tell of, for the clients whose endpoints want that."""

from __future__ import annotations

import asyncio
import logging

from services.notifier.intake import document_batches
from services.notifier.metrics import NotifierMetrics
from services.notifier.sending.dispatcher import DeliveryDispatcher
from shared.clock import Clock
from shared.concurrency.outage import Outage
from shared.concurrency.waiting import wait_for_any
from shared.db.engine import Database
from shared.errors import InfrastructureAway

_log = logging.getLogger(__name__)


class DocumentAnnouncer:
    """Makes the deliveries of ``document.available``. Every replica has one; a job is looked at by one of them at a
    time.

    ``every`` is in seconds (AUTOS_WEBHOOK_DOCUMENTS_SECONDS); what comes meanwhile is one event.
    """

    def __init__(
        self,
        *,
        database: Database,
        dispatcher: DeliveryDispatcher,
        every: float,
        clock: Clock,
        metrics: NotifierMetrics,
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._every = every
        self._clock = clock
        self._metrics = metrics

    async def run(self, stop: asyncio.Event) -> None:
        """Look until ``stop``; at once again where a job has more than one look takes."""
        outage = Outage(
            _log,
            began="The database is away, documents are told of later",
            over="The database is back, documents are told of again",
        )
        while not stop.is_set():
            more = False
            try:
                more = await self.look()
                outage.is_over()
            except InfrastructureAway:
                outage.began()
            await wait_for_any(stop, within=0.05 if more else self._every)

    async def look(self) -> bool:
        """Tell of what is new; whether there is more. Raises InfrastructureAway."""
        more = False
        for job_id in await self._database.autocommit(document_batches.jobs_to_announce):
            try:
                more = await self._tell(job_id) or more
            except InfrastructureAway:
                raise
            # Whatever it is, it is about this job: the others are told of.
            except Exception:  # noqa: BLE001
                _log.exception("Documents of a job could not be told of, will try again", extra={"job_id": job_id})
        return more

    async def _tell(self, job_id: str) -> bool:
        told = await self._database.run(
            lambda connection: document_batches.announce_documents(connection, job_id, self._clock())
        )
        if told.created:
            self._metrics.created.inc(told.created)
        self._dispatcher.offer(told.due)
        return told.more
