"""Whether the source forbids everything: nothing but a firewall's 403 for so long. Pure; times are monotonic seconds.

One case alone never makes it so, since a firewall can dislike one address; the control request of the gate is about
another case, so a source that forbids everything is found out with one job too.
"""

from __future__ import annotations

from enum import Enum, auto

from sources.errors import (
    MalformedAnswer,
    NotADocument,
    SourceAway,
    SourceError,
    SourceForbidden,
    SourceRoute,
    TokenRejected,
)

_CASES = 2
"""So many different ones."""


class ForbiddenEvidence(Enum):
    """What the end of one request says of this."""

    FORBIDDEN = auto()
    ANSWERED = auto()
    """The source itself answered, be it with an error."""
    NOTHING = auto()


def evidence_of(error: SourceError | None) -> ForbiddenEvidence:
    """What a request's end says of this; None: what was asked for came."""
    if isinstance(error, SourceForbidden):
        return ForbiddenEvidence.FORBIDDEN
    # Away, throttled, refused, a page, an unknown route: a gateway can say all of that.
    if isinstance(error, SourceAway | NotADocument | MalformedAnswer | SourceRoute | TokenRejected):
        return ForbiddenEvidence.NOTHING
    return ForbiddenEvidence.ANSWERED


class ForbiddenSource:
    """Collects how requests end; pure. ``seconds`` of nothing but 403, of two cases at least, make the source
    forbidden.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: float | None = None
        self._latest = 0.0
        self._cases: set[str] = set()
        self.answered_at: float | None = None
        """When the source last answered a request of this process."""

    @property
    def since(self) -> float | None:
        """Since when the source forbids everything; None while that is not certain, or not so."""
        certain = len(self._cases) >= _CASES and self._since is not None
        return self._since if certain and self._latest - (self._since or 0.0) >= self._seconds else None

    def record(self, case: str, error: SourceError | None, at: float) -> None:
        """A request about ``case`` ended at ``at`` (monotonic seconds)."""
        match evidence_of(error):
            case ForbiddenEvidence.FORBIDDEN:
                if self._since is None:
                    self._since = at
                self._latest = max(self._latest, at)
                if len(self._cases) < _CASES:
                    self._cases.add(case)
            case ForbiddenEvidence.ANSWERED:
                self.answered_at = at
                self.answered(at)

    def answered(self, at: float) -> None:
        """The source answered somebody then: this process, or another worker."""
        if self._since is not None and at >= self._since:
            self._since = None
            self._cases.clear()
