"""Every module of the event types is one type, and what it renders obeys its own schema in every form."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.domain.views import unknown_case_view
from shared.webhooks import event_types
from shared.webhooks.body_form import BARE_BYTES, BodyForm
from shared.webhooks.event_type import fitting_body
from shared.webhooks.facts import BodyDocuments, DocumentsStored, JobEnd, JobEnded, SourceChanged, TestSent
from shared.webhooks.registry import DEFAULT, EVENT_TYPES, OF_CASES, SUBSCRIBABLE, made_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
IDS = [f"00000000-0000-0000-0000-{index:012}" for index in range(100)]
DOCUMENTS = BodyDocuments(len(IDS), "/processes/n/documents", lambda: [{"id": one, "name": "x" * 900} for one in IDS])
ENDED = JobEnd(
    job_id="j",
    process_number="n",
    status="partial",
    total_documents=3,
    completed_documents=2,
    failed_documents=1,
    created_at=NOW,
    completed_at=NOW,
    error_code=None,
    error_message=None,
)
FACTS: dict[type[Any], Any] = {
    JobEnded: JobEnded(ENDED, unknown_case_view("n"), DOCUMENTS),
    DocumentsStored: DocumentsStored("j", "n", NOW, IDS, DOCUMENTS),
    TestSent: TestSent(NOW, "hello"),
    SourceChanged: SourceChanged("pdpj", "away", NOW, NOW, "source_unavailable"),
}
RECOVERED = SourceChanged("pdpj", "open", NOW, NOW, degraded_since=NOW)


def test_each_module_is_one_type_named_as_its_file() -> None:
    files = {path.stem for path in Path(event_types.__path__[0]).glob("*.py")} - {"__init__"}
    assert {name.replace(".", "_") for name in EVENT_TYPES} == files
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+", name) for name in EVENT_TYPES)


def test_what_an_endpoint_gets_by_itself_and_what_it_has_to_ask_for() -> None:
    assert DEFAULT == ("process.completed",)
    assert OF_CASES == ("document.available", "process.completed")
    assert (*OF_CASES, "source.degraded", "source.recovered") == SUBSCRIBABLE
    assert [kind.name for kind in made_of(JobEnded)] == ["process.completed"]
    assert made_of(TestSent) == ()


@pytest.mark.parametrize("name", list(EVENT_TYPES))
@pytest.mark.parametrize("form", list(BodyForm))
def test_a_body_obeys_the_schema_of_its_type(name: str, form: BodyForm) -> None:
    kind = EVENT_TYPES[name]
    facts = RECOVERED if name == "source.recovered" else FACTS[kind.facts]
    assert kind.applies(facts)
    body = orjson.loads(kind.body(facts, form))
    assert set(body) == {"type", "timestamp", "data"}
    assert (body["type"], body["timestamp"]) == (name, "2026-01-02T03:04:05.000000Z")
    assert set(body["data"]) <= set(kind.data.model_fields)
    kind.data.model_validate(body["data"])


def test_a_thin_body_names_the_documents_that_are_available_and_shows_none() -> None:
    kind = EVENT_TYPES["document.available"]
    made = fitting_body(kind, FACTS[DocumentsStored], form=BodyForm.FULL, most_bytes=64_000)
    data = orjson.loads(made.content)["data"]
    assert made.form is BodyForm.THIN
    assert (data["documents"], data["documents_truncated"], data["document_ids"]) == ([], True, IDS)
    bare = kind.body(FACTS[DocumentsStored], BodyForm.BARE)
    assert len(bare) < BARE_BYTES and orjson.loads(bare)["data"]["document_ids"] == []
