"""What one request says about the source. Pure."""

from __future__ import annotations

from enum import StrEnum

from sources.errors import (
    CredentialsRefused,
    SourceError,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)


class RequestOutcome(StrEnum):
    """What a request says about the source (not about the document)."""

    SUCCEEDED = "succeeded"
    """It answered, be it with an error about the document."""
    THROTTLED = "throttled"
    TIMED_OUT = "timed_out"
    FAILED = "failed"
    REFUSED = "refused"
    """It takes our credentials no more."""
    ABANDONED = "abandoned"
    """Given up by the caller: says nothing."""


def outcome_of(error: BaseException | None) -> tuple[RequestOutcome, float | None]:
    """The outcome that an exception (or none) stands for, and the wait in seconds that the source asked for."""
    match error:
        case None:
            return RequestOutcome.SUCCEEDED, None
        case SourceThrottled():
            return RequestOutcome.THROTTLED, error.retry_after
        case CredentialsRefused():
            return RequestOutcome.REFUSED, error.retry_after
        case SourceTimeout():
            return RequestOutcome.TIMED_OUT, error.retry_after
        case SourceUnavailable():
            return RequestOutcome.FAILED, error.retry_after
        case SourceError():
            return RequestOutcome.SUCCEEDED, None
        case _:
            return RequestOutcome.ABANDONED, None
