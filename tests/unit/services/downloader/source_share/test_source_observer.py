"""What a worker finds of a source: from what requests end with, and from the gate."""

from __future__ import annotations

from services.downloader.source_share.source_observer import LIMITED_SECONDS, SourceObserver
from shared.domain.source_state import SourceState
from sources.errors import (
    CredentialsRefused,
    DocumentNotFound,
    SourceThrottled,
    SourceUnavailable,
)
from sources.gate.breaker import BreakerState
from sources.gate.requests import GateSnapshot


class World:
    def __init__(self) -> None:
        self.now = 1_000.0
        self.observer = SourceObserver(lambda: self.now)

    def state(
        self,
        breaker: BreakerState = BreakerState.CLOSED,
        *,
        paused_for: float = 0.0,
        forbidden_since: float | None = None,
    ) -> tuple[SourceState, str | None, float]:
        gate = GateSnapshot(8, 8, 0, 0, breaker, 0, paused_for)
        found = self.observer.look(gate, forbidden_since)
        return found.state, found.reason, found.seconds


def test_an_open_breaker_is_a_source_that_is_away_and_a_probe_does_not_end_that() -> None:
    world = World()
    assert world.state() == (SourceState.OPEN, None, 0.0)
    world.observer.ended(SourceUnavailable())
    assert world.state()[0] is SourceState.OPEN  # one failure is none of the source
    assert world.state(BreakerState.OPEN) == (SourceState.AWAY, "source_unavailable", 0.0)
    world.now += 40
    assert world.state(BreakerState.HALF_OPEN) == (SourceState.AWAY, "source_unavailable", 40.0)
    world.now += 1
    assert world.state() == (SourceState.OPEN, None, 0.0)


def test_a_source_that_throttles_is_limited_until_it_has_not_for_a_while() -> None:
    world = World()
    world.observer.ended(SourceThrottled())
    assert world.state(paused_for=5.0) == (SourceState.LIMITED, "source_throttled", 0.0)
    world.now += LIMITED_SECONDS - 1
    assert world.state()[0] is SourceState.LIMITED
    world.now += 1
    assert world.state()[0] is SourceState.OPEN
    assert world.state(paused_for=2.0)[0] is SourceState.LIMITED  # another worker was told so


def test_refused_credentials_are_away_until_the_source_answers_with_them() -> None:
    world = World()
    world.observer.ended(CredentialsRefused())
    world.observer.ended(SourceUnavailable())
    assert world.state(paused_for=30.0)[:2] == (SourceState.AWAY, "credentials_refused")
    world.observer.ended(DocumentNotFound())
    assert world.state()[0] is SourceState.OPEN


def test_a_firewall_counts_from_when_it_began() -> None:
    world = World()
    assert world.state(forbidden_since=400.0) == (SourceState.AWAY, "source_forbidden", 600.0)


def test_it_says_when_the_source_last_answered() -> None:
    world = World()
    gate = GateSnapshot(8, 8, 0, 0, BreakerState.CLOSED, 0, 0.0)
    assert world.observer.look(gate, None).answered_ago is None
    world.observer.ended(None)
    world.now += 7
    assert world.observer.look(gate, None).answered_ago == 7.0
