"""Waiting before the source that others can see and end, and a place there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sources.gate.outage_evidence import RequestFailure
from sources.gate.request_outcome import SourceOutcome
from sources.gate.requests import AdmittedRequest


class WaitEnded(Exception):
    """Raised to one whose waiting was ended from outside by :meth:`GateWait.leave`."""


class GateWait:
    """The waiting of one caller, which others can see and end."""

    def __init__(self) -> None:
        self._future: asyncio.Future[None] | None = None
        self._left = False

    @property
    def waiting(self) -> bool:
        """Whether it only waits, and nothing of it is under way."""
        return self._future is not None

    def leave(self) -> None:
        """End its waiting, now or when it next begins: WaitEnded is raised there."""
        self._left = True
        if self._future is not None and not self._future.done():
            self._future.set_exception(WaitEnded())

    async def wait(self, future: asyncio.Future[None], seconds: float | None = None) -> None:
        """Until ``future`` is done, or for so long. Raises WaitEnded."""
        if self._left:
            raise WaitEnded
        self._future = future
        try:
            if seconds is None:
                await future
                return
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return
        finally:
            self._future = None

    async def sleep(self, seconds: float) -> None:
        """Wait for so long. Raises WaitEnded."""
        await self.wait(asyncio.get_running_loop().create_future(), seconds)


class Slot:
    """A place in the gate, held while the source is asked once."""

    def __init__(self, admitted: AdmittedRequest, answered: Callable[[AdmittedRequest], None]) -> None:
        self.admitted = admitted
        self._answered = answered
        self._answer_begun = False
        self.outcome: tuple[SourceOutcome, float | None] | None = None
        self.failure: RequestFailure | None = None
        """What is to be judged, once the block was left by an exception."""

    @property
    def read_timeout(self) -> float | None:
        """Seconds that each piece of the answer may take; None: as long as is set."""
        return self.admitted.read_timeout

    def answered(self) -> None:
        """Say that a good answer has begun: a probe is then over, though its body takes minutes."""
        if not self._answer_begun:
            self._answer_begun = True
            self._answered(self.admitted)

    def report(self, outcome: SourceOutcome, retry_after: float | None = None) -> None:
        """Say the outcome, where it is not the exception that the block is left with."""
        self.outcome = (outcome, retry_after)


class QueuedRequest:
    """One in the queue: the future that is done when its turn has come, and then the admission."""

    __slots__ = ("admitted", "future")

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.future = future
        self.admitted: AdmittedRequest | None = None
