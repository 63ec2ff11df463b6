"""Alerts about endpoints that were disabled, or whose deliveries were given up.

The endpoint's row says that an alert is due. So an alert survives a kill, two replicas send one, and an endpoint is
the subject of at most one in an hour. What happens meanwhile is counted into the next.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Final

from services.notifier.alerts import endpoint_alert_rows
from services.notifier.alerts.messages import EndpointAlert
from shared.alerts.sender import AlertSender
from shared.clock import Clock
from shared.concurrency.waiting import wait_for_any
from shared.db.engine import Database
from shared.errors import InfrastructureAway

_LOOK_EVERY: Final = 10.0
_BATCH: Final = 10

_log = logging.getLogger(__name__)


class EndpointAlerter:
    """Sends the alerts that the endpoints' rows ask for. ``interval`` is the least time between two of an endpoint."""

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

    async def run(self, stop: asyncio.Event, due: asyncio.Event) -> None:
        """Look when ``due`` is set, and every 10 s; until ``stop``."""
        while not stop.is_set():
            due.clear()
            try:
                await self.send_due()
            except InfrastructureAway:
                _log.debug("The database is away, alerts wait")
            await wait_for_any(stop, due, within=_LOOK_EVERY)

    async def send_due(self) -> int:
        """Send the alerts that are due; how many were sent. Raises InfrastructureAway."""
        sent = 0
        for _ in range(_BATCH):
            now = self._clock()
            alert = await self._database.run(
                lambda connection, now=now: endpoint_alert_rows.claim(connection, now, interval=self._interval)  # type: ignore[misc]
            )
            if alert is None:
                break
            sent += await self._send(alert)
        return sent

    async def _send(self, alert: EndpointAlert) -> bool:
        _log.warning(
            "Webhook endpoint disabled or delivery given up, an alert is sent",
            extra={"client_id": alert.client_id, "endpoint_id": alert.endpoint_id, "reason": alert.reason},
        )
        if await self._sender.send(alert):
            await self._database.run(lambda connection: endpoint_alert_rows.mark_sent(connection, alert))
            return True
        again = self._clock() + timedelta(seconds=_LOOK_EVERY)
        await self._database.run(lambda connection: endpoint_alert_rows.put_off(connection, alert, again))
        return False
