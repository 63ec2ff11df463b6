"""The gate before the source: callers wait in a queue while it is full, paused or broken, and are never turned away.

    async with gate.slot(SourceCaller(case)) as slot:
        ...  # ask the source once
    # SourceUnavailable was raised:
    cause = await gate.judge(slot.failure)

A slot that is left by a SourceError tells the gate so; one that is left without an error tells that the source is
well. The decisions are those of :class:`sources.gate.admission.Admission`; this is only the waiting.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from types import TracebackType
from typing import Final

from shared.domain.case import PDPJ
from sources.gate.admission import Admission
from sources.gate.breaker import BreakerState, SourceBreakerPolicy
from sources.gate.control_request import ControlRequest
from sources.gate.control_schedule import ControlSchedule
from sources.gate.outage_evidence import FailureCause, RequestFailure
from sources.gate.request_outcome import SourceOutcome, outcome_of
from sources.gate.requests import NO_CASE, AdmittedRequest, GateSnapshot, SourceCaller
from sources.gate.slot import GateWait, QueuedRequest, Slot

_EARLY: Final = 0.001  # a timer may fire a little before its time by another clock

_log = logging.getLogger(__name__)


class SourceGate:
    """One for each process and source, on one event loop.

    ``limit`` can be changed at any time (the share of this worker); what is at the source then ends as it would. Times
    are seconds. ``on_pause`` is called with the seconds of each pause that an answer of the source begins, so that it
    can be told to the other workers; their pauses come in by :meth:`pause`.
    """

    def __init__(
        self,
        limit: int,
        *,
        name: str = PDPJ,
        clock: Callable[[], float] = monotonic,
        policy: SourceBreakerPolicy | None = None,
        on_pause: Callable[[float], None] | None = None,
    ) -> None:
        self._admission: Admission[QueuedRequest] = Admission(limit, clock, policy)
        self._name = name
        self._clock = clock
        self._on_pause = on_pause
        self._timer: asyncio.TimerHandle | None = None
        self._schedule: ControlSchedule | None = None
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

    def probe_with(self, control: ControlRequest) -> None:
        """From now on ``control`` tells an outage from a bad case, and probes a source that is away."""
        self._admission.has_control_request = True
        self._schedule = ControlSchedule(self._admission, control, self._clock, self._probed)

    def snapshot(self) -> GateSnapshot:
        """How things stand."""
        admission = self._admission
        return GateSnapshot(
            limit=admission.adaptive.limit,
            ceiling=admission.adaptive.ceiling,
            in_flight=admission.in_flight,
            waiting=len(admission.queue),
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

    def slot(self, caller: SourceCaller = NO_CASE, gate_wait: GateWait | None = None) -> _Turn:
        """Wait for a place and hold it for the block; cases have their turns one after the other.

        The wait has no end of its own: it lasts for as long as the source is away or paused. What ends it is cancelling
        the caller, or ``gate_wait.leave``, which raises WaitEnded here. The block asks the source once; its exception,
        or none, is what the gate learns.
        """
        return _Turn(caller, gate_wait or GateWait(), self._enter, self._leave)

    async def judge(self, failure: RequestFailure, gate_wait: GateWait | None = None) -> FailureCause:
        """What a request that found the source away was about; asks the control request when others do not tell.

        Waits until that is known. OUTAGE: hold the work and count nothing. DOUBT: try again, a few times. DOCUMENT: it
        costs an attempt. Raises WaitEnded.
        """
        gate_wait = gate_wait or GateWait()
        while True:
            cause = self._admission.judge(failure)
            if cause is None and self._schedule is None:
                cause = FailureCause.OUTAGE if self._admission.evidence.cases - {failure.case} else FailureCause.DOUBT
            if cause is not None:
                return cause
            news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._judged.append(news)
            self._serve()
            # Whoever leaves stays in the list until the next news: its future is done then.
            await gate_wait.wait(news)

    def report(self, outcome: SourceOutcome, retry_after: float | None = None) -> None:
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
        if self._schedule is not None:
            await self._schedule.aclose()

    async def _enter(self, caller: SourceCaller, gate_wait: GateWait) -> Slot:
        place = QueuedRequest(asyncio.get_running_loop().create_future())
        self._admission.queue.push((place, caller), caller.case, again=caller.again)
        self._serve()
        try:
            await gate_wait.wait(place.future)
        except BaseException:
            if place.admitted is not None:  # it got its turn in the moment it gave up
                self._admission.finish(place.admitted, SourceOutcome.ABANDONED)
            else:
                self._admission.queue.remove((place, caller), caller.case)
            self._serve()
            raise
        assert place.admitted is not None
        return Slot(place.admitted, self._answered)

    def _leave(self, slot: Slot, error: BaseException | None) -> None:
        admitted, (outcome, retry_after) = slot.admitted, slot.outcome or outcome_of(error)
        was = self._admission.breaker.state
        pause = self._admission.finish(admitted, outcome, retry_after)
        if outcome is SourceOutcome.SUCCEEDED and not admitted.caller.about_case:
            self.documents += 1
        self._begin_pause(pause)
        self._announce(was)
        self._serve()
        if error is not None:
            slot.failure = self._admission.failure(admitted, outcome)

    def _answered(self, admitted: AdmittedRequest) -> None:
        was = self._admission.breaker.state
        if self._admission.answered(admitted):
            self._announce(was)
            self._serve()

    def _begin_pause(self, seconds: float | None) -> None:
        if seconds is not None and self._on_pause is not None:
            self._on_pause(seconds)

    def _announce(self, was: BreakerState) -> None:
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
        if self._schedule is not None:
            self._schedule.ask(judging=bool(self._judged))
        while len(admission.queue) and (found := admission.next()) is not None:
            place, admitted = found
            if place.future.done():  # it gave up, and is about to leave by itself
                admission.finish(admitted, SourceOutcome.ABANDONED)
                continue
            place.admitted = admitted
            place.future.set_result(None)
        if (len(admission.queue) or self._judged) and (seconds := self._due()) is not None:
            self._timer = asyncio.get_running_loop().call_later(max(seconds, 0.0) + _EARLY, self._serve)

    def _due(self) -> float | None:
        """Seconds until something may be done without anybody's answer; None when an answer is waited for."""
        admission = self._admission
        waits = [admission.wait(), admission.paused_for]
        if admission.breaker.state is not BreakerState.CLOSED:
            waits.append(admission.breaker.fresh_wait())
        elif self._schedule is not None:
            waits.append(self._schedule.due(judging=bool(self._judged)))
        known = [each for each in waits if each is not None and each > 0]
        return min(known) if known else None

    def _probed(self, was: BreakerState, pause: float | None) -> None:
        self._begin_pause(pause)
        self._announce(was)
        self._serve()


class _Turn:
    """A place at the source for a block. No generator: making one for each request took as long as the gate itself."""

    __slots__ = ("_caller", "_enter", "_gate_wait", "_leave", "_slot")

    def __init__(
        self,
        caller: SourceCaller,
        gate_wait: GateWait,
        enter: Callable[[SourceCaller, GateWait], Awaitable[Slot]],
        leave: Callable[[Slot, BaseException | None], None],
    ) -> None:
        self._caller = caller
        self._gate_wait = gate_wait
        self._enter = enter
        self._leave = leave

    async def __aenter__(self) -> Slot:
        self._slot = await self._enter(self._caller, self._gate_wait)
        return self._slot

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave(self._slot, error)
