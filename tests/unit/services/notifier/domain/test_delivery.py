"""The delivery state machine: each transition, and what no sequence of facts can break."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.notifier.domain.delivery import (
    Claim,
    DeliveryDecision,
    DeliveryState,
    Effect,
    RedeliveryAsked,
    Released,
    Result,
    Withdrawn,
    decide,
)
from services.notifier.domain.retry_policy import RetryPolicy
from shared.domain.statuses import DeliveryStatus

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
POLICY = RetryPolicy()
PENDING = DeliveryState(DeliveryStatus.PENDING, next_attempt_at=NOW)


def claimed(delivery: DeliveryState = PENDING, token: str = "t1", now: datetime = NOW) -> DeliveryState:
    decision = decide(delivery, Claim(token), now, POLICY)
    assert decision.effect is Effect.SEND
    return decision.delivery


def fail(delivery: DeliveryState, now: datetime = NOW, **more: object) -> DeliveryDecision:
    assert delivery.lease_token is not None
    return decide(delivery, Result(delivery.lease_token, 503, **more), now, POLICY)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_delivers(status: int) -> None:
    decision = decide(claimed(), Result("t1", status), NOW, POLICY)
    assert decision.effect is Effect.DELIVERED
    assert decision.delivery.status is DeliveryStatus.DELIVERED
    assert decision.delivery.next_attempt_at is None


@pytest.mark.parametrize("status", [None, 100, 199, 300, 302, 400, 404, 429, 500, 503, 599])
def test_anything_else_is_tried_again(status: int | None) -> None:
    decision = decide(claimed(), Result("t1", status), NOW, POLICY)
    assert decision.effect is Effect.RETRY
    assert decision.delivery.status is DeliveryStatus.WAITING
    assert decision.delivery.next_attempt_at == NOW + timedelta(seconds=5)


def test_an_answer_that_did_not_end_in_time_is_no_success() -> None:
    assert decide(claimed(), Result("t1", 200, in_time=False), NOW, POLICY).effect is Effect.RETRY


def test_410_ends_the_delivery() -> None:
    decision = decide(claimed(), Result("t1", 410), NOW, POLICY)
    assert decision.effect is Effect.GONE
    assert decision.delivery.status is DeliveryStatus.GONE


def test_the_default_schedule_is_nine_attempts() -> None:
    delivery, now, waits = PENDING, NOW, []
    while True:
        decision = fail(claimed(delivery, now=now), now)
        if decision.effect is Effect.EXHAUSTED:
            break
        delivery = decision.delivery
        assert delivery.next_attempt_at is not None
        waits.append((delivery.next_attempt_at - now).total_seconds())
        now = delivery.next_attempt_at
    assert waits == [5, 30, 120, 600, 3600, 21600, 21600, 21600]
    assert decision.delivery.attempts == 9
    assert decision.delivery.status is DeliveryStatus.EXHAUSTED


def test_a_delivery_is_not_claimed_before_it_is_due_nor_while_it_is_held() -> None:
    early = DeliveryState(DeliveryStatus.WAITING, attempts=1, next_attempt_at=NOW + timedelta(seconds=1))
    assert not decide(early, Claim("t"), NOW, POLICY).changed
    assert not decide(DeliveryState(DeliveryStatus.PENDING), Claim("t"), NOW, POLICY).changed


def test_a_lease_keeps_others_out_and_once_it_ran_out_the_attempt_is_repeated() -> None:
    first = claimed()
    assert not decide(first, Claim("t2"), NOW + timedelta(seconds=24.9), POLICY).changed
    second = claimed(first, "t2", NOW + timedelta(seconds=25))
    assert (second.attempts, second.round_attempts) == (1, 1)
    late = decide(second, Result("t1", 200), NOW + timedelta(seconds=26), POLICY)
    assert not late.changed
    assert late.delivery == second


def test_a_late_result_counts_while_nobody_else_has_claimed() -> None:
    assert decide(claimed(), Result("t1", 200), NOW + timedelta(minutes=5), POLICY).effect is Effect.DELIVERED


def test_what_was_claimed_and_not_sent_is_as_before_and_due() -> None:
    assert decide(claimed(), Released("t1"), NOW, POLICY).delivery == PENDING
    waiting = fail(claimed()).delivery
    assert waiting.next_attempt_at is not None
    again = claimed(waiting, "t2", waiting.next_attempt_at)
    released = decide(again, Released("t2"), waiting.next_attempt_at, POLICY)
    assert (released.effect, released.delivery) == (Effect.RELEASED, waiting)
    for token, delivery in (("t1", again), ("t1", waiting)):
        assert not decide(delivery, Released(token), NOW, POLICY).changed


@pytest.mark.parametrize("status", [status for status in DeliveryStatus if status is not DeliveryStatus.SENDING])
def test_a_redelivery_starts_a_new_round_from_every_state_at_rest(status: DeliveryStatus) -> None:
    decision = decide(DeliveryState(status, attempts=4, round_attempts=4), RedeliveryAsked(), NOW, POLICY)
    assert decision.effect is Effect.WAKE
    assert decision.delivery == DeliveryState(DeliveryStatus.PENDING, attempts=4, next_attempt_at=NOW)
    again = claimed(decision.delivery)
    assert (again.attempts, again.round_attempts) == (5, 1)


def test_a_redelivery_does_not_disturb_an_attempt_being_made() -> None:
    assert not decide(claimed(), RedeliveryAsked(), NOW, POLICY).changed


def test_what_nobody_wants_is_cancelled_unless_it_has_ended() -> None:
    assert decide(PENDING, Withdrawn(), NOW, POLICY).delivery.status is DeliveryStatus.CANCELLED
    assert not decide(DeliveryState(DeliveryStatus.DELIVERED), Withdrawn(), NOW, POLICY).changed


@given(
    st.integers(1, 5),
    st.none() | st.floats(0, 1e9, allow_nan=False),
    st.floats(0, 1, exclude_max=True),
    st.lists(st.floats(0, 21600), max_size=4),
)
def test_no_delay_is_undercut_and_none_is_endless(
    failures: int, retry_after: float | None, draw: float, delays: list[float]
) -> None:
    policy = RetryPolicy(delays=tuple(delays))
    due = policy.due(failures, NOW, retry_after=retry_after, draw=draw)
    if failures > len(delays):
        assert due is None
        return
    assert due is not None
    wait = (due - NOW).total_seconds()
    # Datetimes have microseconds.
    assert wait >= delays[failures - 1] - 1e-5
    assert wait >= min(retry_after or 0.0, 21600.0) - 1e-5
    assert wait <= max(delays[failures - 1] * 1.1, min(retry_after or 0.0, 21600.0)) + 1e-5


class Deliveries(RuleBasedStateMachine):
    """Several processes, a clock, kills: whatever they do, the rules of the lease and of the schedule hold."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.delivery = PENDING
        self.sending: dict[str, datetime] = {}
        self.round_failures = 0
        self.recorded: list[str] = []

    @rule(seconds=st.floats(0, 60))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def the_clock_comes_to_the_next_attempt(self) -> None:
        if self.delivery.next_attempt_at is not None:
            self.now = max(self.now, self.delivery.next_attempt_at)

    @rule()
    def somebody_claims(self) -> None:
        token = str(uuid.uuid4())
        before = self.delivery
        decision = decide(before, Claim(token), self.now, POLICY)
        self.delivery = decision.delivery
        if decision.effect is not Effect.SEND:
            assert decision.delivery == before
            return
        # Never two leases that hold at once.
        assert not any(until > self.now for until in self.sending.values() if until != before.lease_until)
        assert before.lease_until is None or before.lease_until <= self.now
        assert before.status is DeliveryStatus.SENDING or before.next_attempt_at is not None
        assert self.delivery.lease_until is not None
        self.sending = {token: self.delivery.lease_until}

    @precondition(lambda self: self.sending)
    @rule(
        status=st.sampled_from([None, 200, 204, 302, 404, 410, 429, 500]),
        fenced=st.booleans(),
        retry_after=st.none() | st.floats(0, 1e6),
        draw=st.floats(0, 1, exclude_max=True),
    )
    def somebody_records(self, status: int | None, fenced: bool, retry_after: float | None, draw: float) -> None:
        token = "an older token" if fenced else next(iter(self.sending))
        before = self.delivery
        fact = Result(token, status, retry_after, draw)
        decision = decide(before, fact, self.now, POLICY)
        self.delivery = decision.delivery
        if token != before.lease_token:
            assert decision.delivery == before
            return
        assert before.status is DeliveryStatus.SENDING
        self.sending = {}
        # The same result, recorded twice, changes nothing more.
        assert not decide(self.delivery, fact, self.now, POLICY).changed
        if decision.effect is Effect.RETRY:
            assert self.delivery.next_attempt_at is not None
            assert (self.delivery.next_attempt_at - self.now).total_seconds() >= min(retry_after or 0, 21600) - 1e-5

    @precondition(lambda self: self.sending)
    @rule(fenced=st.booleans())
    def somebody_releases(self, fenced: bool) -> None:
        token = "an older token" if fenced else next(iter(self.sending))
        before = self.delivery
        self.delivery = decide(before, Released(token), self.now, POLICY).delivery
        if token != before.lease_token:
            assert self.delivery == before
            return
        self.sending = {}
        assert (self.delivery.attempts, self.delivery.next_attempt_at) == (before.attempts - 1, self.now)

    @rule()
    def the_client_asks_again(self) -> None:
        before = self.delivery
        self.delivery = decide(before, RedeliveryAsked(), self.now, POLICY).delivery
        if before.status is DeliveryStatus.SENDING:
            assert self.delivery == before

    @invariant()
    def a_lease_is_held_only_while_sending(self) -> None:
        sending = self.delivery.status is DeliveryStatus.SENDING
        assert (self.delivery.lease_token is not None) is sending
        assert (self.delivery.lease_until is not None) is sending

    @invariant()
    def only_what_can_be_claimed_is_due(self) -> None:
        due = self.delivery.next_attempt_at is not None
        assert due is (self.delivery.status in {DeliveryStatus.PENDING, DeliveryStatus.WAITING})

    @invariant()
    def a_round_has_no_more_attempts_than_the_schedule(self) -> None:
        assert self.delivery.round_attempts <= len(POLICY.delays) + 1
        assert self.delivery.round_attempts <= self.delivery.attempts


TestDeliveries = Deliveries.TestCase


def test_a_body_that_was_too_large_is_tried_smaller_without_spending_the_schedule() -> None:
    delivery, now = PENDING, NOW
    for attempt in (1, 2):
        sent = claimed(delivery, f"t{attempt}", now)
        assert (sent.attempts, sent.round_attempts) == (attempt, 1)
        decision = decide(sent, Result(f"t{attempt}", 413, shrinks=True), now, POLICY)
        delivery = decision.delivery
        assert decision.effect is Effect.SHRINK
        assert (delivery.status, delivery.round_attempts) == (DeliveryStatus.WAITING, 0)
        assert delivery.next_attempt_at == now + timedelta(seconds=POLICY.smaller_after)
        now = delivery.next_attempt_at
    # The smallest was refused too: that is a failure like another.
    for failures, delay in enumerate(POLICY.delays, 1):
        sent = claimed(delivery, f"s{failures}", now)
        delivery = decide(sent, Result(f"s{failures}", 413), now, POLICY).delivery
        assert delivery.next_attempt_at == now + timedelta(seconds=delay)
        now = delivery.next_attempt_at
    last = claimed(delivery, "last", now)
    assert decide(last, Result("last", 413), now, POLICY).effect is Effect.EXHAUSTED


def test_a_smaller_body_waits_as_long_as_the_receiver_asks() -> None:
    sent = claimed()
    decision = decide(sent, Result("t1", 413, retry_after=90.0, shrinks=True), NOW, POLICY)
    assert decision.delivery.next_attempt_at == NOW + timedelta(seconds=90)


def test_only_413_asks_for_a_smaller_body() -> None:
    for status in (None, 400, 414, 431, 500):
        assert decide(claimed(), Result("t1", status, shrinks=True), NOW, POLICY).effect is Effect.RETRY
