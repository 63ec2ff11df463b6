"""SQL of subscriptions, completions and new deliveries: where a subscription and a completion meet.

Both sides take the advisory lock of the job before they look for the other, so that whichever comes second sees the
first and creates the delivery, once: its id is made of the subscription's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from services.notifier.lanes import Ticket
from services.notifier.state import CLAIMABLE, Delivery, DeliveryStatus, RedeliveryAsked, RetryPolicy, decide
from shared.db.delivery import attempts, completions, deliveries, endpoints, subscriptions
from shared.events.envelope import deterministic_id
from shared.events.process_completed import ProcessCompleted
from shared.events.webhook_subscribed import EndpointEnableRequested, RedeliveryRequested, WebhookSubscribed
from shared.webhooks.guard import AnyAddress, WebhookUrlRefused, check_url

_LOCK_SPACE: Final = 0x6465  # "de": advisory locks on a job's deliveries
_LOCK_JOBS: Final = """
SELECT count(pg_advisory_xact_lock(%(space)s, number)) FROM (
    SELECT DISTINCT hashtext(job_id) AS number FROM unnest(%(jobs)s) AS job_id ORDER BY number
) AS ordered
"""
_ANYWHERE: Final = AnyAddress()
_OPEN: Final = [str(status) for status in CLAIMABLE]


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
    """The endpoint of a URL. One that cannot be read is an endpoint of its own: its attempts will fail and tell."""
    # Everything is allowed here: names and limits only. What may be called is decided at the dial.
    try:
        checked = check_url(url, _ANYWHERE)
        name, origin = checked.without_query, checked.origin
    except WebhookUrlRefused as refused:
        name, origin = url.partition("?")[0], f"refused:{refused.code}"
    return EndpointName(deterministic_id("endpoint", client_id, name), client_id, name, origin)


def lock_jobs(connection: Connection, job_ids: Sequence[str]) -> None:
    """Hold the jobs until the transaction ends."""
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
            "recorded_at": now,
        }
        for event in found
    ]
    connection.execute(insert(completions).on_conflict_do_nothing(), rows)


def add_subscriptions(connection: Connection, found: Sequence[WebhookSubscribed], now: datetime) -> None:
    """Remember who wants to be called; known ones stay as they are."""
    rows = [
        {
            "subscription_id": event.subscription_id,
            "job_id": event.job_id,
            "process_number": event.process_number,
            "client_id": event.client_id,
            "url": event.url,
            "created_at": now,
        }
        for event in found
    ]
    connection.execute(insert(subscriptions).on_conflict_do_nothing(), rows)


def create_deliveries(connection: Connection, job_ids: Sequence[str], now: datetime) -> list[Ticket]:
    """Create the deliveries of jobs that have ended; returns those that can be sent now."""
    missing = connection.execute(
        select(subscriptions)
        .join(completions, completions.c.job_id == subscriptions.c.job_id)
        .outerjoin(deliveries, deliveries.c.subscription_id == subscriptions.c.subscription_id)
        .where(subscriptions.c.job_id.in_(list(set(job_ids))), deliveries.c.delivery_id.is_(None))
        .order_by(subscriptions.c.subscription_id)
    ).all()
    if not missing:
        return []
    names = {row.subscription_id: endpoint_of(row.client_id, row.url) for row in missing}
    known = {name.endpoint_id: name for name in names.values()}
    connection.execute(
        insert(endpoints).on_conflict_do_nothing(),
        [
            {
                "endpoint_id": name.endpoint_id,
                "client_id": name.client_id,
                "url": name.url,
                "origin": name.origin,
                "created_at": now,
            }
            for _, name in sorted(known.items())
        ],
    )
    disabled = _disabled(connection, list(known))
    rows = [
        {
            "delivery_id": delivery_id(row.subscription_id),
            "subscription_id": row.subscription_id,
            "job_id": row.job_id,
            "process_number": row.process_number,
            "client_id": row.client_id,
            "endpoint_id": names[row.subscription_id].endpoint_id,
            "url": row.url,
            "status": DeliveryStatus.PENDING.value,
            "attempts": 0,
            "round_attempts": 0,
            "next_attempt_at": None if names[row.subscription_id].endpoint_id in disabled else now,
            "created_at": now,
            "updated_at": now,
        }
        for row in missing
    ]
    connection.execute(insert(deliveries).on_conflict_do_nothing(), rows)
    return [
        Ticket(row["delivery_id"], row["endpoint_id"], names[row["subscription_id"]].origin)
        for row in rows
        if row["next_attempt_at"] is not None
    ]


def _disabled(connection: Connection, endpoint_ids: Sequence[str]) -> set[str]:
    query = select(endpoints.c.endpoint_id).where(
        endpoints.c.endpoint_id.in_(endpoint_ids), endpoints.c.disabled_at.is_not(None)
    )
    return set(connection.execute(query).scalars())


def ask_again(
    connection: Connection, asked: Sequence[RedeliveryRequested], now: datetime, policy: RetryPolicy
) -> list[Ticket]:
    """Start a new round for deliveries of these clients; returns those that can be sent now.

    A delivery that is not there, or is another client's, is left alone: the API has checked it already.
    """
    if not asked:
        return []
    clients = {event.delivery_id: event.client_id for event in asked}
    rows = connection.execute(
        select(deliveries, endpoints.c.origin, endpoints.c.disabled_at)
        .join(endpoints, endpoints.c.endpoint_id == deliveries.c.endpoint_id)
        .where(deliveries.c.delivery_id.in_(list(clients)))
        .order_by(deliveries.c.delivery_id)
        .with_for_update(of=deliveries)
    ).all()
    tickets = []
    for row in rows:
        if row.client_id != clients[row.delivery_id]:
            continue
        before = Delivery(
            DeliveryStatus(row.status),
            row.attempts,
            row.round_attempts,
            row.next_attempt_at,
            row.lease_token,
            row.lease_until,
        )
        decision = decide(before, RedeliveryAsked(), now, policy)
        if not decision.changed:
            continue
        held = row.disabled_at is not None
        connection.execute(
            update(deliveries)
            .where(deliveries.c.delivery_id == row.delivery_id)
            .values(
                status=decision.delivery.status.value,
                round_attempts=decision.delivery.round_attempts,
                next_attempt_at=None if held else decision.delivery.next_attempt_at,
                updated_at=now,
            )
        )
        if not held:
            tickets.append(Ticket(row.delivery_id, row.endpoint_id, row.origin))
    return tickets


def enable_endpoints(connection: Connection, asked: Sequence[EndpointEnableRequested], now: datetime) -> int:
    """Call endpoints of these clients again and make what was kept for them due; how many became due."""
    released = 0
    for event in sorted(asked, key=lambda event: event.endpoint_id):
        found = connection.execute(
            update(endpoints)
            .where(endpoints.c.endpoint_id == event.endpoint_id, endpoints.c.client_id == event.client_id)
            .values(disabled_at=None, disabled_reason=None, consecutive_failures=0, failing_since=None)
        )
        if found.rowcount == 1:
            released += connection.execute(
                update(deliveries)
                .where(
                    deliveries.c.endpoint_id == event.endpoint_id,
                    deliveries.c.status.in_(_OPEN),
                    deliveries.c.next_attempt_at.is_(None),
                )
                .values(next_attempt_at=now, updated_at=now)
            ).rowcount
    return released


def purge(connection: Connection, before: datetime, *, most: int) -> int:
    """Delete at most ``most`` attempts that began before a moment; how many were deleted."""
    old = select(attempts.c.id).where(attempts.c.started_at < before).order_by(attempts.c.started_at).limit(most)
    return connection.execute(delete(attempts).where(attempts.c.id.in_(old.scalar_subquery()))).rowcount
