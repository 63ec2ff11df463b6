"""Record: the last phase of a delivery. Attempts are written in batches, however long the database is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from services.notifier.sending import record_rows
from services.notifier.sending.attempt import Attempt
from services.notifier.sending.policy import SendingPolicy
from services.notifier.sending.record_rows import RecordedAttempt
from shared.clock import Clock
from shared.concurrency.batcher import Batcher
from shared.db.engine import Database
from shared.errors import InfrastructureAway

_GATHER_SECONDS: Final = 0.025
"""In which attempts gather. Nobody waits for a record: the endpoint's slot is free before it."""
_AWAY_SECONDS: Final = 0.5
_LONGEST_AWAY_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


class Recorder:
    """Records attempts; each is recorded once, and only under the lease it was made with."""

    def __init__(self, database: Database, policy: SendingPolicy, clock: Clock) -> None:
        self._database = database
        self._policy = policy
        self._clock = clock
        self._batcher: Batcher[Attempt, RecordedAttempt] = Batcher(self._write, wait=_GATHER_SECONDS)

    async def record(self, attempt: Attempt) -> RecordedAttempt | None:
        """What the attempt did to its delivery. Commits; waits for as long as the database is away.

        NONE: another process has the delivery by now, nothing is recorded. None: it cannot be recorded at all, and is
        sent again when its lease expires.
        """
        wait = _AWAY_SECONDS
        while True:
            try:
                return await self._batcher.submit(attempt)
            except InfrastructureAway:
                await asyncio.sleep(wait)
                wait = min(wait * 2, _LONGEST_AWAY_SECONDS)
            # The receiver's words cannot be stored: that there was an attempt, and how it ended, always can be.
            # Otherwise it would be sent again and again, each time its lease has expired.
            except Exception:  # noqa: BLE001
                if attempt == attempt.bare():
                    _log.exception(
                        "Attempt could not be recorded, the delivery is sent again when its lease expires",
                        extra={"delivery_id": attempt.delivery_id},
                    )
                    return None
                attempt = attempt.bare()

    async def _write(self, attempts: Sequence[Attempt]) -> Sequence[RecordedAttempt]:
        return await self._database.run(
            lambda connection: record_rows.record(
                connection, attempts, self._clock(), self._policy.retry, disable_after=self._policy.disable_after
            )
        )
