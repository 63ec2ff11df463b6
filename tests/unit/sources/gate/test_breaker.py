"""The circuit breaker: its table, and its promises under any order of events."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sources.gate.breaker import BreakerState, Permit, SourceBreaker, SourceBreakerPolicy

POLICY = SourceBreakerPolicy(failure_limit=3, first_open=2.0, longest_open=10.0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> SourceBreaker:
    breaker = SourceBreaker(POLICY, clock)
    breaker.open()
    return breaker


def test_a_concluded_outage_opens_it() -> None:
    clock = Clock()
    breaker = opened(clock)
    assert breaker.state is BreakerState.OPEN
    assert breaker.admit() is None
    assert breaker.wait() == 2.0
    assert breaker.opened_count == 1


def test_failures_alone_do_not_open_it() -> None:
    breaker = SourceBreaker(POLICY, Clock())
    for _ in range(100):
        permit = breaker.admit()
        assert permit is not None
        breaker.failed(permit)
    assert breaker.state is BreakerState.CLOSED


def test_a_case_that_has_not_failed_may_ask_at_once_and_closes_it() -> None:
    clock = Clock()
    breaker = opened(clock)
    fresh = breaker.admit_fresh()
    assert fresh is not None
    assert breaker.admit_fresh() is None
    breaker.failed(fresh)
    assert breaker.wait() == 2.0, "it is no probe: the time stays"
    assert breaker.fresh_wait() == POLICY.fresh_seconds
    clock.now += POLICY.fresh_seconds
    again = breaker.admit_fresh()
    assert again is not None
    assert breaker.succeeded(again)
    assert breaker.state is BreakerState.CLOSED


def test_one_probe_at_a_time_and_its_success_closes() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 2.0
    assert breaker.state is BreakerState.HALF_OPEN
    probe = breaker.admit()
    assert probe is not None
    assert breaker.admit() is None
    assert breaker.wait() is None
    breaker.succeeded(probe)
    assert breaker.state is BreakerState.CLOSED
    assert breaker.admit() is not None


def test_each_failed_probe_waits_longer_up_to_a_bound() -> None:
    clock = Clock()
    breaker = opened(clock)
    waits = []
    for _ in range(5):
        wait = breaker.wait()
        assert wait is not None
        waits.append(wait)
        clock.now += wait
        probe = breaker.admit()
        assert probe is not None
        breaker.failed(probe)
    assert waits == [2.0, 4.0, 8.0, 10.0, 10.0]
    assert breaker.opened_count == 1


def test_an_abandoned_probe_lets_the_next_one_go() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 2.0
    probe = breaker.admit()
    assert probe is not None
    breaker.abandoned(probe)
    assert breaker.admit() is not None


def test_late_news_from_before_the_outage_say_nothing() -> None:
    clock = Clock()
    breaker = SourceBreaker(POLICY, clock)
    permits = [breaker.admit() for _ in range(5)]
    breaker.open()
    early, late = permits[3:]
    assert early is not None
    assert late is not None
    breaker.succeeded(early)
    assert breaker.state is BreakerState.OPEN
    clock.now += 2.0
    probe = breaker.admit()
    assert probe is not None
    breaker.failed(late)
    breaker.succeeded(probe)
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize(
    "values", [{"failure_limit": 0}, {"first_open": 0.0}, {"first_open": 9.0, "longest_open": 1.0}]
)
def test_policy_that_makes_no_sense(values: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        SourceBreakerPolicy(**values)  # type: ignore[arg-type]


class BreakerMachine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.clock = Clock()
        self.breaker = SourceBreaker(POLICY, self.clock)
        self.out: list[Permit] = []
        self.probe: Permit | None = None
        """The last probe, while it is neither answered nor of an era that is over."""
        self.open_until = 0.0

    @rule()
    def ask(self) -> None:
        wait = self.breaker.wait()
        permit = self.breaker.admit()
        assert (permit is not None) == (wait == 0.0)
        if permit is not None:
            assert self.clock.now >= self.open_until - 1e-9 or self.breaker.state is BreakerState.CLOSED
            self.out.append(permit)
            if permit.probe:
                assert self.probe is None, "one probe at a time"
                self.probe = permit

    @rule()
    def conclude(self) -> None:
        closed = self.breaker.state is BreakerState.CLOSED
        self.breaker.open()
        self.forget_an_ended_era()
        if closed:
            self.open_until = self.clock.now + POLICY.first_open

    @precondition(lambda self: self.out)
    @rule(data=st.data(), outcome=st.sampled_from(["succeeded", "failed", "abandoned"]))
    def answer(self, data: st.DataObject, outcome: str) -> None:
        permit = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        before = self.breaker.state
        getattr(self.breaker, outcome)(permit)
        if permit is self.probe:
            self.probe = None
        self.forget_an_ended_era()
        after = self.breaker.state
        if before is not BreakerState.OPEN and after is BreakerState.OPEN:
            assert outcome == "failed"
            wait = self.breaker.wait()
            assert wait is not None
            # A sum of floats and its difference again: the last bits may differ.
            assert POLICY.first_open - 1e-9 <= wait <= POLICY.longest_open + 1e-9
            self.open_until = self.clock.now + wait
        if before is not BreakerState.CLOSED and after is BreakerState.CLOSED:
            assert (outcome, permit.probe) == ("succeeded", True)

    @rule(seconds=st.floats(0.01, 20))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    def forget_an_ended_era(self) -> None:
        if self.probe is not None and self.probe.era != self.breaker.era:
            self.probe = None

    @invariant()
    def somebody_may_ask_or_one_probe_is_out(self) -> None:
        """Never stuck: whoever may not ask is told when, or waits for a probe whose end will tell."""
        if hasattr(self, "breaker") and self.breaker.state is BreakerState.HALF_OPEN:
            assert (self.breaker.wait() == 0.0) == (self.probe is None)


TestBreakerMachine = BreakerMachine.TestCase
