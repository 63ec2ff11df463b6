"""What downloaders find of a source together."""

from __future__ import annotations

from shared.domain.source_state import OPEN_FINDING, SourceFinding, SourceState, together

AWAY = SourceFinding(SourceState.AWAY, "source_unavailable", 20.0, 25.0)
THROTTLED = SourceFinding(SourceState.LIMITED, "source_throttled", 5.0, 1.0)


def idle(answered_ago: float | None) -> SourceFinding:
    return SourceFinding(SourceState.OPEN, None, 300.0, answered_ago)


def test_one_that_asks_nothing_does_not_speak_for_a_source_that_is_away() -> None:
    assert together([AWAY, idle(None), idle(60.0)]) == AWAY


def test_one_that_was_answered_since_makes_it_limited() -> None:
    found = together([AWAY, idle(3.0)])
    assert (found.state, found.reason) == (SourceState.LIMITED, "partly_unavailable")


def test_the_longest_time_counts_and_a_worse_state_before_a_better_one() -> None:
    longer = SourceFinding(SourceState.AWAY, "credentials_refused", 90.0)
    assert together([AWAY, longer]) == longer
    assert together([THROTTLED, idle(0.0)]) == THROTTLED
    assert together([idle(0.0), idle(None)]) == OPEN_FINDING
