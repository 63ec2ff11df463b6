"""The projection's rules, by example and by hypothesis: splits, duplicates, replays, order between jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.status.projection.project import project
from services.status.projection.rows import JobRow, KnownRows, Occurrence, RowChanges
from shared.events.document_events import (
    DocumentAvailable,
    DocumentFailed,
    DocumentStarted,
    JobAborted,
    JobEvent,
    JobPlanned,
)
from shared.events.process_completed import JobOutcome, ProcessCompleted

NUMBER = "1000145-91.2023.8.26.0597"
T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
JOB_A, JOB_B = (f"00000000-0000-4000-8000-00000000000{digit}" for digit in "ab")
DOCUMENTS = [f"00000000-0000-4000-8000-0000000000d{digit}" for digit in range(4)]


def seconds(count: float) -> datetime:
    return T0 + timedelta(seconds=count)


def planned(job: str = JOB_A, total: int = 1, already: int = 0) -> JobPlanned:
    return JobPlanned(
        job_id=job, process_number=NUMBER, total_documents=total, already_available=already, created_at=T0
    )


def aborted(job: str = JOB_A, code: str = "process_not_found") -> JobAborted:
    return JobAborted(job_id=job, process_number=NUMBER, error_code=code, error_message="why", created_at=T0)


def started(document: int = 0, job: str = JOB_A, **fields: Any) -> DocumentStarted:
    return DocumentStarted(job_id=job, process_number=NUMBER, document_id=DOCUMENTS[document], **fields)


def available(document: int = 0, job: str = JOB_A, sha256: str = "ab", **fields: Any) -> DocumentAvailable:
    return DocumentAvailable(
        job_id=job,
        process_number=NUMBER,
        document_id=DOCUMENTS[document],
        object_key="key",
        sha256=sha256,
        size=9,
        content_type="application/pdf",
        **fields,
    )


def failed(document: int = 0, job: str = JOB_A, code: str = "timeout", **fields: Any) -> DocumentFailed:
    return DocumentFailed(
        job_id=job,
        process_number=NUMBER,
        document_id=DOCUMENTS[document],
        error_code=code,
        error_message="why",
        **fields,
    )


def at_each_second(events: Sequence[JobEvent]) -> list[Occurrence]:
    return [Occurrence(event, seconds(index + 1)) for index, event in enumerate(events)]


def run(*events: JobEvent, state: KnownRows | None = None) -> tuple[KnownRows, list[ProcessCompleted]]:
    changes = project(state or KnownRows(), at_each_second(events))
    return (state or KnownRows()).after(changes), changes.completions


def job_after(*events: JobEvent, job: str = JOB_A) -> JobRow:
    return run(*events)[0].jobs[job]


def test_all_available_completes_the_job() -> None:
    state, completions = run(planned(total=2), started(0), available(0), started(1), available(1))
    job = state.jobs[JOB_A]
    assert (job.status, job.completed_documents, job.failed_documents) == ("completed", 2, 0)
    assert job.created_at == T0
    assert job.started_at == job.planned_at == seconds(1)
    assert job.completed_at == seconds(5)
    assert completions == [
        ProcessCompleted(
            job_id=JOB_A,
            process_number=NUMBER,
            status=JobOutcome.COMPLETED,
            total_documents=2,
            completed_documents=2,
            failed_documents=0,
            created_at=T0,
            completed_at=seconds(5),
        )
    ]


def test_some_failed_is_partial_and_none_available_is_failed() -> None:
    assert job_after(planned(total=2), available(0), failed(1)).status == "partial"
    assert job_after(planned(total=2), failed(0), failed(1)).status == "failed"
    assert job_after(planned(total=3, already=1), failed(0), failed(1)).status == "partial"


def test_an_empty_job_completes_at_once() -> None:
    state, completions = run(planned(total=0))
    assert state.jobs[JOB_A].status == "completed"
    assert [completion.total_documents for completion in completions] == [0]


def test_what_was_available_already_counts_as_completed() -> None:
    state, completions = run(planned(total=3, already=3))
    assert state.jobs[JOB_A].completed_documents == 3
    assert len(completions) == 1
    assert job_after(planned(total=3, already=2)).status == "processing"


def test_a_plan_after_its_documents_still_completes() -> None:
    state, completions = run(started(0), available(0), failed(1), planned(total=2))
    assert state.jobs[JOB_A].status == "partial"
    assert state.jobs[JOB_A].started_at == seconds(1)
    assert len(completions) == 1


def test_a_plan_smaller_than_what_was_seen_is_never_exceeded() -> None:
    job = job_after(available(0), available(1), failed(2), planned(total=2, already=1))
    assert (job.completed_documents, job.failed_documents) == (2, 0)


def test_the_first_plan_wins() -> None:
    job = job_after(planned(total=2), planned(total=9))
    assert (job.total_documents, job.version) == (2, 1)


def test_an_aborted_job_failed_and_a_cancelled_one_is_cancelled() -> None:
    state, completions = run(aborted())
    assert (state.jobs[JOB_A].status, state.jobs[JOB_A].error_code) == ("failed", "process_not_found")
    assert (completions[0].status, completions[0].error_code) == (JobOutcome.FAILED, "process_not_found")
    assert job_after(planned(total=2), available(0), aborted(code="cancelled")).status == "cancelled"


def test_what_comes_after_the_end_tells_of_the_documents_only() -> None:
    state, completions = run(planned(total=2), available(0), failed(1))
    ended = state.jobs[JOB_A]
    state, more = run(available(1, attempts=5), aborted(), planned(total=7), state=state)
    job = state.jobs[JOB_A]
    assert state.documents[NUMBER, DOCUMENTS[1]].status == "available"
    # One that had failed is there after all: the counters say so, the end and its announcement stay.
    assert (job.status, job.completed_documents, job.failed_documents) == ("completed", 2, 0)
    assert job.completed_at == ended.completed_at
    assert job.version == ended.version + 1
    assert len(completions) == 1
    assert more == []
    assert run(available(1, attempts=5), state=state)[0].jobs[JOB_A] == job


@pytest.mark.parametrize("code", ["cancelled", "process_not_found"])
def test_what_comes_after_a_job_was_cut_short_leaves_its_counters(code: str) -> None:
    state, _ = run(planned(total=3), available(0), failed(1), aborted(code=code))
    cut = state.jobs[JOB_A]
    job = run(available(1), available(2), state=state)[0].jobs[JOB_A]
    assert job._replace(version=0) == cut._replace(version=0)


def test_what_came_late_but_had_not_failed_corrects_nothing() -> None:
    state, _ = run(planned(total=1), failed(0))
    job = run(available(1), state=state)[0].jobs[JOB_A]
    assert (job.status, job.completed_documents, job.failed_documents) == ("failed", 0, 1)


def test_a_document_that_is_fetched_again_is_told_with_its_new_content() -> None:
    state, _ = run(planned(total=1), available(0))
    ended = state.jobs[JOB_A]
    again = available(0, sha256="cd", at=seconds(90))
    changes = project(state, [Occurrence(again, seconds(91))])
    document = changes.documents[NUMBER, DOCUMENTS[0]]
    assert (document.status, document.sha256, document.download_completed_at) == ("available", "cd", seconds(90))
    assert changes.jobs[JOB_A] == ended._replace(version=ended.version + 1)
    assert project(state.after(changes), [Occurrence(again, seconds(99))]) == RowChanges()
    # What another job reported earlier does not win, in whatever order it comes.
    earlier = Occurrence(available(0, JOB_B, at=seconds(50)), seconds(50))
    assert project(state.after(changes), [earlier]).documents == {}


def test_a_document_that_is_gone_for_good_has_failed_until_it_is_fetched_again() -> None:
    key = NUMBER, DOCUMENTS[0]
    state, _ = run(planned(total=1), available(0))
    gone, _ = run(failed(0, JOB_B, code="document_not_found", lost=True, at=seconds(20)), state=state)
    assert (gone.documents[key].status, gone.documents[key].error_code) == ("failed", "document_not_found")
    assert gone.jobs[JOB_A] == state.jobs[JOB_A]
    # A rebuild may hear of the loss first.
    other, _ = run(failed(0, JOB_B, code="document_not_found", lost=True, at=seconds(20)))
    assert run(available(0), state=other)[0].documents[key].status == "failed"
    again, _ = run(available(0, at=seconds(30)), state=gone)
    assert again.documents[key].status == "available"
    # The job that had brought it can say so as well.
    same, _ = run(failed(0, lost=True, at=seconds(20)), state=state)
    assert same.documents[key].status == "failed"
    assert (same.jobs[JOB_A].status, same.jobs[JOB_A].completed_documents) == ("completed", 1)


def test_an_abort_after_the_end_and_a_plan_after_the_abort_change_nothing() -> None:
    state, _ = run(aborted())
    assert project(state, at_each_second([planned(total=2), aborted(code="cancelled")])) == RowChanges()


def test_within_a_job_a_document_only_rises() -> None:
    state, _ = run(available(0), started(0), failed(0))
    assert state.documents[NUMBER, DOCUMENTS[0]].status == "available"
    state, _ = run(failed(0), started(0))
    assert state.documents[NUMBER, DOCUMENTS[0]].status == "failed"
    state, _ = run(planned(total=2), failed(0), available(0))
    job = state.jobs[JOB_A]
    assert (job.completed_documents, job.failed_documents) == (1, 0)
    assert state.documents[NUMBER, DOCUMENTS[0]].error_code is None


def test_another_job_never_undoes_available() -> None:
    state, _ = run(available(0), started(0, JOB_B), failed(0, JOB_B))
    document = state.documents[NUMBER, DOCUMENTS[0]]
    assert (document.status, document.job_id) == ("available", JOB_A)
    assert state.jobs[JOB_B].failed_documents == 1


def test_another_job_replaces_an_older_failure_and_not_a_newer_one() -> None:
    state, _ = run(failed(0, at=seconds(5)), started(0, JOB_B, at=seconds(9)))
    document = state.documents[NUMBER, DOCUMENTS[0]]
    assert (document.status, document.job_id, document.error_code) == ("processing", JOB_B, None)
    assert document.download_started_at == seconds(9)
    state, _ = run(failed(0, at=seconds(5)), started(0, JOB_B, at=seconds(2)))
    assert state.documents[NUMBER, DOCUMENTS[0]].status == "failed"


def test_a_replay_of_the_older_job_does_not_take_the_document_back() -> None:
    events = [started(0), failed(0), started(0, JOB_B), failed(0, JOB_B, code="not_found")]
    state, _ = run(*events)
    replayed = [Occurrence(event, seconds(100)) for event in events]
    assert project(state, replayed) == RowChanges()
    assert state.documents[NUMBER, DOCUMENTS[0]].error_code == "not_found"


def test_more_attempts_refresh_the_row_without_counting_again() -> None:
    state, _ = run(planned(total=2), failed(0, attempts=1), failed(0, code="forbidden", attempts=4))
    document = state.documents[NUMBER, DOCUMENTS[0]]
    assert (document.error_code, document.attempts) == ("forbidden", 4)
    assert state.jobs[JOB_A].failed_documents == 1


def test_times_of_a_document_are_the_downloaders() -> None:
    state, _ = run(started(0, at=seconds(50)), available(0, at=seconds(60), attempts=3))
    document = state.documents[NUMBER, DOCUMENTS[0]]
    assert (document.download_started_at, document.download_completed_at) == (seconds(50), seconds(60))
    assert document.attempts == 3


def test_an_end_says_when_its_document_was_started_where_no_start_was_told() -> None:
    end = available(0, at=seconds(60), started_at=seconds(50))
    state, _ = run(end)
    document = state.documents[NUMBER, DOCUMENTS[0]]
    assert (document.download_started_at, document.download_completed_at) == (seconds(50), seconds(60))
    # A worker that was killed told of an earlier start in the same job; another job's is another start.
    told, _ = run(started(0, at=seconds(20)), end)
    assert told.documents[NUMBER, DOCUMENTS[0]].download_started_at == seconds(20)
    again, _ = run(failed(0, JOB_B, at=seconds(10), started_at=seconds(9)), end)
    assert again.documents[NUMBER, DOCUMENTS[0]].download_started_at == seconds(50)


def test_a_nul_in_an_error_text_does_not_reach_the_database() -> None:
    state, _ = run(failed(0, code="bad\x00code"))
    assert state.documents[NUMBER, DOCUMENTS[0]].error_code == "bad\ufffdcode"


def test_an_unknown_event_is_refused() -> None:
    with pytest.raises(TypeError, match="JobEvent"):
        run(JobEvent(job_id=JOB_A, process_number=NUMBER))


# -- properties ------------------------------------------------------------------------------------------------------

jobs = st.sampled_from([JOB_A, JOB_B])
indexes = st.integers(0, len(DOCUMENTS) - 1)
moments = st.integers(0, 20).map(seconds)
attempts = st.integers(1, 3)
shas = st.sampled_from(["aa", "bb"])
events = st.one_of(
    st.builds(planned, jobs, st.integers(0, 5), st.integers(0, 3)),
    st.builds(aborted, jobs, st.sampled_from(["cancelled", "process_not_found"])),
    st.builds(started, indexes, jobs, at=moments, attempts=attempts),
    st.builds(available, indexes, jobs, shas, at=moments, attempts=attempts),
    st.builds(failed, indexes, jobs, at=moments, attempts=attempts),
)
losses = st.builds(failed, indexes, jobs, at=moments, attempts=attempts, lost=st.just(True))
histories = st.lists(events | losses, max_size=30).map(at_each_second)


@given(histories, st.lists(st.integers(0, 30), max_size=8))
@settings(max_examples=300)
def test_any_split_into_batches_gives_the_same_rows_and_ends(history: list[Occurrence], cuts: list[int]) -> None:
    whole = project(KnownRows(), history)
    state, completions = KnownRows(), []
    edges = [0, *sorted(cuts), len(history)]
    for start, end in pairwise(edges):
        changes = project(state, history[start:end])
        completions += changes.completions
        state = state.after(changes)
    assert state == KnownRows().after(whole)
    assert completions == whole.completions


@given(histories, st.lists(st.integers(0, 29), max_size=10))
def test_at_least_once_changes_nothing(history: list[Occurrence], repeated: list[int]) -> None:
    """A consumer that starts again behind where it was sees a stretch of the partition again."""
    state = KnownRows().after(project(KnownRows(), history))
    for start in repeated:
        # From a committed offset on, to the end: what a takeover replays.
        replayed = project(state, history[start:])
        assert replayed.completions == []
        assert {key: rank for key, rank in replayed.job_documents.items() if state.job_documents[key] != rank} == {}
        assert state.after(replayed) == state


@given(histories)
def test_counters_never_exceed_the_total_nor_go_down_and_jobs_end_once(history: list[Occurrence]) -> None:
    state = KnownRows()
    ended: list[str] = []
    for occurrence in history:
        before = state.jobs.get(occurrence.event.job_id)
        changes = project(state, [occurrence])
        state = state.after(changes)
        ended += [completion.job_id for completion in changes.completions]
        job = state.jobs[occurrence.event.job_id]
        if job.total_documents is not None:
            assert job.completed_documents + job.failed_documents <= job.total_documents
        assert job.completed_documents >= 0
        assert job.failed_documents >= 0
        assert (job.completed_at is not None) == (job.status in set(JobOutcome))
        if before is not None:
            assert job.version >= before.version
            if before.planned_at is not None:
                assert job.completed_documents >= before.completed_documents
                done = job.completed_documents + job.failed_documents
                assert done >= before.completed_documents + before.failed_documents
            if before.completed_at is not None:
                assert job.completed_at == before.completed_at
                # Only what had failed and is available after all changes an ended job.
                healed = job.completed_documents - before.completed_documents
                assert healed in (0, 1)
                assert job.failed_documents == before.failed_documents - healed
                assert healed or job.status == before.status
    assert len(ended) == len(set(ended))
    assert set(ended) == {job.job_id for job in state.jobs.values() if job.completed_at}


@given(st.lists(events, max_size=30).map(at_each_second))
def test_available_is_never_undone_but_by_a_loss(history: list[Occurrence]) -> None:
    state = KnownRows()
    seen: set[tuple[str, str]] = set()
    for occurrence in history:
        state = state.after(project(state, [occurrence]))
        assert all(state.documents[key].status == "available" for key in seen)
        seen |= {key for key, document in state.documents.items() if document.status == "available"}


timed_by_the_broker = st.lists(
    st.one_of(
        st.builds(planned, jobs, st.integers(0, 5), st.integers(0, 3)),
        st.builds(started, indexes, jobs),
        st.builds(available, indexes, jobs, shas),
        st.builds(failed, indexes, jobs),
        st.builds(failed, indexes, jobs, lost=st.just(True)),
    ),
    max_size=20,
).map(at_each_second)


@given(timed_by_the_broker, st.data())
@settings(max_examples=300)
def test_the_order_between_two_jobs_does_not_decide_what_a_document_is(
    history: list[Occurrence], data: st.DataObject
) -> None:
    """Two jobs are two partitions: any interleaving of the two is a possible order of arrival."""
    lanes = {job: [item for item in history if item.event.job_id == job] for job in (JOB_A, JOB_B)}
    other: list[Occurrence] = []
    while any(lanes.values()):
        job = data.draw(st.sampled_from([name for name, lane in lanes.items() if lane]))
        other.append(lanes[job].pop(0))
    first, second = (KnownRows().after(project(KnownRows(), items)) for items in (history, other))
    # A job's version counts what was new when it came; a rebuild never lowers it.
    plain = [{name: job._replace(version=0) for name, job in state.jobs.items()} for state in (first, second)]
    assert plain[0] == plain[1]
    assert first.job_documents == second.job_documents
    for key, document in first.documents.items():
        # When the download began is only kept from the job that has the row, so it may differ.
        same = second.documents[key]._replace(download_started_at=None)
        assert document._replace(download_started_at=None) == same


def test_what_the_source_said_of_the_bytes_goes_with_them() -> None:
    said: dict[str, Any] = {"fetched_at": T0, "source_headers": ["date: \x00x"], "object_version": "v1"}
    changes = project(KnownRows(), [Occurrence(available(**said), seconds(1))])
    [row] = changes.documents.values()
    assert (row.fetched_at, row.source_headers, row.object_version) == (T0, ["date: \ufffdx"], "v1")
    lost = DocumentFailed(
        job_id=JOB_A, process_number=NUMBER, document_id=DOCUMENTS[0], error_code="x", error_message="y", lost=True
    )
    [row] = project(KnownRows().after(changes), [Occurrence(lost, seconds(2))]).documents.values()
    assert (row.fetched_at, row.source_headers, row.object_version) == (None, None, None)
