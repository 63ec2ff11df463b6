"""Orders the deletion of cases that no client has asked for in AUTOS_CASE_RETENTION_DAYS.

They are deleted as by an administrator's order, with a certificate each. Of cases that stay, jobs that are older and
not the newest go, without one. One replica at a time looks; a few are ordered at once, and more when these are done.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from services.api.deletions.order_rows import unfinished
from services.api.deletions.service import DeletionService
from shared.clock import Clock
from shared.concurrency.outage import Outage
from shared.db.engine import Database
from shared.db.prepared import plan_for_whole_tables
from shared.domain.statuses import JobScope

ROUND_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 1.0
"""Between two handfuls."""
_TOGETHER: Final = 20
"""Deletions that are open at once; those that were ordered otherwise count too."""

_LOCK: Final = text("SELECT pg_try_advisory_xact_lock(hashtext('case retention'))")
_OLD: Final = text(
    """
    SELECT DISTINCT process_number FROM (
        SELECT r.process_number FROM catalog.process_requests AS r
         WHERE r.last_requested_at < :before
           AND NOT EXISTS (SELECT FROM catalog.process_requests AS other
                            WHERE other.process_number = r.process_number AND other.last_requested_at >= :before)
           AND NOT EXISTS (SELECT FROM catalog.jobs AS j LEFT JOIN progress.jobs AS p USING (job_id)
                            WHERE j.process_number = r.process_number
                              AND (j.created_at >= :before
                                   OR (j.active AND j.cancelled_at IS NULL AND p.completed_at IS NULL)))
         ORDER BY r.last_requested_at LIMIT :most) AS old
    """
)

# A job that is not the newest of its case, or of its document, is history. The newest stays as long as its case does.
_DELETE_JOBS: Final = text(
    """
    WITH old AS (
        SELECT j.job_id FROM catalog.jobs AS j LEFT JOIN progress.jobs AS p USING (job_id)
         WHERE j.created_at < :before AND (NOT j.active OR p.completed_at IS NOT NULL)
           AND EXISTS (SELECT FROM catalog.jobs AS newer
                        WHERE newer.process_number = j.process_number AND newer.scope IN (j.scope, :whole_case)
                          AND newer.created_at > j.created_at)
         ORDER BY j.created_at LIMIT :most FOR UPDATE OF j SKIP LOCKED),
    noted AS (
        INSERT INTO catalog.deleted_jobs (job_id, deleted_at) SELECT job_id, :now FROM old ON CONFLICT DO NOTHING),
    webhooks AS (
        DELETE FROM catalog.job_webhooks USING old WHERE job_webhooks.job_id = old.job_id)
    SELECT job_id::text FROM old
    """
)
_DROP_JOBS: Final = text("DELETE FROM catalog.jobs WHERE job_id = ANY (CAST(:jobs AS uuid[]))")
# By then no topic has a record of these jobs any more.
_FORGET_JOBS: Final = text(
    "DELETE FROM catalog.deleted_jobs WHERE job_id IN (SELECT job_id FROM catalog.deleted_jobs AS d"
    " WHERE d.deleted_at < :before AND NOT EXISTS (SELECT FROM catalog.case_deletions AS c"
    " WHERE c.deletion_id = d.deletion_id AND c.completed_at IS NULL) ORDER BY d.deleted_at LIMIT :most)"
)
_TOPICS_KEEP: Final = timedelta(days=45)
"""Longer than any topic but document.events keeps a record, its segment included."""
_JOBS: Final = 1_000

_log = logging.getLogger(__name__)


class CaseRetention:
    """A round every minute. ``days`` None: cases and their jobs are kept. ``event_days`` None: document.events is, and
    with it what is known of deleted jobs.
    """

    def __init__(
        self,
        deletions: DeletionService,
        database: Database,
        clock: Clock,
        days: float | None,
        event_days: float | None = None,
    ) -> None:
        self._deletions = deletions
        self._database = database
        self._clock = clock
        self._days = days
        self._event_days = event_days

    async def run(self) -> None:
        """Until cancelled."""
        if self._days is None and self._event_days is None:
            return
        outage = Outage(
            _log,
            began="The database is away, the retention of cases waits",
            over="The retention of cases goes on",
            failed="Old cases could not be deleted, will try again",
        )
        # Replicas begin at different moments.
        await asyncio.sleep(random.uniform(0.5, 5.0))  # noqa: S311
        while True:
            more = False
            with outage.of_try():
                more = await self.round()
            await asyncio.sleep(_PAUSE_SECONDS if more else ROUND_SECONDS)

    async def round(self) -> bool:
        """Order the deletion of a few cases, delete a few old jobs; whether there may be more.

        Raises InfrastructureAway.
        """
        now = self._clock()
        more = False
        if self._days is not None:
            before = now - timedelta(days=self._days)
            found = await self._database.run(lambda connection: _old(connection, before))
            for number in found:
                await self._deletions.order_expired(number)
            jobs = await self._database.run(lambda connection: _delete_old_jobs(connection, before, now))
            if jobs:
                _log.info("Jobs older than the retention were deleted", extra={"jobs": jobs})
            more = bool(found) or jobs == _JOBS
        if self._event_days is not None:
            known = now - max(_TOPICS_KEEP, timedelta(days=self._event_days + 2))
            await self._database.run(lambda connection: _forget_jobs(connection, known))
        return more


def _delete_old_jobs(connection: Connection, before: datetime, now: datetime) -> int:
    """Delete jobs that ended before a moment and are not the newest of their case, at most _JOBS; how many.

    The ids stay in ``catalog.deleted_jobs`` for as long as a topic may have records of them. None is deleted while
    another replica looks.

    What comes late for one of them is dropped, and what the other services have of it goes with their next sweep.
    """
    plan_for_whole_tables(connection)
    if not connection.execute(_LOCK).scalar_one():
        return 0
    asked = {"before": before, "now": now, "most": _JOBS, "whole_case": JobScope.WHOLE_CASE}
    jobs = connection.execute(_DELETE_JOBS, asked).scalars().all()
    if jobs:
        connection.execute(_DROP_JOBS, {"jobs": jobs})
    return len(jobs)


def _forget_jobs(connection: Connection, before: datetime) -> int:
    """Forget jobs that were deleted before a moment, by which no topic has a record of them; how many.

    Those of a deletion that is not complete are kept: its services still ask which they are.
    """
    plan_for_whole_tables(connection)
    if not connection.execute(_LOCK).scalar_one():
        return 0
    return connection.execute(_FORGET_JOBS, {"before": before, "most": 10 * _JOBS}).rowcount


def _old(connection: Connection, before: datetime) -> Sequence[str]:
    """The cases that are to be deleted now, those first that were asked for least recently.

    None while another replica looks, or while as many deletions are open as may be.
    """
    plan_for_whole_tables(connection)
    if not connection.execute(_LOCK).scalar_one():
        return ()
    room = _TOGETHER - len(unfinished(connection, _TOGETHER))
    if room <= 0:
        return ()
    return connection.execute(_OLD, {"before": before, "most": room}).scalars().all()
