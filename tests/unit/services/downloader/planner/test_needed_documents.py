"""What a job needs of each document, and the events that follow; the counters always add up."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.downloader.planner.needed_documents import CatalogDocument, DocumentNeed, need_of, needs_of_job
from services.downloader.planner.plan_events import KnownFailure, planned, reminder, requests
from services.downloader.planner.windows import WindowPlace, marks, windows
from shared.events.document_events import DocumentFailed, JobPlanned
from shared.events.document_requested import DocumentRequested
from shared.events.process_requested import ProcessRequested
from sources.errors import FINAL_CODES

NUMBER = "1000145-91.2023.8.26.0597"
CREATED = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
REQUEST = ProcessRequested(job_id=str(uuid.uuid4()), process_number=NUMBER, client_id="dev", created_at=CREATED)
PLAN = str(uuid.uuid4())


def document(state: str | None = None, code: str | None = None, revision: int = 1) -> CatalogDocument:
    document_id = str(uuid.uuid4())
    path = f"/processos/{NUMBER}/documentos/{document_id}/binario"
    return CatalogDocument(document_id, path, "Petição", 100, state, code, revision=revision)


documents = st.lists(
    st.builds(
        document,
        st.sampled_from([None, "pending", "processing", "available", "failed"]),
        st.sampled_from([None, "source_error", "short_body", *sorted(FINAL_CODES)]),
    ),
    max_size=30,
)


def test_a_new_document_is_requested_with_its_address_and_key() -> None:
    wanted = document()
    assert list(requests(REQUEST, [wanted])) == [
        DocumentRequested(
            job_id=REQUEST.job_id,
            process_number=NUMBER,
            document_id=wanted.document_id,
            source_path=wanted.source_path,
            object_key=f"processes/10001459120238260597/documents/{wanted.document_id}",
            name="Petição",
            expected_size=100,
        )
    ]
    assert planned(REQUEST, 1, 0) == JobPlanned(
        job_id=REQUEST.job_id, process_number=NUMBER, total_documents=1, already_available=0, created_at=CREATED
    )


def test_what_failed_for_good_fails_again_unless_it_is_to_be_tried() -> None:
    refused = document("failed", "no_access")
    assert needs_of_job([refused], again=False, window=9).reminded == [refused.document_id]
    assert needs_of_job([refused], again=True, window=9).first == [refused]
    assert reminder(REQUEST, refused.document_id, KnownFailure("no_access", "no standing", 0)) == DocumentFailed(
        job_id=REQUEST.job_id,
        process_number=NUMBER,
        document_id=refused.document_id,
        error_code="no_access",
        error_message="no standing",
        attempts=1,
        revision=1,
    )


def test_what_the_source_did_not_have_is_asked_for_again() -> None:
    for code in ("document_not_found", "not_a_document", "no_address", "source_route"):
        assert need_of(document("failed", code), again=False) is DocumentNeed.DOWNLOAD


def test_a_document_without_an_address_is_requested_without_one() -> None:
    unaddressed = document()._replace(source_path=None)
    assert need_of(unaddressed, again=False) is DocumentNeed.DOWNLOAD
    assert [asked.source_path for asked in requests(REQUEST, [unaddressed])] == [""]


def test_a_changed_listing_asks_again_whatever_the_last_verdict_was() -> None:
    for state, code in (("available", None), ("failed", "no_access"), ("failed", "document_too_large")):
        changed = document(state, code, revision=2)
        assert need_of(changed, again=False) is DocumentNeed.DOWNLOAD
        assert need_of(changed._replace(state_revision=2), again=False) is not DocumentNeed.DOWNLOAD
    gone = document("available", revision=2)._replace(source_path=None)
    assert need_of(gone, again=False) is DocumentNeed.NOTHING, "the bytes of before are better than none"


def test_what_failed_in_passing_or_is_under_way_elsewhere_is_requested() -> None:
    assert need_of(document("failed", "source_error"), again=False) is DocumentNeed.DOWNLOAD
    assert need_of(document("processing"), again=False) is DocumentNeed.DOWNLOAD


@given(documents, st.booleans(), st.integers(1, 8))
def test_every_document_has_one_end_and_the_counts_add_up(
    found: list[CatalogDocument], again: bool, window: int
) -> None:
    needs = needs_of_job(found, again=again, window=window)
    assert needs.total == len(found)
    assert needs.available == sum(each.state == "available" for each in found)
    wanted = [each.document_id for each in needs.first] + needs.rest
    assert len(needs.reminded) + len(wanted) + needs.available == needs.total
    assert len(needs.first) <= window
    assert not needs.rest or len(needs.first) == window
    order = [each.document_id for each in found]
    assert sorted(wanted, key=order.index) == wanted
    assert [each for chunk in windows(needs.rest, window) for each in chunk] == needs.rest


@given(st.integers(0, 300), st.booleans())
def test_two_documents_of_a_window_ask_for_the_next_one_when_there_is_one(count: int, more: bool) -> None:
    asked = list(requests(REQUEST, [document() for _ in range(count)], WindowPlace(PLAN, 3, more)))
    asking = [index for index, each in enumerate(asked) if each.release_after is not None]
    assert asking == (sorted(marks(count)) if more else [])
    assert all(asked[index].plan_id == PLAN and asked[index].release_after == 3 for index in asking)
    assert (1 <= len(asking) <= 2) == (more and count > 0)
