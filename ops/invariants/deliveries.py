"""The rules of one open delivery, of a delivered one and of the outboxes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ops.invariants.findings import Mismatch, Patience, Rule


@dataclass(frozen=True, slots=True)
class OpenDelivery:
    """A delivery that has not ended, and how its endpoint is."""

    delivery_id: str
    status: str
    next_attempt_at: datetime | None
    lease_until: datetime | None
    endpoint_disabled: bool
    endpoint_failing: bool
    endpoint_busy: bool
    """Whether another delivery is being sent to the endpoint."""


@dataclass(frozen=True, slots=True)
class UnpublishedEvents:
    """The oldest unpublished row of an outbox."""

    schema: str
    rows: int
    oldest: datetime


def judge(delivery: OpenDelivery, now: datetime, patience: Patience) -> Iterator[Mismatch]:
    """An overdue delivery, or one whose sender died and nobody took it up.

    A delivery may wait behind its endpoint: a disabled one keeps it, one that fails has an open breaker, and a busy
    one has a limit on what is sent to it at once.
    """
    if delivery.status == "sending":
        if delivery.lease_until is None or now - delivery.lease_until > patience.transit:
            words = (
                f"delivery {delivery.delivery_id} is being sent by nobody: its lease ran out at {delivery.lease_until}"
            )
            yield Mismatch(Rule.DELIVERY_LEASE, delivery.delivery_id, words)
        return
    if delivery.endpoint_disabled or delivery.endpoint_failing or delivery.endpoint_busy:
        return
    if delivery.next_attempt_at is None:
        words = f"delivery {delivery.delivery_id} is {delivery.status} without a time, though its endpoint is enabled"
        yield Mismatch(Rule.DELIVERY_OVERDUE, delivery.delivery_id, words)
    elif now - delivery.next_attempt_at > patience.transit:
        late = (now - delivery.next_attempt_at).total_seconds()
        words = f"delivery {delivery.delivery_id} is {delivery.status} and {late:.0f} s overdue"
        yield Mismatch(Rule.DELIVERY_OVERDUE, delivery.delivery_id, words)


def unproven(delivery_id: str) -> Mismatch:
    """A delivery that says delivered and has no attempt that succeeded."""
    words = f"delivery {delivery_id} is delivered, but none of its attempts succeeded"
    return Mismatch(Rule.DELIVERY_UNPROVEN, delivery_id, words)


def judge_outbox(outbox: UnpublishedEvents, now: datetime, patience: Patience) -> Iterator[Mismatch]:
    """Rows that no relay publishes."""
    age = now - outbox.oldest
    if age > patience.outbox:
        words = f"{outbox.schema}.outbox has {outbox.rows} unpublished rows, the oldest of {age.total_seconds():.0f} s"
        yield Mismatch(Rule.OUTBOX_UNPUBLISHED, outbox.schema, words)
