"""SQL of alerts about endpoints: which is due, under a lease, and that it was sent.

``alert_reason`` is set in the transaction of a result while an alert is due. ``alerted_at`` is when the last one was
sent. ``alert_lease_until`` is set while a process sends one. A process that dies between sending and clearing leaves
the lease to expire, and the alert is sent again: at least once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from services.notifier.alerts.messages import EndpointAlert

LEASE: Final = timedelta(minutes=3)
"""Longer than all tries of every channel take (shared/alerts/sender.py)."""

_CLAIM: Final = text("""
WITH due AS (
    SELECT endpoint_id FROM delivery.endpoints
     WHERE alert_reason IS NOT NULL AND (alerted_at IS NULL OR alerted_at <= :before)
       AND (alert_lease_until IS NULL OR alert_lease_until <= :now)
     ORDER BY endpoints.endpoint_id LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE delivery.endpoints e SET alert_lease_until = :until FROM due WHERE e.endpoint_id = due.endpoint_id
RETURNING e.endpoint_id::text, e.client_id, e.url, e.alert_reason, e.disabled_reason, e.consecutive_failures,
          (SELECT count(*) FROM delivery.deliveries d WHERE d.endpoint_id = e.endpoint_id AND d.status = 'exhausted'
              AND d.updated_at > COALESCE(e.alerted_at, '-infinity')) AS exhausted
""")
# What was given up while the alert was sent is counted into the next alert, and there has to be a next one.
_SENT: Final = text("""
UPDATE delivery.endpoints e SET alerted_at = :at, alert_lease_until = NULL, alert_reason = CASE
       WHEN e.alert_reason IS DISTINCT FROM :reason THEN e.alert_reason
       WHEN EXISTS (SELECT 1 FROM delivery.deliveries d WHERE d.endpoint_id = e.endpoint_id
                       AND d.status = 'exhausted' AND d.updated_at > :at) THEN 'exhausted' END
 WHERE e.endpoint_id = :id AND e.alert_lease_until = :until
""")
_PUT_OFF: Final = text("""
UPDATE delivery.endpoints SET alert_lease_until = :again WHERE endpoint_id = :id AND alert_lease_until = :until
""")


def claim(connection: Connection, now: datetime, *, interval: timedelta) -> EndpointAlert | None:
    """An alert to send now, leased until ``now`` + LEASE; None when none is due."""
    parameters = {"now": now, "before": now - interval, "until": now + LEASE}
    row = connection.execute(_CLAIM, parameters).one_or_none()
    if row is None:
        return None
    return EndpointAlert(
        endpoint_id=row.endpoint_id,
        client_id=row.client_id,
        url=row.url,
        reason=row.alert_reason,
        disabled_reason=row.disabled_reason,
        consecutive_failures=row.consecutive_failures,
        exhausted=row.exhausted,
        at=now,
    )


def mark_sent(connection: Connection, alert: EndpointAlert) -> None:
    """Note that the alert was sent; nothing when another process has the lease by now."""
    parameters = {"id": alert.endpoint_id, "at": alert.at, "reason": alert.reason, "until": alert.at + LEASE}
    connection.execute(_SENT, parameters)


def put_off(connection: Connection, alert: EndpointAlert, again: datetime) -> None:
    """Have the alert tried again at ``again``."""
    parameters = {"id": alert.endpoint_id, "again": again, "until": alert.at + LEASE}
    connection.execute(_PUT_OFF, parameters)
