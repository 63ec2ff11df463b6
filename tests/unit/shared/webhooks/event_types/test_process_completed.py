"""The body of a webhook within its bounds: full, thin, bare."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from shared.domain.views import unknown_case_view
from shared.webhooks.body_form import BARE_BYTES, THIN_BYTES, BodyForm
from shared.webhooks.event_type import fitting_body
from shared.webhooks.event_types.process_completed import EVENT_TYPE
from shared.webhooks.facts import BodyDocuments, JobEnd, JobEnded

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
URL = "https://autos.example/processes/n/documents"


def completion(total: int = 5, message: str | None = None) -> Any:
    return JobEnd(
        job_id="j",
        process_number="n",
        status="completed",
        total_documents=total,
        completed_documents=total,
        failed_documents=0,
        created_at=NOW,
        completed_at=NOW,
        error_code=None,
        error_message=message,
    )


def case(letter: str = "a", movements: int = 200, parties: int = 500) -> dict[str, Any]:
    texts = {"court": letter * 200, "degree": letter * 200, "class": letter * 200}
    return {
        **unknown_case_view("n"),
        **texts,
        "subjects": [{"code": letter * 200, "description": letter * 500}] * 200,
        "movements": [{"at": None, "code": str(index), "description": letter * 100} for index in range(movements)],
        "movements_total": 900,
        "parties": [{"name": letter * 100, "role": None, "pole": None, "representatives": []}] * parties,
        "parties_total": 1000,
    }


def documents(count: int, total: int | None = None, size: int = 1000) -> BodyDocuments:
    views = [{"id": str(index), "name": "x" * size} for index in range(count)]
    return BodyDocuments(count if total is None else total, URL, lambda: views)


def made(form: BodyForm = BodyForm.FULL, most: int = 2**20, **more: Any) -> tuple[BodyForm, dict[str, Any], int]:
    listed = more.pop("documents", documents(5))
    body = fitting_body(EVENT_TYPE, JobEnded(completion(), case(**more), listed), form=form, most_bytes=most)
    return body.form, orjson.loads(body.content)["data"], len(body.content)


def test_a_full_body_has_its_documents_and_says_so() -> None:
    form, data, _ = made()
    assert form is BodyForm.FULL and len(data["documents"]) == 5
    assert (data["documents_total"], data["documents_url"], data["documents_truncated"]) == (5, URL, False)
    assert len(data["process"]["movements"]) == 200


def test_a_full_body_of_more_documents_than_it_shows_says_so() -> None:
    _, data, _ = made(documents=documents(1000, 1001, size=10), movements=0, parties=0)
    assert len(data["documents"]) == 1000
    assert (data["documents_total"], data["documents_truncated"]) == (1001, True)


@pytest.mark.parametrize("letter", ["a", "é", "😀", "\x01"])
def test_a_thin_body_fits_where_100_kb_are_taken(letter: str) -> None:
    form, data, size = made(BodyForm.THIN, letter=letter, documents=documents(1000))
    assert form is BodyForm.THIN and size < THIN_BYTES
    assert data["documents"] == [] and data["documents_truncated"] is True
    assert (data["documents_total"], data["documents_url"]) == (1000, URL)
    process = data["process"]
    assert 0 < len(process["movements"]) <= 200 and 0 < len(process["parties"]) <= 500
    assert process["movements"][0]["code"] == "0"  # the newest
    assert (process["movements_total"], process["parties_total"]) == (900, 1000)


@pytest.mark.parametrize("letter", ["a", "é", "😀", "\x01"])
def test_a_bare_body_has_no_list(letter: str) -> None:
    form, data, size = made(BodyForm.BARE, letter=letter)
    assert form is BodyForm.BARE and size < BARE_BYTES
    assert data["documents"] == [] and data["documents_truncated"] is True
    assert all(data["process"][name] == [] for name in ("subjects", "parties", "movements"))
    assert data["process"]["movements_total"] == 900


def test_a_body_at_its_bound_is_full_and_above_it_thin() -> None:
    _, _, size = made()
    assert made(most=size)[0] is BodyForm.FULL
    assert made(most=size - 1)[0] is BodyForm.THIN
    _, _, thin = made(BodyForm.THIN)
    assert made(most=thin)[0] is BodyForm.THIN
    assert made(most=thin - 1)[0] is BodyForm.BARE
    assert made(BodyForm.THIN, most=thin - 1)[0] is BodyForm.BARE


def test_a_thin_body_makes_no_view_of_a_document() -> None:
    def never() -> list[Any]:
        raise AssertionError("asked for views")

    made(BodyForm.THIN, documents=BodyDocuments(7, URL, never))


def test_nothing_is_truncated_of_a_case_without_documents() -> None:
    assert made(BodyForm.THIN, documents=documents(0))[1]["documents_truncated"] is False
