"""The control request: what it asks, what its answers mean, and that every failure is judged by it in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.domain.cnj import ProcessNumber
from sources.errors import (
    CredentialsRefused,
    DocumentNotFound,
    MalformedAnswer,
    ProcessNotFound,
    SourceError,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)
from sources.gate.breaker import BreakerState
from sources.gate.control_request import NEUTRAL_CASE, ControlRequest, ControlResult, SourceControlRequest
from sources.gate.gate import SourceGate
from sources.gate.outage_evidence import FailureCause, RequestFailure
from sources.gate.requests import SourceCaller
from sources.gate.slot import GateWait, WaitEnded
from tests.support import wait_until_async

AWAY = SourceUnavailable(retry_after=7.0)


class Source:
    """Fails as ``documents`` says by path, and for the case with ``case``."""

    def __init__(self, case: SourceError | None, **documents: SourceError | None) -> None:
        self._case = case
        self._documents = documents
        self.asked: list[str] = []

    @asynccontextmanager
    async def open_document(self, source_path: str, *, read_timeout: float | None = None) -> AsyncIterator[object]:
        self.asked.append(source_path)
        if (error := self._documents[source_path]) is not None:
            raise error
        yield object()

    async def fetch_case(self, number: ProcessNumber, *, read_timeout: float | None = None) -> object:
        self.asked.append(number)
        if self._case is not None:
            raise self._case
        return object()


@pytest.mark.parametrize(
    ("case", "documents", "result"),
    [
        (None, {}, (ControlResult.CASE, None)),
        (ProcessNotFound(), {}, (ControlResult.CASE, None)),
        (MalformedAnswer(), {}, (ControlResult.CASE, None)),
        (AWAY, {}, (ControlResult.AWAY, 7.0)),
        (SourceTimeout(), {}, (ControlResult.AWAY, None)),
        (SourceThrottled(retry_after=3.0), {}, (ControlResult.THROTTLED, 3.0)),
        (CredentialsRefused(), {}, (ControlResult.NOTHING, None)),
        (AWAY, {"a": None}, (ControlResult.DOCUMENT, None)),
        (AWAY, {"a": DocumentNotFound()}, (ControlResult.DOCUMENT, None)),
        (None, {"a": AWAY}, (ControlResult.CASE, None)),
        (None, {"a": AWAY, "b": AWAY}, (ControlResult.AWAY, 7.0)),
        (None, {"a": AWAY, "b": None}, (ControlResult.DOCUMENT, None)),
        # A failing case's own documents can speak for the source, and not against it.
        (None, {"bad": AWAY, "a": AWAY}, (ControlResult.CASE, None)),
        (None, {"bad": None}, (ControlResult.DOCUMENT, None)),
    ],
)
async def test_what_its_answers_mean(
    case: SourceError | None, documents: dict[str, SourceError | None], result: tuple[ControlResult, float | None]
) -> None:
    control = SourceControlRequest(Source(case, **documents))
    for name in documents:
        control.remember(name, name)
    assert await control.ask(frozenset({"bad"})) == result


async def test_another_document_is_asked_for_each_time_it_fails_and_old_ones_not_at_all() -> None:
    now = 0.0
    source = Source(None, a=AWAY, b=AWAY, c=AWAY, d=AWAY)
    control = SourceControlRequest(source, clock=lambda: now)
    for name in "abcd":
        control.remember(name, name)
    await control.ask(frozenset())
    first, source.asked = source.asked, []
    await control.ask(frozenset())
    assert source.asked[0] != first[0]
    now, source.asked = 3600.0, []
    await control.ask(frozenset())
    assert source.asked == [NEUTRAL_CASE]


class Scripted:
    """Finds one thing after the other, and then the last for ever."""

    def __init__(self, *results: ControlResult | Exception) -> None:
        self._findings = list(results)

    async def ask(self, failing: frozenset[str | None]) -> tuple[ControlResult, float | None]:
        found = self._findings.pop(0) if len(self._findings) > 1 else self._findings[0]
        if isinstance(found, Exception):
            raise found
        return found, None


async def failed(gate: SourceGate, case: str) -> RequestFailure:
    with pytest.raises(SourceUnavailable):
        async with gate.slot(SourceCaller(case)) as slot:
            raise SourceUnavailable
    assert slot.failure is not None
    return slot.failure


def gate_with(control: ControlRequest) -> SourceGate:
    gate = SourceGate(4)
    gate.probe_with(control)
    return gate


@pytest.mark.parametrize(
    ("results", "cases", "cause"),
    [
        ([ControlResult.DOCUMENT], 1, FailureCause.DOCUMENT),
        ([ControlResult.DOCUMENT], 3, FailureCause.DOCUMENT),
        ([ControlResult.CASE], 1, FailureCause.DOCUMENT),
        ([ControlResult.CASE], 2, FailureCause.DOUBT),
        ([ControlResult.AWAY], 1, FailureCause.OUTAGE),
        ([RuntimeError(), ControlResult.NOTHING, ControlResult.DOCUMENT], 1, FailureCause.DOCUMENT),
    ],
)
async def test_every_failure_is_judged(
    results: list[ControlResult | Exception], cases: int, cause: FailureCause
) -> None:
    gate = gate_with(Scripted(*results))
    failures = [await failed(gate, f"case {number}") for number in range(cases)]
    async with asyncio.timeout(60):
        assert await gate.judge(failures[-1]) is cause
    assert (gate.snapshot().breaker is BreakerState.CLOSED) == (cause is not FailureCause.OUTAGE)
    await gate.aclose()


async def test_a_success_of_another_case_judges_without_the_control_request() -> None:
    gate = gate_with(Scripted(ControlResult.NOTHING))
    failure = await failed(gate, "bad")
    judging = asyncio.ensure_future(gate.judge(failure))
    async with gate.slot(SourceCaller("good")):
        pass
    assert await asyncio.wait_for(judging, 60) is FailureCause.DOCUMENT
    await gate.aclose()


async def test_one_that_waits_to_be_judged_can_leave() -> None:
    gate = gate_with(Scripted(ControlResult.NOTHING))
    turn = GateWait()
    judging = asyncio.ensure_future(gate.judge(await failed(gate, "bad"), turn))
    await wait_until_async(lambda: turn.waiting)
    turn.leave()
    with pytest.raises(WaitEnded):
        await judging
    with pytest.raises(WaitEnded):
        async with gate.slot(SourceCaller("bad"), turn):
            pass
    assert gate.snapshot().waiting == gate.snapshot().in_flight == 0
    await gate.aclose()
