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


class SourceOutcome(StrEnum):
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


def outcome_of(error: BaseException | None) -> tuple[SourceOutcome, float | None]:
    """The outcome that an exception (or none) stands for, and the wait in seconds that the source asked for."""
    match error:
        case None:
            return SourceOutcome.SUCCEEDED, None
        case SourceThrottled():
            return SourceOutcome.THROTTLED, error.retry_after
        case CredentialsRefused():
            return SourceOutcome.REFUSED, error.retry_after
        case SourceTimeout():
            return SourceOutcome.TIMED_OUT, error.retry_after
        case SourceUnavailable():
            return SourceOutcome.FAILED, error.retry_after
        case SourceError():
            return SourceOutcome.SUCCEEDED, None
        case _:
            return SourceOutcome.ABANDONED, None
