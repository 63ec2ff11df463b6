"""What follows from a failure of the source: another attempt, or the end of a document or a job. Pure.

An answer about the document or the case is an attempt, and attempts end. An outage of the source is no attempt: the
document waits (fetcher/outage_waits.py), and the discovery is put off for as long as the outage lasts. The gate judges
which of the two a failure is (docs/adr/0016-outage-or-bad-case.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.events.topics import DOCUMENT_RETRY
from sources.errors import CaseUnreadable, SourceError, SourceRoute, Verdict

GIVEN_UP_CODE = "source_error"
"""The job's error code when the source kept answering about the case, but never with the case."""

_MAX_RETRY_AFTER = max(tier.delay for tier in DOCUMENT_RETRY)


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Through the retry topics: the next attempt, after ``delay`` seconds."""

    attempt: int
    delay: float
    error_code: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Failed for good."""

    error_code: str
    error_message: str


def after_failure(error: SourceError, *, attempt: int, delays: Sequence[float]) -> TryAgain | GiveUp:
    """What becomes of a document whose ``attempt``-th attempt (from 1) failed with ``error``.

    ``delays`` are the seconds before the second, third, … attempt (AUTOS_DOWNLOAD_RETRY_DELAYS), so there is one
    attempt more than delays. An error that could be about the source is one about the document here: the gate has
    judged it.
    """
    if error.verdict is Verdict.PERMANENT or attempt > len(delays):
        return GiveUp(error.code, error.message)
    return TryAgain(attempt + 1, _delay(delays[attempt - 1], error), error.code)


@dataclass(frozen=True, slots=True)
class PutOff:
    """The discovery comes again after ``delay`` seconds. ``answers`` counts the source's answers about this case."""

    attempt: int
    answers: int
    delay: float
    error_code: str


@dataclass(frozen=True, slots=True)
class Abort:
    """The job ends here. ``dead``: after the tiers, so a person may want to look at it."""

    error_code: str
    error_message: str
    dead: bool


def after_discovery_failure(
    error: SourceError, *, attempt: int, answers: int, delays: Sequence[float], about_case: bool = False
) -> PutOff | Abort:
    """What becomes of a job whose case could not be read.

    ``attempt`` is the number of this reading (from 1), ``answers`` how many before it were about the case.
    ``about_case``: the source was not there for this case, and was for others.
    """
    if error.verdict is Verdict.PERMANENT:
        return Abort(error.code, error.message, dead=False)
    if error.verdict is Verdict.RETRY or about_case:
        answers += 1
        if answers > len(delays):
            code = error.code if isinstance(error, CaseUnreadable | SourceRoute) else GIVEN_UP_CODE
            return Abort(code, error.message, dead=True)
    tiers = delays or (_MAX_RETRY_AFTER,)
    return PutOff(attempt + 1, answers, _delay(tiers[min(attempt, len(tiers)) - 1], error), error.code)


def _delay(delay: float, error: SourceError) -> float:
    """At least what the source asked for, but no longer than a retry topic is made for: the gate keeps the rest."""
    return max(delay, min(error.retry_after or 0.0, _MAX_RETRY_AFTER))
