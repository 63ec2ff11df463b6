"""The gate before the source: callers wait in line while it is full, paused or broken, and are never turned away.

    async with gate.slot(Asker(case)) as slot:
        ...  # ask the source once
    # SourceUnavailable was raised:
    judgement = await gate.judge(slot.failure)

A slot that is left by a SourceError tells the gate so; one that is left without an error tells that the source is
well. The decisions are those of :class:`sources.gate.admission.Admission`; this is only the waiting.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final

from shared.domain.case import PDPJ
from sources.gate.admission import Admission
from sources.gate.breaker import BreakerPolicy, BreakerState
from sources.gate.control import Control
from sources.gate.evidence import Failure, Judgement
from sources.gate.outcome import Outcome, outcome_of
from sources.gate.probing import Prober
from sources.gate.ticket import NOBODY, Asker, GateSnapshot, Ticket
from sources.gate.turn import LeftLine, Place, Slot, Turn

__all__ = ["Asker", "Failure", "GateSnapshot", "Judgement", "LeftLine", "Outcome", "Slot", "SourceGate", "Turn"]

_EARLY: Final = 0.001  # a timer may fire a little before its time by another clock

_log = logging.getLogger(__name__)


class SourceGate:
    """One for each process and source. ``limit`` can be changed at any time (the share of this worker).

    ``on_pause`` is called with the seconds of each pause that an answer of the source begins, so that it can be told to
    the other workers; their pauses come in by :meth:`pause`.
    """

    def __init__(
        self,
        limit: int,
        *,
        name: str = PDPJ,
        clock: Callable[[], float] = monotonic,
        policy: BreakerPolicy | None = None,
        on_pause: Callable[[float], None] | None = None,
    ) -> None:
        self._admission: Admission[Place] = Admission(limit, clock, policy)
        self._name = name
        self._clock = clock
        self._on_pause = on_pause
        self._timer: asyncio.TimerHandle | None = None
        self._prober: Prober | None = None
        self._judged: list[asyncio.Future[None]] = []
        self.documents = 0
        """Requests for documents that the source has answered."""

    @property
    def limit(self) -> int:
        """The most that this process may ask at once; what it does ask adapts below that."""
        return self._admission.adaptive.ceiling

    @limit.setter
    def limit(self, value: int) -> None:
        self._admission.adaptive.ceiling = value
        self._serve()

    def probe_with(self, control: Control) -> None:
        """From now on ``control`` tells an outage from a bad case, and probes a source that is away."""
        self._admission.neutral = True
        self._prober = Prober(self._admission, control, self._clock, self._probed)

    def snapshot(self) -> GateSnapshot:
        """How things stand."""
        admission = self._admission
        return GateSnapshot(
            limit=admission.adaptive.limit,
            ceiling=admission.adaptive.ceiling,
            in_flight=admission.in_flight,
            waiting=len(admission.line),
            breaker=admission.breaker.state,
            opened_count=admission.breaker.opened_count,
            paused_for=admission.paused_for,
        )

    def may_ask(self, case: str | None) -> bool:
        """Whether a request of this case would have a turn some time soon: not while the source is away or paused."""
        admission = self._admission
        if admission.paused_for > 0:
            return False
        return admission.breaker.state is not BreakerState.OPEN or case not in admission.evidence.cases

    @asynccontextmanager
    async def slot(self, asker: Asker = NOBODY, turn: Turn | None = None) -> AsyncIterator[Slot]:
        """Wait for a place and hold it for the block; cases have their turns one after the other. Raises LeftLine."""
        ticket = await self._enter(asker, turn or Turn())
        slot = Slot(ticket, self._answered)
        error: BaseException | None = None
        try:
            yield slot
        except BaseException as raised:
            error = raised
            raise
        finally:
            outcome, retry_after = slot.outcome or outcome_of(error)
            self._finish(ticket, outcome, retry_after)
            slot.failure = self._admission.failure(ticket, outcome)

    async def judge(self, failure: Failure, turn: Turn | None = None) -> Judgement:
        """What a request that found the source away was about; asks the control request when others do not tell.

        Raises LeftLine.
        """
        turn = turn or Turn()
        while True:
            judgement = self._admission.judge(failure)
            if judgement is None and self._prober is None:
                judgement = Judgement.OUTAGE if self._admission.evidence.cases - {failure.case} else Judgement.DOUBT
            if judgement is not None:
                return judgement
            news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._judged.append(news)
            self._serve()
            # Whoever leaves stays in the list until the next news: its future is done then.
            await turn.wait(news)

    def report(self, outcome: Outcome, retry_after: float | None = None) -> None:
        """Tell an outcome that no slot of this gate saw."""
        self._begin_pause(self._admission.report(outcome, retry_after))
        self._serve()

    def pause(self, seconds: float) -> None:
        """Nobody asks for so long (another worker was told so). A longer pause that is on stays."""
        self._admission.pause(seconds)
        self._serve()

    async def aclose(self) -> None:
        """Ask nothing more of one's own."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._prober is not None:
            await self._prober.aclose()

    async def _enter(self, asker: Asker, turn: Turn) -> Ticket:
        place = Place(asyncio.get_running_loop().create_future())
        self._admission.line.push((place, asker), asker.case, again=asker.again)
        self._serve()
        try:
            await turn.wait(place.future)
        except BaseException:
            if place.ticket is not None:  # it got its turn in the moment it gave up
                self._admission.finish(place.ticket, Outcome.ABANDONED)
            else:
                self._admission.line.remove((place, asker), asker.case)
            self._serve()
            raise
        assert place.ticket is not None
        return place.ticket

    def _finish(self, ticket: Ticket, outcome: Outcome, retry_after: float | None) -> None:
        was = self._admission.breaker.state
        pause = self._admission.finish(ticket, outcome, retry_after)
        if outcome is Outcome.SUCCEEDED and not ticket.asker.about_case:
            self.documents += 1
        self._begin_pause(pause)
        self._tell(was)
        self._serve()

    def _answered(self, ticket: Ticket) -> None:
        was = self._admission.breaker.state
        self._admission.answered(ticket)
        self._tell(was)
        self._serve()

    def _begin_pause(self, seconds: float | None) -> None:
        if seconds is not None and self._on_pause is not None:
            self._on_pause(seconds)

    def _tell(self, was: BreakerState) -> None:
        """There is something new: for those whose failure is not judged yet, and for the operator."""
        judged, self._judged = self._judged, []
        for news in judged:
            if not news.done():
                news.set_result(None)
        now = self._admission.breaker.state
        if was is BreakerState.CLOSED and now is not BreakerState.CLOSED:
            _log.warning("The source is away, documents wait", extra={"source": self._name})
        elif was is not BreakerState.CLOSED and now is BreakerState.CLOSED:
            _log.info("The source is back, documents are downloaded again", extra={"source": self._name})

    def _serve(self) -> None:
        """Let in who may come in, and wake up when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        admission = self._admission
        if self._prober is not None:
            self._prober.ask(judging=bool(self._judged))
        while len(admission.line) and (found := admission.next()) is not None:
            place, ticket = found
            if place.future.done():  # it gave up, and is about to leave by itself
                admission.finish(ticket, Outcome.ABANDONED)
                continue
            place.ticket = ticket
            place.future.set_result(None)
        if (len(admission.line) or self._judged) and (seconds := self._due()) is not None:
            self._timer = asyncio.get_running_loop().call_later(max(seconds, 0.0) + _EARLY, self._serve)

    def _due(self) -> float | None:
        """Seconds until something may be done without anybody's answer; None when an answer is waited for."""
        admission = self._admission
        waits = [admission.wait(), admission.paused_for]
        if admission.breaker.state is not BreakerState.CLOSED:
            waits.append(admission.breaker.fresh_wait())
        elif self._prober is not None:
            waits.append(self._prober.due(judging=bool(self._judged)))
        known = [each for each in waits if each is not None and each > 0]
        return min(known) if known else None

    def _probed(self, was: BreakerState, pause: float | None) -> None:
        self._begin_pause(pause)
        self._tell(was)
        self._serve()
