"""Topic ``webhook.events`` (public), too: a source that answers less than it did, and one that answers again.

They stand beside the deliveries' events since the notifier, which alone writes that topic, tells of them once for all
replicas (docs/adr/0035-source-status.md).
"""

from __future__ import annotations

from typing import ClassVar

from shared.events.envelope import Event, Line, Timestamp, Word


class SourceEvent(Event):
    """The base: which source, how it stands, and since when. ``at`` is when this was noticed."""

    source: Word
    state: Word
    """``open``, ``limited`` or ``away`` (docs/reference/http-api.md, "How the source does")."""
    since: Timestamp
    at: Timestamp

    def key(self) -> str:
        return self.source


class SourceDegraded(SourceEvent):
    """A source asks for fewer requests, or is away; once more where it was limited and is away now."""

    TYPE: ClassVar[str] = "autos.source.degraded"

    reason: Word
    """A stable code, such as ``source_unavailable``."""
    message: Line
    """The reason in words."""


class SourceRecovered(SourceEvent):
    """A source that was degraded has been open for half a minute."""

    TYPE: ClassVar[str] = "autos.source.recovered"

    degraded_since: Timestamp
