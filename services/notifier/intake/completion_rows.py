"""SQL of subscriptions, completions and new deliveries: where a subscription and a completion meet.

Both sides take the advisory lock of the job before they look for the other, so that whichever comes second sees the
first and creates the delivery, once: its id is made of the subscription's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.sending.delivery_rows import (
    as_json,
)
from shared.events.envelope import deterministic_id
from shared.events.process_completed import ProcessCompleted
from shared.events.webhook_subscribed import WebhookSubscribed
from shared.http.guard import AnyAddress, WebhookUrlRefused, check_url

_LOCK_SPACE: Final = 0x6465  # "de": advisory locks on a job's deliveries
_LOCK_JOBS: Final = """
SELECT count(pg_advisory_xact_lock(%(space)s, number)) FROM (
    SELECT DISTINCT hashtext(job_id) AS number FROM unnest(%(jobs)s) AS job_id ORDER BY number
) AS ordered
"""
# Rows travel as one JSON text: an ``executemany`` with ON CONFLICT goes to the server and back for each row.
_ADD_COMPLETIONS: Final = """
INSERT INTO delivery.completions (job_id, process_number, status, total_documents, completed_documents,
       failed_documents, error_code, error_message, created_at, completed_at, recorded_at)
SELECT job_id, process_number, status, total_documents, completed_documents, failed_documents, error_code,
       error_message, created_at, completed_at, %(now)s
  FROM json_to_recordset(%(rows)s::json) AS r (job_id uuid, process_number text, status text, total_documents int,
       completed_documents int, failed_documents int, error_code text, error_message text, created_at timestamptz,
       completed_at timestamptz)
    ON CONFLICT DO NOTHING
"""
_ADD_SUBSCRIPTIONS: Final = """
INSERT INTO delivery.subscriptions AS known (subscription_id, job_id, process_number, client_id, url, sealed,
       reference, created_at)
SELECT subscription_id, job_id, process_number, client_id, url, sealed, reference, %(now)s
  FROM json_to_recordset(%(rows)s::json)
    AS r (subscription_id uuid, job_id uuid, process_number text, client_id text, url text, sealed bool,
          reference text)
 ORDER BY subscription_id
    ON CONFLICT (subscription_id) DO UPDATE SET sealed = known.sealed OR excluded.sealed,
       reference = COALESCE(excluded.reference, known.reference)
 WHERE (excluded.sealed AND NOT known.sealed
        OR excluded.reference IS NOT NULL AND excluded.reference IS DISTINCT FROM known.reference)
   AND excluded.client_id = known.client_id AND excluded.url = known.url
"""
_MISSING: Final = """
SELECT s.subscription_id::text, s.job_id::text, s.process_number, s.client_id, s.url
  FROM delivery.subscriptions s JOIN delivery.completions c USING (job_id)
  LEFT JOIN delivery.deliveries d ON d.subscription_id = s.subscription_id
 WHERE s.job_id = ANY (%(jobs)s::uuid[]) AND d.delivery_id IS NULL ORDER BY s.subscription_id
"""
_ADD_ENDPOINTS: Final = """
INSERT INTO delivery.endpoints (endpoint_id, client_id, url, origin, created_at)
SELECT endpoint_id, client_id, url, origin, %(now)s
  FROM json_to_recordset(%(rows)s::json) AS r (endpoint_id uuid, client_id text, url text, origin text)
    ON CONFLICT DO NOTHING
"""
# What is created for a disabled endpoint is kept, and not due.
_ADD_DELIVERIES: Final = """
INSERT INTO delivery.deliveries (delivery_id, subscription_id, job_id, process_number, client_id, endpoint_id, url,
       status, next_attempt_at, created_at, updated_at)
SELECT r.delivery_id, r.subscription_id, r.job_id, r.process_number, r.client_id, r.endpoint_id, r.url,
       'pending', CASE WHEN e.disabled_at IS NULL THEN %(now)s END, %(now)s, %(now)s
  FROM json_to_recordset(%(rows)s::json) AS r (delivery_id uuid, subscription_id uuid, job_id uuid,
       process_number text, client_id text, endpoint_id uuid, url text)
  JOIN delivery.endpoints e USING (endpoint_id)
    ON CONFLICT DO NOTHING
RETURNING delivery_id::text, endpoint_id::text, next_attempt_at
"""
_ANYWHERE: Final = AnyAddress()


def delivery_id(subscription_id: str) -> str:
    """The id of a subscription's delivery, and its ``webhook-id``: the same whoever makes it, however often."""
    return deterministic_id("delivery", subscription_id)


@dataclass(frozen=True, slots=True)
class EndpointName:
    """An endpoint: a client and a URL without its query."""

    endpoint_id: str
    client_id: str
    url: str
    origin: str


def endpoint_of(client_id: str, url: str) -> EndpointName:
    """The endpoint of a URL. One that cannot be read is an endpoint of its own: its attempts will fail and say why."""
    # Everything is allowed here: names and limits only. What may be called is decided at the dial.
    try:
        checked = check_url(url, _ANYWHERE)
        name, origin = checked.without_query, checked.origin
    except WebhookUrlRefused as refused:
        name, origin = url.partition("?")[0], f"refused:{refused.code}"
    return EndpointName(deterministic_id("endpoint", client_id, name), client_id, name, origin)


def lock_jobs(connection: Connection, job_ids: Sequence[str]) -> None:
    """Lock the jobs until the transaction ends."""
    connection.exec_driver_sql(_LOCK_JOBS, {"space": _LOCK_SPACE, "jobs": sorted(set(job_ids))})


def add_completions(connection: Connection, found: Sequence[ProcessCompleted], now: datetime) -> None:
    """Remember that jobs ended; known ones stay as they are."""
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
    connection.exec_driver_sql(_ADD_COMPLETIONS, {"rows": as_json(rows), "now": now})


def add_subscriptions(connection: Connection, found: Sequence[WebhookSubscribed], now: datetime) -> None:
    """Remember who wants to be called; known ones stay, or gain the scope ``sealed`` or the reference given last."""
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
            "reference": event.reference,
        }
        for event in last.values()
    ]
    connection.exec_driver_sql(_ADD_SUBSCRIPTIONS, {"rows": as_json(rows), "now": now})


def merged(before: WebhookSubscribed, after: WebhookSubscribed) -> WebhookSubscribed:
    """One subscription, asked for twice. What is not about the same client and URL is not the same: the first stays."""
    if (before.client_id, before.url) != (after.client_id, after.url):
        return before
    changes = {"sealed": before.sealed or after.sealed, "reference": after.reference or before.reference}
    return before.model_copy(update=changes)


def create_deliveries(connection: Connection, job_ids: Sequence[str], now: datetime) -> tuple[int, list[DueDelivery]]:
    """Create the deliveries of jobs that have ended: how many, and those that can be sent now."""
    missing = connection.exec_driver_sql(_MISSING, {"jobs": list(set(job_ids))}).all()
    if not missing:
        return 0, []
    names: dict[str, EndpointName] = {}
    rows = []
    for row in missing:
        name = endpoint_of(row.client_id, row.url)
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
            }
        )
    known = [asdict(name) for _, name in sorted(names.items())]
    connection.exec_driver_sql(_ADD_ENDPOINTS, {"rows": as_json(known), "now": now})
    created = connection.exec_driver_sql(_ADD_DELIVERIES, {"rows": as_json(rows), "now": now}).all()
    return len(created), [
        DueDelivery(row.delivery_id, row.endpoint_id, names[row.endpoint_id].origin, names[row.endpoint_id].client_id)
        for row in created
        if row.next_attempt_at is not None
    ]
