"""What a webhook shows to whom."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from services.notifier.domain.visible import BodyCounts, visible_completion
from shared.domain.views import unknown_case_view

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NUMBER = "1000145-91.2023.8.26.0597"


def end(status: str = "completed", **counts: Any) -> Any:
    fields = {
        "job_id": "j",
        "process_number": NUMBER,
        "status": status,
        "total_documents": 3,
        "completed_documents": 3,
        "failed_documents": 0,
        "created_at": NOW,
        "completed_at": NOW,
        "error_code": None,
        "error_message": None,
    }
    return SimpleNamespace(**{**fields, **counts})


def case(level: int | None) -> Any:
    columns = {**unknown_case_view(NUMBER), "secrecy_level": level, "parties": [{"name": "Maria"}], "related": []}
    return SimpleNamespace(**columns, _mapping=columns)


ALL_PUBLIC = BodyCounts(3, 3, 0, 0)


def test_an_open_case_is_shown_whole_to_everybody() -> None:
    for sealed in (True, False):
        shown = visible_completion(end(), case(0), ALL_PUBLIC, sealed=sealed)
        assert shown.shows_documents and shown.end.total_documents == shown.documents_total == 3
        assert shown.case["parties"]
        assert visible_completion(end(), None, ALL_PUBLIC, sealed=sealed).case == unknown_case_view(NUMBER)


def test_a_sealed_document_counts_for_those_alone_who_may_know_of_it() -> None:
    numbers = BodyCounts(3, 2, 2, 0)
    shown = visible_completion(end(), case(0), numbers, sealed=True)
    assert (shown.documents_total, shown.end.total_documents) == (3, 3)
    shown = visible_completion(end(), case(0), numbers, sealed=False)
    assert shown.documents_total == 2
    assert (shown.end.total_documents, shown.end.completed_documents, shown.end.failed_documents) == (2, 2, 0)


@pytest.mark.parametrize(
    ("numbers", "status"),
    [
        (BodyCounts(3, 2, 2, 0), "completed"),
        (BodyCounts(3, 2, 1, 1), "partial"),
        (BodyCounts(3, 1, 0, 1), "failed"),
    ],
)
def test_how_the_job_ended_is_shown_by_the_documents_that_are_seen(numbers: BodyCounts, status: str) -> None:
    partial = end("partial", completed_documents=2, failed_documents=1)
    assert visible_completion(partial, case(0), numbers, sealed=False).end.status == status
    assert visible_completion(partial, case(0), numbers, sealed=True).end.status == "partial"
    cancelled = end("cancelled", error_code="cancelled")
    assert visible_completion(cancelled, case(0), numbers, sealed=False).end.status == "cancelled"


@pytest.mark.parametrize("level", [1, 5, None])
def test_a_sealed_case_is_shown_as_missing_or_by_its_number_and_counts(level: int | None) -> None:
    shown = visible_completion(end(), case(level), ALL_PUBLIC, sealed=False)
    assert (shown.end.status, shown.end.error_code, shown.end.total_documents) == ("failed", "process_not_found", 0)
    assert shown.case == unknown_case_view(NUMBER) and shown.documents_total == 0 and not shown.shows_documents
    shown = visible_completion(end(), case(level), ALL_PUBLIC, sealed=True)
    assert not shown.shows_documents and shown.documents_total == shown.end.total_documents == 3
    assert shown.case == {**unknown_case_view(NUMBER), "secrecy_level": level}
