"""When a record is due, and how long it can have to wait in its topic."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.events.topics import DOCUMENT_RETRY, WEBHOOK_RETRY, tier_for
from shared.kafka.consumer.due_times import SKEW_SECONDS, due_at, longest_waits

NOW = 1_800_000_000.0
TIERS = {tier.topic: tier.delay for tier in DOCUMENT_RETRY}


@given(st.none() | st.floats(-1e12, 1e12), st.none() | st.floats(0, 1e6))
def test_a_record_is_due_now_or_within_what_its_topic_can_mean(not_before: float | None, longest: float | None) -> None:
    due = due_at(not_before, NOW, longest)
    if due is None:
        far = longest is not None and not_before is not None and not_before > NOW + longest + SKEW_SECONDS
        assert not_before is None or not_before <= NOW or far
    else:
        assert due == not_before and due > NOW
        assert longest is None or due <= NOW + longest + SKEW_SECONDS


@given(st.floats(0, 86_400))
def test_every_delay_in_use_is_one_that_its_topic_can_mean(delay: float) -> None:
    for tiers in (DOCUMENT_RETRY, WEBHOOK_RETRY):
        waits = longest_waits({tier.topic: tier.delay for tier in tiers}, delay)
        topic = tier_for(delay, tiers).topic
        assert due_at(NOW + delay, NOW, waits[topic]) == (NOW + delay if delay > 0 and NOW + delay > NOW else None)


def test_a_topic_has_the_waits_up_to_the_next_ones() -> None:
    assert longest_waits(TIERS, 0.4) == {"document.retry.5s": 30, "document.retry.30s": 120, "document.retry.2m": 120}
    assert longest_waits(TIERS, 3600)["document.retry.2m"] == 3600
