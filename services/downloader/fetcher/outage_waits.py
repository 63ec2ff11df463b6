"""How a document waits when the source is not there for it, by what the gate judges. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sources.errors import SourceAway, SourceThrottled, SourceTimeout
from sources.gate.outage_evidence import FailureCause
from sources.gate.requests import SourceCaller

DOUBT_SECONDS: Final = (2.0, 4.0)
"""In doubt an attempt has so many more tries, after these waits; then it is spent."""

_FIRST_HOLD: Final = 0.1
_LONGEST_HOLD: Final = 5.0


@dataclass(frozen=True, slots=True)
class AttemptTries:
    """How one attempt at a document has gone so far."""

    again: bool = False
    """It was too slow, or the source was not there for it: it stands behind those that are asked for first."""
    held: int = 0
    doubts: int = 0
    throttled: int = 0
    documents: int = 0
    """How many documents the source had given this worker at the last 429."""

    def caller(self, case: str) -> SourceCaller:
        """How it stands at the gate."""
        return SourceCaller(case, again=self.again, throttled=self.throttled)


@dataclass(frozen=True, slots=True)
class OutageWait:
    """Ask again after ``seconds``, as ``tries``; no attempt is counted."""

    tries: AttemptTries
    seconds: float


def hit_shortened_timeout(error: SourceAway, read_timeout: float | None) -> bool:
    """Whether the request timed out under a read timeout shorter than the configured one.

    That says nothing about the source: the request is made again, with the full timeout.
    """
    return read_timeout is not None and isinstance(error, SourceTimeout)


def after_shortened_timeout(tries: AttemptTries) -> AttemptTries:
    """Try again with the full timeout, queued behind the first tries of others."""
    return replace(tries, again=True)


def after_away(error: SourceAway, cause: FailureCause, tries: AttemptTries, *, documents: int) -> OutageWait | None:
    """What follows from a judged failure; None: it costs the attempt.

    ``documents`` is how many the source has given this worker by now.
    """
    if isinstance(error, SourceThrottled):
        others = tries.throttled == 0 or documents > tries.documents
        tries = replace(tries, throttled=tries.throttled + others, documents=documents)
    match cause:
        case FailureCause.DOCUMENT:
            return None
        case FailureCause.DOUBT:
            if tries.doubts >= len(DOUBT_SECONDS):
                return None
            return OutageWait(replace(tries, again=True, doubts=tries.doubts + 1), DOUBT_SECONDS[tries.doubts])
        case FailureCause.OUTAGE:
            seconds = min(_LONGEST_HOLD, _FIRST_HOLD * 2.0 ** min(tries.held, 16))
            return OutageWait(replace(tries, again=False, held=tries.held + 1), seconds)
