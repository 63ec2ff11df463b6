"""Topics ``webhook.retry.*``: the clock of webhook retries; the delivery's row is the truth."""

from __future__ import annotations

from typing import ClassVar

from shared.events.envelope import Attempt, Event, Timestamp, Uuid


class WebhookRetry(Event):
    """Wake this delivery for its attempt ``attempt`` (from 2), not before ``not_before``."""

    TYPE: ClassVar[str] = "autos.webhook.retry"

    delivery_id: Uuid
    attempt: Attempt
    not_before: Timestamp

    def key(self) -> str:
        return self.delivery_id
