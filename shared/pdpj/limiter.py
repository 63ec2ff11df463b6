"""The gate before the source: callers wait in line while it is full, paused or broken, and are never turned away.

    async with gate.slot(Asker(case)) as slot:
        ...  # ask the source once
    # SourceUnavailable was raised:
    judgement = await gate.judge(slot.failure)

A slot that is left by a SourceError tells the gate so; one that is left without an error tells that the source is
well. The decisions are those of :class:`shared.pdpj.admission.Admission`; this is only the waiting.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final

from shared.pdpj.admission import Admission
from shared.pdpj.breaker import BreakerPolicy, BreakerState
from shared.pdpj.control import Control, Finding
from shared.pdpj.evidence import Failure, Judgement
from shared.pdpj.outcome import Outcome, outcome_of
from shared.pdpj.ticket import NOBODY, Asker, GateSnapshot, Ticket
from shared.pdpj.turn import LeftLine, Place, Slot, Turn

__all__ = ["Asker", "Failure", "GateSnapshot", "Judgement", "LeftLine", "Outcome", "Slot", "SourceGate", "Turn"]

_EARLY: Final = 0.001  # a timer may fire a little before its time by another clock
_CONTROL_SECONDS: Final = 0.5
"""The least from one control request to the next while the breaker is closed and a failure is to be judged."""
_DOUBT_SECONDS: Final = 5.0
"""The same while nothing is, but different cases were too slow."""

_log = logging.getLogger(__name__)


class SourceGate:
    """One for each process and source. ``limit`` can be changed at any time (the share of this worker).

    ``on_pause`` is called with the seconds of each pause that an answer of the source begins, so that it can be told to
    the other workers; their pauses come in by :meth:`pause`. With :attr:`control` set, a request that is nobody's tells
    an outage from a bad case, and probes a source that is away.
    """

    def __init__(
        self,
        limit: int,
        *,
        clock: Callable[[], float] = monotonic,
        policy: BreakerPolicy | None = None,
        on_pause: Callable[[float], None] | None = None,
    ) -> None:
        self._admission: Admission[Place] = Admission(limit, clock, policy)
        self._clock = clock
        self._on_pause = on_pause
        self._timer: asyncio.TimerHandle | None = None
        self._control: Control | None = None
        self._asking: asyncio.Task[None] | None = None
        self._asked_at = float("-inf")
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

    @property
    def control(self) -> Control | None:
        """What is asked when cases fail."""
        return self._control

    @control.setter
    def control(self, control: Control) -> None:
        self._control = control
        self._admission.neutral = True

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
            if judgement is None and self._control is None:
                judgement = Judgement.OUTAGE if self._admission.evidence.cases - {failure.case} else Judgement.DOUBT
            if judgement is not None:
                return judgement
            news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._judged.append(news)
            self._ask_control()
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
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

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
            _log.warning("The source is away, documents wait")
        elif was is not BreakerState.CLOSED and now is BreakerState.CLOSED:
            _log.info("The source is back, documents are downloaded again")

    def _serve(self) -> None:
        """Let in who may come in, and wake up when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        admission = self._admission
        self._ask_control()
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
        elif self._control is not None and self._asking is None:
            waits.append(self._control_due())
        known = [each for each in waits if each is not None and 0 < each < float("inf")]
        return min(known) if known else None

    def _control_due(self) -> float:
        """Seconds until the control request may be made while the breaker is closed; infinite when none is wanted."""
        if self._judged:
            every = _CONTROL_SECONDS
        elif len(self._admission.line) and len(self._admission.evidence.cases) > 1:
            every = _DOUBT_SECONDS
        else:
            return float("inf")
        return max(self._asked_at + every - self._clock(), self._admission.paused_for)

    def _ask_control(self) -> None:
        """Begin the control request, when it is time for one."""
        admission = self._admission
        if self._control is None or self._asking is not None:
            return
        if admission.breaker.state is BreakerState.CLOSED and self._control_due() > 0:
            return
        ticket = admission.admit(Asker(control=True))
        if ticket is None:
            return
        self._asked_at = self._clock()
        failing = admission.evidence.cases
        self._asking = asyncio.get_running_loop().create_task(self._ask(self._control, ticket, failing))

    async def _ask(self, control: Control, ticket: Ticket, failing: frozenset[str | None]) -> None:
        finding, retry_after = Finding.NOTHING, None
        try:
            finding, retry_after = await control.ask(failing)
        # The edge of a request that nobody waits for: without an answer it is asked again.
        except Exception as error:  # noqa: BLE001
            _log.warning(
                "The control request could not be made, will be made again", extra={"error": type(error).__name__}
            )
        finally:
            self._asking = None
            self._found(ticket, finding, retry_after)

    def _found(self, ticket: Ticket, finding: Finding, retry_after: float | None) -> None:
        admission = self._admission
        was = admission.breaker.state
        match finding:
            case Finding.AWAY:
                admission.finish(ticket, Outcome.FAILED)
                admission.conclude(retry_after)
            case Finding.THROTTLED:
                self._begin_pause(admission.finish(ticket, Outcome.THROTTLED, retry_after))
            case Finding.NOTHING:
                admission.finish(ticket, Outcome.ABANDONED)
            case Finding.DOCUMENT | Finding.CASE:
                if finding is Finding.DOCUMENT:
                    admission.evidence.answered(ticket.began, about_case=False)
                else:
                    admission.evidence.doubtful(ticket.began)
                admission.is_back(ticket.permit)
                admission.finish(ticket, Outcome.SUCCEEDED)
        self._tell(was)
        self._serve()
