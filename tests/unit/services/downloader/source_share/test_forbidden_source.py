"""When a firewall's 403 is the source's state, and when it is about one case."""

from __future__ import annotations

import pytest

from services.downloader.source_share.forbidden_source import ForbiddenSource
from sources.errors import (
    NoAccess,
    NotADocument,
    ProcessNotFound,
    SourceError,
    SourceForbidden,
    SourceServerError,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
    UnexpectedAnswer,
)


def after(*facts: tuple[float, str, SourceError | None]) -> float | None:
    state = ForbiddenSource(600.0)
    for at, case, error in facts:
        state.record(case, error, at)
    return state.since


def test_nothing_but_403_for_so_long_is_the_source() -> None:
    assert after((10, "a", SourceForbidden()), (20, "b", SourceForbidden()), (609, "a", SourceForbidden())) is None
    assert after((10, "a", SourceForbidden()), (20, "b", SourceForbidden()), (610, "a", SourceForbidden())) == 10


def test_one_case_alone_is_not_the_source() -> None:
    assert after(*((at, "a", SourceForbidden()) for at in range(0, 5000, 100))) is None


@pytest.mark.parametrize("answer", [None, ProcessNotFound(), NoAccess(), SourceServerError(), UnexpectedAnswer()])
def test_one_answer_of_the_source_begins_anew(answer: SourceError | None) -> None:
    facts = [(0, "a", SourceForbidden()), (1, "b", SourceForbidden()), (599, "c", answer)]
    assert after(*facts, (700, "a", SourceForbidden()), (701, "b", SourceForbidden())) is None
    assert after(*facts, (700, "a", SourceForbidden()), (1301, "b", SourceForbidden())) == 700


@pytest.mark.parametrize("error", [SourceUnavailable(), SourceTimeout(), SourceThrottled(), NotADocument()])
def test_what_a_gateway_can_say_too_changes_nothing(error: SourceError) -> None:
    assert after((0, "a", SourceForbidden()), (300, "c", error), (600, "b", SourceForbidden())) == 0
    assert after((0, "a", error), (1, "b", error), (900, "c", error)) is None


def test_an_answer_to_another_worker_begins_anew_and_an_older_one_does_not() -> None:
    state = ForbiddenSource(600.0)
    for at, case in ((100.0, "a"), (700.0, "b")):
        state.record(case, SourceForbidden(), at)
    state.answered(99.0)
    assert state.since == 100
    state.answered(650.0)
    assert state.since is None
