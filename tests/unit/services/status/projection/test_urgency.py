"""Which records are written at once: whatever ends a job is among them, held against the projection itself."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.status.projection.apply import left_of
from services.status.projection.project import project
from services.status.projection.rows import KnownRows, Occurrence
from services.status.projection.urgency import RemainingDocuments
from shared.events.document_events import (
    DocumentAvailable,
    DocumentFailed,
    DocumentStarted,
    JobAborted,
    JobEvent,
    JobPlanned,
)
from shared.events.envelope import payload

AT = datetime(2026, 1, 2, tzinfo=UTC)
NUMBER = "1000145-91.2023.8.26.0597"
JOBS = [str(uuid.UUID(int=number)) for number in range(1, 4)]


def planned(job: str, total: int, already: int = 0) -> JobPlanned:
    return JobPlanned(job_id=job, process_number=NUMBER, total_documents=total, already_available=already)


def document(job: str, index: int) -> str:
    return str(uuid.uuid5(uuid.UUID(job), str(index)))


def started(job: str, index: int) -> DocumentStarted:
    return DocumentStarted(job_id=job, process_number=NUMBER, document_id=document(job, index))


def available(job: str, index: int) -> DocumentAvailable:
    return DocumentAvailable(
        job_id=job,
        process_number=NUMBER,
        document_id=document(job, index),
        object_key="k",
        sha256="ab" * 32,
        size=1,
        content_type="application/pdf",
    )


def failed(job: str, index: int) -> DocumentFailed:
    return DocumentFailed(
        job_id=job, process_number=NUMBER, document_id=document(job, index), error_code="e", error_message="m"
    )


def may_end(remaining: RemainingDocuments, event: JobEvent) -> bool:
    return remaining.may_end(event.TYPE.encode(), event.key().encode(), payload(event))


def test_only_the_last_document_of_a_job_is_urgent() -> None:
    remaining, job = RemainingDocuments(), JOBS[0]
    events = [planned(job, 3, 1), started(job, 0), started(job, 1), available(job, 0), available(job, 1)]
    assert [may_end(remaining, event) for event in events] == [False, False, False, False, True]


def test_a_plan_without_work_and_an_abort_are_urgent() -> None:
    remaining, job = RemainingDocuments(), JOBS[0]
    assert may_end(remaining, planned(job, 0))
    assert may_end(remaining, planned(job, 2, 2))
    assert may_end(remaining, JobAborted(job_id=job, process_number=NUMBER, error_code="cancelled", error_message=""))


def test_failures_told_again_before_the_plan_count() -> None:
    remaining, job = RemainingDocuments(), JOBS[0]
    for index in range(2):
        may_end(remaining, failed(job, index))
    assert not may_end(remaining, planned(job, 3))
    assert may_end(remaining, available(job, 2))


def test_of_a_job_that_another_process_began_everything_is_urgent_until_it_is_known() -> None:
    remaining, job = RemainingDocuments(), JOBS[0]
    assert may_end(remaining, available(job, 0))
    remaining.learn({job: 2})
    assert not may_end(remaining, available(job, 1))
    assert may_end(remaining, available(job, 2))
    remaining.learn({job: 0})
    remaining.forget()
    assert may_end(remaining, available(job, 3))


def test_what_is_no_plan_is_urgent() -> None:
    remaining = RemainingDocuments()
    for value in (b"", b"[]", b"{}", b'{"total_documents": "many", "already_available": 0}'):
        assert remaining.may_end(JobPlanned.TYPE.encode(), b"job", value)
    assert not remaining.may_end(b"somebody.elses", b"job", b"{}")


@st.composite
def _streams(draw: st.DrawFn) -> list[JobEvent]:
    """Events of three jobs as the topic may bring them: each job's plan first, then its documents, repeats too."""
    lanes: list[list[JobEvent]] = []
    for job in JOBS:
        total = draw(st.integers(0, 4))
        lane: list[JobEvent] = [planned(job, total)]
        for index in draw(st.permutations(range(total))):
            lane += draw(st.sampled_from([[started(job, index)], []]))
            end = draw(st.sampled_from([available, failed]))(job, index)
            lane += [end] * draw(st.integers(1, 2))
        lanes.append(lane)
    merged: list[JobEvent] = []
    while any(lanes):
        lane = draw(st.sampled_from([lane for lane in lanes if lane]))
        merged.append(lane.pop(0))
    return merged


@given(_streams(), st.lists(st.integers(1, 5), min_size=1), st.integers(0, 20))
def test_no_end_of_a_job_waits(events: list[JobEvent], sizes: list[int], restart: int) -> None:
    """Batches of any size, and a process that begins in the middle: when a job ends, its event was called urgent."""
    remaining, state = RemainingDocuments(), KnownRows()
    batch: list[JobEvent] = []
    urgent = False
    for index, event in enumerate(events):
        if index == restart:
            remaining = RemainingDocuments()
            # What was gathered and not written comes again.
            for again in batch:
                urgent |= may_end(remaining, again)
        batch.append(event)
        urgent |= may_end(remaining, event)
        changes = project(state, [Occurrence(item, AT) for item in batch])
        assert urgent or not changes.completions
        if len(batch) >= sizes[index % len(sizes)]:
            state, batch, urgent = state.after(changes), [], False
            remaining.learn(left_of(changes.jobs.values()))
