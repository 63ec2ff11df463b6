"""Topics ``webhook.events`` (public) and ``webhook.dead``: what happened to deliveries and endpoints.

These are events for Kafka. What a webhook itself carries is in shared/webhooks/event_types; CONTRIBUTING.md,
"Add a type of webhook", tells how a new type is added.
"""

from __future__ import annotations

from typing import ClassVar

from shared.events.envelope import Event, Line, MaskedNumber, Timestamp, Uuid, Word


class DeliveryEvent(Event):
    """The base of a delivery's events."""

    delivery_id: Uuid
    subscription_id: Uuid
    job_id: Uuid
    process_number: MaskedNumber
    client_id: Word
    attempt: int
    at: Timestamp
    event_type: Word = "process.completed"
    """The type of the webhook's body."""

    def key(self) -> str:
        return self.delivery_id


class WebhookDelivered(DeliveryEvent):
    """The receiver answered 2xx."""

    TYPE: ClassVar[str] = "autos.webhook.delivered"

    status_code: int


class WebhookAttemptFailed(DeliveryEvent):
    """One attempt failed; ``next_attempt_at`` says when the next one is due, None when there is none."""

    TYPE: ClassVar[str] = "autos.webhook.attempt_failed"

    error_code: Word
    status_code: int | None = None
    next_attempt_at: Timestamp | None = None


class WebhookExhausted(DeliveryEvent):
    """The last attempt failed: no more by itself; ``webhook.dead`` has the same event for redelivery."""

    TYPE: ClassVar[str] = "autos.webhook.exhausted"

    error_code: Word
    status_code: int | None = None
    url: Line


class EndpointDisabled(Event):
    """An endpoint is called no more until it is enabled again: it answered 410, or failed for days."""

    TYPE: ClassVar[str] = "autos.webhook.endpoint_disabled"

    endpoint_id: Uuid
    delivery_id: Uuid
    client_id: Word
    url: Line
    reason: Word
    at: Timestamp

    def key(self) -> str:
        return self.delivery_id
