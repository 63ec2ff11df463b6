"""The health of an endpoint: disabled by 410 or by days of failure, and only by these."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.delivery import Effect
from services.notifier.domain.endpoint_health import EndpointHealth, judge, refused_as_too_large
from shared.webhooks.body_form import SMALLER_FOR, BodyForm, form_now

NOW = datetime(2026, 1, 2, tzinfo=UTC)
FIVE_DAYS = timedelta(days=5)


def after(endpoint: EndpointHealth, effect: Effect, now: datetime = NOW) -> EndpointHealth:
    return judge(endpoint, effect, now, disable_after=FIVE_DAYS)


def test_410_disables_at_once_and_an_alert_is_due() -> None:
    found = after(EndpointHealth(), Effect.GONE)
    assert found.disabled
    assert (found.disabled_reason, found.alert_reason) == ("answered_gone", "disabled")


def test_five_days_of_failure_disable() -> None:
    failing = after(EndpointHealth(), Effect.RETRY)
    assert not after(failing, Effect.EXHAUSTED, NOW + FIVE_DAYS - timedelta(seconds=1)).disabled
    ended = after(failing, Effect.RETRY, NOW + FIVE_DAYS)
    assert ended.disabled_reason == "failing_for_days"


def test_a_success_starts_the_five_days_again() -> None:
    failing = after(EndpointHealth(), Effect.RETRY)
    healed = after(failing, Effect.DELIVERED, NOW + timedelta(days=4))
    assert (healed.consecutive_failures, healed.failing_since) == (0, None)
    assert not after(healed, Effect.RETRY, NOW + timedelta(days=6)).disabled


def test_a_quick_endpoint_is_not_rewritten_with_every_success() -> None:
    healthy = after(EndpointHealth(), Effect.DELIVERED)
    assert after(healthy, Effect.DELIVERED, NOW + timedelta(seconds=29)) is healthy
    assert after(healthy, Effect.DELIVERED, NOW + timedelta(seconds=31)).last_success_at == NOW + timedelta(seconds=31)


def test_an_exhausted_delivery_asks_for_an_alert() -> None:
    assert after(EndpointHealth(), Effect.EXHAUSTED).alert_reason == "exhausted"
    assert after(EndpointHealth(alert_reason="disabled"), Effect.EXHAUSTED).alert_reason == "disabled"
    assert after(EndpointHealth(), Effect.RETRY).alert_reason is None


@given(st.lists(st.tuples(st.sampled_from(list(Effect)), st.floats(0, 86400 * 2)), max_size=30))
def test_an_endpoint_is_never_disabled_before_five_days_without_a_410(steps: list[tuple[Effect, float]]) -> None:
    endpoint, now, since = EndpointHealth(), NOW, None
    for effect, seconds in steps:
        now += timedelta(seconds=seconds)
        endpoint = after(endpoint, effect, now)
        if effect is Effect.DELIVERED:
            since = None
        elif effect in {Effect.RETRY, Effect.EXHAUSTED, Effect.GONE}:
            since = since or now
        if effect is Effect.GONE:
            assert endpoint.disabled
            return
        if endpoint.disabled:
            assert since is not None
            assert now - since >= FIVE_DAYS
            return


def test_an_endpoint_that_refused_a_body_gets_smaller_ones_for_a_while() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    fresh = EndpointHealth()
    once = refused_as_too_large(fresh, BodyForm.FULL, now)
    assert (once.body_form, once.consecutive_failures, once.failing_since) == (BodyForm.THIN, 0, None)
    # Another full body that was on its way says nothing new.
    assert refused_as_too_large(once, BodyForm.FULL, now).body_form is BodyForm.THIN
    twice = refused_as_too_large(once, BodyForm.THIN, now)
    assert twice.body_form is BodyForm.BARE
    assert refused_as_too_large(twice, BodyForm.FULL, now).body_form is BodyForm.BARE
    for after, form in (
        (timedelta(0), BodyForm.BARE),
        (SMALLER_FOR - timedelta(seconds=1), BodyForm.BARE),
        (SMALLER_FOR, BodyForm.FULL),
    ):
        assert form_now(twice.body_form, twice.body_form_at, now + after) is form
    assert refused_as_too_large(twice, BodyForm.FULL, now + SMALLER_FOR).body_form is BodyForm.THIN
