"""What this worker finds of a source now: open, limited or away, and since when. Pure; times are monotonic seconds."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from services.downloader.source_share.forbidden_source import ForbiddenEvidence, evidence_of
from shared.domain.source_state import SourceFinding, SourceState
from sources.errors import CredentialsRefused, SourceError, SourceThrottled
from sources.gate.breaker import BreakerState
from sources.gate.requests import GateSnapshot

LIMITED_SECONDS: Final = 30.0
"""So long after its last 429 a source counts as limited: one that answers 429 now and then is not open in between."""


class SourceObserver:
    """Collects what requests end with, and looks at the gate."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._refused = False
        self._throttled_at: float | None = None
        self._answered_at: float | None = None
        self._state: tuple[SourceState, str | None] = (SourceState.OPEN, None)
        self._since = clock()

    def ended(self, error: SourceError | None) -> None:
        """A request ended so."""
        if isinstance(error, CredentialsRefused):
            self._refused = True
        elif isinstance(error, SourceThrottled):
            self._throttled_at = self._clock()
        elif evidence_of(error) is ForbiddenEvidence.ANSWERED:
            self._refused = False
            self._answered_at = self._clock()

    def look(self, gate: GateSnapshot, forbidden_since: float | None) -> SourceFinding:
        """How the source stands with this worker; ``forbidden_since`` where a firewall refuses everything."""
        now = self._clock()
        state = self._judge(gate, forbidden_since, now)
        if state != self._state:
            self._state, self._since = state, now
        since = self._since if forbidden_since is None else min(self._since, forbidden_since)
        answered_ago = None if self._answered_at is None else now - self._answered_at
        return SourceFinding(*self._state, now - since, answered_ago)

    def _judge(self, gate: GateSnapshot, forbidden_since: float | None, now: float) -> tuple[SourceState, str | None]:
        if self._refused:
            return SourceState.AWAY, "credentials_refused"
        if forbidden_since is not None:
            return SourceState.AWAY, "source_forbidden"
        if gate.breaker is not BreakerState.CLOSED:
            return SourceState.AWAY, "source_unavailable"
        lately = self._throttled_at is not None and now - self._throttled_at < LIMITED_SECONDS
        if lately or gate.paused_for > 0:
            return SourceState.LIMITED, "source_throttled"
        return SourceState.OPEN, None
