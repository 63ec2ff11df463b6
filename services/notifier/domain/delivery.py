"""The delivery state machine: ``decide(delivery, fact, now, policy) -> Decision``, without database, clock or network.

pending --claim--> sending --2xx--> delivered
                      |----failure--> waiting --claim--> sending ...
                      |----failure, schedule spent--> exhausted
                      |----410--> gone
                      |----413, a smaller body is there--> waiting, uncounted
sending --released--> as before the claim
pending, waiting --withdrawn--> cancelled; every state but sending --redelivery--> pending, a new round

A claim hands out a lease: while it holds nobody else may send, and only its token may record a result. A lease that
ran out may be claimed again; it repeats the same attempt (same number, same webhook-id), since nobody can know
whether the receiver got it. Its first holder is then fenced off.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

GONE: Final = 410
TOO_LARGE: Final = 413


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    WAITING = "waiting"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    GONE = "gone"
    CANCELLED = "cancelled"


CLAIMABLE: Final = (DeliveryStatus.PENDING, DeliveryStatus.WAITING)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed attempt is repeated. All in seconds but ``jitter``, the share of a delay added at most."""

    delays: tuple[float, ...] = (5.0, 30.0, 120.0)
    jitter: float = 0.1
    retry_after_cap: float = 6 * 3600.0
    lease: float = 25.0
    smaller_after: float = 1.0
    """From a body that was too large to the next attempt, with a smaller one."""

    def due(self, failures: int, now: datetime, *, retry_after: float | None, draw: float) -> datetime | None:
        """When to try again after the ``failures``-th failure of a round (from 1); None when the schedule is spent.

        ``draw`` in [0, 1) chooses the jitter, which only adds; a Retry-After (seconds, capped) is never undercut.
        """
        if failures > len(self.delays):
            return None
        delay = self.delays[failures - 1] * (1.0 + self.jitter * draw)
        if retry_after is not None:
            delay = max(delay, min(retry_after, self.retry_after_cap))
        return now + timedelta(seconds=delay)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the machine knows of a delivery. ``next_attempt_at`` None with a claimable status: held, not due."""

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
    """What was claimed under this token was not sent, and will not be by its holder."""

    token: str


@dataclass(frozen=True, slots=True)
class RedeliveryAsked:
    """The client wants it sent again."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """There is nobody left to call: the client was disabled or removed."""


Fact = Claim | Result | Released | RedeliveryAsked | Withdrawn


class Effect(StrEnum):
    """What a decision means to the world besides the row."""

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
class Decision:
    """The delivery after the fact, and the effect. A refused fact leaves the delivery as it was, with NONE."""

    delivery: Delivery
    effect: Effect = Effect.NONE

    @property
    def changed(self) -> bool:
        return self.effect is not Effect.NONE


def decide(delivery: Delivery, fact: Fact, now: datetime, policy: RetryPolicy) -> Decision:
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
                return Decision(delivery)
            renewed = replace(
                delivery,
                status=DeliveryStatus.PENDING,
                round_attempts=0,
                next_attempt_at=now,
                lease_token=None,
                lease_until=None,
            )
            return Decision(renewed, Effect.WAKE)
        case Withdrawn():
            if delivery.status not in CLAIMABLE and not _lease_lost(delivery, now):
                return Decision(delivery)
            ended = replace(
                delivery,
                status=DeliveryStatus.CANCELLED,
                next_attempt_at=None,
                lease_token=None,
                lease_until=None,
            )
            return Decision(ended, Effect.WAKE)


def _lease_lost(delivery: Delivery, now: datetime) -> bool:
    if delivery.status is not DeliveryStatus.SENDING:
        return False
    return delivery.lease_until is None or delivery.lease_until <= now


def _claim(delivery: Delivery, fact: Claim, now: datetime, policy: RetryPolicy) -> Decision:
    repeated = _lease_lost(delivery, now)
    due = delivery.next_attempt_at is not None and delivery.next_attempt_at <= now
    if not repeated and not (delivery.status in CLAIMABLE and due):
        return Decision(delivery)
    counted = 0 if repeated else 1
    claimed = Delivery(
        status=DeliveryStatus.SENDING,
        attempts=delivery.attempts + counted,
        round_attempts=delivery.round_attempts + counted,
        next_attempt_at=None,
        lease_token=fact.token,
        lease_until=now + timedelta(seconds=policy.lease),
    )
    return Decision(claimed, Effect.SEND)


def _released(delivery: Delivery, fact: Released, now: datetime) -> Decision:
    if delivery.status is not DeliveryStatus.SENDING or delivery.lease_token != fact.token:
        return Decision(delivery)
    # No attempt was made: the next claim has the same number again.
    before = Delivery(
        status=DeliveryStatus.WAITING if delivery.round_attempts > 1 else DeliveryStatus.PENDING,
        attempts=delivery.attempts - 1,
        round_attempts=delivery.round_attempts - 1,
        next_attempt_at=now,
    )
    return Decision(before, Effect.RELEASED)


def _result(delivery: Delivery, fact: Result, now: datetime, policy: RetryPolicy) -> Decision:
    if delivery.status is not DeliveryStatus.SENDING or delivery.lease_token != fact.token:
        return Decision(delivery)
    released = replace(delivery, next_attempt_at=None, lease_token=None, lease_until=None)
    if fact.in_time and fact.status_code is not None and 200 <= fact.status_code <= 299:
        return Decision(replace(released, status=DeliveryStatus.DELIVERED), Effect.DELIVERED)
    if fact.status_code == GONE:
        return Decision(replace(released, status=DeliveryStatus.GONE), Effect.GONE)
    if fact.status_code == TOO_LARGE and fact.shrinks:
        # It was our body and not the receiver: the schedule is for what time can mend.
        wait = max(policy.smaller_after, min(fact.retry_after or 0.0, policy.retry_after_cap))
        again = replace(
            released,
            status=DeliveryStatus.WAITING,
            round_attempts=delivery.round_attempts - 1,
            next_attempt_at=now + timedelta(seconds=wait),
        )
        return Decision(again, Effect.SHRINK)
    due = policy.due(delivery.round_attempts, now, retry_after=fact.retry_after, draw=fact.draw)
    if due is None:
        return Decision(replace(released, status=DeliveryStatus.EXHAUSTED), Effect.EXHAUSTED)
    return Decision(replace(released, status=DeliveryStatus.WAITING, next_attempt_at=due), Effect.RETRY)
