"""How the endpoints and their deliveries stand, looked up now and then for the metrics. Every replica sees the same."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, text

from services.notifier.domain.endpoint_health import EndpointState
from services.notifier.metrics import NotifierMetrics
from shared.concurrency.waiting import wait_for_any
from shared.db.engine import Database
from shared.errors import InfrastructureAway

LOOK_EVERY_SECONDS: Final = 15.0
# Of each endpoint what is open is one range of ix_deliveries_open.
_STANDING: Final = text("""
SELECT state, count(*) AS endpoints,
       coalesce(extract(epoch FROM clock_timestamp() - min(oldest)), 0)::float AS undelivered,
       coalesce(extract(epoch FROM clock_timestamp() - min(due)), 0)::float AS overdue
  FROM (SELECT CASE WHEN e.disabled_at IS NOT NULL THEN 'disabled'
                    WHEN e.failing_since IS NOT NULL THEN 'failing' ELSE 'healthy' END AS state, o.oldest,
               CASE WHEN e.least_seconds IS NULL THEN o.due END AS due
          FROM delivery.endpoints e
          LEFT JOIN LATERAL (
               SELECT min(d.created_at) AS oldest, min(d.next_attempt_at) AS due FROM delivery.deliveries d
                WHERE d.endpoint_id = e.endpoint_id AND d.status IN ('pending', 'waiting')) o ON true) AS each
 GROUP BY state
""")

_log = logging.getLogger(__name__)


class DeliveryStanding:
    """Keeps the gauges of endpoints and of what waits for them."""

    def __init__(self, database: Database, metrics: NotifierMetrics, every: float = LOOK_EVERY_SECONDS) -> None:
        self._database = database
        self._metrics = metrics
        self._every = every

    async def run(self, stop: asyncio.Event) -> None:
        """Look every ``every`` seconds until ``stop``; what was seen last stays while the database is away."""
        while not stop.is_set():
            try:
                await self.look()
            except InfrastructureAway:
                _log.debug("The database is away, the metrics of endpoints stay as they are")
            await wait_for_any(stop, within=self._every)

    async def look(self) -> None:
        """Look now. Raises InfrastructureAway."""
        found = {row.state: row for row in await self._database.autocommit(_rows)}
        for state in EndpointState:
            row = found.get(state.value)
            self._metrics.endpoints.labels(state.value).set(row.endpoints if row else 0)
            self._metrics.oldest_undelivered.labels(state.value).set(max(0.0, row.undelivered) if row else 0)
        healthy = found.get(EndpointState.HEALTHY.value)
        self._metrics.overdue.set(max(0.0, healthy.overdue) if healthy else 0)


def _rows(connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(_STANDING).all()
