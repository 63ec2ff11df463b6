"""How a source stands: open, limited or away; from what each downloader found, to what all found together. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DEAD_SECONDS: Final = 10.0
"""A downloader whose heartbeat is older counts for dead, everywhere."""
HOURS_KEPT_DAYS: Final = 30
"""How long the counts of an hour's requests are kept and shown."""
SUCCEEDED: Final = "succeeded"
"""The outcome of a request that got what it asked for; the others are codes of errors."""


class SourceState(StrEnum):
    """What may be expected of a source now."""

    OPEN = "open"
    """It answers."""
    LIMITED = "limited"
    """It asks for fewer requests, or answers some of the downloaders alone. Documents come more slowly."""
    AWAY = "away"
    """It answers nobody. Documents wait; no attempt is counted."""
    UNKNOWN = "unknown"
    """No downloader runs, so nobody asks it."""


MESSAGES: Final = {
    "source_unavailable": "the source does not answer, or only with errors of a gateway; documents wait until it does",
    "source_forbidden": "a firewall before the source refuses every request; documents wait, a person must look at it",
    "credentials_refused": "the source refuses our credentials; documents wait, a person must mend them",
    "source_throttled": "the source asks for fewer requests (429); documents come more slowly",
    "partly_unavailable": "some downloaders get no answer from the source, others do; documents come more slowly",
    "nobody_asks": "no downloader runs, so nobody asks the source",
}
"""What each reason means, for people. The keys are stable codes."""


@dataclass(frozen=True, slots=True)
class SourceFinding:
    """What one downloader finds.

    ``seconds``: for how long so. ``answered_ago``: seconds since the source answered it, None where it never did.
    """

    state: SourceState
    reason: str | None
    seconds: float
    answered_ago: float | None = None


OPEN_FINDING: Final = SourceFinding(SourceState.OPEN, None, 0.0)


def together(findings: Sequence[SourceFinding]) -> SourceFinding:
    """What live downloaders find together.

    The source is away when one finds it away and no other has had an answer since; a downloader that asks nothing
    cannot tell. Where another has had one, the source is limited.
    """
    away = [one for one in findings if one.state is SourceState.AWAY]
    if away:
        first = max(away, key=lambda one: one.seconds)
        others = [one.answered_ago for one in findings if one.state is not SourceState.AWAY]
        if any(ago is not None and ago < first.seconds for ago in others):
            return SourceFinding(SourceState.LIMITED, "partly_unavailable", first.seconds)
        return first
    limited = [one for one in findings if one.state is SourceState.LIMITED]
    return max(limited, key=lambda one: one.seconds) if limited else OPEN_FINDING
