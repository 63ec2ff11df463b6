"""A record on its way through the runtime: where it stands, and what is still to do for it.

Where it stands::

    QUEUED -> RUNNING -> ANSWERED -> FINISHED
                 |  \\        |
                 |   HELD <---+      a server is away; tried again later
                 v
              FINISHED               also when its partition is gone: the record is then read again elsewhere

What is still to do::

    ToPrepare -> ToHandle -> ToWrite
        any of them -> Dead          given up: its dead letter is to be written
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from shared.kafka.consumer.assigned_partitions import AssignedPartition
from shared.kafka.consumer.handling import Done
from shared.records import OutgoingRecord, Record

HANDLED: Final = "done"
SKIPPED: Final = "skipped"
"""Labels of autos_consumer_records_handled_total, as ``poison`` and ``handler_error`` are."""


class Stage(Enum):
    """Where an entry stands."""

    QUEUED = "queued"
    """It waits for ``prepare``, for its due time or for its group's turn."""
    RUNNING = "running"
    """It counts among the handlers."""
    ANSWERED = "answered"
    """Its handler has answered; it waits for the broker only."""
    HELD = "held"
    """A server that it needs is away; it waits for its next try."""
    FINISHED = "finished"
    """Acknowledged, or dropped with its partition."""


@dataclass(frozen=True, slots=True)
class ToPrepare:
    """``prepare`` is asked first, when the entry is due: what the database says now may be old by then."""


@dataclass(frozen=True, slots=True)
class ToHandle:
    """The handler is called."""


@dataclass(frozen=True, slots=True)
class ToWrite:
    """The answer is known and goes to the sink."""

    done: Done
    label: str = HANDLED
    """How the entry is counted when it is finished."""


@dataclass(frozen=True, slots=True)
class Dead:
    """The record is given up."""

    letter: OutgoingRecord
    error: Exception
    """Why."""
    label: str
    """How the entry is counted when it is finished."""
    done: Done | None = None
    """The letter and what is written beside it, once that is known."""


Work = ToPrepare | ToHandle | ToWrite | Dead

TO_PREPARE: Final = ToPrepare()
TO_HANDLE: Final = ToHandle()


@dataclass(eq=False, slots=True)
class Entry:
    """One record that was read. ``item`` is the decoded record; None when it cannot be decoded."""

    record: Record
    partition: AssignedPartition
    item: Any
    group: str
    work: Work = TO_HANDLE
    stage: Stage = Stage.QUEUED
    has_place: bool = False
    """Whether it has one of its group's places: from its turn until its handler has answered."""
    failures: int = 0
    """Tries that ended with an unexpected exception."""
    holds: int = 0
    """How often it was held."""

    def answer_again(self) -> None:
        """Forget the answer: the handler, or the dead-letter policy, makes it again."""
        self.work = replace(self.work, done=None) if isinstance(self.work, Dead) else TO_HANDLE

    def forget_used_answer(self) -> None:
        """Forget an answer that can be read only once: the handler makes it again."""
        if isinstance(self.work, ToWrite) and self.work.done.read_once:
            self.work = TO_HANDLE
