"""What does not match of a job is found; what the projection makes of any events is not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.invariants.findings import Patience, Rule
from ops.invariants.jobs import AnnouncedEnd, JobCounts, JobFacts, judge
from services.status.projection.project import completion, project
from services.status.projection.rows import STATUS, DocumentRow, JobRow, KnownRows, Occurrence, Rank
from shared.events.document_events import DocumentAvailable, DocumentFailed, DocumentStarted, JobAborted, JobPlanned

NUMBER = "1000145-91.2023.8.26.0597"
JOB = "00000000-0000-4000-8000-00000000000a"
T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = T0 + timedelta(hours=1)
TOLD = AnnouncedEnd(frozenset({"e"}), frozenset({"completed"}), 1)

RIGHT = JobCounts(
    status="completed",
    total=5,
    completed=5,
    failed=0,
    planned=True,
    completed_at=T0,
    error_code=None,
    updated_at=T0,
    rows_available=3,
    rows_failed=0,
    rows_open=0,
    healed=0,
    unbacked=0,
)
JOB_RIGHT = JobFacts(JOB, NUMBER, T0, None, RIGHT, 1, 0, None, True)


def found(
    progress: JobCounts | None = RIGHT, *, alive: bool | None = False, told: AnnouncedEnd | None = TOLD, **facts: object
) -> list[Rule]:
    job = replace(JOB_RIGHT, progress=progress, **facts)  # type: ignore[arg-type]
    return [mismatch.rule for mismatch in judge(job, LATER, Patience(), alive=alive, announced=told)]


def test_a_job_that_ended_right_is_right() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (replace(RIGHT, completed=4), Rule.JOB_COUNTS),
        (replace(RIGHT, completed=3, failed=2, status="partial"), Rule.JOB_COUNTS),
        (replace(RIGHT, rows_open=1, rows_available=2, total=5), Rule.JOB_COUNTS),
        (replace(RIGHT, rows_failed=1), Rule.JOB_COUNTS),
        (replace(RIGHT, total=None), Rule.JOB_COUNTS),
        (replace(RIGHT, failed=1), Rule.JOB_COUNTS),
        (replace(RIGHT, unbacked=1), Rule.JOB_DOCUMENTS),
        (replace(RIGHT, status="partial"), Rule.JOB_STATUS),
        (replace(RIGHT, status="processing"), Rule.JOB_STATUS),
        (replace(RIGHT, status="cancelled"), Rule.JOB_STATUS),
    ],
)
def test_wrong_counts_and_statuses_are_found(wrong: JobCounts, rule: Rule) -> None:
    assert rule in found(wrong, told=None)


def test_an_accepted_job_of_which_nothing_is_on_its_way_is_lost() -> None:
    assert found(None) == [Rule.JOB_LOST]
    assert found(None, alive=True) == []
    assert found(None, alive=None) == []
    assert found(None, created_at=LATER - timedelta(seconds=59)) == []


def test_a_running_job_is_stuck_only_when_nothing_is_on_its_way() -> None:
    running = replace(RIGHT, status="processing", completed=4, rows_available=2, rows_open=1, completed_at=None)
    assert found(running, completion_recorded=False) == [Rule.JOB_STUCK]
    assert found(running, alive=True) == []
    assert found(running, alive=None) == []
    assert found(replace(running, updated_at=LATER)) == []


@pytest.mark.parametrize("ids", [frozenset[str](), frozenset({"one", "two"})])
def test_an_end_is_announced_by_one_event(ids: frozenset[str]) -> None:
    assert found(told=AnnouncedEnd(ids, frozenset({"completed"}), 2)) == [Rule.JOB_ANNOUNCEMENT]


def test_an_event_that_came_twice_is_no_mismatch_and_one_with_another_status_is() -> None:
    assert found(told=replace(TOLD, records=2)) == []
    assert found(told=replace(TOLD, statuses=frozenset({"partial"}))) == [Rule.JOB_ANNOUNCEMENT]


def test_an_end_without_completion_or_delivery_is_found_when_it_has_had_its_time() -> None:
    assert found(completion_recorded=False) == [Rule.JOB_COMPLETION]
    assert found(undelivered=1, youngest_undelivered=T0) == [Rule.DELIVERY_MISSING]
    assert found(undelivered=1, youngest_undelivered=LATER) == []
    fresh = replace(RIGHT, completed_at=LATER - timedelta(seconds=1))
    assert found(fresh, completion_recorded=False, undelivered=1, youngest_undelivered=T0, told=AnnouncedEnd()) == []


# ---- the projection's own results -----------------------------------------------------------------------------------

DOCUMENTS = [f"00000000-0000-4000-8000-0000000000d{digit}" for digit in range(4)]
IDENTITY = {"job_id": JOB, "process_number": NUMBER}


@st.composite
def stories(draw: st.DrawFn) -> list[Occurrence]:
    """A planned job whose documents start, fail and arrive in any order, with repeats; perhaps it is cancelled."""
    total = draw(st.integers(0, len(DOCUMENTS)))
    already = draw(st.integers(0, total))
    asked = DOCUMENTS[: total - already]
    events: list[object] = [JobPlanned(**IDENTITY, total_documents=total, already_available=already, created_at=T0)]
    for document in asked:
        ends = [
            DocumentStarted(**IDENTITY, document_id=document, attempts=1),
            DocumentFailed(**IDENTITY, document_id=document, attempts=2, error_code="x", error_message="y"),
            DocumentAvailable(
                **IDENTITY, document_id=document, attempts=1, object_key="k", sha256="s", size=1, content_type="t"
            ),
        ]
        events += draw(st.lists(st.sampled_from(ends), max_size=4))
    if draw(st.booleans()):
        events.append(JobAborted(**IDENTITY, error_code="cancelled", error_message="", created_at=T0))
    shuffled = draw(st.permutations(events))
    return [Occurrence(event, T0 + timedelta(seconds=index)) for index, event in enumerate(shuffled)]  # type: ignore[arg-type]


@given(stories())
def test_whatever_the_projection_makes_of_events_matches(story: list[Occurrence]) -> None:
    changes = project(KnownRows(), story)
    job = changes.jobs.get(JOB, JobRow(JOB, NUMBER))
    if not changes.jobs:
        return
    announced = None
    if job.completed_at is not None:
        (told,) = changes.completions
        announced = AnnouncedEnd(frozenset({told.job_id}), frozenset({told.status.value}), 1)
        assert told == completion(job) or told.failed_documents > job.failed_documents
    documents = {key[1]: document for key, document in changes.documents.items()}
    facts = replace(JOB_RIGHT, progress=counted(job, {k[1]: r for k, r in changes.job_documents.items()}, documents))
    assert list(judge(facts, LATER, Patience(), alive=True, announced=announced)) == []


def counted(job: JobRow, ranks: dict[str, Rank], documents: dict[str, DocumentRow]) -> JobCounts:
    """What the reader's SQL adds up."""
    by_rank = Counter(ranks.values())
    available = [documents[name] for name, rank in ranks.items() if rank is Rank.AVAILABLE]
    end = job.completed_at
    return JobCounts(
        job.status,
        job.total_documents,
        job.completed_documents,
        job.failed_documents,
        job.planned_at is not None,
        end,
        job.error_code,
        T0,
        by_rank[Rank.AVAILABLE],
        by_rank[Rank.FAILED],
        by_rank[Rank.PROCESSING],
        sum(
            end is not None and each.download_completed_at is not None and each.download_completed_at > end
            for each in available
        ),
        sum(each.status != STATUS[Rank.AVAILABLE] for each in available),
    )
