"""The gate: what each outcome does, and that callers wait in line and are never turned away."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.errors import (
    CredentialsRefused,
    DocumentNotFound,
    ShortBody,
    SourceServerError,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)
from sources.gate.admission import Admission
from sources.gate.breaker import BreakerState, SourceBreakerPolicy
from sources.gate.gate import SourceGate
from sources.gate.request_outcome import SourceOutcome, outcome_of
from sources.gate.requests import AdmittedRequest, SourceCaller
from tests.support import wait_until_async

FAST = SourceBreakerPolicy(failure_limit=3, first_open=0.05, longest_open=0.2)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, (SourceOutcome.SUCCEEDED, None)),
        (SourceThrottled(retry_after=3.0), (SourceOutcome.THROTTLED, 3.0)),
        (SourceTimeout(), (SourceOutcome.TIMED_OUT, None)),
        (SourceUnavailable(retry_after=1.0), (SourceOutcome.FAILED, 1.0)),
        (CredentialsRefused(retry_after=9.0), (SourceOutcome.REFUSED, 9.0)),
        (DocumentNotFound(), (SourceOutcome.SUCCEEDED, None)),
        (SourceServerError(), (SourceOutcome.SUCCEEDED, None)),
        (ShortBody(), (SourceOutcome.SUCCEEDED, None)),
        (asyncio.CancelledError(), (SourceOutcome.ABANDONED, None)),
        (ValueError(), (SourceOutcome.ABANDONED, None)),
    ],
)
def test_outcome_of_an_error(error: BaseException | None, outcome: tuple[SourceOutcome, float | None]) -> None:
    assert outcome_of(error) == outcome


def admitted(admission: Admission[object], case: str | None = None) -> AdmittedRequest:
    admitted = admission.admit(SourceCaller(case))
    assert admitted is not None
    return admitted


def test_retry_after_pauses_everybody() -> None:
    clock = Clock()
    admission = Admission[object](8, clock)
    assert admission.finish(admitted(admission), SourceOutcome.THROTTLED, 7.0) == 7.0
    assert admission.admit() is None
    assert admission.wait() == 7.0
    assert admission.adaptive.limit == 4
    clock.now += 7.0
    assert admission.admit() is not None


def test_a_429_without_retry_after_pauses_for_longer_each_time() -> None:
    clock = Clock()
    admission = Admission[object](64, clock)
    pauses = []
    for _ in range(6):
        tickets = [admitted(admission), admitted(admission)] if admission.adaptive.limit > 1 else [admitted(admission)]
        begun = [admission.finish(admitted, SourceOutcome.THROTTLED) for admitted in tickets]
        assert begun[1:] in ([], [None])  # one pause for all that was in flight
        pauses.append(begun[0])
        clock.now += admission.paused_for
    assert pauses == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    admission.finish(admitted(admission), SourceOutcome.SUCCEEDED)
    assert admission.finish(admitted(admission), SourceOutcome.THROTTLED) == 5.0


def test_a_shorter_pause_does_not_cut_a_longer_one() -> None:
    admission = Admission[object](8, Clock())
    admission.pause(30.0)
    admission.pause(1.0)
    assert admission.paused_for == 30.0


def test_refused_credentials_pause_and_do_not_open_the_breaker() -> None:
    admission = Admission[object](8, Clock())
    for _ in range(20):
        admission.report(SourceOutcome.REFUSED, 300.0)
    assert admission.paused_for == 300.0
    assert admission.breaker.state is BreakerState.CLOSED


def test_time_outs_of_different_cases_open_the_breaker_and_halve_the_limit() -> None:
    admission = Admission[object](8, Clock(), FAST)
    for request in [admitted(admission, case) for case in ("a", "b", "c")]:
        admission.finish(request, SourceOutcome.TIMED_OUT)
    assert admission.breaker.state is BreakerState.OPEN
    assert admission.adaptive.limit == 4


@pytest.mark.parametrize("outcome", [SourceOutcome.TIMED_OUT, SourceOutcome.FAILED])
def test_one_case_neither_opens_the_breaker_nor_halves_the_limit(outcome: SourceOutcome) -> None:
    admission = Admission[object](8, Clock(), FAST)
    for _ in range(100):
        assert admission.finish(admitted(admission, "bad"), outcome, 3600.0) is None
    assert admission.breaker.state is BreakerState.CLOSED
    assert admission.adaptive.limit == 8


def test_a_probe_ends_with_the_head_of_the_answer() -> None:
    clock = Clock()
    admission = Admission[object](8, clock, FAST)
    for case in ("a", "b", "c"):
        admission.finish(admitted(admission, case), SourceOutcome.FAILED)
    clock.now += 1.0
    probe = admitted(admission)
    assert admission.admit() is None
    admission.answered(probe)
    assert admission.admit() is not None


@given(
    st.lists(st.tuples(st.sampled_from(SourceOutcome), st.none() | st.floats(0, 100), st.floats(0, 50))),
    st.integers(1, 9),
)
def test_never_more_than_the_limit_and_never_stuck(
    events: list[tuple[SourceOutcome, float | None, float]], limit: int
) -> None:
    clock = Clock()
    admission = Admission[object](limit, clock)
    out: list[AdmittedRequest] = []
    for outcome, retry_after, seconds in events:
        while (admitted := admission.admit()) is not None:
            out.append(admitted)
            assert len(out) == admission.in_flight <= limit
        if out:
            admission.finish(out.pop(0), outcome, retry_after)
        clock.now += seconds
    for admitted in out:
        admission.finish(admitted, SourceOutcome.ABANDONED)
    wait = admission.wait()
    assert wait is not None
    clock.now += wait + 1e-6
    assert admission.admit() is not None


async def test_no_more_than_the_limit_at_once() -> None:
    gate = SourceGate(5)
    inside = most = 0

    async def ask() -> None:
        nonlocal inside, most
        async with gate.slot():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(ask() for _ in range(200)))
    assert most == 5
    assert gate.snapshot().in_flight == gate.snapshot().waiting == 0


async def test_first_come_first_served() -> None:
    gate = SourceGate(1)
    order: list[int] = []

    async def ask(number: int) -> None:
        async with gate.slot():
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(ask(number) for number in range(20)))
    assert order == list(range(20))


async def test_a_pause_delays_and_does_not_fail() -> None:
    told: list[float] = []
    gate = SourceGate(4, on_pause=told.append)
    began = asyncio.get_running_loop().time()
    with pytest.raises(SourceThrottled):
        async with gate.slot():
            raise SourceThrottled(retry_after=0.1)
    assert told == [0.1]
    async with asyncio.timeout(60), gate.slot():
        assert asyncio.get_running_loop().time() - began >= 0.09


async def test_a_pause_told_by_another_worker_is_not_told_again() -> None:
    told: list[float] = []
    gate = SourceGate(4, on_pause=told.append)
    gate.pause(0.05)
    async with asyncio.timeout(60), gate.slot():
        pass
    assert told == []


async def test_an_outage_holds_the_line_and_one_probe_ends_it() -> None:
    gate = SourceGate(10, policy=FAST)
    away = True
    asked = 0

    async def ask(number: int) -> None:
        nonlocal asked
        while True:
            try:
                async with gate.slot(SourceCaller(f"case {number % 5}")):
                    asked += 1
                    await asyncio.sleep(0)
                    if away:
                        raise SourceUnavailable
                    return
            except SourceUnavailable:
                continue

    tasks = [asyncio.create_task(ask(number)) for number in range(50)]
    await wait_until_async(lambda: gate.snapshot().breaker is BreakerState.OPEN)
    await wait_until_async(lambda: gate.snapshot().in_flight == 0)
    during = asked
    await wait_until_async(lambda: asked >= during + 3)
    assert asked <= during + 4  # probes only: one after the other
    away = False
    await asyncio.wait_for(asyncio.gather(*tasks), 10)
    assert gate.snapshot().opened_count == 1


async def test_a_raised_limit_lets_more_in_at_once() -> None:
    gate = SourceGate(1)
    release = asyncio.Event()

    async def ask() -> None:
        async with gate.slot():
            await release.wait()

    tasks = [asyncio.create_task(ask()) for _ in range(3)]
    await wait_until_async(lambda: gate.snapshot().waiting == 2)
    gate.limit = 3
    await wait_until_async(lambda: gate.snapshot().in_flight == 3)
    release.set()
    await asyncio.gather(*tasks)


async def test_cancelled_callers_lose_no_place() -> None:
    gate = SourceGate(3)
    chance = random.Random(7)
    done = 0

    async def ask() -> None:
        nonlocal done
        async with gate.slot():
            await asyncio.sleep(0)
        done += 1

    for _ in range(30):
        tasks = [asyncio.create_task(ask()) for _ in range(20)]
        for _ in range(chance.randrange(6)):
            await asyncio.sleep(0)
        for task in chance.sample(tasks, 10):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert gate.snapshot().in_flight == gate.snapshot().waiting == 0
    assert done >= 300


async def test_others_ask_as_soon_as_the_answer_to_a_probe_has_begun() -> None:
    clock = Clock()
    gate = SourceGate(8, clock=clock, policy=FAST)
    for case in ("a", "b", "c"):
        with pytest.raises(SourceUnavailable):
            async with gate.slot(SourceCaller(case)):
                raise SourceUnavailable
    clock.now += 1.0

    async def ask() -> None:
        async with gate.slot(SourceCaller("a")):
            pass

    async with asyncio.timeout(60), gate.slot(SourceCaller("b")) as probe:
        other = asyncio.create_task(ask())
        await asyncio.sleep(0)
        assert gate.snapshot().waiting == 1
        probe.answered()
        await other


async def test_an_answer_that_has_begun_lets_nobody_in_who_waits_for_a_place() -> None:
    gate = SourceGate(1)

    async def ask() -> None:
        async with gate.slot(SourceCaller("b")):
            pass

    async with gate.slot(SourceCaller("a")) as slot:
        other = asyncio.create_task(ask())
        await asyncio.sleep(0)
        slot.answered()
        assert gate.snapshot().waiting == 1
    async with asyncio.timeout(60):
        await other


async def test_reported_outcome_wins_over_the_exception() -> None:
    gate = SourceGate(8)
    async with gate.slot() as slot:
        slot.report(SourceOutcome.TIMED_OUT)
    assert gate.snapshot().limit == 4
    gate.report(SourceOutcome.TIMED_OUT)
    assert gate.snapshot().limit == 2
