"""When a change of a source is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.notifier.alerts.source_notices import QUIET, STEADY, StandingSource, due
from shared.domain.source_state import SourceState
from shared.events.source_events import SourceDegraded, SourceRecovered

NOW = datetime(2026, 3, 2, 14, tzinfo=UTC)
OPEN, LIMITED, AWAY = SourceState.OPEN, SourceState.LIMITED, SourceState.AWAY


@pytest.mark.parametrize(("told", "state"), [(None, LIMITED), (OPEN, AWAY), (LIMITED, AWAY)])
def test_what_became_worse_is_told_at_once(told: SourceState | None, state: SourceState) -> None:
    event = due(StandingSource("pdpj", state, "source_unavailable", NOW, told, None), NOW)
    assert isinstance(event, SourceDegraded)
    assert (event.source, event.state, event.since) == ("pdpj", state.value, NOW)
    assert "does not answer" in event.message


@pytest.mark.parametrize(("told", "state"), [(None, OPEN), (OPEN, OPEN), (AWAY, AWAY), (AWAY, LIMITED)])
def test_what_is_told_or_no_worse_is_not_told_again(told: SourceState | None, state: SourceState) -> None:
    assert due(StandingSource("pdpj", state, None, NOW - timedelta(hours=1), told, NOW), NOW) is None


def test_a_recovery_is_told_when_it_has_lasted() -> None:
    began = NOW - timedelta(minutes=10)
    assert due(StandingSource("pdpj", OPEN, None, NOW - STEADY / 2, AWAY, began), NOW) is None
    event = due(StandingSource("pdpj", OPEN, None, NOW - STEADY, AWAY, began), NOW)
    assert isinstance(event, SourceRecovered)
    assert event.degraded_since == began


def test_a_source_that_comes_and_goes_is_told_of_when_it_is_quiet_again() -> None:
    """In five minutes: two steps for the worse, one recovery, and nothing more."""
    told, told_at, degraded_at, events = OPEN, None, None, []
    began = NOW
    for second in range(int(QUIET.total_seconds())):
        now = NOW + timedelta(seconds=second)
        # Limited for 5 s, away for 5 s, open for 40 s, and so on.
        phase = second % 50
        state = LIMITED if phase < 5 else AWAY if phase < 10 else OPEN
        began = now if phase in (0, 5, 10) else began
        event = due(StandingSource("pdpj", state, "source_unavailable", began, told, told_at, degraded_at), now)
        if event is not None:
            events.append(type(event))
            told, told_at = state, now
            degraded_at = now if isinstance(event, SourceDegraded) else degraded_at
    assert events == [SourceDegraded, SourceDegraded, SourceRecovered]
    standing = StandingSource("pdpj", AWAY, None, NOW, OPEN, NOW, NOW)
    assert due(standing, NOW + QUIET - STEADY) is None
    assert isinstance(due(standing, NOW + QUIET), SourceDegraded)
