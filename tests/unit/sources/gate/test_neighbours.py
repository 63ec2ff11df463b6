"""The gate's promises as a whole, in simulated time: bad cases delay nobody, an outage costs nothing, all ends."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from sources.gate.admission import Admission
from sources.gate.breaker import BreakerState
from sources.gate.outage_evidence import DOUBT_SECONDS, FailureCause, OutageEvidence, RequestFailure
from sources.gate.request_outcome import SourceOutcome
from sources.gate.requests import AdmittedRequest, SourceCaller

LATENCY, READ_TIMEOUT, AT_ONCE = 0.1, 60.0, 5
"""Seconds of a good answer, seconds after which a silent one is given up, documents of a case that wait at once."""


@dataclass
class World:
    """A gate, and documents that ask it: ``kind`` is good, hangs or fails; a bad one asks again for ever."""

    limit: int
    now: float = 0.0
    done: dict[str, list[float]] = field(default_factory=dict)
    away: bool = False
    asked: int = 0

    def __post_init__(self) -> None:
        self.gate: Admission[tuple[str, str]] = Admission(self.limit, lambda: self.now)
        self.gate.has_control_request = True
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, seconds: float, then: Callable[[], None]) -> None:
        heapq.heappush(self._events, (seconds, next(self._order), then))

    def ask(self, case: str, kind: str, *, again: bool = False) -> None:
        self.gate.queue.push(((case, kind), SourceCaller(case, again=again)), case, again=again)
        self.serve()

    def serve(self) -> None:
        while (found := self.gate.next()) is not None:
            (case, kind), admitted = found
            assert self.gate.in_flight <= self.limit
            self.asked += 1
            read_timeout = admitted.read_timeout or READ_TIMEOUT
            seconds = {"good": LATENCY, "fails": 0.01, "hangs": read_timeout}[kind]

            def ends(case: str = case, kind: str = kind, admitted: AdmittedRequest = admitted) -> None:
                self.end(case, kind, admitted)

            self.at(self.now + seconds, ends)

    def end(self, case: str, kind: str, admitted: AdmittedRequest) -> None:
        if kind == "good":
            self.gate.answered(admitted)
            self.gate.finish(admitted, SourceOutcome.SUCCEEDED)
            self.done.setdefault(case, []).append(self.now)
        else:
            self.gate.finish(admitted, SourceOutcome.TIMED_OUT if kind == "hangs" else SourceOutcome.FAILED)
            wait = 0.0 if admitted.read_timeout is not None else 2.0
            self.at(self.now + wait, lambda: self.ask(case, kind, again=True))
        self.serve()

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, then = heapq.heappop(self._events)
            then()
        self.now = until


def healthy(limit: int, bad: list[tuple[float, str]], arrives: float, documents: int) -> float:
    """Seconds for a case of so many documents that comes to these bad ones."""
    world = World(limit)
    for number, (at, kind) in enumerate(bad):
        for _ in range(AT_ONCE):
            world.at(at, partial(world.ask, f"bad {number}", kind))

    def come() -> None:
        for _ in range(documents):
            world.ask("healthy", "good")

    world.at(arrives, come)
    world.run(arrives + 60)
    done = world.done.get("healthy", [])
    return done[-1] - arrives if len(done) == documents else float("inf")


def bad_cases(most: int) -> st.SearchStrategy[list[tuple[float, str]]]:
    return st.lists(st.tuples(st.floats(0, 20), st.sampled_from(["hangs", "fails"])), max_size=most)


@settings(deadline=None, max_examples=60)
@given(
    st.one_of(
        st.tuples(st.integers(5, 15), bad_cases(8)),
        st.tuples(st.integers(16, 31), bad_cases(32)),
        st.tuples(st.integers(32, 64), bad_cases(80)),
    ),
    st.floats(0, 40),
    st.integers(1, 10),
)
def test_a_healthy_case_beside_bad_ones_takes_at_most_twice_its_idle_time(
    neighbours: tuple[int, list[tuple[float, str]]], arrives: float, documents: int
) -> None:
    limit, bad = neighbours
    assert healthy(limit, bad, arrives, documents) <= 2 * healthy(limit, [], 0.0, documents) + 5.0


def test_a_hundred_and_fifty_hanging_cases_of_the_same_moment_delay_nobody() -> None:
    for arrives in (0.0, 0.5, 2.9, 3.1, 10.0, 100.0):
        assert healthy(32, [(0.0, "hangs")] * 150, arrives, 10) <= 2 * healthy(32, [], 0.0, 10) + 5.0


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 32), st.integers(1, 60))
def test_every_bad_case_has_its_turns(limit: int, cases: int) -> None:
    world = World(limit)
    for number in range(cases):
        world.ask(f"bad {number}", "hangs")
    seen: set[str] = set()
    end = world.end

    def noted(case: str, kind: str, admitted: AdmittedRequest) -> None:
        seen.add(case)
        end(case, kind, admitted)

    world.end = noted  # type: ignore[method-assign]
    world.run(READ_TIMEOUT * (2 + cases))
    assert len(seen) == cases


@given(
    st.lists(
        st.tuples(st.sampled_from(["failed", "case", "doubt", "document"]), st.sampled_from("abc"), st.floats(0.01, 9)),
        max_size=60,
    )
)
def test_no_failure_is_in_doubt_for_longer_than_a_doubt_lasts(story: list[tuple[str, str, float]]) -> None:
    evidence, now = OutageEvidence(), 0.0
    doubtful_since: float | None = None
    for event, case, seconds in story:
        now += seconds
        if event == "failed":
            evidence.failed(case, now)
            failure = RequestFailure(case, now - 0.001, now, 0)
            evidence.doubtful(now + 0.001)
            now += 0.002
            cause = evidence.judge(failure)
            if cause is FailureCause.DOUBT:
                doubtful_since = now if doubtful_since is None else doubtful_since
                assert now - doubtful_since <= DOUBT_SECONDS
            else:
                assert cause is FailureCause.DOCUMENT
        elif event == "document":
            evidence.answered(now, about_case=False)
            doubtful_since = None
        elif event == "case":
            evidence.answered(now, about_case=True)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.booleans(), st.floats(0.01, 3)), max_size=80))
def test_in_a_concluded_outage_every_failure_is_the_sources(story: list[tuple[str, bool, float]]) -> None:
    now = [0.0]
    gate: Admission[str] = Admission(8, lambda: now[0])
    gate.has_control_request = True
    out: list[AdmittedRequest] = []
    before = [gate.admit(SourceCaller("early")) for _ in range(4)]
    gate.conclude()
    for case, fresh, seconds in story:
        now[0] += seconds
        gate.queue.push((case, SourceCaller(case)), case, again=not fresh)
        while (found := gate.next()) is not None:
            out.append(found[1])
        for admitted in [*out, *(each for each in before[:1] if each is not None)]:
            gate.finish(admitted, SourceOutcome.FAILED)
            assert gate.judge(gate.failure(admitted, SourceOutcome.FAILED)) is FailureCause.OUTAGE
            assert gate.breaker.state is not BreakerState.CLOSED
        out, before = [], before[1:]


def test_a_request_from_an_outage_that_fails_after_it_costs_nothing() -> None:
    now = [0.0]
    gate: Admission[str] = Admission(8, lambda: now[0])
    gate.has_control_request = True
    admitted = gate.admit(SourceCaller("slow"))
    assert admitted is not None
    gate.conclude()
    now[0] = 10.0
    probe = gate.admit(SourceCaller(control=True))
    assert probe is not None
    gate.evidence.answered(now[0], about_case=False)
    gate.is_back(probe.permit)
    assert gate.breaker.state is BreakerState.CLOSED
    gate.finish(admitted, SourceOutcome.TIMED_OUT)
    assert gate.judge(gate.failure(admitted, SourceOutcome.TIMED_OUT)) is FailureCause.OUTAGE
