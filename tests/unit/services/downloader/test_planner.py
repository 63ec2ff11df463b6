"""What a job needs of each document; the counters always add up."""

from __future__ import annotations

import tracemalloc
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.downloader.planner import CatalogDocument, Need, need, plan
from shared.events.document_events import DocumentFailed, JobPlanned
from shared.events.document_requested import DocumentRequested
from shared.events.process_requested import ProcessRequested
from shared.pdpj.errors import PERMANENT_CODES

NUMBER = "1000145-91.2023.8.26.0597"
CREATED = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)


def request(document_ids: list[str] | None = None) -> ProcessRequested:
    return ProcessRequested(
        job_id=str(uuid.uuid4()),
        process_number=NUMBER,
        client_id="dev",
        document_ids=document_ids,
        created_at=CREATED,
    )


def document(state: str | None = None, code: str | None = None, **options: object) -> CatalogDocument:
    document_id = str(uuid.uuid4())
    path = f"/processos/{NUMBER}/documentos/{document_id}/binario"
    return CatalogDocument(document_id, path, "Petição", 100, state, code, **options)  # type: ignore[arg-type]


documents = st.lists(
    st.builds(
        document,
        st.sampled_from([None, "pending", "processing", "available", "failed"]),
        st.sampled_from([None, "source_error", "short_body", *sorted(PERMANENT_CODES)]),
    ),
    max_size=30,
)


def test_a_new_document_is_requested_with_its_address_and_key() -> None:
    wanted = document()
    asked = request()
    requested, planned = plan(asked, [wanted])
    assert requested == DocumentRequested(
        job_id=asked.job_id,
        process_number=NUMBER,
        document_id=wanted.document_id,
        source_path=wanted.source_path,
        object_key=f"processes/10001459120238260597/documents/{wanted.document_id}",
        name="Petição",
        expected_size=100,
    )
    assert planned == JobPlanned(
        job_id=asked.job_id, process_number=NUMBER, total_documents=1, already_available=0, created_at=CREATED
    )


def test_an_empty_case_is_planned_with_nothing() -> None:
    (planned,) = plan(request(), [])
    assert isinstance(planned, JobPlanned)
    assert (planned.total_documents, planned.already_available) == (0, 0)


def test_what_failed_for_good_fails_again_for_this_job_unless_it_was_asked_for_by_name() -> None:
    refused = document("failed", "no_access", error_message="no standing", attempts=1)
    asked = request()
    reminded, _ = plan(asked, [refused])
    assert reminded == DocumentFailed(
        job_id=asked.job_id,
        process_number=NUMBER,
        document_id=refused.document_id,
        error_code="no_access",
        error_message="no standing",
        attempts=1,
    )
    assert isinstance(next(plan(request([refused.document_id]), [refused])), DocumentRequested)


def test_what_failed_for_a_passing_reason_is_requested_again() -> None:
    assert need(document("failed", "source_error"), listed=False) is Need.DOWNLOAD


def test_a_document_under_way_for_another_job_is_requested_for_this_one_too() -> None:
    assert need(document("processing"), listed=False) is Need.DOWNLOAD


@given(documents, st.booleans())
def test_every_document_has_one_end_and_the_counts_add_up(found: list[CatalogDocument], listed: bool) -> None:
    asked = request([each.document_id for each in found] if listed else None)
    *events, planned = plan(asked, found)
    assert isinstance(planned, JobPlanned)
    assert planned.total_documents == len(found)
    assert planned.already_available == sum(each.state == "available" for each in found)
    assert len(events) + planned.already_available == planned.total_documents
    told = [event.document_id for event in events if isinstance(event, DocumentRequested | DocumentFailed)]
    assert told == [each.document_id for each in found if each.state != "available"]


def test_ten_thousand_documents_are_planned_without_being_held() -> None:
    def source() -> Iterator[CatalogDocument]:
        return (document() for _ in range(10_000))

    tracemalloc.start()
    try:
        events = sum(1 for _ in plan(request(), source()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert events == 10_001
    assert peak < 1_000_000
