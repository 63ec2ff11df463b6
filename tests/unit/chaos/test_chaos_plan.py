"""A seed is a run: the plan repeats, and holds every trouble that the suite promises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.client import Progress
from tests.chaos.plan import SERVERS, SERVICES, Kill, Plan, RateStorm, ReceiverOutage, Restart, SourceOutage, short_plan
from tests.chaos.plan import full_plan as full


def full_plan(seed: int) -> Plan:
    return full(seed, cases=30, documents=20, seconds=60, replicas=2)


@given(st.integers(0, 10**6))
def test_a_seed_gives_the_same_plan(seed: int) -> None:
    assert short_plan(seed) == short_plan(seed)
    assert full_plan(seed) == full_plan(seed) != full_plan(seed + 1)


@given(st.integers(0, 10**6))
def test_every_process_is_killed(seed: int) -> None:
    plan = full_plan(seed)
    killed = [trouble.process for trouble in plan.troubles if isinstance(trouble, Kill)]
    replicas = {f"{service}.2" for service in SERVICES}
    assert {name for name in killed if killed.count(name) == 2} == {*SERVICES, *replicas}
    assert set(killed) >= set(SERVERS)
    assert {each.process for each in plan.troubles if isinstance(each, Restart)} >= set(SERVERS)
    assert {SourceOutage, RateStorm, ReceiverOutage} <= {type(trouble) for trouble in plan.troubles}
    assert [trouble.at for trouble in plan.troubles] == sorted(trouble.at for trouble in plan.troubles)
    assert len({case.number for case in plan.cases}) == 30
    short = {trouble.process for trouble in short_plan(seed).troubles if isinstance(trouble, Kill)}
    assert short > set(SERVICES)


def view(status: str, completed: int, document: str = "processing", **more: object) -> dict[str, object]:
    return {
        "job_id": "j",
        "status": status,
        "completed_documents": completed,
        "failed_documents": 0,
        "progress_percentage": 50 * completed,
        "documents": [{"id": "d", "status": document}],
        **more,
    }


def test_progress_that_goes_forward_is_seen() -> None:
    progress = Progress()
    for each in (view("pending", 0), view("processing", 1, "available"), view("completed", 2, "available")):
        progress.see(each)
    assert progress.ended == "completed"


@pytest.mark.parametrize(
    "back",
    [
        view("processing", 0, "available"),
        view("processing", 1, "processing"),
        view("processing", 1, "failed"),
        view("processing", 1, "available", job_id="another"),
        view("processing", 1, "available", progress_percentage=49),
        view("processing", 1, documents=[]),
    ],
)
def test_progress_that_goes_back_is_refused(back: dict[str, object]) -> None:
    progress = Progress()
    progress.see(view("processing", 1, "available"))
    with pytest.raises(AssertionError):
        progress.see(back)


def test_an_end_is_an_end() -> None:
    progress = Progress()
    progress.see(view("completed", 2, "available"))
    with pytest.raises(AssertionError, match="completed, then processing"):
        progress.see(view("processing", 2, "available"))
