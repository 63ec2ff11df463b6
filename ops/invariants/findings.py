"""What a look at the system found: what does not match, what is merely in progress, and what was counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class Rule(StrEnum):
    """What is broken; the prefix says whose tables, objects or topics are at odds."""

    JOB_LOST = "job.lost"
    JOB_STUCK = "job.stuck"
    JOB_UNKNOWN = "job.unknown"
    JOB_COUNTS = "job.counts"
    JOB_STATUS = "job.status"
    JOB_DOCUMENTS = "job.documents"
    JOB_ANNOUNCEMENT = "job.announcement"
    JOB_COMPLETION = "job.completion"
    DELIVERY_MISSING = "delivery.missing"
    DELIVERY_OVERDUE = "delivery.overdue"
    DELIVERY_LEASE = "delivery.lease"
    DELIVERY_UNPROVEN = "delivery.unproven"
    OBJECT_KEY = "object.key"
    OBJECT_MISSING = "object.missing"
    OBJECT_SIZE = "object.size"
    OBJECT_HASH = "object.hash"
    OUTBOX_UNPUBLISHED = "outbox.unpublished"
    GROUP_UNREAD = "group.unread"
    GROUP_STALLED = "group.stalled"


@dataclass(frozen=True)
class Mismatch:
    """One thing that does not match. ``rule`` and ``subject`` together are its identity."""

    rule: Rule
    subject: str
    words: str

    @property
    def identity(self) -> tuple[Rule, str]:
        """Identifies a finding, so that a second look recognises it."""
        return self.rule, self.subject


@dataclass(frozen=True)
class Patience:
    """How long a thing may be on its way before it counts as a mismatch."""

    transit: timedelta = timedelta(seconds=60)
    """From one service's tables to the next one's, records to be read, deliveries to be sent."""
    outbox: timedelta = timedelta(seconds=10)
    """From a committed outbox row to its acknowledgement."""


@dataclass
class Findings:
    """The result of one look; a second look confirms or clears it."""

    mismatches: list[Mismatch] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    """In words: what is in progress, which is no mismatch."""
    counted: Counter[str] = field(default_factory=Counter)

    def confirmed_by(self, later: Findings) -> Findings:
        """What the later look still finds: what was only on its way has arrived meanwhile."""
        before = {mismatch.identity for mismatch in self.mismatches}
        kept = [mismatch for mismatch in later.mismatches if mismatch.identity in before]
        return Findings(kept, later.running, later.counted)
