"""The delivery state machine: ``decide(delivery, fact, now, policy)``, without database, clock or network.

pending --claim--> sending --2xx--> delivered
                      |----failure--> waiting --claim--> sending ...
                      |----failure, schedule spent--> exhausted
                      |----410--> gone
                      |----413, a smaller body is there--> waiting, uncounted
sending --released--> as before the claim
pending, waiting --withdrawn--> cancelled; every state but sending --redelivery--> pending, a new round

A claim hands out a lease. While the lease lasts nobody else may send, and only its token may record a result. An
expired lease may be claimed again and repeats the same attempt (same number, same webhook-id), since nobody can know
whether the receiver got it. The first holder's result is then refused.

When a failed attempt is repeated: retry_policy.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.notifier.domain.retry_policy import RetryPolicy
from shared.domain.statuses import DeliveryStatus

GONE: Final = 410
TOO_LARGE: Final = 413


CLAIMABLE: Final = (DeliveryStatus.PENDING, DeliveryStatus.WAITING)


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """What the state machine knows of a delivery. ``next_attempt_at`` None with a claimable status: kept, not due."""

    status: DeliveryStatus
    attempts: int = 0
    round_attempts: int = 0
    next_attempt_at: datetime | None = None
    lease_token: str | None = None
    lease_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A process wants to send now, under this fresh token."""

    token: str


@dataclass(frozen=True, slots=True)
class Result:
    """An attempt ended. ``status_code`` None: no answer. ``retry_after`` in seconds, as the receiver asked."""

    token: str
    status_code: int | None
    retry_after: float | None = None
    draw: float = 0.0
    in_time: bool = True
    """False when the answer did not end within the time-out, whatever its status."""
    shrinks: bool = False
    """Whether there is a smaller body than the one that was sent."""


@dataclass(frozen=True, slots=True)
class Released:
    """The holder of this token has not sent the delivery and will not."""

    token: str


@dataclass(frozen=True, slots=True)
class RedeliveryAsked:
    """The client wants it sent again."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The client was disabled or removed: nobody is left to call."""


Fact = Claim | Result | Released | RedeliveryAsked | Withdrawn


class Effect(StrEnum):
    """What a decision means besides the new row."""

    NONE = "none"
    SEND = "send"
    RELEASED = "released"
    WAKE = "wake"
    DELIVERED = "delivered"
    RETRY = "retry"
    EXHAUSTED = "exhausted"
    GONE = "gone"
    SHRINK = "shrink"


@dataclass(frozen=True, slots=True)
class DeliveryDecision:
    """The delivery after the fact, and the effect. A refused fact leaves the delivery as it was, with NONE."""

    delivery: DeliveryState
    effect: Effect = Effect.NONE

    @property
    def changed(self) -> bool:
        """Whether there is something to write."""
        return self.effect is not Effect.NONE


def decide(delivery: DeliveryState, fact: Fact, now: datetime, policy: RetryPolicy) -> DeliveryDecision:
    """What a fact makes of a delivery at ``now``."""
    match fact:
        case Claim():
            return _claim(delivery, fact, now, policy)
        case Result():
            return _result(delivery, fact, now, policy)
        case Released():
            return _released(delivery, fact, now)
        case RedeliveryAsked():
            if delivery.status is DeliveryStatus.SENDING:
                return DeliveryDecision(delivery)
            renewed = replace(
                delivery,
                status=DeliveryStatus.PENDING,
                round_attempts=0,
                next_attempt_at=now,
                lease_token=None,
                lease_until=None,
            )
            return DeliveryDecision(renewed, Effect.WAKE)
        case Withdrawn():
            if delivery.status not in CLAIMABLE and not _lease_lost(delivery, now):
                return DeliveryDecision(delivery)
            ended = replace(
                delivery,
                status=DeliveryStatus.CANCELLED,
                next_attempt_at=None,
                lease_token=None,
                lease_until=None,
            )
            return DeliveryDecision(ended, Effect.WAKE)


def _lease_lost(delivery: DeliveryState, now: datetime) -> bool:
    if delivery.status is not DeliveryStatus.SENDING:
        return False
    return delivery.lease_until is None or delivery.lease_until <= now


def _claim(delivery: DeliveryState, fact: Claim, now: datetime, policy: RetryPolicy) -> DeliveryDecision:
    repeated = _lease_lost(delivery, now)
    due = delivery.next_attempt_at is not None and delivery.next_attempt_at <= now
    if not repeated and not (delivery.status in CLAIMABLE and due):
        return DeliveryDecision(delivery)
    counted = 0 if repeated else 1
    claimed = DeliveryState(
        status=DeliveryStatus.SENDING,
        attempts=delivery.attempts + counted,
        round_attempts=delivery.round_attempts + counted,
        next_attempt_at=None,
        lease_token=fact.token,
        lease_until=now + timedelta(seconds=policy.lease),
    )
    return DeliveryDecision(claimed, Effect.SEND)


def _released(delivery: DeliveryState, fact: Released, now: datetime) -> DeliveryDecision:
    if delivery.status is not DeliveryStatus.SENDING or delivery.lease_token != fact.token:
        return DeliveryDecision(delivery)
    # No attempt was made: the next claim has the same number again.
    before = DeliveryState(
        status=DeliveryStatus.WAITING if delivery.round_attempts > 1 else DeliveryStatus.PENDING,
        attempts=delivery.attempts - 1,
        round_attempts=delivery.round_attempts - 1,
        next_attempt_at=now,
    )
    return DeliveryDecision(before, Effect.RELEASED)


def _result(delivery: DeliveryState, fact: Result, now: datetime, policy: RetryPolicy) -> DeliveryDecision:
    if delivery.status is not DeliveryStatus.SENDING or delivery.lease_token != fact.token:
        return DeliveryDecision(delivery)
    released = replace(delivery, next_attempt_at=None, lease_token=None, lease_until=None)
    if fact.in_time and fact.status_code is not None and 200 <= fact.status_code <= 299:
        return DeliveryDecision(replace(released, status=DeliveryStatus.DELIVERED), Effect.DELIVERED)
    if fact.status_code == GONE:
        return DeliveryDecision(replace(released, status=DeliveryStatus.GONE), Effect.GONE)
    if fact.status_code == TOO_LARGE and fact.shrinks:
        # Our body was at fault, not the receiver: the attempt does not count against the schedule.
        wait = max(policy.smaller_after, min(fact.retry_after or 0.0, policy.retry_after_cap))
        again = replace(
            released,
            status=DeliveryStatus.WAITING,
            round_attempts=delivery.round_attempts - 1,
            next_attempt_at=now + timedelta(seconds=wait),
        )
        return DeliveryDecision(again, Effect.SHRINK)
    due = policy.due(delivery.round_attempts, now, retry_after=fact.retry_after, draw=fact.draw)
    if due is None:
        return DeliveryDecision(replace(released, status=DeliveryStatus.EXHAUSTED), Effect.EXHAUSTED)
    return DeliveryDecision(replace(released, status=DeliveryStatus.WAITING, next_attempt_at=due), Effect.RETRY)
