"""Call: the third phase of a delivery. Makes the request to the receiver; the answer becomes an attempt."""

from __future__ import annotations

import random
from dataclasses import replace

from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from services.notifier.metrics import NotifierMetrics
from services.notifier.sending.attempt import Attempt, attempt_of, shown_headers, without_own_values
from services.notifier.sending.claimed import ClaimedDelivery
from services.notifier.sending.prepare import PreparedRequest
from shared.clock import Clock
from shared.http.dial import WebhookCaller
from shared.tracing.conventions import (
    ATTEMPT,
    CLIENT_ID,
    DELIVERY_ID,
    ERROR_TYPE,
    HTTP_METHOD,
    HTTP_STATUS,
    JOB_ID,
    WEBHOOK_SPAN,
)
from shared.tracing.spans import Attributes, within


class ReceiverCall:
    """Calls receivers. A failure is an attempt with a code, never an exception."""

    def __init__(self, caller: WebhookCaller, clock: Clock, metrics: NotifierMetrics) -> None:
        self._caller = caller
        self._clock = clock
        self._metrics = metrics

    async def make(self, request: PreparedRequest) -> Attempt:
        """Make the request, unless its preparation refused it, and wait for the whole answer, within the caller's
        time-out.
        """
        result = request.refused
        with within(WEBHOOK_SPAN, request.claimed.traceparent, SpanKind.CLIENT, _about(request.claimed)) as span:
            if result is None:
                result = await self._caller.post(request.claimed.url, request.headers, request.content)
                result = replace(result, excerpt=without_own_values(result.excerpt, request.headers))
            self._metrics.seconds.observe(result.duration)
            attempt = attempt_of(
                request.claimed,
                result,
                started_at=request.started_at,
                ended_at=self._clock(),
                form=request.form,
                headers=shown_headers(request.headers, len(request.content)),
                content=request.content,
                draw=random.random(),  # noqa: S311 - spreads load, protects nothing
            )
            if span is not None:
                _conclude(span, attempt)
        return attempt


def _about(claimed: ClaimedDelivery) -> Attributes:
    return {
        HTTP_METHOD: "POST",
        JOB_ID: claimed.job_id,
        DELIVERY_ID: claimed.due.delivery_id,
        CLIENT_ID: claimed.client_id,
        ATTEMPT: claimed.attempt,
    }


def _conclude(span: Span, attempt: Attempt) -> None:
    if attempt.status_code is not None:
        span.set_attribute(HTTP_STATUS, attempt.status_code)
    if (code := attempt.error_code_shown) is not None:
        span.set_attribute(ERROR_TYPE, code)
        span.set_status(Status(StatusCode.ERROR, code))
