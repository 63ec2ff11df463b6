"""When a change of a source is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.notifier.alerts.source_notices import STEADY, StandingSource, due
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
