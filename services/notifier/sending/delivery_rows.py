"""Rows of ``delivery.deliveries``: how they are read for a decision and written after it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from services.notifier.domain.delivery import DeliveryState
from services.notifier.sending.attempt import Attempt
from shared.db.prepared import PreparedCall, PreparedText, run_together
from shared.db.recordset import as_json
from shared.domain.statuses import DeliveryStatus

COLUMNS: Final = """d.delivery_id::text, d.subscription_id::text, d.job_id::text, d.process_number, d.client_id,
    d.endpoint_id::text, d.url, d.event_type, d.status, d.attempts, d.round_attempts, d.next_attempt_at,
    d.lease_token::text, d.lease_until"""
# By their ids, too: the server expects a hundred rows of any JSON, and would read the whole index for them.
_WRITE: Final = PreparedText(
    "notifier_write_deliveries",
    """
UPDATE delivery.deliveries AS d SET status = v.status, attempts = v.attempts, round_attempts = v.round_attempts,
       next_attempt_at = v.next_attempt_at, lease_token = v.lease_token, lease_until = v.lease_until,
       last_status_code = CASE WHEN v.result THEN v.last_status_code ELSE d.last_status_code END,
       last_error_code = CASE WHEN v.result THEN v.last_error_code ELSE d.last_error_code END,
       delivered_at = COALESCE(v.delivered_at, d.delivered_at), updated_at = v.updated_at
  FROM json_to_recordset(CAST(:rows AS json)) AS v (delivery_id uuid, status text, attempts int, round_attempts int,
       next_attempt_at timestamptz, lease_token uuid, lease_until timestamptz, result bool, last_status_code int,
       last_error_code text, delivered_at timestamptz, updated_at timestamptz)
 WHERE d.delivery_id = v.delivery_id AND d.delivery_id = ANY (CAST(:ids AS uuid[]))
""",
    rows="text",
    ids="text[]",
)

DeliveryRow = dict[str, Any]
"""A row as the statement takes it that writes it."""


def kept(delivery: DeliveryState) -> DeliveryState:
    """The delivery of a disabled endpoint: it stays as it is, and is not due."""
    if delivery.next_attempt_at is None:
        return delivery
    return DeliveryState(delivery.status, delivery.attempts, delivery.round_attempts)


def delivery_from(row: Any) -> DeliveryState:
    """The state of a delivery, of a row with COLUMNS."""
    return DeliveryState(
        DeliveryStatus(row.status),
        row.attempts,
        row.round_attempts,
        row.next_attempt_at,
        row.lease_token,
        row.lease_until,
    )


def delivery_row(delivery_id: str, after: DeliveryState, now: datetime, result: Attempt | None = None) -> DeliveryRow:
    """The row to write for a delivery's next state.

    With ``result``, the attempt that led there, the last status and error are written too; without it they stay.
    """
    return {
        "delivery_id": delivery_id,
        "status": after.status.value,
        "attempts": after.attempts,
        "round_attempts": after.round_attempts,
        "next_attempt_at": after.next_attempt_at,
        "lease_token": after.lease_token,
        "lease_until": after.lease_until,
        "result": result is not None,
        "last_status_code": result.status_code if result else None,
        "last_error_code": result.error_code_shown if result else None,
        "delivered_at": now if after.status is DeliveryStatus.DELIVERED else None,
        "updated_at": now,
    }


def write_deliveries(connection: Connection, rows: Sequence[DeliveryRow]) -> None:
    """Write the rows in one statement. Their deliveries must be locked by the caller's transaction."""
    if rows:
        run_together(connection, changed_deliveries(rows))


def changed_deliveries(rows: Sequence[DeliveryRow]) -> PreparedCall:
    """The statement of :func:`write_deliveries`, to be sent with others."""
    return PreparedCall(_WRITE, {"rows": as_json(rows), "ids": [row["delivery_id"] for row in rows]})
