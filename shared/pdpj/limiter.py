"""The gate before the source: callers wait in line while it is full, paused or broken, and are never turned away.

    async with gate.slot():
        ...  # ask the source once

A slot that is left by a SourceError tells the gate so; one that is left without an error tells that the source is
well. The decisions are those of :class:`shared.pdpj.admission.Admission`; this is only the waiting.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Final

from shared.pdpj.admission import Admission, GateSnapshot, Outcome, Ticket, outcome_of
from shared.pdpj.breaker import BreakerPolicy

__all__ = ["GateSnapshot", "Outcome", "Slot", "SourceGate", "outcome_of"]

_EARLY: Final = 0.001  # a timer may fire a little before its time by another clock


class Slot:
    """A place in the gate, held while the source is asked once."""

    def __init__(self, ticket: Ticket, answered: Callable[[Ticket], None]) -> None:
        self._ticket = ticket
        self._answered = answered
        self.outcome: tuple[Outcome, float | None] | None = None

    def answered(self) -> None:
        """Say that a good answer has begun: a probe is then over, though its body takes minutes."""
        self._answered(self._ticket)

    def report(self, outcome: Outcome, retry_after: float | None = None) -> None:
        """Say the outcome, where it is not the exception that the block is left with."""
        self.outcome = (outcome, retry_after)


class SourceGate:
    """One for each process and source. ``limit`` can be changed at any time (the share of this worker).

    ``on_pause`` is called with the seconds of each pause that an answer of the source begins, so that it can be told to
    the other workers; their pauses come in by :meth:`pause`.
    """

    def __init__(
        self,
        limit: int,
        *,
        clock: Callable[[], float] = monotonic,
        policy: BreakerPolicy | None = None,
        on_pause: Callable[[float], None] | None = None,
    ) -> None:
        self._admission = Admission(limit, clock, policy)
        self._on_pause = on_pause
        self._line: deque[asyncio.Future[Ticket]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limit(self) -> int:
        """The most that this process may ask at once; what it does ask adapts below that."""
        return self._admission.adaptive.ceiling

    @limit.setter
    def limit(self, value: int) -> None:
        self._admission.adaptive.ceiling = value
        self._serve()

    def snapshot(self) -> GateSnapshot:
        """How things stand."""
        admission = self._admission
        return GateSnapshot(
            limit=admission.adaptive.limit,
            ceiling=admission.adaptive.ceiling,
            in_flight=admission.in_flight,
            waiting=len(self._line),
            breaker=admission.breaker.state,
            opened_count=admission.breaker.opened_count,
            paused_for=admission.paused_for,
        )

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Slot]:
        """Wait for a place, first come first served, and hold it for the block."""
        ticket = await self._enter()
        slot = Slot(ticket, self._answered)
        error: BaseException | None = None
        try:
            yield slot
        except BaseException as raised:
            error = raised
            raise
        finally:
            outcome, retry_after = slot.outcome or outcome_of(error)
            self._begin_pause(self._admission.finish(ticket, outcome, retry_after))
            self._serve()

    def report(self, outcome: Outcome, retry_after: float | None = None) -> None:
        """Tell an outcome that no slot of this gate saw."""
        self._begin_pause(self._admission.report(outcome, retry_after))
        self._serve()

    def pause(self, seconds: float) -> None:
        """Nobody asks for so long (another worker was told so). A longer pause that is on stays."""
        self._admission.pause(seconds)
        self._serve()

    async def _enter(self) -> Ticket:
        if not self._line and (ticket := self._admission.admit()) is not None:
            return ticket
        place: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()
        self._line.append(place)
        self._serve()
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # it got its turn in the moment it gave up
                self._admission.finish(place.result(), Outcome.ABANDONED)
            else:
                with suppress(ValueError):  # a turn that came to it since was passed on, and took it out of the line
                    self._line.remove(place)
            self._serve()
            raise

    def _answered(self, ticket: Ticket) -> None:
        self._admission.answered(ticket)
        self._serve()

    def _begin_pause(self, seconds: float | None) -> None:
        if seconds is not None and self._on_pause is not None:
            self._on_pause(seconds)

    def _serve(self) -> None:
        """Let in who may come in, and wake up when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._line:
            if self._line[0].done():  # cancelled, and about to leave by itself
                self._line.popleft()
                continue
            ticket = self._admission.admit()
            if ticket is None:
                break
            self._line.popleft().set_result(ticket)
        if self._line and (seconds := self._admission.wait()) is not None:
            self._timer = asyncio.get_running_loop().call_later(max(seconds, 0.0) + _EARLY, self._serve)
