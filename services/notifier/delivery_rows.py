"""Rows of ``delivery.deliveries``: how they are read for a decision and written after it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from psycopg2.extras import execute_values
from sqlalchemy import Connection

from services.notifier.attempt import Attempt
from services.notifier.state import Delivery, DeliveryStatus

COLUMNS: Final = """d.delivery_id::text, d.subscription_id::text, d.job_id::text, d.process_number, d.client_id,
    d.endpoint_id::text, d.url, d.status, d.attempts, d.round_attempts, d.next_attempt_at, d.lease_token::text,
    d.lease_until"""
_WRITE: Final = """
UPDATE delivery.deliveries AS d SET status = v.status, attempts = v.attempts, round_attempts = v.round_attempts,
       next_attempt_at = v.next_attempt_at, lease_token = v.lease_token, lease_until = v.lease_until,
       last_status_code = CASE WHEN v.result THEN v.last_status_code ELSE d.last_status_code END,
       last_error_code = CASE WHEN v.result THEN v.last_error_code ELSE d.last_error_code END,
       delivered_at = COALESCE(v.delivered_at, d.delivered_at), updated_at = v.updated_at
  FROM (VALUES %s) AS v (delivery_id, status, attempts, round_attempts, next_attempt_at, lease_token, lease_until,
       result, last_status_code, last_error_code, delivered_at, updated_at)
 WHERE d.delivery_id = v.delivery_id
"""
_WRITE_TYPES: Final = (
    "(%s::uuid,%s::text,%s::int,%s::int,%s::timestamptz,%s::uuid,%s::timestamptz,%s::bool,%s::int,%s::text,"
    "%s::timestamptz,%s::timestamptz)"
)


def held(delivery: Delivery) -> Delivery:
    """A delivery of a disabled endpoint is kept, and not due."""
    if delivery.next_attempt_at is None:
        return delivery
    return Delivery(delivery.status, delivery.attempts, delivery.round_attempts)


def delivery_of(row: Any) -> Delivery:
    return Delivery(
        DeliveryStatus(row.status),
        row.attempts,
        row.round_attempts,
        row.next_attempt_at,
        row.lease_token,
        row.lease_until,
    )


def written(delivery_id: str, after: Delivery, now: datetime, result: Attempt | None = None) -> tuple[Any, ...]:
    return (
        delivery_id,
        after.status.value,
        after.attempts,
        after.round_attempts,
        after.next_attempt_at,
        after.lease_token,
        after.lease_until,
        result is not None,
        result.status_code if result else None,
        result.error_code_shown if result else None,
        now if after.status is DeliveryStatus.DELIVERED else None,
        now,
    )


def write_deliveries(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        execute_values(cursor(connection), _WRITE, rows, template=_WRITE_TYPES, page_size=len(rows))


def cursor(connection: Connection) -> Any:
    driver = connection.connection.driver_connection
    assert driver is not None
    return driver.cursor()
