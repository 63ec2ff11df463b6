"""The rules of one consumer group's partition: who reads it, and whether it moves. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ops.invariants.findings import Mismatch, Patience, Rule


@dataclass(frozen=True, slots=True)
class Backlog:
    """The records of a partition that a group has still to finish; at least one."""

    group: str
    topic: str
    partition: int
    committed: int
    metadata: str
    """The metadata of the commit, which names the offsets beyond ``committed`` that are finished."""
    records: int
    due_since: datetime | None
    """When the oldest of them could have been handled; None when all of them wait for their time."""
    members: int
    may_wait: bool
    """Whether the group holds records while the court source is away."""

    @property
    def position(self) -> str:
        """Where the group stands; another text as soon as it has finished anything."""
        return f"{self.committed}.{zlib.crc32(self.metadata.encode()):x}"


def judge(backlog: Backlog, now: datetime, patience: Patience) -> Iterator[Mismatch]:
    """A backlog that nobody reads, or that does not move: the position is part of the identity of what is found."""
    if backlog.due_since is None or now - backlog.due_since <= patience.transit:
        return
    waits = f"{backlog.records} records of {backlog.topic}/{backlog.partition} wait for the group {backlog.group}"
    since = f"since {(now - backlog.due_since).total_seconds():.0f} s"
    place = f"{backlog.group} {backlog.topic}/{backlog.partition} {backlog.position}"
    if not backlog.members:
        yield Mismatch(Rule.GROUP_UNREAD, place, f"{waits} {since}, and it has no member")
    elif not backlog.may_wait:
        yield Mismatch(Rule.GROUP_STALLED, place, f"{waits} {since}, and it does not move")
