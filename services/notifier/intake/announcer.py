"""Looks every few seconds for documents of running jobs to tell of: for endpoints that want that, and for the feeds."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from services.notifier.intake import document_batches
from services.notifier.metrics import NotifierMetrics
from services.notifier.sending.dispatcher import DeliveryDispatcher
from shared.clock import Clock
from shared.concurrency.outage import Outage
from shared.concurrency.waiting import wait_for_any
from shared.db.engine import Database
from shared.errors import InfrastructureAway

_TOGETHER: Final = 20
"""Jobs in one transaction."""
_AT_ONCE: Final = 400
"""Jobs in one look; the others have their turn in the next one."""

_log = logging.getLogger(__name__)


class _Look(NamedTuple):
    """The jobs of which nothing is left to tell now, and whether some have more than one transaction takes."""

    finished: Sequence[str]
    more: bool


class DocumentAnnouncer:
    """Makes the events of ``document.available``, for endpoints that ask for them and for the feeds. Every replica has
    one; a job is looked at by one of them at a time.

    ``every`` is in seconds (AUTOS_WEBHOOK_DOCUMENTS_SECONDS); what comes meanwhile is one event. What a job brings
    between its last look and its end is announced with its end (handlers.py).
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
        # The version of each running job at the last look, after which nothing was left to tell of.
        self._seen: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Look until ``stop``; at once again where there is more than one look takes."""
        outage = Outage(
            _log,
            began="The database is away, documents are told of later",
            over="The database is back, documents are told of again",
        )
        while not stop.is_set():
            more = False
            with outage.of_try():
                more = await self.look()
            await wait_for_any(stop, within=0.05 if more else self._every)

    async def look(self) -> bool:
        """Tell of what is new; whether there is more. Raises InfrastructureAway."""
        running = await self._database.autocommit(document_batches.jobs_to_announce)
        self._seen = {job_id: version for job_id, version in self._seen.items() if job_id in running}
        changed = [job_id for job_id, version in running.items() if self._seen.get(job_id) != version]
        random.shuffle(changed)
        more = len(changed) > _AT_ONCE
        for first in range(0, min(len(changed), _AT_ONCE), _TOGETHER):
            together = changed[first : min(first + _TOGETHER, _AT_ONCE)]
            made = await self._announce(together)
            more = more or made.more
            self._seen |= {job_id: running[job_id] for job_id in made.finished}
        return more

    async def _announce(self, job_ids: Sequence[str]) -> _Look:
        """Tell of the documents of some jobs; each job apart when one of them breaks it. Raises InfrastructureAway."""
        try:
            made = await self._database.run(
                lambda connection: document_batches.announce_documents(connection, job_ids, self._clock())
            )
        except InfrastructureAway:
            raise
        # Whatever it is, it is about one of these jobs: the others are told of.
        except Exception:  # noqa: BLE001
            if len(job_ids) == 1:
                _log.exception("Documents of a job could not be told of, will try again", extra={"job_id": job_ids[0]})
                return _Look((), more=False)
            apart = [await self._announce([job_id]) for job_id in job_ids]
            return _Look([one for look in apart for one in look.finished], more=any(look.more for look in apart))
        if made.created:
            self._metrics.created.inc(made.created)
        self._dispatcher.offer(made.due)
        return _Look(() if made.more else job_ids, more=made.more)
