"""Alerts: people are told, by e-mail and by a POST, that deliveries were given up or an endpoint was disabled.

The endpoint's row says that somebody has to be told, so an alert survives a kill, two replicas send one, and one
endpoint is the subject of at most one in an hour. What happens meanwhile is counted into the next.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Final

from services.notifier.alerts import rows as alert_store
from services.notifier.alerts.messages import Alert
from shared.alerts.sender import AlertSender
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import InfrastructureAway

_LOOK_EVERY: Final = 10.0
_BATCH: Final = 10

_log = logging.getLogger(__name__)


class Alerter:
    """Tells people what the endpoints' rows say. ``interval`` is the least time between alerts of an endpoint."""

    def __init__(
        self,
        *,
        database: Database,
        sender: AlertSender,
        interval: timedelta,
        clock: Clock,
    ) -> None:
        self._database = database
        self._sender = sender
        self._interval = interval
        self._clock = clock

    async def run(self, stop: asyncio.Event, trouble: asyncio.Event) -> None:
        """Look when there is ``trouble``, and every 10 s; until ``stop``."""
        while not stop.is_set():
            trouble.clear()
            try:
                await self.tell_due()
            except InfrastructureAway:
                _log.debug("the database is away, alerts wait")
            waits = [asyncio.create_task(stop.wait()), asyncio.create_task(trouble.wait())]
            try:
                await asyncio.wait(waits, timeout=_LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
                await asyncio.gather(*waits, return_exceptions=True)

    async def tell_due(self) -> int:
        """Send the alerts that are due; how many got out. Raises InfrastructureAway."""
        out = 0
        for _ in range(_BATCH):
            now = self._clock()
            alert = await self._database.run(
                lambda connection, now=now: alert_store.claim(connection, now, interval=self._interval)  # type: ignore[misc]
            )
            if alert is None:
                break
            out += await self._tell(alert)
        return out

    async def _tell(self, alert: Alert) -> bool:
        _log.warning(
            "webhook endpoint in trouble",
            extra={"client_id": alert.client_id, "endpoint_id": alert.endpoint_id, "reason": alert.reason},
        )
        if await self._sender.send(alert):
            await self._database.run(lambda connection: alert_store.told(connection, alert))
            return True
        again = self._clock() + timedelta(seconds=_LOOK_EVERY)
        await self._database.run(lambda connection: alert_store.not_told(connection, alert, again))
        return False
