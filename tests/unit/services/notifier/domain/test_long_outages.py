"""A receiver that is away for a night gets everything with the default schedule; played in a clock of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.delivery import Claim, DeliveryState, Effect, Result, decide
from services.notifier.domain.endpoint_health import EndpointHealth, judge
from services.notifier.domain.retry_policy import RetryPolicy
from services.notifier.settings import NotifierSettings
from shared.domain.statuses import DeliveryStatus

BACK_AT = datetime(2026, 1, 2, 8, tzinfo=UTC)
POLICY = RetryPolicy()
DISABLE_AFTER = timedelta(days=NotifierSettings.model_fields["webhook_disable_after_days"].default)
SECONDS_OF_THE_NIGHT = 12 * 3600

failures = st.sampled_from([None, 429, 500, 502, 503, 504])


@given(
    st.lists(st.integers(1, SECONDS_OF_THE_NIGHT), min_size=1, max_size=8),
    st.lists(failures, min_size=1, max_size=9),
)
def test_a_receiver_that_is_down_for_twelve_hours_gets_everything(ages: list[int], answers: list[int | None]) -> None:
    """Whenever in the night a delivery was made, and whatever the receiver's failure looked like."""
    endpoint = EndpointHealth()
    waiting = [
        DeliveryState(DeliveryStatus.PENDING, next_attempt_at=BACK_AT - timedelta(seconds=seconds)) for seconds in ages
    ]
    attempts = 0
    while waiting:
        waiting.sort(key=_due)
        now = _due(waiting[0])
        status = answers[attempts % len(answers)] if now < BACK_AT else 200
        attempts += 1
        sent = decide(waiting.pop(0), Claim("token"), now, POLICY).delivery
        decision = decide(sent, Result("token", status), now, POLICY)
        endpoint = judge(endpoint, decision.effect, now, disable_after=DISABLE_AFTER)
        assert decision.effect in {Effect.RETRY, Effect.DELIVERED}
        if decision.effect is Effect.RETRY:
            waiting.append(decision.delivery)
        assert not endpoint.disabled
    assert now >= BACK_AT
    assert now - BACK_AT <= timedelta(hours=6)


def _due(delivery: DeliveryState) -> datetime:
    assert delivery.next_attempt_at is not None
    return delivery.next_attempt_at
