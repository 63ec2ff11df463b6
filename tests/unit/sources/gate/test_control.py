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
from sources.gate.control import NEUTRAL_CASE, Control, Finding, SourceControl
from sources.gate.limiter import Asker, Failure, Judgement, LeftLine, SourceGate, Turn
from tests.support import wait_until_async

AWAY = SourceUnavailable(retry_after=7.0)


class Source:
    """Fails as ``documents`` says by path, and for the case with ``case``."""

    def __init__(self, case: SourceError | None, **documents: SourceError | None) -> None:
        self._case = case
        self._documents = documents
        self.asked: list[str] = []

    @asynccontextmanager
    async def open_document(self, source_path: str, *, patience: float | None = None) -> AsyncIterator[object]:
        self.asked.append(source_path)
        if (error := self._documents[source_path]) is not None:
            raise error
        yield object()

    async def fetch_case(self, number: ProcessNumber, *, patience: float | None = None) -> object:
        self.asked.append(number)
        if self._case is not None:
            raise self._case
        return object()


@pytest.mark.parametrize(
    ("case", "documents", "finding"),
    [
        (None, {}, (Finding.CASE, None)),
        (ProcessNotFound(), {}, (Finding.CASE, None)),
        (MalformedAnswer(), {}, (Finding.CASE, None)),
        (AWAY, {}, (Finding.AWAY, 7.0)),
        (SourceTimeout(), {}, (Finding.AWAY, None)),
        (SourceThrottled(retry_after=3.0), {}, (Finding.THROTTLED, 3.0)),
        (CredentialsRefused(), {}, (Finding.NOTHING, None)),
        (AWAY, {"a": None}, (Finding.DOCUMENT, None)),
        (AWAY, {"a": DocumentNotFound()}, (Finding.DOCUMENT, None)),
        (None, {"a": AWAY}, (Finding.CASE, None)),
        (None, {"a": AWAY, "b": AWAY}, (Finding.AWAY, 7.0)),
        (None, {"a": AWAY, "b": None}, (Finding.DOCUMENT, None)),
        # A failing case's own documents can speak for the source, and not against it.
        (None, {"bad": AWAY, "a": AWAY}, (Finding.CASE, None)),
        (None, {"bad": None}, (Finding.DOCUMENT, None)),
    ],
)
async def test_what_its_answers_mean(
    case: SourceError | None, documents: dict[str, SourceError | None], finding: tuple[Finding, float | None]
) -> None:
    control = SourceControl(Source(case, **documents))
    for name in documents:
        control.remember(name, name)
    assert await control.ask(frozenset({"bad"})) == finding


async def test_another_document_is_asked_for_each_time_it_fails_and_old_ones_not_at_all() -> None:
    now = 0.0
    source = Source(None, a=AWAY, b=AWAY, c=AWAY, d=AWAY)
    control = SourceControl(source, clock=lambda: now)
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

    def __init__(self, *findings: Finding | Exception) -> None:
        self._findings = list(findings)

    async def ask(self, failing: frozenset[str | None]) -> tuple[Finding, float | None]:
        found = self._findings.pop(0) if len(self._findings) > 1 else self._findings[0]
        if isinstance(found, Exception):
            raise found
        return found, None


async def failed(gate: SourceGate, case: str) -> Failure:
    with pytest.raises(SourceUnavailable):
        async with gate.slot(Asker(case)) as slot:
            raise SourceUnavailable
    assert slot.failure is not None
    return slot.failure


def gate_with(control: Control) -> SourceGate:
    gate = SourceGate(4)
    gate.probe_with(control)
    return gate


@pytest.mark.parametrize(
    ("findings", "cases", "judgement"),
    [
        ([Finding.DOCUMENT], 1, Judgement.DOCUMENT),
        ([Finding.DOCUMENT], 3, Judgement.DOCUMENT),
        ([Finding.CASE], 1, Judgement.DOCUMENT),
        ([Finding.CASE], 2, Judgement.DOUBT),
        ([Finding.AWAY], 1, Judgement.OUTAGE),
        ([RuntimeError(), Finding.NOTHING, Finding.DOCUMENT], 1, Judgement.DOCUMENT),
    ],
)
async def test_every_failure_is_judged(findings: list[Finding | Exception], cases: int, judgement: Judgement) -> None:
    gate = gate_with(Scripted(*findings))
    failures = [await failed(gate, f"case {number}") for number in range(cases)]
    async with asyncio.timeout(10):
        assert await gate.judge(failures[-1]) is judgement
    assert (gate.snapshot().breaker is BreakerState.CLOSED) == (judgement is not Judgement.OUTAGE)
    await gate.aclose()


async def test_a_success_of_another_case_judges_without_the_control_request() -> None:
    gate = gate_with(Scripted(Finding.NOTHING))
    failure = await failed(gate, "bad")
    judging = asyncio.ensure_future(gate.judge(failure))
    async with gate.slot(Asker("good")):
        pass
    assert await asyncio.wait_for(judging, 5) is Judgement.DOCUMENT
    await gate.aclose()


async def test_one_that_waits_to_be_judged_can_leave() -> None:
    gate = gate_with(Scripted(Finding.NOTHING))
    turn = Turn()
    judging = asyncio.ensure_future(gate.judge(await failed(gate, "bad"), turn))
    await wait_until_async(lambda: turn.waiting)
    turn.leave()
    with pytest.raises(LeftLine):
        await judging
    with pytest.raises(LeftLine):
        async with gate.slot(Asker("bad"), turn):
            pass
    assert gate.snapshot().waiting == gate.snapshot().in_flight == 0
    await gate.aclose()
