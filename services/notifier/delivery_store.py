"""SQL of deliveries under way: what is due, claims with a lease, results fenced by it.

The decisions are the pure ones of state.py and endpoint_state.py; here rows are locked in the order of their ids,
shown to them, and written back, a batch in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg2.extras import execute_values
from sqlalchemy import Connection

from services.notifier import notices
from services.notifier.attempt import Attempt
from services.notifier.endpoint_state import Endpoint, judge
from services.notifier.lanes import Ticket
from services.notifier.state import Claim, Delivery, DeliveryStatus, Effect, Result, RetryPolicy, Withdrawn, decide
from shared.db.delivery import outbox
from shared.kafka.records import OutgoingRecord
from shared.outbox.write import write

_DUE: Final = """
(SELECT d.delivery_id::text, d.endpoint_id::text, e.origin FROM delivery.deliveries d
   JOIN delivery.endpoints e USING (endpoint_id)
  WHERE d.status IN ('pending', 'waiting') AND d.next_attempt_at <= %(due)s
    AND e.disabled_at IS NULL AND d.endpoint_id <> ALL (%(full)s::uuid[])
  ORDER BY d.next_attempt_at LIMIT %(most)s)
UNION ALL
(SELECT d.delivery_id::text, d.endpoint_id::text, e.origin FROM delivery.deliveries d
   JOIN delivery.endpoints e USING (endpoint_id)
  WHERE d.status = 'sending' AND d.lease_until <= %(now)s AND d.endpoint_id <> ALL (%(full)s::uuid[])
  ORDER BY d.lease_until LIMIT %(most)s)
"""
_FIND: Final = """
SELECT d.delivery_id::text, d.endpoint_id::text, e.origin, d.status, d.attempts FROM delivery.deliveries d
  JOIN delivery.endpoints e USING (endpoint_id)
 WHERE d.delivery_id = ANY (%(ids)s::uuid[]) AND d.status IN ('pending', 'waiting') AND d.next_attempt_at IS NOT NULL
"""
_ROW: Final = """d.delivery_id::text, d.subscription_id::text, d.job_id::text, d.process_number, d.client_id,
    d.endpoint_id::text, d.url, d.status, d.attempts, d.round_attempts, d.next_attempt_at, d.lease_token::text,
    d.lease_until"""
_CLAIM: Final = f"""
SELECT {_ROW}, e.disabled_at IS NOT NULL AS disabled, c.webhook_secret, c.previous_webhook_secret,
       c.previous_secret_until, c.disabled_at AS client_disabled_at, COALESCE(j.total_documents, 0) AS documents
  FROM delivery.deliveries d JOIN delivery.endpoints e USING (endpoint_id)
  LEFT JOIN delivery.completions j ON j.job_id = d.job_id
  LEFT JOIN catalog.clients c ON c.client_id = d.client_id
 WHERE d.delivery_id = ANY (%(ids)s::uuid[]) ORDER BY d.delivery_id FOR UPDATE OF d SKIP LOCKED
"""  # noqa: S608
_LOCK: Final = f"""
SELECT {_ROW} FROM delivery.deliveries d
 WHERE d.delivery_id = ANY (%(ids)s::uuid[]) ORDER BY d.delivery_id FOR UPDATE
"""  # noqa: S608
_LOCK_ENDPOINTS: Final = """
SELECT endpoint_id::text, client_id, url, consecutive_failures, failing_since, last_success_at, last_failure_at,
       disabled_at, disabled_reason, alert_reason
  FROM delivery.endpoints WHERE endpoint_id = ANY (%(ids)s::uuid[]) ORDER BY endpoints.endpoint_id FOR UPDATE
"""
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
_WRITE_ENDPOINT: Final = """
UPDATE delivery.endpoints SET consecutive_failures = %(consecutive_failures)s, failing_since = %(failing_since)s,
       last_success_at = %(last_success_at)s, last_failure_at = %(last_failure_at)s, disabled_at = %(disabled_at)s,
       disabled_reason = %(disabled_reason)s, alert_reason = %(alert_reason)s
 WHERE endpoint_id = %(endpoint_id)s
"""
_HOLD: Final = """
UPDATE delivery.deliveries SET next_attempt_at = NULL
 WHERE endpoint_id = ANY (%(ids)s::uuid[]) AND status IN ('pending', 'waiting')
"""
_ADD_ATTEMPTS: Final = """
INSERT INTO delivery.attempts (delivery_id, attempt, started_at, duration_ms, dns_ms, connect_ms, tls_ms,
       first_byte_ms, address, status_code, succeeded, error_code, error_message, response_excerpt) VALUES %s
"""
_RENEW: Final = """
UPDATE delivery.deliveries SET lease_until = %(until)s
 WHERE delivery_id = %(id)s AND status = 'sending' AND lease_token = %(token)s
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process may send until its lease runs out."""

    ticket: Ticket
    subscription_id: str
    job_id: str
    process_number: str
    client_id: str
    url: str
    documents: int
    """How many documents its body has."""
    attempt: int
    token: str
    lease_until: datetime
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a result; NONE: it was fenced off, somebody else has the delivery."""

    effect: Effect


def due(connection: Connection, now: datetime, *, grace: timedelta, full: Sequence[str], most: int) -> list[Ticket]:
    """Deliveries whose time has passed by ``grace`` or whose lease ran out, not of the ``full`` endpoints."""
    parameters = {"due": now - grace, "now": now, "full": list(full), "most": most}
    return [Ticket(*row) for row in connection.exec_driver_sql(_DUE, parameters)]


def find(connection: Connection, delivery_ids: Sequence[str]) -> dict[str, tuple[Ticket, int]]:
    """Of these, the deliveries that wait to be sent, with the number of attempts made so far."""
    rows = connection.exec_driver_sql(_FIND, {"ids": list(delivery_ids)})
    return {row[0]: (Ticket(row[0], row[1], row[2]), row.attempts) for row in rows}


def claim(
    connection: Connection,
    tickets: Sequence[Ticket],
    now: datetime,
    policy: RetryPolicy,
    new_token: Callable[[], str],
) -> list[Claimed]:
    """Claim what can be: due, or with a lost lease, and its endpoint and client not disabled."""
    wanted = {ticket.delivery_id: ticket for ticket in tickets}
    claimed: list[Claimed] = []
    writes: list[tuple[Any, ...]] = []
    for row in connection.exec_driver_sql(_CLAIM, {"ids": list(wanted)}).all():
        before = _delivery(row)
        if row.webhook_secret is None or row.client_disabled_at is not None:
            decision = decide(before, Withdrawn(), now, policy)
            if decision.changed:
                writes.append(_written(row.delivery_id, decision.delivery, now))
            continue
        if row.disabled and before.status is not DeliveryStatus.SENDING:
            if before.next_attempt_at is not None and before.status in {DeliveryStatus.PENDING, DeliveryStatus.WAITING}:
                writes.append(_written(row.delivery_id, _held(before), now))
            continue
        token = new_token()
        decision = decide(before, Claim(token), now, policy)
        if decision.effect is not Effect.SEND:
            continue
        after = decision.delivery
        assert after.lease_until is not None
        writes.append(_written(row.delivery_id, after, now))
        claimed.append(
            Claimed(
                ticket=wanted[row.delivery_id],
                subscription_id=row.subscription_id,
                job_id=row.job_id,
                process_number=row.process_number,
                client_id=row.client_id,
                url=row.url,
                documents=row.documents,
                attempt=after.attempts,
                token=token,
                lease_until=after.lease_until,
                secrets=_secrets(row, now),
            )
        )
    _write(connection, writes)
    return claimed


def _secrets(row: Any, now: datetime) -> tuple[str, ...]:
    """The client's secret, and the one before it while that still signs."""
    if row.previous_webhook_secret and row.previous_secret_until is not None and row.previous_secret_until > now:
        return (row.webhook_secret, row.previous_webhook_secret)
    return (row.webhook_secret,)


def renew(connection: Connection, claimed: Claimed, until: datetime) -> bool:
    """Hold a lease for longer; False when it is somebody else's by now."""
    parameters = {"id": claimed.ticket.delivery_id, "token": claimed.token, "until": until}
    return connection.exec_driver_sql(_RENEW, parameters).rowcount == 1


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
    made: list[tuple[Any, ...]] = []
    writes: dict[str, tuple[Any, ...]] = {}
    events: list[OutgoingRecord] = []
    for result in results:
        row = rows.get(result.delivery_id)
        fact = Result(result.token, result.status_code, result.retry_after, result.draw, result.error_code is None)
        # A token is used once, so two results of one delivery in a batch cannot both be its holder's.
        decision = decide(_delivery(row), fact, now, policy) if row is not None else None
        if row is None or decision is None or not decision.changed or result.delivery_id in writes:
            recorded.append(Recorded(Effect.NONE))
            continue
        before = health[row.endpoint_id]
        after = health[row.endpoint_id] = judge(before, decision.effect, now, disable_after=disable_after)
        delivery = _held(decision.delivery) if after.disabled else decision.delivery
        writes[result.delivery_id] = _written(row.delivery_id, delivery, now, result)
        made.append(result.columns())
        events += notices.of_attempt(row, delivery, decision.effect, result, now)
        if after.disabled and not before.disabled:
            events.append(notices.of_disabled(known[row.endpoint_id], row, after, now))
        recorded.append(Recorded(decision.effect))
    if made:
        execute_values(_cursor(connection), _ADD_ATTEMPTS, made, page_size=len(made))
    _write(connection, list(writes.values()))
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
            },
        )
        if after.disabled and not before.disabled:
            disabled.append(endpoint_id)
    if disabled:
        connection.exec_driver_sql(_HOLD, {"ids": disabled})


def _held(delivery: Delivery) -> Delivery:
    """A delivery of a disabled endpoint is kept, and not due."""
    if delivery.next_attempt_at is None:
        return delivery
    return Delivery(delivery.status, delivery.attempts, delivery.round_attempts)


def _delivery(row: Any) -> Delivery:
    return Delivery(
        DeliveryStatus(row.status),
        row.attempts,
        row.round_attempts,
        row.next_attempt_at,
        row.lease_token,
        row.lease_until,
    )


def _endpoint(row: Any) -> Endpoint:
    return Endpoint(
        consecutive_failures=row.consecutive_failures,
        failing_since=row.failing_since,
        last_success_at=row.last_success_at,
        last_failure_at=row.last_failure_at,
        disabled_at=row.disabled_at,
        disabled_reason=row.disabled_reason,
        alert_reason=row.alert_reason,
    )


def _written(delivery_id: str, after: Delivery, now: datetime, result: Attempt | None = None) -> tuple[Any, ...]:
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


def _write(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        execute_values(_cursor(connection), _WRITE, rows, template=_WRITE_TYPES, page_size=len(rows))


def _cursor(connection: Connection) -> Any:
    driver = connection.connection.driver_connection
    assert driver is not None
    return driver.cursor()
