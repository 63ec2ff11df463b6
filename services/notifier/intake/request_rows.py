"""SQL of what clients ask: a delivery sent again, an endpoint enabled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, case, exists, func, literal, null, text, update

from services.notifier.domain.delivery import CLAIMABLE, RedeliveryAsked, decide
from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.domain.endpoint_health import DISABLED, EXHAUSTED
from services.notifier.domain.retry_policy import RetryPolicy
from services.notifier.sending.delivery_rows import COLUMNS, delivery_from, delivery_row, kept, write_deliveries
from shared.db.delivery import deliveries, endpoints
from shared.domain.statuses import DeliveryStatus
from shared.events.webhook_subscribed import EndpointEnableRequested, RedeliveryRequested

_LOCK_ASKED: Final = text(f"""
SELECT {COLUMNS}, e.origin, e.least_seconds, e.disabled_at IS NOT NULL AS disabled
  FROM delivery.deliveries d JOIN delivery.endpoints e USING (endpoint_id)
 WHERE d.delivery_id = ANY (CAST(:ids AS uuid[])) ORDER BY d.delivery_id FOR UPDATE OF d
""")  # noqa: S608
_OPEN: Final = [status.value for status in CLAIMABLE]


def ask_again(
    connection: Connection, asked: Sequence[RedeliveryRequested], now: datetime, policy: RetryPolicy
) -> list[DueDelivery]:
    """Start a new round for deliveries of these clients; returns those that can be sent now. The caller commits.

    A delivery that is not there, or is another client's, is left alone: the API has checked it already. So is one that
    is being sent.
    """
    if not asked:
        return []
    clients = {event.delivery_id: event.client_id for event in asked}
    due = []
    writes = []
    for row in connection.execute(_LOCK_ASKED, {"ids": list(clients)}):
        if row.client_id != clients[row.delivery_id]:
            continue
        decision = decide(delivery_from(row), RedeliveryAsked(), now, policy)
        if not decision.changed:
            continue
        after = kept(decision.delivery) if row.disabled else decision.delivery
        writes.append(delivery_row(row.delivery_id, after, now))
        if not row.disabled:
            due.append(DueDelivery(row.delivery_id, row.endpoint_id, row.origin, row.client_id, row.least_seconds))
    write_deliveries(connection, writes)
    return due


def enable_endpoints(connection: Connection, asked: Sequence[EndpointEnableRequested], now: datetime) -> int:
    """Enable endpoints of these clients and make the deliveries kept for them due; how many became due. The caller
    commits.
    """
    released = 0
    for event in sorted(asked, key=lambda event: event.endpoint_id):
        found = connection.execute(
            update(endpoints)
            .where(endpoints.c.endpoint_id == event.endpoint_id, endpoints.c.client_id == event.client_id)
            .values(
                disabled_at=None,
                disabled_reason=None,
                consecutive_failures=0,
                failing_since=None,
                body_form=0,
                body_form_at=None,
                # An alert that it was disabled is no longer due; one about deliveries given up before still is.
                alert_reason=case((endpoints.c.alert_reason == DISABLED, _given_up()), else_=endpoints.c.alert_reason),
            )
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


def _given_up() -> ColumnElement[str]:
    """``exhausted`` when a delivery of the endpoint was given up since the last alert, else null."""
    since = func.coalesce(endpoints.c.alerted_at, text("'-infinity'::timestamptz"))
    found = exists().where(
        deliveries.c.endpoint_id == endpoints.c.endpoint_id,
        deliveries.c.status == DeliveryStatus.EXHAUSTED,
        deliveries.c.updated_at > since,
    )
    return case((found, literal(EXHAUSTED)), else_=null())
