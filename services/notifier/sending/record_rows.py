"""SQL of recorded attempts: their rows, the next states, the endpoints' health and the events, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, delete, select, text

from services.notifier.domain.delivery import Effect, Result, decide
from services.notifier.domain.endpoint_health import EndpointHealth, EndpointState, judge, refused_as_too_large
from services.notifier.domain.retry_policy import RetryPolicy
from services.notifier.sending import events
from services.notifier.sending.attempt import Attempt
from services.notifier.sending.delivery_rows import (
    COLUMNS,
    DeliveryRow,
    changed_deliveries,
    delivery_from,
    delivery_row,
    kept,
)
from shared.db.audit import CaseRead, new_reads
from shared.db.delivery import attempts as attempts_table
from shared.db.delivery import outbox
from shared.db.prepared import PreparedCall, PreparedText, run_together
from shared.db.recordset import as_json
from shared.outbox.write import new_rows
from shared.records import OutgoingRecord
from shared.webhooks.body_form import BodyForm

_LOCK: Final = PreparedText(
    "notifier_lock_attempted",
    f"""
SELECT {COLUMNS}, d.created_at FROM delivery.deliveries d
 WHERE d.delivery_id = ANY (CAST(:ids AS uuid[])) ORDER BY d.delivery_id FOR UPDATE
""",  # noqa: S608
    ids="text[]",
)
_LOCK_ENDPOINTS: Final = PreparedText(
    "notifier_lock_endpoints",
    """
SELECT endpoint_id::text, client_id, url, consecutive_failures, failing_since, last_success_at, last_failure_at,
       disabled_at, disabled_reason, alert_reason, body_form, body_form_at
  FROM delivery.endpoints WHERE endpoint_id = ANY (CAST(:ids AS uuid[])) ORDER BY endpoints.endpoint_id FOR UPDATE
""",
    ids="text[]",
)
_WRITE_ENDPOINTS: Final = PreparedText(
    "notifier_write_endpoints",
    """
UPDATE delivery.endpoints AS e SET consecutive_failures = v.consecutive_failures, failing_since = v.failing_since,
       last_success_at = v.last_success_at, last_failure_at = v.last_failure_at, disabled_at = v.disabled_at,
       disabled_reason = v.disabled_reason, alert_reason = v.alert_reason, body_form = v.body_form,
       body_form_at = v.body_form_at
  FROM json_to_recordset(CAST(:rows AS json)) AS v (endpoint_id uuid, consecutive_failures int,
       failing_since timestamptz, last_success_at timestamptz, last_failure_at timestamptz, disabled_at timestamptz,
       disabled_reason text, alert_reason text, body_form int, body_form_at timestamptz)
 WHERE e.endpoint_id = v.endpoint_id AND e.endpoint_id = ANY (CAST(:ids AS uuid[]))
""",
    rows="text",
    ids="text[]",
)
_KEEP: Final = text("""
UPDATE delivery.deliveries SET next_attempt_at = NULL
 WHERE endpoint_id = ANY (CAST(:ids AS uuid[])) AND status IN ('pending', 'waiting')
""")
_ADD_ATTEMPTS: Final = PreparedText(
    "notifier_add_attempts",
    """
INSERT INTO delivery.attempts (delivery_id, attempt, started_at, duration_ms, dns_ms, connect_ms, tls_ms,
       first_byte_ms, address, status_code, succeeded, error_code, error_message, response_excerpt,
       request_headers, span_id)
SELECT * FROM json_to_recordset(CAST(:rows AS json)) AS r (delivery_id uuid, attempt int, started_at timestamptz,
       duration_ms int, dns_ms int, connect_ms int, tls_ms int, first_byte_ms int, address text, status_code int,
       succeeded bool, error_code text, error_message text, response_excerpt text, request_headers jsonb,
       span_id text)
""",
    rows="text",
)


@dataclass(frozen=True, slots=True)
class RecordedAttempt:
    """What an attempt did to its delivery, and the state of the endpoint before it.

    ``seconds`` from the delivery's creation until it was delivered; None when it was not, or was asked for again.
    """

    effect: Effect
    state: EndpointState = EndpointState.HEALTHY
    seconds: float | None = None


_NOTHING: Final = RecordedAttempt(Effect.NONE)


@dataclass
class _Batch:
    """What a batch of attempts changes; filled attempt by attempt, then written at once."""

    deliveries: Mapping[str, Any]
    """By delivery id, the locked rows."""
    endpoints: Mapping[str, Any]
    """By endpoint id, the locked rows."""
    health: dict[str, EndpointHealth]
    attempts: list[dict[str, Any]] = field(default_factory=list)
    reads: list[CaseRead] = field(default_factory=list)
    writes: dict[str, DeliveryRow] = field(default_factory=dict)
    events: list[OutgoingRecord] = field(default_factory=list)


def record(
    connection: Connection,
    attempts: Sequence[Attempt],
    now: datetime,
    policy: RetryPolicy,
    *,
    disable_after: timedelta,
) -> list[RecordedAttempt]:
    """Record attempts: their rows, the next states, the endpoints' health and the events, all or nothing. The caller
    commits.

    What became of each, in order; NONE for an attempt without the lease: another process has the delivery, nothing
    is written of it.
    """
    batch = _lock(connection, attempts)
    recorded = [_add(batch, attempt, now, policy, disable_after) for attempt in attempts]
    health, disabled = _changed_endpoints(batch)
    calls = [
        *([PreparedCall(_ADD_ATTEMPTS, {"rows": as_json(batch.attempts)})] if batch.attempts else []),
        *([new_reads(batch.reads)] if batch.reads else []),
        *([changed_deliveries(list(batch.writes.values()))] if batch.writes else []),
        *([_changed_health(health)] if health else []),
        *([new_rows(outbox, batch.events, now=now)] if batch.events else []),
    ]
    if calls:
        run_together(connection, *calls)
    if disabled:
        connection.execute(_KEEP, {"ids": disabled})
    return recorded


def _lock(connection: Connection, attempts: Sequence[Attempt]) -> _Batch:
    ids = [attempt.delivery_id for attempt in attempts]
    deliveries = {row.delivery_id: row for row in _LOCK.run(connection, {"ids": ids})}
    named = sorted({row.endpoint_id for row in deliveries.values()})
    endpoints = {row.endpoint_id: row for row in _LOCK_ENDPOINTS.run(connection, {"ids": named})}
    return _Batch(deliveries, endpoints, {name: _health_of(row) for name, row in endpoints.items()})


def _add(
    batch: _Batch, attempt: Attempt, now: datetime, policy: RetryPolicy, disable_after: timedelta
) -> RecordedAttempt:
    row = batch.deliveries.get(attempt.delivery_id)
    # A token is used once, so two attempts at one delivery in a batch cannot both be its holder's.
    if row is None or attempt.delivery_id in batch.writes:
        return _NOTHING
    fact = Result(
        attempt.token,
        attempt.status_code,
        attempt.retry_after,
        attempt.draw,
        in_time=attempt.error_code is None,
        shrinks=attempt.shrinks,
    )
    decision = decide(delivery_from(row), fact, now, policy)
    if not decision.changed:
        return _NOTHING
    before = batch.health[row.endpoint_id]
    after = judge(before, decision.effect, now, disable_after=disable_after)
    if decision.effect is Effect.SHRINK:
        after = refused_as_too_large(after, attempt.form, now)
    batch.health[row.endpoint_id] = after
    delivery = kept(decision.delivery) if after.disabled else decision.delivery
    batch.writes[attempt.delivery_id] = delivery_row(row.delivery_id, delivery, now, attempt)
    batch.attempts.append(attempt.columns())
    # A receiver that was not reached has read nothing.
    if attempt.address is not None and row.process_number:
        batch.reads.append(_read_by_receiver(row, attempt))
    batch.events += events.of_attempt(row, delivery, decision.effect, attempt, now)
    if after.disabled and not before.disabled:
        batch.events.append(events.of_disabled(batch.endpoints[row.endpoint_id], row, after, now))
    first_round = delivery.attempts == delivery.round_attempts
    delivered = decision.effect is Effect.DELIVERED and first_round
    seconds = (now - row.created_at).total_seconds() if delivered else None
    return RecordedAttempt(decision.effect, before.state, seconds)


def _read_by_receiver(row: Any, attempt: Attempt) -> CaseRead:
    """The row of the access log: what the client was sent, and to which address."""
    return CaseRead(
        process_number=row.process_number,
        route=f"webhook {row.event_type}",
        client_id=row.client_id,
        status=attempt.status_code,
        documents=attempt.documents,
        links=attempt.links,
        sees_sealed=True,
        address=attempt.address,
        request_id=row.delivery_id,
    )


def _changed_health(rows: Sequence[dict[str, Any]]) -> PreparedCall:
    return PreparedCall(_WRITE_ENDPOINTS, {"rows": as_json(rows), "ids": [row["endpoint_id"] for row in rows]})


def _changed_endpoints(batch: _Batch) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of the endpoints whose health is another one, and the ids of those that are disabled now."""
    rows, disabled = [], []
    for endpoint_id, after in batch.health.items():
        before = _health_of(batch.endpoints[endpoint_id])
        if after == before:
            continue
        rows.append(
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
            }
        )
        if after.disabled and not before.disabled:
            disabled.append(endpoint_id)
    return rows, disabled


def _health_of(row: Any) -> EndpointHealth:
    return EndpointHealth(
        consecutive_failures=row.consecutive_failures,
        failing_since=row.failing_since,
        last_success_at=row.last_success_at,
        last_failure_at=row.last_failure_at,
        disabled_at=row.disabled_at,
        disabled_reason=row.disabled_reason,
        alert_reason=row.alert_reason,
        body_form=BodyForm(row.body_form),
        body_form_at=row.body_form_at,
    )


def purge_attempts(connection: Connection, before: datetime, *, most: int) -> int:
    """Delete at most ``most`` attempts that began before a moment; how many were deleted. The caller commits."""
    old = (
        select(attempts_table.c.id)
        .where(attempts_table.c.started_at < before)
        .order_by(attempts_table.c.started_at)
        .limit(most)
    )
    return connection.execute(delete(attempts_table).where(attempts_table.c.id.in_(old.scalar_subquery()))).rowcount
