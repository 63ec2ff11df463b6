"""When the control request is made, and what follows from what it finds. On the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from sources.gate.admission import Admission
from sources.gate.breaker import BreakerState
from sources.gate.control_request import ControlRequest, ControlResult
from sources.gate.request_outcome import SourceOutcome
from sources.gate.requests import AdmittedRequest, SourceCaller

_CONTROL_SECONDS: Final = 0.5
"""The least from one control request to the next while the breaker is closed and a failure is to be judged."""
_DOUBT_SECONDS: Final = 5.0
"""The same while nothing is, but different cases were too slow."""

_log = logging.getLogger(__name__)


class ControlSchedule:
    """One for each gate; at most one control request is made at a time.

    ``probed`` is called when one has ended, with the breaker's state before it and the seconds of a pause that it
    begins.
    """

    def __init__(
        self,
        admission: Admission[Any],
        control: ControlRequest,
        clock: Callable[[], float],
        probed: Callable[[BreakerState, float | None], None],
    ) -> None:
        self._admission = admission
        self._control = control
        self._clock = clock
        self._probed = probed
        self._asking: asyncio.Task[None] | None = None
        self._asked_at = float("-inf")

    def due(self, *, judging: bool) -> float | None:
        """Seconds until the control request may be made while the breaker is closed; None when it is not wanted.

        ``judging``: a failure waits to be judged.
        """
        if self._asking is not None:
            return None
        if judging:
            every = _CONTROL_SECONDS
        elif len(self._admission.queue) and len(self._admission.evidence.cases) > 1:
            every = _DOUBT_SECONDS
        else:
            return None
        return max(0.0, self._asked_at + every - self._clock(), self._admission.paused_for)

    def ask(self, *, judging: bool) -> None:
        """Begin the control request, when it is time for one and there is a place."""
        admission = self._admission
        closed = admission.breaker.state is BreakerState.CLOSED
        if self._asking is not None or (closed and self.due(judging=judging) != 0.0):
            return
        admitted = admission.admit(SourceCaller(control=True))
        if admitted is None:
            return
        self._asked_at = self._clock()
        self._asking = asyncio.get_running_loop().create_task(self._ask(admitted, admission.evidence.cases))

    async def aclose(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    async def _ask(self, admitted: AdmittedRequest, failing: frozenset[str | None]) -> None:
        result, retry_after = ControlResult.NOTHING, None
        try:
            result, retry_after = await self._control.ask(failing)
        # The edge of a request that nobody waits for: without an answer it is asked again.
        except Exception as error:  # noqa: BLE001
            _log.warning(
                "The control request could not be made, will be made again", extra={"error": type(error).__name__}
            )
        finally:
            self._asking = None
            was = self._admission.breaker.state
            self._probed(was, self._found(admitted, result, retry_after))

    def _found(self, admitted: AdmittedRequest, result: ControlResult, retry_after: float | None) -> float | None:
        admission = self._admission
        match result:
            case ControlResult.AWAY:
                admission.finish(admitted, SourceOutcome.FAILED)
                return admission.conclude(retry_after)
            case ControlResult.THROTTLED:
                return admission.finish(admitted, SourceOutcome.THROTTLED, retry_after)
            case ControlResult.NOTHING:
                return admission.finish(admitted, SourceOutcome.ABANDONED)
            case ControlResult.DOCUMENT:
                admission.evidence.answered(admitted.began, about_case=False)
            case ControlResult.CASE:
                admission.evidence.doubtful(admitted.began)
        admission.is_back(admitted.permit)
        return admission.finish(admitted, SourceOutcome.SUCCEEDED)
