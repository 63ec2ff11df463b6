"""SQL of alerts: what is to be told, under a lease, and that it was told.

``alert_reason`` is set by the transaction of a result while people have still to be told; ``alerted_at`` is when they
last were; ``alert_lease_until`` is set while somebody tells them. Whoever dies between telling and clearing leaves the
lease to run out, and people are told again: at least once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from services.notifier.alerts.messages import Alert

LEASE: Final = timedelta(minutes=3)
"""Longer than it takes to try every channel as often as it is tried (shared/alerts/sender.py)."""

_CLAIM: Final = """
WITH due AS (
    SELECT endpoint_id FROM delivery.endpoints
     WHERE alert_reason IS NOT NULL AND (alerted_at IS NULL OR alerted_at <= %(before)s)
       AND (alert_lease_until IS NULL OR alert_lease_until <= %(now)s)
     ORDER BY endpoints.endpoint_id LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE delivery.endpoints e SET alert_lease_until = %(until)s FROM due WHERE e.endpoint_id = due.endpoint_id
RETURNING e.endpoint_id::text, e.client_id, e.url, e.alert_reason, e.disabled_reason, e.consecutive_failures,
          (SELECT count(*) FROM delivery.deliveries d WHERE d.endpoint_id = e.endpoint_id AND d.status = 'exhausted'
              AND d.updated_at > COALESCE(e.alerted_at, '-infinity')) AS exhausted
"""
# What was given up while people were told is counted into the next alert, and there has to be a next one.
_TOLD: Final = """
UPDATE delivery.endpoints e SET alerted_at = %(at)s, alert_lease_until = NULL, alert_reason = CASE
       WHEN e.alert_reason IS DISTINCT FROM %(reason)s THEN e.alert_reason
       WHEN EXISTS (SELECT 1 FROM delivery.deliveries d WHERE d.endpoint_id = e.endpoint_id
                       AND d.status = 'exhausted' AND d.updated_at > %(at)s) THEN 'exhausted' END
 WHERE e.endpoint_id = %(id)s AND e.alert_lease_until = %(until)s
"""
_NOT_TOLD: Final = """
UPDATE delivery.endpoints SET alert_lease_until = %(again)s WHERE endpoint_id = %(id)s AND alert_lease_until = %(until)s
"""


def claim(connection: Connection, now: datetime, *, interval: timedelta) -> Alert | None:
    """An alert to be told now, held until ``now`` + LEASE; None when there is none."""
    parameters = {"now": now, "before": now - interval, "until": now + LEASE}
    row = connection.exec_driver_sql(_CLAIM, parameters).one_or_none()
    if row is None:
        return None
    return Alert(
        endpoint_id=row.endpoint_id,
        client_id=row.client_id,
        url=row.url,
        reason=row.alert_reason,
        disabled_reason=row.disabled_reason,
        consecutive_failures=row.consecutive_failures,
        exhausted=row.exhausted,
        at=now,
    )


def told(connection: Connection, alert: Alert) -> None:
    """Remember that people were told; nothing when the lease is somebody else's by now."""
    parameters = {"id": alert.endpoint_id, "at": alert.at, "reason": alert.reason, "until": alert.at + LEASE}
    connection.exec_driver_sql(_TOLD, parameters)


def not_told(connection: Connection, alert: Alert, again: datetime) -> None:
    """Let it be tried again at ``again``."""
    parameters = {"id": alert.endpoint_id, "again": again, "until": alert.at + LEASE}
    connection.exec_driver_sql(_NOT_TOLD, parameters)
