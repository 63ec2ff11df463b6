"""SQL of subscriptions, completions and new deliveries: where a subscription and a completion meet.

Both sides take the advisory lock of the job before they look for the other, so that whichever comes second sees the
first and creates the delivery, once: its id is made of the subscription's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.intake.endpoint_names import (
    INSERT_ENDPOINTS,
    EndpointName,
    endpoint_of,
    endpoints_as_json,
    registered_endpoint,
)
from shared.db.prepared import PreparedCall, PreparedText, run_together
from shared.db.recordset import as_json
from shared.events.envelope import deterministic_id
from shared.events.process_completed import ProcessCompleted
from shared.events.webhook_subscribed import WebhookSubscribed

# Rows travel as one JSON text: an ``executemany`` with ON CONFLICT goes to the server and back for each row.
_ADD_COMPLETIONS: Final = PreparedText(
    "notifier_add_completions",
    """
INSERT INTO delivery.completions (job_id, process_number, status, total_documents, completed_documents,
       failed_documents, error_code, error_message, created_at, completed_at, recorded_at)
SELECT job_id, process_number, status, total_documents, completed_documents, failed_documents, error_code,
       error_message, created_at, completed_at, :now
  FROM json_to_recordset(CAST(:rows AS json)) AS r (job_id uuid, process_number text, status text, total_documents int,
       completed_documents int, failed_documents int, error_code text, error_message text, created_at timestamptz,
       completed_at timestamptz)
    ON CONFLICT DO NOTHING
""",
    rows="text",
    now="timestamptz",
)
_ADD_SUBSCRIPTIONS: Final = PreparedText(
    "notifier_add_subscriptions",
    """
INSERT INTO delivery.subscriptions AS known (subscription_id, job_id, process_number, client_id, url, sealed, payload,
       reference, created_at)
SELECT subscription_id, job_id, process_number, client_id, url, sealed, payload, reference, :now
  FROM json_to_recordset(CAST(:rows AS json))
    AS r (subscription_id uuid, job_id uuid, process_number text, client_id text, url text, sealed bool,
          payload text, reference text)
 ORDER BY subscription_id
    ON CONFLICT (subscription_id) DO UPDATE SET sealed = known.sealed OR excluded.sealed,
       payload = COALESCE(excluded.payload, known.payload),
       reference = COALESCE(excluded.reference, known.reference)
 WHERE (excluded.sealed AND NOT known.sealed
        OR excluded.payload IS NOT NULL AND excluded.payload IS DISTINCT FROM known.payload
        OR excluded.reference IS NOT NULL AND excluded.reference IS DISTINCT FROM known.reference)
   AND excluded.client_id = known.client_id AND excluded.url = known.url
""",
    rows="text",
    now="timestamptz",
)
_MISSING: Final = PreparedText(
    "notifier_missing_deliveries",
    """
SELECT s.subscription_id::text, s.job_id::text, s.process_number, s.client_id, COALESCE(w.url, s.url) AS url,
       s.event_type, s.endpoint_id::text, w.rate
  FROM delivery.subscriptions s JOIN delivery.completions c USING (job_id)
  LEFT JOIN delivery.deliveries d ON d.subscription_id = s.subscription_id
  LEFT JOIN catalog.webhook_endpoints w ON w.endpoint_id = s.endpoint_id
 WHERE s.job_id = ANY (CAST(:jobs AS uuid[])) AND d.delivery_id IS NULL
   AND (s.endpoint_id IS NULL OR w.endpoint_id IS NOT NULL) ORDER BY s.subscription_id
""",
    jobs="text[]",
)
# The endpoints that are new, in the order of their ids, and the deliveries. What is created for a disabled endpoint is
# kept, and not due; one that is new here is not among the endpoints that the statement reads.
_ADD_DELIVERIES: Final = PreparedText(
    "notifier_add_deliveries",
    f"""
WITH added AS ({INSERT_ENDPOINTS})
INSERT INTO delivery.deliveries (delivery_id, subscription_id, job_id, process_number, client_id, endpoint_id, url,
       event_type, status, next_attempt_at, created_at, updated_at)
SELECT r.delivery_id, r.subscription_id, r.job_id, r.process_number, r.client_id, r.endpoint_id, r.url, r.event_type,
       'pending', CASE WHEN (SELECT e.disabled_at FROM delivery.endpoints AS e WHERE e.endpoint_id = r.endpoint_id)
                            IS NULL THEN :now END, :now, :now
  FROM json_to_recordset(CAST(:rows AS json)) AS r (delivery_id uuid, subscription_id uuid, job_id uuid,
       process_number text, client_id text, endpoint_id uuid, url text, event_type text)
    ON CONFLICT DO NOTHING
RETURNING delivery_id::text, endpoint_id::text, next_attempt_at
""",  # noqa: S608 - a statement of ours
    rows="text",
    endpoints="text",
    now="timestamptz",
)


def delivery_id(subscription_id: str) -> str:
    """The id of a subscription's delivery, and its ``webhook-id``: the same whoever makes it, however often."""
    return deterministic_id("delivery", subscription_id)


def add_completions(connection: Connection, found: Sequence[ProcessCompleted], now: datetime) -> None:
    """Remember that jobs ended; known ones stay as they are."""
    run_together(connection, new_completions(found, now))


def new_completions(found: Sequence[ProcessCompleted], now: datetime) -> PreparedCall:
    """The statement of :func:`add_completions`, to be sent with others."""
    rows = [
        {
            "job_id": event.job_id,
            "process_number": event.process_number,
            "status": event.status.value,
            "total_documents": event.total_documents,
            "completed_documents": event.completed_documents,
            "failed_documents": event.failed_documents,
            "error_code": event.error_code,
            "error_message": event.error_message,
            "created_at": event.created_at,
            "completed_at": event.completed_at,
        }
        for event in found
    ]
    return PreparedCall(_ADD_COMPLETIONS, {"rows": as_json(rows), "now": now})


def add_subscriptions(connection: Connection, found: Sequence[WebhookSubscribed], now: datetime) -> None:
    """Remember who wants to be called; known ones stay, or gain the scope ``sealed`` or the reference given last."""
    run_together(connection, new_subscriptions(found, now))


def new_subscriptions(found: Sequence[WebhookSubscribed], now: datetime) -> PreparedCall:
    """The statement of :func:`add_subscriptions`, to be sent with others."""
    last: dict[str, WebhookSubscribed] = {}
    for event in found:
        before = last.get(event.subscription_id)
        last[event.subscription_id] = event if before is None else merged(before, event)
    rows = [
        {
            "subscription_id": event.subscription_id,
            "job_id": event.job_id,
            "process_number": event.process_number,
            "client_id": event.client_id,
            "url": event.url,
            "sealed": event.sealed,
            "payload": event.payload,
            "reference": event.reference,
        }
        for event in last.values()
    ]
    return PreparedCall(_ADD_SUBSCRIPTIONS, {"rows": as_json(rows), "now": now})


def merged(before: WebhookSubscribed, after: WebhookSubscribed) -> WebhookSubscribed:
    """One subscription, asked for twice. What is not about the same client and URL is not the same: the first stays."""
    if (before.client_id, before.url) != (after.client_id, after.url):
        return before
    changes = {
        "sealed": before.sealed or after.sealed,
        "payload": after.payload or before.payload,
        "reference": after.reference or before.reference,
    }
    return before.model_copy(update=changes)


def create_deliveries(
    connection: Connection,
    job_ids: Sequence[str],
    now: datetime,
    *,
    first: Sequence[PreparedCall] = (),
    then: Sequence[PreparedCall] = (),
) -> tuple[int, list[DueDelivery]]:
    """Create the deliveries of jobs that have ended: how many, and those that can be sent now. The caller holds the
    jobs.

    Again, it creates nothing: a delivery's id follows from its subscription. ``first`` is sent with the look for what
    is missing and done before it, ``then`` is done before the deliveries are added.
    """
    look = PreparedCall(_MISSING, {"jobs": list(set(job_ids))})
    missing = run_together(connection, *first, look).all()
    return add_deliveries(connection, missing, now, then)


def add_deliveries(
    connection: Connection, subscribed: Sequence[Any], now: datetime, first: Sequence[PreparedCall] = ()
) -> tuple[int, list[DueDelivery]]:
    """Create the deliveries of subscriptions (rows of :data:`_MISSING`), and the endpoints that are new; ``first`` is
    done before.
    """
    if not subscribed:
        if first:
            run_together(connection, *first)
        return 0, []
    names: dict[str, EndpointName] = {}
    rows = []
    for row in subscribed:
        if row.endpoint_id is None:
            name = endpoint_of(row.client_id, row.url)
        else:
            name = registered_endpoint(row.endpoint_id, row.client_id, row.url, row.rate)
        names[name.endpoint_id] = name
        rows.append(
            {
                "delivery_id": delivery_id(row.subscription_id),
                "subscription_id": row.subscription_id,
                "job_id": row.job_id,
                "process_number": row.process_number,
                "client_id": row.client_id,
                "endpoint_id": name.endpoint_id,
                "url": row.url,
                "event_type": row.event_type,
            }
        )
    wanted = {"rows": as_json(rows), "endpoints": endpoints_as_json(names.values()), "now": now}
    created = run_together(connection, *first, PreparedCall(_ADD_DELIVERIES, wanted)).all()
    due = [(row.delivery_id, names[row.endpoint_id]) for row in created if row.next_attempt_at is not None]
    return len(created), [
        DueDelivery(identity, name.endpoint_id, name.origin, name.client_id, name.least_seconds)
        for identity, name in due
    ]
