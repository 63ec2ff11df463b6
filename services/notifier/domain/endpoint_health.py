"""The health of an endpoint over days. Pure.

An endpoint that answers 410, or whose attempts have all failed for days, is disabled. Its deliveries are kept, and
sent when the client enables it again. The breaker (endpoint_breaker.py) is about seconds and lives in memory; this
is a row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.notifier.domain.delivery import Effect
from shared.webhooks.body_form import BodyForm, form_now

_TOUCH_EVERY: Final = timedelta(seconds=30)

ANSWERED_GONE: Final = "answered_gone"
FAILING_FOR_DAYS: Final = "failing_for_days"
EXHAUSTED: Final = "exhausted"
DISABLED: Final = "disabled"


class EndpointState(StrEnum):
    """How an endpoint is, in one word: a label of the metrics."""

    HEALTHY = "healthy"
    FAILING = "failing"
    """Its last attempt failed."""
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """What is remembered of an endpoint. ``alert_reason`` is set while an alert about it is due."""

    consecutive_failures: int = 0
    failing_since: datetime | None = None
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    alert_reason: str | None = None
    body_form: BodyForm = BodyForm.FULL
    body_form_at: datetime | None = None

    @property
    def disabled(self) -> bool:
        """Whether its deliveries are kept until the client enables it."""
        return self.disabled_at is not None

    @property
    def state(self) -> EndpointState:
        """In one word."""
        if self.disabled:
            return EndpointState.DISABLED
        return EndpointState.HEALTHY if self.failing_since is None else EndpointState.FAILING


def refused_as_too_large(endpoint: EndpointHealth, sent: BodyForm, now: datetime) -> EndpointHealth:
    """The endpoint after a 413 for a body of this form: it gets smaller ones, which is no failure of its own."""
    known = form_now(endpoint.body_form, endpoint.body_form_at, now)
    return replace(endpoint, body_form=max(known, BodyForm(min(sent + 1, BodyForm.BARE))), body_form_at=now)


def judge(endpoint: EndpointHealth, effect: Effect, now: datetime, *, disable_after: timedelta) -> EndpointHealth:
    """The endpoint after an attempt with this effect.

    A success while nothing was wrong is written at most every 30 s, so that a quick endpoint's row is not rewritten
    with every delivery.
    """
    if effect is Effect.DELIVERED:
        if endpoint.failing_since is None and endpoint.consecutive_failures == 0:
            recent = endpoint.last_success_at is not None and now - endpoint.last_success_at < _TOUCH_EVERY
            return endpoint if recent else replace(endpoint, last_success_at=now)
        return replace(endpoint, consecutive_failures=0, failing_since=None, last_success_at=now)
    if effect not in {Effect.RETRY, Effect.EXHAUSTED, Effect.GONE}:
        return endpoint
    since = endpoint.failing_since or now
    failed = replace(
        endpoint,
        consecutive_failures=endpoint.consecutive_failures + 1,
        failing_since=since,
        last_failure_at=now,
        alert_reason=EXHAUSTED
        if effect is Effect.EXHAUSTED and endpoint.alert_reason is None
        else endpoint.alert_reason,
    )
    if failed.disabled:
        return failed
    if effect is Effect.GONE:
        return replace(failed, disabled_at=now, disabled_reason=ANSWERED_GONE, alert_reason=DISABLED)
    if now - since >= disable_after:
        return replace(failed, disabled_at=now, disabled_reason=FAILING_FOR_DAYS, alert_reason=DISABLED)
    return failed
