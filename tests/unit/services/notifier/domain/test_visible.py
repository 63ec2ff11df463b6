"""What a webhook tells, and of what it says nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from services.notifier.domain.visible import Numbers, telling
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


ALL_PUBLIC = Numbers(3, 3, 0, 0)


def test_an_open_case_is_told_whole_to_everybody() -> None:
    for sealed in (True, False):
        told = telling(end(), case(0), ALL_PUBLIC, sealed=sealed)
        assert told.shows_documents and told.end.total_documents == told.documents_total == 3
        assert told.case["parties"]
        assert telling(end(), None, ALL_PUBLIC, sealed=sealed).case == unknown_case_view(NUMBER)


def test_a_sealed_document_counts_for_those_alone_who_may_know_of_it() -> None:
    numbers = Numbers(3, 2, 2, 0)
    told = telling(end(), case(0), numbers, sealed=True)
    assert (told.documents_total, told.end.total_documents) == (3, 3)
    told = telling(end(), case(0), numbers, sealed=False)
    assert told.documents_total == 2
    assert (told.end.total_documents, told.end.completed_documents, told.end.failed_documents) == (2, 2, 0)


@pytest.mark.parametrize(
    ("numbers", "status"),
    [(Numbers(3, 2, 2, 0), "completed"), (Numbers(3, 2, 1, 1), "partial"), (Numbers(3, 1, 0, 1), "failed")],
)
def test_how_the_job_ended_is_told_by_the_documents_that_are_seen(numbers: Numbers, status: str) -> None:
    partial = end("partial", completed_documents=2, failed_documents=1)
    assert telling(partial, case(0), numbers, sealed=False).end.status == status
    assert telling(partial, case(0), numbers, sealed=True).end.status == "partial"
    cancelled = end("cancelled", error_code="cancelled")
    assert telling(cancelled, case(0), numbers, sealed=False).end.status == "cancelled"


@pytest.mark.parametrize("level", [1, 5, None])
def test_a_sealed_case_is_told_as_one_that_does_not_exist_or_by_its_number_and_counts(level: int | None) -> None:
    told = telling(end(), case(level), ALL_PUBLIC, sealed=False)
    assert (told.end.status, told.end.error_code, told.end.total_documents) == ("failed", "process_not_found", 0)
    assert told.case == unknown_case_view(NUMBER) and told.documents_total == 0 and not told.shows_documents
    told = telling(end(), case(level), ALL_PUBLIC, sealed=True)
    assert not told.shows_documents and told.documents_total == told.end.total_documents == 3
    assert told.case == {**unknown_case_view(NUMBER), "secrecy_level": level}
