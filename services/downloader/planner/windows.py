"""How a large job is released in windows. Pure.

A case's documents are in one partition (keyed by the case), and a partition is read ahead only so far. So a large job
is written a window at a time: two documents of a window, whatever becomes of them, ask for the one after it. What
a job needs is decided once, when it is planned; the windows that wait are the rows of schema ``source``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

_MARKS: Final = (0.5, 0.75)
"""Where in a window the documents stand that ask for the next: two, so that one that hangs does not stop the job."""
CLAIM_LASTS: Final = timedelta(minutes=10)
"""A window claimed so long ago may be released again: its claimer is gone, or it is a repeat."""


@dataclass(frozen=True, slots=True)
class WindowPlace:
    """A window's place in its plan. ``more``: another one follows it."""

    plan_id: str
    number: int
    more: bool


def windows(ids: Sequence[str], size: int) -> list[list[str]]:
    """The ids in windows, in their order."""
    return [list(ids[start : start + size]) for start in range(0, len(ids), size)]


def marks(count: int) -> frozenset[int]:
    """Which of a window's ``count`` documents ask for the next window."""
    return frozenset(min(count - 1, int(count * mark)) for mark in _MARKS) if count else frozenset()


def may_release(released_by: str | None, released_at: datetime | None, by: str, now: datetime) -> bool:
    """Whether the record ``by`` (topic/partition/offset) releases a window.

    The first that asks claims it before it writes, so that a repeat of the question writes nothing twice. When it is
    killed in between, the same record comes again, and has the claim. A claim whose record never came again (its
    topic was lost, its group set back) ends after a while: a window released twice costs only work.
    """
    if released_by is None or released_by == by:
        return True
    return released_at is None or now - released_at > CLAIM_LASTS
