"""What a request for a case leads to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from services.api.jobs.model import ALL, Job, Progress
from services.api.processes.request import decisions
from services.api.processes.request.decisions import Ask, Decision, Step, decide, is_stale, must_read
from shared.domain.cnj import parse
from shared.domain.secrecy import Viewer

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
DAY = 86400.0
Known = partial(decisions.Known, secrecy_level=0)
ASK = Ask(parse("1000145-91.2023.8.26.0597"), Viewer("client", sealed=False), NOW, "00-trace")
DOCUMENT = "0b9c4f3e-58b5-5d0c-9a4e-8e1f0c6c1d55"
ENDED = Progress("completed", 1, 1, 0, None, NOW, None, None, 3)


def job(*, scope: str = ALL, ended: bool = False, age: float = 60) -> Job:
    created = NOW - timedelta(seconds=age)
    return Job("job", ASK.number, "client", scope, False, True, created, None, ENDED if ended else None)


FRESH = NOW - timedelta(hours=1)
OLD = NOW - timedelta(days=2)


@pytest.mark.parametrize(
    ("ask", "known", "due"),
    [
        (ASK, Known(None, None), True),
        (ASK, Known(FRESH, None), False),
        (ASK, Known(OLD, None), True),
        (replace(ASK, refresh=True), Known(FRESH, job(ended=True)), True),
        (replace(ASK, refresh=True), Known(FRESH, job()), False),
        (ASK, Known(None, job()), False),
        (ASK, Known(OLD, job()), False),
        (replace(ASK, document_id=DOCUMENT), Known(OLD, None, document_known=True), False),
        (replace(ASK, document_id=DOCUMENT), Known(FRESH, None), False),
        (replace(ASK, document_id=DOCUMENT), Known(OLD, None), True),
    ],
)
def test_when_the_source_is_read(ask: Ask, known: decisions.Known, due: bool) -> None:
    assert must_read(ask, known, DAY) is due


@pytest.mark.parametrize("level", [1, 5, None])
def test_what_is_hidden_is_read_as_what_was_never_stored(level: int | None) -> None:
    """A case that is stored and sealed costs a key without the scope what an absent one costs: a reading."""
    for known in (Known(FRESH, None, secrecy_level=level), Known(FRESH, job(), secrecy_level=level)):
        assert must_read(ASK, known, DAY)
        assert must_read(replace(ASK, document_id=DOCUMENT), replace(known, document_known=True), DAY)
        assert not must_read(replace(ASK, viewer=Viewer("client", sealed=True)), known, DAY)


def test_without_sharing_the_first_request_of_a_client_reads_the_source() -> None:
    new, old = Known(FRESH, job(), asked_before=False), Known(FRESH, job())
    assert must_read(ASK, new, DAY, share=False) and not must_read(ASK, new, DAY)
    assert not must_read(ASK, old, DAY, share=False)
    # The job that runs reads it anyway.
    assert not must_read(ASK, Known(None, job(), asked_before=False), DAY, share=False)


def test_nothing_stored_is_not_stale() -> None:
    assert not is_stale(None, NOW, DAY)
    assert is_stale(OLD, NOW, DAY) and not is_stale(FRESH, NOW, DAY)


def test_a_request_joins_the_running_job_whatever_it_wants() -> None:
    running = job()
    for ask in (ASK, replace(ASK, refresh=True), replace(ASK, retry_failed=True), replace(ASK, document_id=DOCUMENT)):
        known = Known(FRESH, running, document_known=True)
        assert decide(ask, known, was_due=False) == Decision(Step.ANSWER, running)


def test_a_finished_case_is_answered_unless_news_or_a_retry_is_wanted() -> None:
    done = job(ended=True)
    known = Known(FRESH, done)
    assert decide(ASK, known, was_due=False) == Decision(Step.ANSWER, done)
    assert decide(ASK, known, was_due=True).step is Step.START
    assert decide(replace(ASK, refresh=True), known, was_due=True).step is Step.START
    assert decide(replace(ASK, retry_failed=True), known, was_due=False).step is Step.START


def test_a_job_made_since_the_request_came_in_answers_it() -> None:
    just_made = job(ended=True, age=-1)
    ask = replace(ASK, refresh=True)
    assert decide(ask, Known(FRESH, just_made), was_due=True) == Decision(Step.ANSWER, just_made)


def test_without_download_no_job_is_made() -> None:
    ask = replace(ASK, download=False)
    assert decide(ask, Known(FRESH, None), was_due=True) == Decision(Step.ANSWER, None)


def test_one_document_needs_to_be_known_and_is_not_fetched_twice() -> None:
    ask = replace(ASK, document_id=DOCUMENT)
    assert decide(ask, Known(FRESH, None), was_due=False).step is Step.UNKNOWN_DOCUMENT
    assert decide(ask, Known(FRESH, None, document_known=True), was_due=False).step is Step.START
    # The source could not be read: the job finds out.
    assert decide(ask, Known(None, None), was_due=True).step is Step.START
    mine = job(scope=DOCUMENT)
    running = Known(FRESH, job(ended=True), mine, document_known=True)
    assert decide(ask, running, was_due=False) == Decision(Step.ANSWER, mine)
    had = Known(FRESH, job(ended=True), document_known=True, document_available=True)
    assert decide(ask, had, was_due=False).step is Step.ANSWER
    failed = Known(FRESH, job(ended=True), document_known=True)
    assert decide(ask, failed, was_due=False).step is Step.START


def test_a_whole_case_does_not_join_the_job_of_one_document() -> None:
    assert decide(ASK, Known(FRESH, None), was_due=False).step is Step.START
