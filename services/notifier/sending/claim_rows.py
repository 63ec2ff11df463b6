"""SQL of deliveries that are due: finding, claiming, renewing and releasing them.

The decisions are the pure ones of domain/delivery.py. Here rows are locked in the order of their ids, passed to
``decide``, and written back, a batch in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, text

from services.notifier.domain.delivery import CLAIMABLE, Claim, DeliveryState, Effect, Released, Withdrawn, decide
from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.domain.endpoint_rate import ReservedStart
from services.notifier.domain.retry_policy import RetryPolicy
from services.notifier.sending.claimed import ClaimedDelivery
from services.notifier.sending.delivery_rows import (
    COLUMNS,
    DeliveryRow,
    changed_deliveries,
    delivery_from,
    delivery_row,
    kept,
    write_deliveries,
)
from services.notifier.sending.start_rows import reserve_starts
from shared.db.prepared import PreparedCall, PreparedText, run_together
from shared.domain.statuses import DeliveryStatus
from shared.secrets.owners import client_secret, endpoint_secret
from shared.webhooks.body_form import BodyForm, form_now
from shared.webhooks.facts import DOCUMENTS_TOGETHER, DocumentsStored
from shared.webhooks.registry import EVENT_TYPES

# The endpoints with open deliveries are stepped through by their index, and each is asked for a queue's worth: what
# waits for a receiver that is held costs one step, not a look at each of its deliveries in every sweep.
_DUE: Final = text("""
WITH RECURSIVE open (endpoint_id) AS (
    (SELECT endpoint_id FROM delivery.deliveries WHERE status IN ('pending', 'waiting')
      ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.endpoint_id FROM delivery.deliveries d
             WHERE d.status IN ('pending', 'waiting') AND d.endpoint_id > open.endpoint_id
             ORDER BY d.endpoint_id LIMIT 1)
      FROM open WHERE open.endpoint_id IS NOT NULL
)
(SELECT d.delivery_id::text, e.endpoint_id::text, e.origin, e.client_id, e.least_seconds
   FROM open JOIN delivery.endpoints e USING (endpoint_id)
  CROSS JOIN LATERAL (
        SELECT d.delivery_id, d.next_attempt_at FROM delivery.deliveries d
         WHERE d.endpoint_id = e.endpoint_id AND d.status IN ('pending', 'waiting') AND d.next_attempt_at <= :due
           AND d.event_type = ANY (:types)
         ORDER BY d.next_attempt_at LIMIT :each) d
  WHERE e.disabled_at IS NULL AND e.endpoint_id <> ALL (CAST(:full AS uuid[]))
  ORDER BY d.next_attempt_at LIMIT :most)
UNION ALL
(SELECT d.delivery_id::text, d.endpoint_id::text, e.origin, e.client_id, e.least_seconds FROM delivery.deliveries d
   JOIN delivery.endpoints e USING (endpoint_id)
  WHERE d.status = 'sending' AND d.lease_until <= :now AND d.endpoint_id <> ALL (CAST(:full AS uuid[]))
    AND d.event_type = ANY (:types)
  ORDER BY d.lease_until LIMIT :most)
""")
_FIND: Final = text("""
SELECT d.delivery_id::text, d.endpoint_id::text, e.origin, e.client_id, e.least_seconds, d.status, d.attempts
  FROM delivery.deliveries d
  JOIN delivery.endpoints e USING (endpoint_id)
 WHERE d.delivery_id = ANY (CAST(:ids AS uuid[])) AND d.status IN ('pending', 'waiting')
   AND d.next_attempt_at IS NOT NULL AND d.event_type = ANY (:types)
""")
_CLAIM: Final = PreparedText(
    "notifier_claim",
    f"""
SELECT {COLUMNS}, e.disabled_at IS NOT NULL AS disabled, e.least_seconds, c.webhook_secret, c.previous_webhook_secret,
       c.previous_secret_until, c.disabled_at AS client_disabled_at, COALESCE(j.total_documents, 0) AS documents,
       e.body_form, e.body_form_at, COALESCE(s.sealed, false) AS sealed, COALESCE(s.part, 0) AS part, s.payload,
       COALESCE(s.reference, r.reference) AS reference, s.endpoint_id IS NOT NULL AS registered,
       w.url AS endpoint_url, w.payload AS endpoint_payload, w.secret, w.previous_secret,
       w.previous_secret_until AS previous_until, w.sealed_headers,
       (SELECT traceparent FROM catalog.jobs WHERE job_id = d.job_id) AS traceparent
  FROM delivery.deliveries d JOIN delivery.endpoints e USING (endpoint_id)
  LEFT JOIN delivery.subscriptions s ON s.subscription_id = d.subscription_id
  LEFT JOIN delivery.completions j ON j.job_id = d.job_id
  LEFT JOIN catalog.clients c ON c.client_id = d.client_id
  LEFT JOIN catalog.job_references r ON r.job_id = d.job_id AND r.client_id = d.client_id
  LEFT JOIN catalog.webhook_endpoints w ON w.endpoint_id = s.endpoint_id
 WHERE d.delivery_id = ANY (CAST(:ids AS uuid[])) AND d.event_type = ANY (:types)
 ORDER BY d.delivery_id FOR UPDATE OF d SKIP LOCKED
""",  # noqa: S608
    ids="text[]",
    types="text[]",
)
_LOCK_CLAIMED: Final = text(f"""
SELECT {COLUMNS}, e.disabled_at IS NOT NULL AS disabled
  FROM delivery.deliveries d JOIN delivery.endpoints e USING (endpoint_id)
 WHERE d.delivery_id = ANY (CAST(:ids AS uuid[])) ORDER BY d.delivery_id FOR UPDATE OF d
""")  # noqa: S608
_RENEW: Final = text("""
UPDATE delivery.deliveries SET lease_until = :until
 WHERE delivery_id = :id AND status = 'sending' AND lease_token = :token
""")


_TYPES: Final = list(EVENT_TYPES)
"""What this version can render. A delivery of a later version's type is left to a replica of that version."""


class ClaimedRows(NamedTuple):
    """What was claimed; and what is early by its endpoint's rate, with the seconds until it may be claimed."""

    claimed: list[ClaimedDelivery]
    early: dict[str, float]


_AT_ONCE: Final = ReservedStart(0.0, 0.0)


def due(
    connection: Connection, now: datetime, *, grace: timedelta, full: Sequence[str], each: int, most: int
) -> list[DueDelivery]:
    """Deliveries whose time has passed by ``grace`` or whose lease has expired, not of the ``full`` endpoints.

    At most ``most`` of either kind, and at most ``each`` of one endpoint whose time has passed.
    """
    parameters = {"due": now - grace, "now": now, "full": list(full), "each": each, "most": most, "types": _TYPES}
    return [_due_delivery(row) for row in connection.execute(_DUE, parameters)]


def find(connection: Connection, delivery_ids: Sequence[str]) -> dict[str, tuple[DueDelivery, int]]:
    """The deliveries among these that wait to be sent, by id, with the number of attempts made so far."""
    rows = connection.execute(_FIND, {"ids": list(delivery_ids), "types": _TYPES})
    return {row.delivery_id: (_due_delivery(row), row.attempts) for row in rows}


def _due_delivery(row: Any) -> DueDelivery:
    return DueDelivery(row.delivery_id, row.endpoint_id, row.origin, row.client_id, row.least_seconds)


def claim(
    connection: Connection,
    deliveries: Sequence[DueDelivery],
    now: datetime,
    policy: RetryPolicy,
    new_token: Callable[[], str],
    *,
    interval: float = 0.0,
) -> ClaimedRows:
    """Claim what is due, or whose lease has expired, where neither endpoint nor client is disabled. The caller commits.

    Rows that another transaction holds are passed over. What nobody is left to call for is cancelled on the way, and
    what belongs to a disabled endpoint is kept and no longer due. ``interval`` is the least time (seconds) between two
    starts of any endpoint.
    """
    found, writes = choose(connection, deliveries, now, policy, new_token, interval=interval)
    if writes:
        run_together(connection, *writes)
    return found


def choose(
    connection: Connection,
    deliveries: Sequence[DueDelivery],
    now: datetime,
    policy: RetryPolicy,
    new_token: Callable[[], str],
    *,
    interval: float = 0.0,
) -> tuple[ClaimedRows, list[PreparedCall]]:
    """As :func:`claim`, and what the caller has still to send for it in the same transaction, before or with others."""
    wanted = {due.delivery_id: due for due in deliveries}
    ready: list[tuple[Any, DeliveryState]] = []
    writes: list[DeliveryRow] = []
    for row in _CLAIM.run(connection, {"ids": list(wanted), "types": _TYPES}).all():
        before = delivery_from(row)
        if _nobody_to_call(row):
            decision = decide(before, Withdrawn(), now, policy)
            if decision.changed:
                writes.append(delivery_row(row.delivery_id, decision.delivery, now))
            continue
        if row.disabled and before.status is not DeliveryStatus.SENDING:
            if before.next_attempt_at is not None and before.status in CLAIMABLE:
                writes.append(delivery_row(row.delivery_id, kept(before), now))
            continue
        decision = decide(before, Claim(new_token()), now, policy)
        if decision.effect is Effect.SEND:
            ready.append((row, decision.delivery))
    starts = _starts(connection, [row for row, _ in ready], interval)
    found = ClaimedRows([], {})
    for row, after in ready:
        start = starts.get(row.delivery_id, _AT_ONCE)
        if isinstance(start, float):
            found.early[row.delivery_id] = start
            continue
        writes.append(delivery_row(row.delivery_id, after, now))
        found.claimed.append(_claimed(row, wanted[row.delivery_id], after, now, start))
    return found, [changed_deliveries(writes)] if writes else []


def _starts(connection: Connection, rows: Sequence[Any], interval: float) -> dict[str, ReservedStart | float]:
    """The starts of those whose endpoint has a rate, or in how many seconds to ask again.

    The rate of an endpoint is its own or that of all endpoints (``interval``, seconds), whichever is slower.
    """
    intervals = {row.endpoint_id: max(interval, row.least_seconds or 0.0) for row in rows}
    rated = {endpoint_id: seconds for endpoint_id, seconds in intervals.items() if seconds > 0}
    if not rated:
        return {}
    return reserve_starts(
        connection, [(row.delivery_id, row.endpoint_id) for row in rows if row.endpoint_id in rated], rated
    )


def _nobody_to_call(row: Any) -> bool:
    """Whether the client was disabled or removed, or the endpoint that it had registered."""
    return row.webhook_secret is None or row.client_disabled_at is not None or (row.registered and row.secret is None)


def _claimed(row: Any, due: DueDelivery, after: DeliveryState, now: datetime, start: ReservedStart) -> ClaimedDelivery:
    assert after.lease_until is not None
    assert after.lease_token is not None
    facts = EVENT_TYPES[row.event_type].facts
    return ClaimedDelivery(
        due=due,
        subscription_id=row.subscription_id,
        job_id=row.job_id,
        process_number=row.process_number,
        client_id=row.client_id,
        url=row.endpoint_url or row.url,
        documents=DOCUMENTS_TOGETHER if facts is DocumentsStored else row.documents,
        attempt=after.attempts,
        token=after.lease_token,
        lease_until=after.lease_until,
        secrets=_secrets(row, now),
        secrets_about=endpoint_secret(row.endpoint_id) if row.registered else client_secret(row.client_id),
        form=max(
            form_now(row.body_form, row.body_form_at, now),
            BodyForm.of_payload(row.payload),
            BodyForm.of_payload(row.endpoint_payload),
        ),
        sealed=row.sealed,
        reference=row.reference,
        event_type=row.event_type,
        part=row.part,
        sealed_headers=row.sealed_headers,
        traceparent=row.traceparent,
        starts_in=start.start,
        next_in=start.after,
    )


def release(connection: Connection, claimed: Sequence[ClaimedDelivery], now: datetime, policy: RetryPolicy) -> int:
    """Release what was claimed and not sent, so that nobody waits for the lease to expire; how many."""
    tokens = {found.due.delivery_id: found.token for found in claimed}
    writes: list[DeliveryRow] = []
    for row in connection.execute(_LOCK_CLAIMED, {"ids": list(tokens)}).all():
        decision = decide(delivery_from(row), Released(tokens[row.delivery_id]), now, policy)
        if decision.changed:
            after = kept(decision.delivery) if row.disabled else decision.delivery
            writes.append(delivery_row(row.delivery_id, after, now))
    write_deliveries(connection, writes)
    return len(writes)


def _secrets(row: Any, now: datetime) -> tuple[str, ...]:
    """The secret of the endpoint or of the client, and the one before it while that still signs."""
    if row.registered:
        current, previous, until = row.secret, row.previous_secret, row.previous_until
    else:
        current, previous, until = row.webhook_secret, row.previous_webhook_secret, row.previous_secret_until
    return (current, previous) if previous and until is not None and until > now else (current,)


def renew(connection: Connection, claimed: ClaimedDelivery, until: datetime) -> bool:
    """Make a lease last until ``until``; False when another process has it by now."""
    parameters = {"id": claimed.due.delivery_id, "token": claimed.token, "until": until}
    return connection.execute(_RENEW, parameters).rowcount == 1
