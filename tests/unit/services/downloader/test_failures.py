"""What follows from a failure: attempts end, outages do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.downloader.failures import (
    HOLDS_PER_ATTEMPT,
    Abort,
    GiveUp,
    Hold,
    Holds,
    PutOff,
    TryAgain,
    after_discovery_failure,
    after_failure,
)
from shared.pdpj.errors import (
    CredentialsRefused,
    DocumentNotFound,
    EmptyBody,
    NoAccess,
    NotADocument,
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
PERMANENT = [NoAccess(), DocumentNotFound(), NotADocument()]
ANSWERS = [SourceServerError(), ShortBody(), EmptyBody()]
OUTAGES = [SourceUnavailable(), SourceTimeout(), SourceThrottled(retry_after=30.0), CredentialsRefused()]

errors = st.sampled_from([*PERMANENT, *ANSWERS, *OUTAGES])
delays = st.lists(st.floats(0, 600), max_size=6)


def name(error: SourceError) -> str:
    return type(error).__name__


@pytest.mark.parametrize("error", PERMANENT, ids=name)
def test_a_permanent_failure_is_tried_once(error: PermanentError) -> None:
    decision = after_failure(error, attempt=1, delays=DELAYS, holds=Holds(), given=0)
    assert decision == GiveUp(error.code, error.message)


@pytest.mark.parametrize("error", ANSWERS, ids=name)
def test_an_answer_about_the_document_takes_each_delay_once_then_fails(error: SourceError) -> None:
    decisions = [after_failure(error, attempt=n, delays=DELAYS, holds=Holds(), given=0) for n in (1, 2, 3, 4)]
    assert decisions == [
        TryAgain(2, 5.0, error.code),
        TryAgain(3, 30.0, error.code),
        TryAgain(4, 120.0, error.code),
        GiveUp(error.code, error.message),
    ]


def test_without_delays_the_first_answer_is_the_last() -> None:
    assert isinstance(after_failure(ShortBody(), attempt=1, delays=(), holds=Holds(), given=0), GiveUp)


def test_a_wish_to_wait_is_honoured_within_what_the_retry_topics_are_made_for() -> None:
    def delay(wish: float) -> float:
        decision = after_failure(SourceServerError(retry_after=wish), attempt=1, delays=DELAYS, holds=Holds(), given=0)
        assert isinstance(decision, TryAgain)
        return decision.delay

    assert (delay(1.0), delay(60.0), delay(86_400.0)) == (5.0, 60.0, 120.0)


@given(st.lists(st.sampled_from(OUTAGES), max_size=200), st.integers(1, 4))
def test_an_outage_costs_no_attempt_however_long(outage: list[SourceError], attempt: int) -> None:
    holds = Holds()
    for error in outage:
        decision = after_failure(error, attempt=attempt, delays=DELAYS, holds=holds, given=7)
        assert isinstance(decision, Hold)
        holds = decision.holds


def test_a_document_that_finds_the_source_away_while_others_do_not_spends_an_attempt() -> None:
    holds = Holds()
    for given_documents in range(HOLDS_PER_ATTEMPT - 1):
        decision = after_failure(SourceTimeout(), attempt=1, delays=DELAYS, holds=holds, given=given_documents)
        assert isinstance(decision, Hold)
        holds = decision.holds
    last = after_failure(SourceTimeout(), attempt=1, delays=DELAYS, holds=holds, given=HOLDS_PER_ATTEMPT)
    assert last == TryAgain(2, 5.0, "source_unavailable")


@given(st.sampled_from([SourceThrottled(), CredentialsRefused()]), st.integers(1, 100))
def test_throttling_and_refused_credentials_are_never_about_a_document(error: SourceError, rounds: int) -> None:
    holds = Holds()
    for given_documents in range(rounds):
        decision = after_failure(error, attempt=4, delays=DELAYS, holds=holds, given=given_documents)
        assert isinstance(decision, Hold)
        holds = decision.holds


@given(st.lists(st.tuples(errors, st.integers(0, 3)), min_size=1, max_size=300), delays)
def test_attempts_only_rise_by_one_and_never_pass_the_delays(
    story: list[tuple[SourceError, int]], delays: list[float]
) -> None:
    attempt, holds, given_documents = 1, Holds(), 0
    for error, more in story:
        given_documents += more
        decision = after_failure(error, attempt=attempt, delays=delays, holds=holds, given=given_documents)
        if isinstance(decision, GiveUp):
            return
        if isinstance(decision, TryAgain):
            assert decision.attempt == attempt + 1 <= len(delays) + 1
            assert decision.delay >= delays[attempt - 1]
            attempt, holds = decision.attempt, Holds()
        else:
            holds = decision.holds
            assert holds.counted < HOLDS_PER_ATTEMPT


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


def test_answers_about_the_case_end_after_the_tiers_also_when_outages_came_in_between() -> None:
    attempt, answers = 1, 0
    story: list[SourceError] = [SourceServerError(), SourceUnavailable(), SourceServerError(), SourceServerError()]
    for error in story:
        decision = after_discovery_failure(error, attempt=attempt, answers=answers, delays=DELAYS)
        assert isinstance(decision, PutOff)
        attempt, answers = decision.attempt, decision.answers
    assert (attempt, answers) == (5, 3)
    last = after_discovery_failure(SourceServerError(), attempt=attempt, answers=answers, delays=DELAYS)
    assert last == Abort("source_error", SourceServerError().message, dead=True)


@given(delays)
def test_without_delays_an_outage_still_waits(delays: list[float]) -> None:
    decision = after_discovery_failure(SourceUnavailable(), attempt=9, answers=0, delays=delays)
    assert isinstance(decision, PutOff)
    assert decision.delay == (delays[min(9, len(delays)) - 1] if delays else 120.0)
