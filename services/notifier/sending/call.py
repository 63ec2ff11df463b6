"""Call: the third phase of a delivery. Makes the request to the receiver; the answer becomes an attempt."""

from __future__ import annotations

import random

from services.notifier.metrics import NotifierMetrics
from services.notifier.sending.attempt import Attempt, attempt_of, shown_headers
from services.notifier.sending.prepare import PreparedRequest
from shared.clock import Clock
from shared.http.dial import WebhookCaller


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
        if result is None:
            result = await self._caller.post(request.claimed.url, request.headers, request.content)
        self._metrics.seconds.observe(result.duration)
        return attempt_of(
            request.claimed,
            result,
            started_at=request.started_at,
            ended_at=self._clock(),
            form=request.form,
            headers=shown_headers(request.headers, len(request.content)),
            draw=random.random(),  # noqa: S311 - spreads load, protects nothing
        )
