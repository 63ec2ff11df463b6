"""A service's part of the deletion of cases: looks for orders, and removes what its own schema has, a batch at a time.

An order is a row of ``catalog.case_deletions``. Every replica looks; an advisory lock lets one at a time work at an
order. Each batch and the count of what is removed commit together, so a kill at any moment leaves the rest to
whoever looks next, and a batch that is repeated finds nothing (docs/adr/0039-deletion.md).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection, Row, text
from sqlalchemy.dialects.postgresql import insert

from shared.clock import Clock
from shared.concurrency.outage import Outage
from shared.concurrency.waiting import wait_for_any
from shared.db.deletions import STEPS, jobs_of_deletion, lock_deletion, read_step, spellings
from shared.db.engine import Database

EVERY_SECONDS: Final = 0.5
SWEEP_EVERY: Final = timedelta(minutes=1)
NO_CASE: Final = "of no case"
"""For statements about jobs alone."""
BATCH: Final = 2_000
"""Rows of a table in one transaction, at most."""
_PAUSE_SECONDS: Final = 0.02
"""After a whole batch, for what else the database has to do."""
_ORDERS: Final = 20
_JOBS_TOGETHER: Final = 500
_FIRST_JOB: Final = "00000000-0000-0000-0000-000000000000"
_SINCE: Final = text(
    "SELECT job_id::text, deleted_at FROM catalog.deleted_jobs WHERE (deleted_at, job_id) > (:at, CAST(:job AS uuid))"
    " ORDER BY deleted_at, job_id LIMIT :most"
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeletedCase:
    """A case that is to be removed, by the number with its mask, and the jobs that it had."""

    process_number: str
    job_ids: Sequence[str]

    @property
    def names(self) -> dict[str, Any]:
        """What the statements that remove its rows are given."""
        number, digits = spellings(self.process_number)
        return {"number": number, "digits": digits, "jobs": list(self.job_ids), "most": BATCH}


Purge = Callable[[Connection, DeletedCase], Mapping[str, int]]
"""Removes at most a batch of what a service has of a case; how many of each kind, all zero when nothing is left."""


def remove_rows(connection: Connection, case: DeletedCase, statements: Mapping[str, Any]) -> dict[str, int]:
    """Run statements in their order, by the name of what they remove, until a batch is removed; how many of each.

    A small case is one transaction, and each of a large one removes twice BATCH at most.
    """
    removed: dict[str, int] = {}
    for name, statement in statements.items():
        if count := connection.execute(statement, case.names).rowcount:
            removed[name] = count
        if sum(removed.values()) >= BATCH:
            break
    return removed


class DeletionSteps:
    """The deletions as one service does them. ``schema`` is its own; every replica has one.

    ``jobs`` are the statements that remove what it has of jobs alone, by the name of what they remove: old jobs of
    cases that stay are deleted too (services/api/deletions/retention.py), without an order of their own.
    """

    def __init__(
        self,
        database: Database,
        schema: str,
        purge: Purge,
        clock: Clock,
        jobs: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._database = database
        self._schema = schema
        self._steps = STEPS[schema]
        self._purge = purge
        self._clock = clock
        self._jobs = jobs
        # Of the newest deleted job that was looked at; a new process looks at all of them once.
        self._swept: tuple[datetime, str] = (datetime.min.replace(tzinfo=UTC), _FIRST_JOB)
        self._next_sweep = clock() + SWEEP_EVERY * random.uniform(0, 0.2)  # noqa: S311
        self._open = text(
            "SELECT d.deletion_id::text, d.process_number FROM catalog.case_deletions AS d"  # noqa: S608
            f" LEFT JOIN {self._steps.fullname} AS s USING (deletion_id)"
            " WHERE d.process_number IS NOT NULL AND s.done_at IS NULL ORDER BY d.requested_at LIMIT :most"
        )
        # The counts are in the certificate by then.
        self._forget = text(
            f"DELETE FROM {self._steps.fullname} AS s USING catalog.case_deletions AS d"  # noqa: S608
            " WHERE d.deletion_id = s.deletion_id AND d.completed_at IS NOT NULL"
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Look every half second until ``stop``."""
        outage = Outage(
            _log,
            began="A server is away, the deletion of cases waits",
            over="The deletion of cases goes on",
            failed="A case could not be deleted, will try again",
        )
        while not stop.is_set():
            with outage.of_try():
                await self.round()
                if self._jobs and self._clock() >= self._next_sweep:
                    await self.sweep()
                    self._next_sweep = self._clock() + SWEEP_EVERY
            await wait_for_any(stop, within=(11 if outage.failed else 1) * EVERY_SECONDS)

    async def round(self) -> int:
        """Do what is ordered now; how many orders are done. Raises InfrastructureAway."""
        orders = await self._database.autocommit(
            lambda connection: connection.execute(self._open, {"most": _ORDERS}).all()
        )
        done = 0
        for order in orders:
            while True:
                removed = await self._database.run(
                    lambda connection, order=order: self._batch(  # type: ignore[misc]
                        connection, order.deletion_id, order.process_number
                    )
                )
                if not removed:
                    done += removed == 0
                    break
                await asyncio.sleep(_PAUSE_SECONDS if removed >= BATCH else 0)
        if orders:
            await self._database.run(lambda connection: connection.execute(self._forget).rowcount)
        return done

    async def sweep(self) -> int:
        """Remove what is left of deleted jobs, those first that were deleted first; how many were looked at.

        A repeat, and another replica at the same moment, find nothing. Raises InfrastructureAway.
        """
        looked = 0
        while rows := await self._database.autocommit(self._deleted_since):
            jobs = [row.job_id for row in rows]
            more = True
            while more:
                more = await self._database.run(lambda connection, jobs=jobs: self._sweep(connection, jobs))  # type: ignore[misc]
                await asyncio.sleep(_PAUSE_SECONDS)
            self._swept = (rows[-1].deleted_at, rows[-1].job_id)
            looked += len(jobs)
        return looked

    def _sweep(self, connection: Connection, jobs: Sequence[str]) -> bool:
        """Remove a batch of what is left of these jobs; whether there was anything. The caller commits."""
        return bool(remove_rows(connection, DeletedCase(NO_CASE, jobs), self._jobs))

    def _deleted_since(self, connection: Connection) -> Sequence[Row[Any]]:
        """The deleted jobs behind the last one that was looked at, a bounded number, those first deleted first."""
        at, job_id = self._swept
        return connection.execute(_SINCE, {"at": at, "job": job_id, "most": _JOBS_TOGETHER}).all()

    def _batch(self, connection: Connection, deletion_id: str, process_number: str) -> int | None:
        """One batch: how many were removed, 0 when nothing is left; None while another replica is at it."""
        if not lock_deletion(connection, self._schema, deletion_id):
            return None
        known = read_step(connection, self._schema, deletion_id)
        if known is not None and known.done_at is not None:
            return 0
        removed = self._purge(connection, DeletedCase(process_number, jobs_of_deletion(connection, deletion_id)))
        more = any(removed.values())
        self._write(connection, deletion_id, added(known.removed if known else {}, removed), more)
        return sum(removed.values())

    def _write(self, connection: Connection, deletion_id: str, removed: Mapping[str, int], more: bool) -> None:
        """Count what was removed in all, in the transaction that removed it; with nothing more, the step is done."""
        values = {"removed": removed, "done_at": None if more else self._clock()}
        connection.execute(
            insert(self._steps)
            .values(deletion_id=deletion_id, **values)
            .on_conflict_do_update(index_elements=["deletion_id"], set_=values)
        )
        if not more:
            _log.info("This service has removed what it had of a case", extra={"deletion_id": deletion_id, **removed})


def added(before: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    """The counts of both, by name."""
    return {name: before.get(name, 0) + more.get(name, 0) for name in [*before, *(set(more) - set(before))]}
