"""What follows from a failure: attempts end, outages do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.downloader.retry_policy import (
    Abort,
    GiveUp,
    PutOff,
    TryAgain,
    after_discovery_failure,
    after_failure,
)
from sources.errors import (
    CredentialsRefused,
    DocumentNotFound,
    EmptyBody,
    NoAccess,
    NoAddress,
    PermanentError,
    ProcessNotFound,
    ShortBody,
    SourceError,
    SourceServerError,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)

DELAYS = (5.0, 30.0, 120.0)
PERMANENT = [NoAccess(), DocumentNotFound(), NoAddress()]
ANSWERS = [SourceServerError(), ShortBody(), EmptyBody()]
OUTAGES = [SourceUnavailable(), SourceTimeout(), SourceThrottled(retry_after=30.0), CredentialsRefused()]

errors = st.sampled_from([*PERMANENT, *ANSWERS, *OUTAGES])
delays = st.lists(st.floats(0, 600), max_size=6)


def name(error: SourceError) -> str:
    return type(error).__name__


@pytest.mark.parametrize("error", PERMANENT, ids=name)
def test_a_permanent_failure_is_tried_once(error: PermanentError) -> None:
    decision = after_failure(error, attempt=1, delays=DELAYS)
    assert decision == GiveUp(error.code, error.message)


@pytest.mark.parametrize("error", ANSWERS, ids=name)
def test_an_answer_about_the_document_takes_each_delay_once_then_fails(error: SourceError) -> None:
    decisions = [after_failure(error, attempt=n, delays=DELAYS) for n in (1, 2, 3, 4)]
    assert decisions == [
        TryAgain(2, 5.0, error.code),
        TryAgain(3, 30.0, error.code),
        TryAgain(4, 120.0, error.code),
        GiveUp(error.code, error.message),
    ]


def test_without_delays_the_first_answer_is_the_last() -> None:
    assert isinstance(after_failure(ShortBody(), attempt=1, delays=()), GiveUp)


def test_a_wish_to_wait_is_honoured_within_what_the_retry_topics_are_made_for() -> None:
    def delay(wish: float) -> float:
        decision = after_failure(SourceServerError(retry_after=wish), attempt=1, delays=DELAYS)
        assert isinstance(decision, TryAgain)
        return decision.delay

    assert (delay(1.0), delay(60.0), delay(86_400.0)) == (5.0, 60.0, 120.0)


@pytest.mark.parametrize("error", [SourceUnavailable(), SourceTimeout(), SourceThrottled()], ids=name)
def test_what_was_judged_to_be_about_the_document_ends_failed(error: SourceError) -> None:
    decisions = [after_failure(error, attempt=n, delays=DELAYS) for n in (1, 2, 3, 4)]
    assert [type(decision) for decision in decisions] == [TryAgain, TryAgain, TryAgain, GiveUp]
    assert decisions[-1] == GiveUp(error.code, error.message)


@given(st.lists(errors, min_size=1, max_size=300), delays)
def test_attempts_only_rise_by_one_and_never_pass_the_delays(story: list[SourceError], delays: list[float]) -> None:
    attempt = 1
    for error in story:
        decision = after_failure(error, attempt=attempt, delays=delays)
        if isinstance(decision, GiveUp):
            return
        assert decision.attempt == attempt + 1 <= len(delays) + 1
        assert decision.delay >= delays[attempt - 1]
        attempt = decision.attempt


@pytest.mark.parametrize("error", [ProcessNotFound(), NoAccess()], ids=name)
def test_a_case_that_is_unknown_or_closed_to_us_ends_the_job_at_once(error: SourceError) -> None:
    decision = after_discovery_failure(error, attempt=1, answers=0, delays=DELAYS)
    assert decision == Abort(error.code, error.message, dead=False)


@pytest.mark.parametrize("error", OUTAGES, ids=name)
def test_an_outage_puts_a_discovery_off_for_ever_on_the_last_tier(error: SourceError) -> None:
    attempt, answers, seen = 1, 0, []
    for _ in range(50):
        decision = after_discovery_failure(error, attempt=attempt, answers=answers, delays=DELAYS)
        assert isinstance(decision, PutOff)
        assert decision.attempt == attempt + 1
        attempt, answers = decision.attempt, decision.answers
        seen.append(decision.delay)
    assert answers == 0
    assert seen[-1] == 120.0
    assert seen == sorted(seen)


def test_answers_about_the_case_end_after_the_tiers_despite_outages_between() -> None:
    attempt, answers = 1, 0
    story: list[SourceError] = [SourceServerError(), SourceUnavailable(), SourceServerError(), SourceServerError()]
    for error in story:
        decision = after_discovery_failure(error, attempt=attempt, answers=answers, delays=DELAYS)
        assert isinstance(decision, PutOff)
        attempt, answers = decision.attempt, decision.answers
    assert (attempt, answers) == (5, 3)
    last = after_discovery_failure(SourceServerError(), attempt=attempt, answers=answers, delays=DELAYS)
    assert last == Abort("source_error", SourceServerError().message, dead=True)


def test_a_case_that_fails_while_others_do_not_ends_after_its_delays() -> None:
    attempt, answers = 1, 0
    for _ in DELAYS:
        decision = after_discovery_failure(
            SourceTimeout(), attempt=attempt, answers=answers, delays=DELAYS, about_case=True
        )
        assert isinstance(decision, PutOff)
        attempt, answers = decision.attempt, decision.answers
    last = after_discovery_failure(SourceTimeout(), attempt=attempt, answers=answers, delays=DELAYS, about_case=True)
    assert last == Abort("source_error", SourceTimeout().message, dead=True)


@given(delays)
def test_without_delays_an_outage_still_waits(delays: list[float]) -> None:
    decision = after_discovery_failure(SourceUnavailable(), attempt=9, answers=0, delays=delays)
    assert isinstance(decision, PutOff)
    assert decision.delay == (delays[min(9, len(delays)) - 1] if delays else 120.0)
