"""Alerts: people are told, by e-mail and by a POST, that deliveries were given up or an endpoint was disabled.

The endpoint's row says that somebody has to be told (``alert_reason``) and when somebody was (``alerted_at``), so an
alert survives a kill, two replicas send one, and one endpoint is the subject of at most one in an hour. What happens
meanwhile is counted into the next.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from services.notifier.alert import Alert
from shared.alerts import Teller
from shared.clock import Clock
from shared.db.engine import Database
from shared.kafka.errors import InfrastructureAway

_LOOK_EVERY: Final = 10.0
_BATCH: Final = 10

_CLAIM: Final = """
WITH due AS (
    SELECT endpoint_id, alerted_at FROM delivery.endpoints
     WHERE alert_reason IS NOT NULL AND (alerted_at IS NULL OR alerted_at <= %(before)s)
     ORDER BY endpoints.endpoint_id LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
UPDATE delivery.endpoints e SET alerted_at = %(now)s FROM due WHERE e.endpoint_id = due.endpoint_id
RETURNING e.endpoint_id::text, e.client_id, e.url, e.alert_reason, e.disabled_reason, e.consecutive_failures,
          due.alerted_at AS before,
          (SELECT count(*) FROM delivery.deliveries d WHERE d.endpoint_id = e.endpoint_id AND d.status = 'exhausted'
              AND d.updated_at > COALESCE(due.alerted_at, '-infinity')) AS exhausted
"""
_TOLD: Final = """
UPDATE delivery.endpoints SET alert_reason = NULL
 WHERE endpoint_id = %(id)s AND alerted_at = %(now)s AND alert_reason = %(reason)s
"""
_NOT_TOLD: Final = """
UPDATE delivery.endpoints SET alerted_at = %(before)s WHERE endpoint_id = %(id)s AND alerted_at = %(now)s
"""

_log = logging.getLogger(__name__)


class Alerter:
    """Tells people what the endpoints' rows say. ``interval`` is the least time between alerts of an endpoint."""

    def __init__(
        self,
        *,
        database: Database,
        teller: Teller,
        interval: timedelta,
        clock: Clock,
    ) -> None:
        self._database = database
        self._teller = teller
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
        now = self._clock()
        alerts = await self._database.run(lambda connection: self._claim(connection, now))
        told = 0
        for alert in alerts:
            _log.warning(
                "webhook endpoint in trouble",
                extra={"client_id": alert.client_id, "endpoint_id": alert.endpoint_id, "reason": alert.reason},
            )
            out = await self._teller.tell(alert)
            told += out
            await self._database.run(lambda connection, alert=alert, out=out: _settle(connection, alert, out))  # type: ignore[misc]
        return told

    def _claim(self, connection: Connection, now: datetime) -> list[Alert]:
        parameters = {"now": now, "before": now - self._interval, "most": _BATCH}
        return [
            Alert(
                endpoint_id=row.endpoint_id,
                client_id=row.client_id,
                url=row.url,
                reason=row.alert_reason,
                disabled_reason=row.disabled_reason,
                consecutive_failures=row.consecutive_failures,
                exhausted=row.exhausted,
                at=now,
                before=row.before,
            )
            for row in connection.exec_driver_sql(_CLAIM, parameters)
        ]


def _settle(connection: Connection, alert: Alert, told: bool) -> None:
    """Remember that people were told, or that they have still to be."""
    if told:
        connection.exec_driver_sql(_TOLD, {"id": alert.endpoint_id, "now": alert.at, "reason": alert.reason})
    else:
        connection.exec_driver_sql(_NOT_TOLD, {"id": alert.endpoint_id, "now": alert.at, "before": alert.before})
