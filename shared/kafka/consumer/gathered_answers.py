"""Answers that wait for others of a moment, so that they are written in few requests to the broker.

A request carries the records of one partition, and costs the broker more than the records in it. So answers gather by
the partition that they go to (their lane): they go when the first of them has waited for long enough, or with the last
of a case, which waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shared.kafka.consumer.entry import Entry
from shared.kafka.consumer.handling import Done

MOST: Final = 256
"""Answers of a lane that are enough to be written without waiting for more."""

_LANES: Final = 2
"""So many lanes wait for ``first``; twice as many for twice as long."""
_EARLY: Final = 0.01
"""Seconds. Lanes that are due so soon go with the one that is due: a timer may also fire early by another clock."""


class GatherSeconds(NamedTuple):
    """How long an answer may wait for others, in seconds: ``first`` while one or two lanes have answers, and longer
    with more of them, each of which is a request of its own; never more than ``longest``.
    """

    first: float
    longest: float

    def of(self, lanes: int) -> float:
        """The wait where so many lanes have answers."""
        return min(self.longest, self.first * max(1.0, lanes / _LANES))


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be written for an entry."""

    entry: Entry
    done: Done


Write = Callable[[Sequence[Answer]], Awaitable[Sequence[Exception | None]]]
"""Writes answers; of each None when it is acknowledged, else why not."""


@dataclass(slots=True)
class _Lane:
    since: float
    waiting: dict[asyncio.Future[None], Answer] = field(default_factory=dict)


class GatheredAnswers:
    """Gives answers to ``write`` together; what that raises is raised to all of them. For one event loop."""

    def __init__(self, write: Write, seconds: GatherSeconds) -> None:
        self._write_together = write
        self._seconds = seconds
        # In the order of their first answers.
        self._lanes: dict[Hashable, _Lane] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._writing: set[asyncio.Task[None]] = set()

    async def write(self, answer: Answer, lane: Hashable, *, at_once: bool) -> None:
        """Return when the answer is acknowledged. ``at_once``: without waiting, and what waits in its lane with it.

        Raises what ``write`` answers or raises. A caller that is cancelled takes back an answer that waits.
        """
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()
        found = self._lanes.get(lane)
        if found is None:
            found = self._lanes[lane] = _Lane(loop.time())
        found.waiting[written] = answer
        if at_once or len(found.waiting) >= MOST:
            self._begin([lane])
        elif self._timer is None:
            self._timer = loop.call_later(self._seconds.first, self._on_time)
        try:
            await written
        except asyncio.CancelledError:
            found.waiting.pop(written, None)
            raise

    async def close(self) -> None:
        """Write nothing more; what is being written is not waited for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in self._writing:
            task.cancel()
        if self._writing:
            await asyncio.wait(self._writing)

    def _on_time(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        now, wait = loop.time(), self._seconds.of(len(self._lanes))
        self._begin([lane for lane, found in self._lanes.items() if found.since + wait <= now + _EARLY])
        if self._lanes:
            first = next(iter(self._lanes.values()))
            self._timer = loop.call_later(first.since + self._seconds.of(len(self._lanes)) - now, self._on_time)

    def _begin(self, lanes: Sequence[Hashable]) -> None:
        """Write what waits in these lanes; who comes later waits anew."""
        taken = [each for lane in lanes for each in self._lanes.pop(lane).waiting.items()]
        if taken:
            task = asyncio.get_running_loop().create_task(self._write(taken))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def _write(self, answers: list[tuple[asyncio.Future[None], Answer]]) -> None:
        failures: Sequence[Exception | None]
        try:
            failures = await self._write_together([answer for _, answer in answers])
        # The edge: whoever waits for the answer decides what its failure means.
        except Exception as error:  # noqa: BLE001
            failures = [error] * len(answers)
        for (written, _), failure in zip(answers, failures, strict=True):
            if written.done():
                continue
            if failure is None:
                written.set_result(None)
            else:
                written.set_exception(failure)
