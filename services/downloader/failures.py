"""Pure: what follows from a failure of the source, for a document and for the discovery of a case.

Two clocks are kept apart (docs/architecture.md, the domain). An answer about the document or the case is an attempt,
and attempts end. That the source is away is nobody's attempt: the document is held, the discovery is put off again
and again, for as long as it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.events.topics import DOCUMENT_RETRY
from shared.pdpj.errors import CaseUnreadable, SourceError, SourceUnavailable, Verdict

HOLDS_PER_ATTEMPT = 3
"""So many times may a document find the source away while others find it there; then that was about the document."""

GIVEN_UP_CODE = "source_error"
"""The job's error code when the source kept answering about the case, but never with the case."""

_LONGEST_WISH = max(tier.delay for tier in DOCUMENT_RETRY)


@dataclass(frozen=True, slots=True)
class Holds:
    """How often one document was held, counting a repeat only when the source gave other documents in between.

    ``given`` is how many documents the source had given this worker at the last hold.
    """

    counted: int = 0
    given: int = 0

    def again(self, given: int) -> Holds:
        """Held once more, ``given`` documents having come from the source by now."""
        if self.counted == 0 or given > self.given:
            return Holds(self.counted + 1, given)
        return self


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep the record and try again; no attempt is counted. ``retry_in`` is seconds, None: the runtime's choice."""

    holds: Holds
    retry_in: float | None


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


def after_failure(
    error: SourceError, *, attempt: int, delays: Sequence[float], holds: Holds, given: int
) -> Hold | TryAgain | GiveUp:
    """What becomes of a document whose ``attempt``-th attempt (from 1) failed with ``error``.

    ``holds`` are those of this attempt so far; ``given`` as in :class:`Holds`.
    """
    if error.verdict is Verdict.PERMANENT:
        return GiveUp(error.code, error.message)
    if error.verdict is Verdict.SOURCE_AWAY:
        # A 429 or refused credentials are never about one document; a timeout or a 502 can be.
        held = holds.again(given) if isinstance(error, SourceUnavailable) else holds
        if held.counted < HOLDS_PER_ATTEMPT:
            return Hold(held, error.retry_after)
    if attempt > len(delays):
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
    error: SourceError, *, attempt: int, answers: int, delays: Sequence[float]
) -> PutOff | Abort:
    """What becomes of a job whose case could not be read.

    ``attempt`` is the number of this reading (from 1), ``answers`` how many before it were about the case.
    """
    if error.verdict is Verdict.PERMANENT:
        return Abort(error.code, error.message, dead=False)
    if error.verdict is Verdict.RETRY:
        answers += 1
        if answers > len(delays):
            code = error.code if isinstance(error, CaseUnreadable) else GIVEN_UP_CODE
            return Abort(code, error.message, dead=True)
    tiers = delays or (_LONGEST_WISH,)
    return PutOff(attempt + 1, answers, _delay(tiers[min(attempt, len(tiers)) - 1], error), error.code)


def _delay(delay: float, error: SourceError) -> float:
    """At least what the source asked for, but no longer than a retry topic is made for: the gate keeps the rest."""
    return max(delay, min(error.retry_after or 0.0, _LONGEST_WISH))
