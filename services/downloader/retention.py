"""Removes the bytes of documents that are older than AUTOS_DOCUMENT_RETENTION_DAYS; their metadata stays.

For a case at a time, which is held meanwhile: the objects are removed first, then an event says so, and the case is let
go when the projection has it. A kill in between leaves documents that are said to be available: the next round finds
them again, and a job that meets one before that fetches it anew. A case whose job runs is left for later.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Row, text

from services.downloader.event_records import EventRecords, ExpiredDocument
from services.downloader.metrics import DownloaderMetrics
from shared.clock import Clock
from shared.concurrency.outage import Outage
from shared.concurrency.waiting import wait_for_any
from shared.db.case_store import lock_case
from shared.db.deletions import CASE_RUNS
from shared.db.engine import Database
from shared.db.prepared import plan_for_whole_tables
from shared.errors import InfrastructureAway
from shared.kafka.producer import Producer
from shared.storage.removal import ObjectRemoval
from shared.storage.store import object_key

EXPIRED: Final = "retention_expired"
EXPIRED_MESSAGE: Final = "the document was kept for as long as this installation keeps documents; ask for it again"
ROUND_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.2
"""Between two cases."""
_OF_A_CASE: Final = 200
"""Documents at once, so that nobody waits long for the case."""
_PROJECTED_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.05

_LOCK: Final = text("SELECT pg_try_advisory_xact_lock(hashtext('document retention'))")
_NEXT: Final = text(
    """
    SELECT process_number FROM progress.documents
    WHERE status = 'available' AND download_completed_at < :before AND process_number > :after
    ORDER BY process_number LIMIT 1
    """
)
_IS_LEFT: Final = text(
    f"SELECT {CASE_RUNS} OR EXISTS (SELECT FROM catalog.case_deletions WHERE process_number = :number)"  # noqa: S608
)
_STORED: Final = text(
    """
    SELECT document_id::text, job_id::text, object_key, attempts, COALESCE(revision, 1) AS revision,
           download_completed_at, COALESCE(download_completed_at < :before, false) AS expired
    FROM progress.documents WHERE process_number = :number AND status = 'available'
    """
)
_STILL_AVAILABLE: Final = text(
    """
    SELECT EXISTS (SELECT FROM progress.documents WHERE process_number = :number AND status = 'available'
                      AND document_id = ANY (CAST(:ids AS uuid[])))
    """
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Expiry:
    """What becomes of a case's documents: those that expire, and the beginnings of the keys that nobody needs."""

    documents: Sequence[ExpiredDocument]
    keys: Sequence[str]


def expiry(process_number: str, stored: Iterable[Any], most: int = _OF_A_CASE) -> Expiry:
    """Of the available documents of a case (rows of the projection), at most ``most`` of the expired ones.

    The same bytes filed twice are one object, under the key of one of the two: it stays while another document needs
    it.
    """
    rows = list(stored)
    expired = [row for row in rows if row.expired][:most]
    gone = {row.document_id for row in expired}
    needed = sorted(row.object_key for row in rows if row.object_key and row.document_id not in gone)
    keys = {str(object_key(process_number, row.document_id)) for row in expired}
    # What was stored under the key of another document, which has expired before or with this one.
    keys |= {row.object_key for row in expired if row.object_key}
    documents = [
        ExpiredDocument(
            process_number, row.document_id, row.job_id, row.attempts, row.revision, row.download_completed_at
        )
        for row in expired
    ]
    return Expiry(documents, sorted(key for key in keys if not _is_beginning(key, needed)))


def _next(connection: Connection, before: datetime, after: str) -> str | None:
    """The first case behind ``after`` that has a document older than ``before``."""
    plan_for_whole_tables(connection)
    found: str | None = connection.execute(_NEXT, {"before": before, "after": after}).scalar_one_or_none()
    return found


def _is_beginning(key: str, ordered: Sequence[str]) -> bool:
    """Whether one of these texts, which are in order, begins with ``key``: such a one stands where ``key`` would."""
    at = bisect_left(ordered, key)
    return at < len(ordered) and ordered[at].startswith(key)


class DocumentRetention:
    """A round every minute; one replica at a time works at it. ``kept`` None: documents are kept, nothing is done."""

    def __init__(
        self,
        database: Database,
        producer: Producer,
        objects: ObjectRemoval,
        event_records: EventRecords,
        *,
        kept: timedelta | None,
        clock: Clock,
        metrics: DownloaderMetrics,
    ) -> None:
        self._database = database
        self._producer = producer
        self._objects = objects
        self._event_records = event_records
        self._kept = kept
        self._clock = clock
        self._metrics = metrics

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``."""
        if self._kept is None:
            # It lives as long as the other parts, so that its end is no sign of trouble.
            await stop.wait()
            return
        outage = Outage(
            _log,
            began="A server is away, the retention of documents waits",
            over="The retention of documents goes on",
            failed="Old documents could not be removed, will try again",
        )
        # Replicas begin at different moments.
        await wait_for_any(stop, within=random.uniform(0.5, 5.0))  # noqa: S311
        while not stop.is_set():
            with outage.of_try():
                await self.round(stop)
            await wait_for_any(stop, within=ROUND_SECONDS)

    async def round(self, stop: asyncio.Event | None = None) -> int:
        """Remove what is too old now, a case after the other; how many documents. Raises InfrastructureAway."""
        assert self._kept is not None
        before = self._clock() - self._kept
        removed, after = 0, ""
        while stop is None or not stop.is_set():
            found = await self._database.run(partial(_next, before=before, after=after))
            if found is None:
                break
            count = await self._of_case(found, before)
            removed += count
            if count < _OF_A_CASE:
                after = found
            await asyncio.sleep(_PAUSE_SECONDS)
        if removed:
            _log.info("Documents older than the retention were removed from the store", extra={"documents": removed})
        return removed

    async def _of_case(self, number: str, before: datetime) -> int:
        """Remove what is too old of one case, at most _OF_A_CASE documents; how many.

        None while another replica is at work, while the case's job runs, and while the case is being deleted.
        """
        loop = asyncio.get_running_loop()

        def send(documents: Sequence[ExpiredDocument]) -> None:
            records = [self._event_records.expired(each, EXPIRED, EXPIRED_MESSAGE) for each in documents]
            asyncio.run_coroutine_threadsafe(self._producer.send(records), loop).result()

        def remove(connection: Connection) -> int:
            if not connection.execute(_LOCK).scalar_one():
                return 0
            lock_case(connection, number)
            if connection.execute(_IS_LEFT, {"number": number}).scalar_one():
                return 0
            stored: Sequence[Row[Any]] = connection.execute(_STORED, {"number": number, "before": before}).all()
            found = expiry(number, stored)
            if not found.documents:
                return 0
            for key in found.keys:
                while any(self._objects.below(key).values()):
                    pass
            send(found.documents)
            self._wait_for_projection(connection, number, found.documents)
            return len(found.documents)

        removed = await self._database.run(remove)
        if removed:
            self._metrics.expired.inc(removed)
        return removed

    # Blocks, in the thread of the transaction that holds the case.
    def _wait_for_projection(self, connection: Connection, number: str, documents: Sequence[ExpiredDocument]) -> None:
        """Hold the case until the projection knows, so that no job counts what is gone as available.

        Raises InfrastructureAway when it takes too long: the next round does the same again, to no harm.
        """
        asked = {"number": number, "ids": [each.document_id for each in documents]}
        until = time.monotonic() + _PROJECTED_SECONDS
        while connection.execute(_STILL_AVAILABLE, asked).scalar_one():
            if time.monotonic() > until:
                raise InfrastructureAway("the projection")
            time.sleep(_LOOK_SECONDS)
