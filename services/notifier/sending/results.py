"""SQL of results: attempts, next states, the endpoints' health and the events, in one transaction, fenced by leases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from services.notifier.domain.delivery import Effect, Result, RetryPolicy, decide
from services.notifier.domain.endpoint_health import Endpoint, judge, refused_as_too_large
from services.notifier.sending import events as notices
from services.notifier.sending.attempt_record import Attempt
from services.notifier.sending.delivery_rows import (
    COLUMNS,
    Written,
    as_json,
    delivery_of,
    held,
    write_deliveries,
    written,
)
from services.notifier.sending.payload import Form
from shared.db.delivery import outbox
from shared.outbox.write import write
from shared.records import OutgoingRecord

_LOCK: Final = f"""
SELECT {COLUMNS} FROM delivery.deliveries d
 WHERE d.delivery_id = ANY (%(ids)s::uuid[]) ORDER BY d.delivery_id FOR UPDATE
"""  # noqa: S608
_LOCK_ENDPOINTS: Final = """
SELECT endpoint_id::text, client_id, url, consecutive_failures, failing_since, last_success_at, last_failure_at,
       disabled_at, disabled_reason, alert_reason, body_form, body_form_at
  FROM delivery.endpoints WHERE endpoint_id = ANY (%(ids)s::uuid[]) ORDER BY endpoints.endpoint_id FOR UPDATE
"""
_WRITE_ENDPOINT: Final = """
UPDATE delivery.endpoints SET consecutive_failures = %(consecutive_failures)s, failing_since = %(failing_since)s,
       last_success_at = %(last_success_at)s, last_failure_at = %(last_failure_at)s, disabled_at = %(disabled_at)s,
       disabled_reason = %(disabled_reason)s, alert_reason = %(alert_reason)s, body_form = %(body_form)s,
       body_form_at = %(body_form_at)s
 WHERE endpoint_id = %(endpoint_id)s
"""
_HOLD: Final = """
UPDATE delivery.deliveries SET next_attempt_at = NULL
 WHERE endpoint_id = ANY (%(ids)s::uuid[]) AND status IN ('pending', 'waiting')
"""
_ADD_ATTEMPTS: Final = """
INSERT INTO delivery.attempts (delivery_id, attempt, started_at, duration_ms, dns_ms, connect_ms, tls_ms,
       first_byte_ms, address, status_code, succeeded, error_code, error_message, response_excerpt)
SELECT * FROM json_to_recordset(%(rows)s::json) AS r (delivery_id uuid, attempt int, started_at timestamptz,
       duration_ms int, dns_ms int, connect_ms int, tls_ms int, first_byte_ms int, address text, status_code int,
       succeeded bool, error_code text, error_message text, response_excerpt text)
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a result; NONE: it was fenced off, somebody else has the delivery."""

    effect: Effect


def record(
    connection: Connection,
    results: Sequence[Attempt],
    now: datetime,
    policy: RetryPolicy,
    *,
    disable_after: timedelta,
) -> list[Recorded]:
    """Record attempts: their rows, the next states, the endpoints' health and the events, all or nothing."""
    rows = {
        row.delivery_id: row
        for row in connection.exec_driver_sql(_LOCK, {"ids": [result.delivery_id for result in results]})
    }
    named = sorted({row.endpoint_id for row in rows.values()})
    known = {row.endpoint_id: row for row in connection.exec_driver_sql(_LOCK_ENDPOINTS, {"ids": named})}
    health = {endpoint_id: _endpoint(row) for endpoint_id, row in known.items()}
    recorded: list[Recorded] = []
    made: list[dict[str, Any]] = []
    writes: dict[str, Written] = {}
    events: list[OutgoingRecord] = []
    for result in results:
        row = rows.get(result.delivery_id)
        fact = Result(
            result.token,
            result.status_code,
            result.retry_after,
            result.draw,
            result.error_code is None,
            result.shrinks,
        )
        # A token is used once, so two results of one delivery in a batch cannot both be its holder's.
        decision = decide(delivery_of(row), fact, now, policy) if row is not None else None
        if row is None or decision is None or not decision.changed or result.delivery_id in writes:
            recorded.append(Recorded(Effect.NONE))
            continue
        before = health[row.endpoint_id]
        after = judge(before, decision.effect, now, disable_after=disable_after)
        if decision.effect is Effect.SHRINK:
            after = refused_as_too_large(after, result.form, now)
        health[row.endpoint_id] = after
        delivery = held(decision.delivery) if after.disabled else decision.delivery
        writes[result.delivery_id] = written(row.delivery_id, delivery, now, result)
        made.append(result.columns())
        events += notices.of_attempt(row, delivery, decision.effect, result, now)
        if after.disabled and not before.disabled:
            events.append(notices.of_disabled(known[row.endpoint_id], row, after, now))
        recorded.append(Recorded(decision.effect))
    if made:
        connection.exec_driver_sql(_ADD_ATTEMPTS, {"rows": as_json(made)})
    write_deliveries(connection, list(writes.values()))
    _write_endpoints(connection, known, health)
    write(connection, outbox, events, now=now)
    return recorded


def _write_endpoints(connection: Connection, known: dict[str, Any], health: dict[str, Endpoint]) -> None:
    disabled = []
    for endpoint_id, after in health.items():
        before = _endpoint(known[endpoint_id])
        if after == before:
            continue
        connection.exec_driver_sql(
            _WRITE_ENDPOINT,
            {
                "endpoint_id": endpoint_id,
                "consecutive_failures": after.consecutive_failures,
                "failing_since": after.failing_since,
                "last_success_at": after.last_success_at,
                "last_failure_at": after.last_failure_at,
                "disabled_at": after.disabled_at,
                "disabled_reason": after.disabled_reason,
                "alert_reason": after.alert_reason,
                "body_form": int(after.body_form),
                "body_form_at": after.body_form_at,
            },
        )
        if after.disabled and not before.disabled:
            disabled.append(endpoint_id)
    if disabled:
        connection.exec_driver_sql(_HOLD, {"ids": disabled})


def _endpoint(row: Any) -> Endpoint:
    return Endpoint(
        consecutive_failures=row.consecutive_failures,
        failing_since=row.failing_since,
        last_success_at=row.last_success_at,
        last_failure_at=row.last_failure_at,
        disabled_at=row.disabled_at,
        disabled_reason=row.disabled_reason,
        alert_reason=row.alert_reason,
        body_form=Form(row.body_form),
        body_form_at=row.body_form_at,
    )
