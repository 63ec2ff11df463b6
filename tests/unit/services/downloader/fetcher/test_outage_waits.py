"""What follows when the source is not there for a document: only a judgement costs an attempt, and tries end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.downloader.fetcher.outage_waits import (
    DOUBT_SECONDS,
    AttemptTries,
    OutageWait,
    after_away,
    after_shortened_timeout,
    hit_shortened_timeout,
)
from sources.errors import CredentialsRefused, SourceAway, SourceThrottled, SourceTimeout, SourceUnavailable
from sources.gate.outage_evidence import FailureCause

ERRORS: list[SourceAway] = [SourceUnavailable(), SourceTimeout(), SourceThrottled(), CredentialsRefused()]


@given(st.lists(st.sampled_from(ERRORS), max_size=300))
def test_an_outage_costs_nothing_however_long(outage: list[SourceAway]) -> None:
    tries = AttemptTries()
    for error in outage:
        decision = after_away(error, FailureCause.OUTAGE, tries, documents=0)
        assert decision is not None
        assert 0 < decision.seconds <= 5
        tries = decision.tries
    assert not tries.again, "it did not fail by itself"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_is_about_the_document_costs_the_attempt(error: SourceAway) -> None:
    assert after_away(error, FailureCause.DOCUMENT, AttemptTries(), documents=0) is None


def test_doubt_has_a_few_more_tries() -> None:
    tries, waits = AttemptTries(), []
    while (decision := after_away(SourceUnavailable(), FailureCause.DOUBT, tries, documents=0)) is not None:
        waits.append(decision.seconds)
        tries = decision.tries
    assert tuple(waits) == DOUBT_SECONDS


@given(st.lists(st.sampled_from([FailureCause.DOUBT, FailureCause.OUTAGE]), max_size=100))
def test_outages_in_between_do_not_lengthen_a_doubt(story: list[FailureCause]) -> None:
    tries, doubts = AttemptTries(), 0
    for cause in story:
        decision = after_away(SourceTimeout(), cause, tries, documents=0)
        if decision is None:
            assert doubts == len(DOUBT_SECONDS)
            return
        doubts += cause is FailureCause.DOUBT
        tries = decision.tries


def test_a_429_counts_only_when_others_were_given_documents_in_between() -> None:
    tries, counted = AttemptTries(), []
    for documents in (5, 5, 5, 6, 6, 9):
        decision = after_away(SourceThrottled(), FailureCause.OUTAGE, tries, documents=documents)
        assert isinstance(decision, OutageWait)
        tries = decision.tries
        counted.append(tries.throttled)
    assert counted == [1, 1, 1, 2, 2, 3]
    assert tries.caller("case").throttled == 3


def test_a_first_try_that_was_cut_short_is_asked_for_again_behind_the_others() -> None:
    assert hit_shortened_timeout(SourceTimeout(), 3.0)
    assert not hit_shortened_timeout(SourceTimeout(), None)
    assert not hit_shortened_timeout(SourceUnavailable(), 3.0)
    assert after_shortened_timeout(AttemptTries()).caller("case").again
