"""Waiting before the source that others can see and end, and a place there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sources.gate.evidence import Failure
from sources.gate.outcome import Outcome
from sources.gate.ticket import Ticket


class LeftLine(Exception):
    """Raised to one whose waiting was ended from outside by :meth:`Turn.leave`."""


class Turn:
    """The waiting of one asker, which others can see and end."""

    def __init__(self) -> None:
        self._future: asyncio.Future[None] | None = None
        self._left = False

    @property
    def waiting(self) -> bool:
        """Whether it only waits, and nothing of it is under way."""
        return self._future is not None

    def leave(self) -> None:
        """End its waiting, now or when it next begins: LeftLine is raised there."""
        self._left = True
        if self._future is not None and not self._future.done():
            self._future.set_exception(LeftLine())

    async def wait(self, future: asyncio.Future[None], seconds: float | None = None) -> None:
        """Until ``future`` is done, or for so long. Raises LeftLine."""
        if self._left:
            raise LeftLine
        self._future = future
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return
        finally:
            self._future = None

    async def sleep(self, seconds: float) -> None:
        """Wait for so long. Raises LeftLine."""
        await self.wait(asyncio.get_running_loop().create_future(), seconds)


class Slot:
    """A place in the gate, held while the source is asked once."""

    def __init__(self, ticket: Ticket, answered: Callable[[Ticket], None]) -> None:
        self._ticket = ticket
        self._answered = answered
        self._told = False
        self.outcome: tuple[Outcome, float | None] | None = None
        self.failure: Failure | None = None
        """What is to be judged, once the block was left by SourceAway."""

    @property
    def patience(self) -> float | None:
        """Seconds that each piece of the answer may take; None: as long as is set."""
        return self._ticket.patience

    def answered(self) -> None:
        """Say that a good answer has begun: a probe is then over, though its body takes minutes."""
        if not self._told:
            self._told = True
            self._answered(self._ticket)

    def report(self, outcome: Outcome, retry_after: float | None = None) -> None:
        """Say the outcome, where it is not the exception that the block is left with."""
        self.outcome = (outcome, retry_after)


class Place:
    """One in the line: the future that is done when its turn has come, and then its ticket."""

    __slots__ = ("future", "ticket")

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.future = future
        self.ticket: Ticket | None = None
