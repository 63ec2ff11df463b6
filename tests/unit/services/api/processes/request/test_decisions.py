"""What a request for a case leads to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from services.api.jobs.model import CaseJob, JobProgress
from services.api.processes.request import decisions
from services.api.processes.request.case_request import CaseRequest
from services.api.processes.request.decisions import RequestDecision, RequestStep, decide, is_stale, must_read
from shared.domain.cnj import parse
from shared.domain.secrecy import Viewer
from shared.domain.statuses import JobScope

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
DAY = 86400.0
StoredCase = partial(decisions.StoredCase, secrecy_level=0)
REQUEST = CaseRequest(
    number=parse("1000145-91.2023.8.26.0597"),
    viewer=Viewer("client", sealed=False),
    asked_at=NOW,
    traceparent="00-trace",
)
DOCUMENT = "0b9c4f3e-58b5-5d0c-9a4e-8e1f0c6c1d55"
ENDED = JobProgress("completed", 1, 1, 0, None, NOW, None, None, 3)


def job(*, scope: str = JobScope.WHOLE_CASE, ended: bool = False, age: float = 60) -> CaseJob:
    created = NOW - timedelta(seconds=age)
    return CaseJob("job", REQUEST.number, "client", scope, False, True, created, None, ENDED if ended else None)


FRESH = NOW - timedelta(hours=1)
OLD = NOW - timedelta(days=2)


@pytest.mark.parametrize(
    ("wanted", "known", "due"),
    [
        (REQUEST, StoredCase(None, None), True),
        (REQUEST, StoredCase(FRESH, None), False),
        (REQUEST, StoredCase(OLD, None), True),
        (replace(REQUEST, refresh=True), StoredCase(FRESH, job(ended=True)), True),
        (replace(REQUEST, refresh=True), StoredCase(FRESH, job()), False),
        (REQUEST, StoredCase(None, job()), False),
        (REQUEST, StoredCase(OLD, job()), False),
        (replace(REQUEST, document_id=DOCUMENT), StoredCase(OLD, None, document_known=True), False),
        (replace(REQUEST, document_id=DOCUMENT), StoredCase(FRESH, None), False),
        (replace(REQUEST, document_id=DOCUMENT), StoredCase(OLD, None), True),
    ],
)
def test_when_the_source_is_read(wanted: CaseRequest, known: decisions.StoredCase, due: bool) -> None:
    assert must_read(wanted, known, DAY) is due


@pytest.mark.parametrize("level", [1, 5, None])
def test_what_is_hidden_is_read_as_what_was_never_stored(level: int | None) -> None:
    """A case that is stored and sealed costs a key without the scope what an absent one costs: a reading."""
    for known in (StoredCase(FRESH, None, secrecy_level=level), StoredCase(FRESH, job(), secrecy_level=level)):
        assert must_read(REQUEST, known, DAY)
        assert must_read(replace(REQUEST, document_id=DOCUMENT), replace(known, document_known=True), DAY)
        assert not must_read(replace(REQUEST, viewer=Viewer("client", sealed=True)), known, DAY)


def test_without_sharing_the_first_request_of_a_client_reads_the_source() -> None:
    new, old = StoredCase(FRESH, job(), asked_before=False), StoredCase(FRESH, job())
    assert must_read(REQUEST, new, DAY, share=False) and not must_read(REQUEST, new, DAY)
    assert not must_read(REQUEST, old, DAY, share=False)
    # The job that runs reads it anyway.
    assert not must_read(REQUEST, StoredCase(None, job(), asked_before=False), DAY, share=False)


def test_nothing_stored_is_not_stale() -> None:
    assert not is_stale(None, NOW, DAY)
    assert is_stale(OLD, NOW, DAY) and not is_stale(FRESH, NOW, DAY)


def test_a_request_joins_the_running_job_whatever_it_wants() -> None:
    running = job()
    for wanted in (
        REQUEST,
        replace(REQUEST, refresh=True),
        replace(REQUEST, retry_failed=True),
        replace(REQUEST, document_id=DOCUMENT),
    ):
        known = StoredCase(FRESH, running, document_known=True)
        assert decide(wanted, known, was_due=False) == RequestDecision(RequestStep.ANSWER, running)


def test_a_finished_case_is_answered_unless_news_or_a_retry_is_wanted() -> None:
    done = job(ended=True)
    known = StoredCase(FRESH, done)
    assert decide(REQUEST, known, was_due=False) == RequestDecision(RequestStep.ANSWER, done)
    assert decide(REQUEST, known, was_due=True).step is RequestStep.START
    assert decide(replace(REQUEST, refresh=True), known, was_due=True).step is RequestStep.START
    assert decide(replace(REQUEST, retry_failed=True), known, was_due=False).step is RequestStep.START


def test_a_job_made_since_the_request_came_in_answers_it() -> None:
    just_made = job(ended=True, age=-1)
    wanted = replace(REQUEST, refresh=True)
    assert decide(wanted, StoredCase(FRESH, just_made), was_due=True) == RequestDecision(RequestStep.ANSWER, just_made)


def test_without_download_no_job_is_made() -> None:
    wanted = replace(REQUEST, download=False)
    assert decide(wanted, StoredCase(FRESH, None), was_due=True) == RequestDecision(RequestStep.ANSWER, None)


def test_one_document_needs_to_be_known_and_is_not_fetched_twice() -> None:
    wanted = replace(REQUEST, document_id=DOCUMENT)
    assert decide(wanted, StoredCase(FRESH, None), was_due=False).step is RequestStep.UNKNOWN_DOCUMENT
    assert decide(wanted, StoredCase(FRESH, None, document_known=True), was_due=False).step is RequestStep.START
    # The source could not be read: the job finds out.
    assert decide(wanted, StoredCase(None, None), was_due=True).step is RequestStep.START
    mine = job(scope=DOCUMENT)
    running = StoredCase(FRESH, job(ended=True), mine, document_known=True)
    assert decide(wanted, running, was_due=False) == RequestDecision(RequestStep.ANSWER, mine)
    had = StoredCase(FRESH, job(ended=True), document_known=True, document_available=True)
    assert decide(wanted, had, was_due=False).step is RequestStep.ANSWER
    failed = StoredCase(FRESH, job(ended=True), document_known=True)
    assert decide(wanted, failed, was_due=False).step is RequestStep.START


def test_a_whole_case_does_not_join_the_job_of_one_document() -> None:
    assert decide(REQUEST, StoredCase(FRESH, None), was_due=False).step is RequestStep.START
