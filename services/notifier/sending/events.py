"""The events of a recorded attempt: webhook.events for other systems, webhook.retry.* as wake-ups, webhook.dead.

Their ids are made of the delivery and the attempt, so that a repeat is recognised.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from services.notifier.domain.delivery import DeliveryState, Effect
from services.notifier.domain.endpoint_health import EndpointHealth
from services.notifier.sending.attempt import Attempt
from shared.events.envelope import Event, deterministic_id, encode
from shared.events.topics import WEBHOOK_DEAD, WEBHOOK_EVENTS, WEBHOOK_RETRY, tier_for
from shared.events.webhook_events import (
    EndpointDisabled,
    WebhookAttemptFailed,
    WebhookDelivered,
    WebhookExhausted,
)
from shared.events.webhook_retry import WebhookRetry
from shared.records import OutgoingRecord

SOURCE: Final = "/autos/notifier"
# Clocks and floats are rounded: a wake-up that is a hair too early would be refused and left to the sweeper.
_SLACK: Final = timedelta(milliseconds=2)


def _record(event: Event, topic: str, now: datetime, *identity: object) -> OutgoingRecord:
    return encode(event, topic, event_id=deterministic_id(event.TYPE, topic, *identity), source=SOURCE, time=now)


def of_attempt(row: Any, after: DeliveryState, effect: Effect, result: Attempt, now: datetime) -> list[OutgoingRecord]:
    """The events of one recorded attempt. ``row`` is the delivery's, ``after`` its next state.

    Of a delivery about no case there is only the wake-up: the events of deliveries name a job and a case.
    """
    if row.process_number is None:
        return _wake_up(row, after, result, now) if effect is not Effect.DELIVERED else []
    about: dict[str, Any] = {
        "delivery_id": row.delivery_id,
        "subscription_id": row.subscription_id,
        "job_id": row.job_id,
        "process_number": row.process_number,
        "client_id": row.client_id,
        "event_type": row.event_type,
        "attempt": result.attempt,
        "at": now,
    }
    code = result.error_code_shown or "unknown"
    identity = (row.delivery_id, result.attempt)
    if effect is Effect.DELIVERED:
        delivered = WebhookDelivered(**about, status_code=result.status_code or 0)
        return [_record(delivered, WEBHOOK_EVENTS, now, *identity)]
    failed = WebhookAttemptFailed(
        **about, error_code=code, status_code=result.status_code, next_attempt_at=after.next_attempt_at
    )
    events = [_record(failed, WEBHOOK_EVENTS, now, *identity)]
    if effect is Effect.EXHAUSTED:
        exhausted = WebhookExhausted(**about, error_code=code, status_code=result.status_code, url=row.url)
        events += [_record(exhausted, topic, now, *identity) for topic in (WEBHOOK_EVENTS, WEBHOOK_DEAD)]
    else:
        events += _wake_up(row, after, result, now)
    return events


def _wake_up(row: Any, after: DeliveryState, result: Attempt, now: datetime) -> list[OutgoingRecord]:
    """What wakes the next attempt, if there is one."""
    if after.next_attempt_at is None:
        return []
    retry = WebhookRetry(
        delivery_id=row.delivery_id, attempt=after.attempts + 1, not_before=after.next_attempt_at + _SLACK
    )
    topic = tier_for((after.next_attempt_at - now).total_seconds(), WEBHOOK_RETRY).topic
    return [_record(retry, topic, now, row.delivery_id, result.attempt)]


def of_disabled(endpoint: Any, delivery: Any, after: EndpointHealth, now: datetime) -> OutgoingRecord:
    """The event of an endpoint that was disabled. ``delivery`` is the row of the last delivery that was tried."""
    event = EndpointDisabled(
        endpoint_id=endpoint.endpoint_id,
        delivery_id=delivery.delivery_id,
        client_id=endpoint.client_id,
        url=endpoint.url,
        reason=after.disabled_reason or "unknown",
        at=now,
    )
    return _record(event, WEBHOOK_EVENTS, now, endpoint.endpoint_id, now.isoformat())
