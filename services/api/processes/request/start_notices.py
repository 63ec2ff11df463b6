"""Tells, once a start is committed, those who wait for it: the relay of the outbox, and whoever follows the case.

Not in the transaction itself: PostgreSQL commits transactions that NOTIFY one at a time, each with its wait for the
disk, so that a hundred first requests went through it one by one (docs/adr/0048-statements-of-a-small-case.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from sqlalchemy import Connection

from shared.db import catalog
from shared.db.channels import OUTBOX, PROGRESS
from shared.db.engine import Database
from shared.db.errors import DatabaseRefused
from shared.db.prepared import PreparedText
from shared.errors import InfrastructureAway

_log = logging.getLogger(__name__)

# What it commits is nothing, so nobody waits for the disk while it keeps other notifications waiting.
_NOTIFY: Final = PreparedText(
    "autos_start_notices",
    f"""
    SELECT set_config('synchronous_commit', 'off', true), pg_notify('{OUTBOX}', '{catalog.SCHEMA}'),
           count(pg_notify('{PROGRESS}', number))
      FROM unnest(:numbers) AS number
    """,  # noqa: S608 - names of our own
    numbers="text[]",
)


class StartNotices:
    """Notifies of the starts that this process has committed: those of the same moment together. For one event loop.

    A notice that is lost (the process is killed, the database goes away) costs time and nothing else: the relay looks
    again by itself, and the projection notifies of the job's plan.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbers: list[str] = []
        self._task: asyncio.Task[None] | None = None
        self.wake_relay: Callable[[], None] | None = None
        """Of the relay in this process, which then need not wait for the notification."""

    def tell(self, process_number: str) -> None:
        """The start of a job of this case is committed. Returns at once."""
        if self.wake_relay is not None:
            self.wake_relay()
        self._numbers.append(str(process_number))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._notify_all())

    async def aclose(self) -> None:
        """Return when everybody is notified of what was told."""
        if self._task is not None:
            await self._task

    async def _notify_all(self) -> None:
        while self._numbers:
            numbers, self._numbers = self._numbers, []
            try:
                await self._database.autocommit(partial(_notify, numbers=numbers))
            except (InfrastructureAway, DatabaseRefused) as error:
                _log.warning(
                    "Starts of jobs could not be notified; the relay finds them when it looks by itself",
                    extra={"jobs": len(numbers), "error": type(error).__name__},
                )


def _notify(connection: Connection, numbers: Sequence[str]) -> None:
    _NOTIFY.run(connection, {"numbers": list(numbers)})
