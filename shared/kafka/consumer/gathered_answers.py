"""Answers that wait for others of a moment, so that they are written in few requests to the broker.

A request carries the records of one partition, and costs the broker more than the records in it. What has one group
mostly has one partition. So the answers of a group go together when its last one comes, and all that wait go together
when the first of them has waited for long enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from shared.kafka.consumer.entry import Entry
from shared.kafka.consumer.handling import Done

MOST: Final = 512
"""Answers that are enough to be written without waiting for more."""

_GROUPS: Final = 2
"""So many groups wait for ``first``; twice as many for twice as long."""


class GatherSeconds(NamedTuple):
    """How long an answer may wait for others, in seconds: ``first`` while one or two groups have answers, and longer
    with more of them, each of which is a request of its own; never more than ``longest``.
    """

    first: float
    longest: float

    def of(self, groups: int) -> float:
        """The wait where so many groups have answers."""
        return min(self.longest, self.first * max(1.0, groups / _GROUPS))


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be written for an entry."""

    entry: Entry
    done: Done


Write = Callable[[Sequence[Answer]], Awaitable[Sequence[Exception | None]]]
"""Writes answers; of each None when it is acknowledged, else why not."""


class GatheredAnswers:
    """Gives answers to ``write`` together; what that raises is raised to all of them. For one event loop."""

    def __init__(self, write: Write, seconds: GatherSeconds) -> None:
        self._write_together = write
        self._seconds = seconds
        self._waiting: dict[str, dict[asyncio.Future[None], Answer]] = {}
        self._count = 0
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._writing: set[asyncio.Task[None]] = set()

    async def write(self, answer: Answer, *, at_once: bool) -> None:
        """Return when the answer is acknowledged. ``at_once``: without waiting, and what waits of its group with it.

        Raises what ``write`` answers or raises. A caller that is cancelled takes back an answer that waits.
        """
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()
        group = answer.entry.group
        self._waiting.setdefault(group, {})[written] = answer
        self._count += 1
        if at_once:
            self._begin(self._take(group))
        elif self._count >= MOST:
            self._write_all()
        elif self._timer is None:
            self._since = loop.time()
            self._timer = loop.call_later(self._seconds.first, self._on_time)
        try:
            await written
        except asyncio.CancelledError:
            self._withdraw(group, written)
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
        left = self._since + self._seconds.of(len(self._waiting)) - loop.time()
        # A timer may fire a little early by another clock.
        if left > 0.001:
            self._timer = loop.call_later(left, self._on_time)
        else:
            self._write_all()

    def _write_all(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        taken = [each for group in list(self._waiting) for each in self._take(group)]
        if taken:
            self._begin(taken)

    def _take(self, group: str) -> list[tuple[asyncio.Future[None], Answer]]:
        taken = list(self._waiting.pop(group, {}).items())
        self._count -= len(taken)
        return taken

    def _withdraw(self, group: str, written: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(group)
        if waiting is not None and waiting.pop(written, None) is not None:
            self._count -= 1
            if not waiting:
                del self._waiting[group]

    def _begin(self, answers: list[tuple[asyncio.Future[None], Answer]]) -> None:
        task = asyncio.get_running_loop().create_task(self._write(answers))
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
