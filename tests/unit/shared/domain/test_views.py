"""The views of a case and of its documents: exactly the fields of the contract."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from shared.domain.views import case_view, document_view, duplicates, unknown_case_view
from shared.webhooks.body_form import BodyForm
from shared.webhooks.event_type import fitting_body
from shared.webhooks.event_types.process_completed import EVENT_TYPE
from shared.webhooks.facts import BodyDocuments, JobEnd, JobEnded

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
# docs/reference/http-api.md, "What a case looks like".
FIELDS = [
    *("id", "source_id", "name", "type", "rendition", "court", "degree", "instance", "position", "duplicate_of"),
    *("warnings", "sequence", "filed_at", "pages", "size", "content_type", "secrecy_level", "status"),
    *("download_url", "download_url_expires_at", "sha256", "error_code", "error_message", "attempts"),
    *("download_started_at", "download_completed_at", "replaced_at"),
]


def document() -> Any:
    return SimpleNamespace(
        document_id="d",
        name="n",
        type="t",
        sequence=1,
        filed_at=NOW,
        pages=2,
        size=10,
        content_type="application/pdf",
        secrecy_level="PUBLICO",
        source_id="4711",
        rendition="binary",
        court="TJSP",
        degree="G1",
        instance="PRIMEIRO_GRAU",
        position=3,
        revision=1,
    )


def state(status: str, **more: Any) -> Any:
    values = {
        "status": status,
        "sha256": None,
        "size": None,
        "content_type": None,
        "error_code": None,
        "error_message": None,
        "attempts": 1,
        "download_started_at": NOW,
        "download_completed_at": None,
        "warnings": None,
        "rendition": None,
        "revision": None,
        "replaced_at": None,
    }
    return SimpleNamespace(**{**values, **more})


def test_an_available_document_has_what_was_stored_and_a_link() -> None:
    stored = state("available", sha256="ab", size=99, content_type="text/html", download_completed_at=NOW)
    view = document_view(document(), stored, default_status="pending", link="http://x", link_expires_at=NOW)
    assert list(view) == FIELDS
    assert (view["size"], view["content_type"], view["sha256"]) == (99, "text/html", "ab")
    assert (view["download_url"], view["download_url_expires_at"]) == ("http://x", "2026-01-02T03:04:05.000000Z")


@pytest.mark.parametrize("status", ["pending", "processing"])
def test_what_the_projection_does_not_know_yet_has_the_default_status(status: str) -> None:
    assert document_view(document(), None, default_status=status)["status"] == status
    assert document_view(document(), state("pending"), default_status=status)["status"] == status


def test_a_failed_document_says_why_and_has_no_link() -> None:
    failed = state("failed", error_code="no_access", error_message="none", attempts=4)
    view = document_view(document(), failed, default_status="pending", link="http://x", link_expires_at=NOW)
    assert (view["status"], view["error_code"], view["attempts"]) == ("failed", "no_access", 4)
    assert (view["download_url"], view["download_url_expires_at"]) == (None, None)


def test_a_case_has_the_same_fields_whether_it_was_read_or_not() -> None:
    columns = dict.fromkeys(unknown_case_view("n"))
    stored: dict[str, Any] = {**columns, "filed_at": NOW, "claim_value": Decimal("12.50"), "class": "c", "related": []}
    view = case_view(stored)
    assert list(view) == list(unknown_case_view("n"))
    assert (view["claim_value"], view["class"]) == (12.5, "c")


@pytest.mark.parametrize(("total", "done", "failed", "share"), [(0, 0, 0, 100.0), (3, 1, 1, 66.67), (4, 4, 0, 100.0)])
def test_the_body_is_the_one_of_the_contract(total: int, done: int, failed: int, share: float) -> None:
    completion = JobEnd(
        job_id="j",
        process_number="n",
        status="partial",
        total_documents=total,
        completed_documents=done,
        failed_documents=failed,
        created_at=NOW,
        completed_at=NOW,
        error_code=None,
        error_message=None,
    )
    documents = BodyDocuments(0, "/processes/n/documents", list)
    facts = JobEnded(completion, unknown_case_view("n"), documents)
    made = fitting_body(EVENT_TYPE, facts, form=BodyForm.FULL, most_bytes=2**20)
    assert made.form is BodyForm.FULL
    body = orjson.loads(made.content)
    assert body["type"] == "process.completed"
    assert body["timestamp"] == "2026-01-02T03:04:05.000000Z"
    assert body["data"]["progress_percentage"] == share
    assert {"job_id", "process_number", "status", "created_at", "completed_at", "process", "documents"} <= set(
        body["data"]
    )


def test_a_document_tells_where_it_stands_and_what_is_odd_about_its_bytes() -> None:
    stored = state("available", sha256="ab", warnings=["size_differs"], rendition="text", replaced_at=NOW)
    view = document_view(document(), stored, default_status="pending", duplicate_of="c")
    assert (view["source_id"], view["court"], view["degree"], view["position"]) == ("4711", "TJSP", "G1", 3)
    assert (view["rendition"], view["warnings"], view["duplicate_of"]) == ("text", ["size_differs"], "c")
    assert view["replaced_at"] == "2026-01-02T03:04:05.000000Z"
    listed_anew = document()
    listed_anew.revision = 2
    assert document_view(listed_anew, stored, default_status="pending")["warnings"] == ["size_differs", "outdated"]
    failed = document_view(document(), state("failed", warnings=["x"]), default_status="pending")
    assert (failed["warnings"], failed["replaced_at"]) == ([], None)


def test_the_first_of_the_same_bytes_is_the_original() -> None:
    own = "processes/1/documents/{}"
    listed = [(name, sha, own.format(name)) for name, sha in [("a", "1"), ("c", "2"), ("d", "1"), ("e", "1")]]
    assert duplicates([*listed, ("b", None, None)]) == {"d": "a", "e": "a"}
    other = "0b9c4f3e-58b5-5d0c-9a4e-8e1f0c6c1d55"
    assert duplicates([("a", "1", own.format(other))]) == {"a": other}, "the other one is on another page"
    assert duplicates([(other, "1", own.format(other) + "." + "ab" * 32)]) == {}


def test_filing_times_of_whole_seconds_have_no_fraction() -> None:
    view = document_view(document(), None, default_status="pending")
    assert view["filed_at"] == "2026-01-02T03:04:05Z"
