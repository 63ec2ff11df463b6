"""How deliveries are sent: the retry schedule, the time-out, when an endpoint is disabled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from services.notifier.domain.retry_policy import RetryPolicy


@dataclass(frozen=True, slots=True)
class SendingPolicy:
    """``timeout`` in seconds, headers and body of the answer together; ``private_keys`` sign besides the secrets."""

    retry: RetryPolicy
    timeout: float
    disable_after: timedelta
    private_keys: tuple[str, ...] = ()
