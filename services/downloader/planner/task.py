"""One job to plan, as the planner's runtime hands it from decoding to its handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.downloader.event_records import ANSWERS_HEADER
from shared.events.envelope import decoder, deterministic_id, header, traceparent
from shared.events.process_requested import ProcessRequested
from shared.records import Record

DISCOVERIES: Final = "discoveries"
"""The group, with a source's name, of the requests that must read a case there first: together they leave places free
for others."""

_decode = decoder(ProcessRequested)


@dataclass(frozen=True, slots=True)
class PlanTask:
    """A job to plan. ``answers``: how many of the attempts before were answers about the case.

    ``origin`` is the record's topic/partition/offset; ``event_id`` its ``ce_id``, the same in every repeat of it.
    """

    request: ProcessRequested
    traceparent: str | None = None
    answers: int = 0
    origin: str = ""
    event_id: str = ""

    @property
    def not_before(self) -> float | None:
        """Seconds since the epoch."""
        due = self.request.not_before
        return None if due is None else due.timestamp()

    @property
    def plan_id(self) -> str:
        """The id of what is decided for this request: a repeat finds it, another request makes another."""
        return deterministic_id("plan", self.request.job_id, self.event_id or self.origin)


def group_of(task: PlanTask, source_of: Callable[[str], str]) -> str:
    """Jobs take turns; those that need a source do not take every place, nor another source's."""
    request = task.request
    return f"{DISCOVERIES}/{source_of(request.process_number)}" if request.discover else request.job_id


def decode(record: Record) -> PlanTask:
    """The task of a record. Raises PoisonRecord."""
    answers = header(record.headers, ANSWERS_HEADER) or ""
    return PlanTask(
        _decode(record),
        traceparent(record),
        int(answers) if answers.isascii() and answers.isdigit() and len(answers) < 10 else 0,
        origin=f"{record.topic}/{record.partition}/{record.offset}",
        event_id=header(record.headers, "ce_id") or "",
    )
