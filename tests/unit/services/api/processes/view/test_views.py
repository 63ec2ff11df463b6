"""Jobs and documents as they are shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.api.jobs.model import CaseJob, JobProgress, SeenCounts, job_view, percentage
from services.api.processes.view.views import (
    ShownDocuments,
    default_document_status,
    process_links,
    process_view,
    status_view,
)
from shared.domain.statuses import JobScope, JobStatus

NOW = datetime(2025, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
JOB = CaseJob("job", "1000145-91.2023.8.26.0597", "client", JobScope.WHOLE_CASE, False, True, NOW, None)
STARTED = JobProgress("processing", 4, 1, 1, NOW, None, None, None, 7)


def test_a_job_that_was_not_planned_is_pending_with_what_is_known() -> None:
    view = job_view(JOB, 12)
    assert view["status"] == "pending" and view["total_documents"] == 12
    assert view["progress_percentage"] == 0.0 and view["created_at"] == "2025-03-01T12:00:00.000005Z"
    assert job_view(JOB, 0)["progress_percentage"] == 0.0
    assert job_view(replace(JOB, scope="document"), 12)["total_documents"] == 1


def test_failed_documents_count_as_progress() -> None:
    view = job_view(replace(JOB, progress=STARTED), 4)
    assert view["status"] == "processing" and view["progress_percentage"] == 50.0


def test_an_empty_case_is_whole_once_planned() -> None:
    ended = replace(STARTED, status="completed", total_documents=0, completed_documents=0, failed_documents=0)
    assert job_view(replace(JOB, progress=replace(ended, completed_at=NOW)), 0)["progress_percentage"] == 100.0


@pytest.mark.parametrize("total", [1, 3, 7, 1000])
def test_percentages_stay_within_bounds(total: int) -> None:
    shares = [percentage(total, done, known=True) for done in range(total + 2)]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == 100.0


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        (SeenCounts(2, 2, 0), "completed"),
        (SeenCounts(2, 1, 1), "partial"),
        (SeenCounts(2, 0, 2), "failed"),
        (SeenCounts(0, 0, 0), "completed"),
    ],
)
def test_a_job_of_which_documents_are_left_out_is_told_by_the_others(counts: SeenCounts, status: str) -> None:
    running = replace(JOB, progress=STARTED).as_counted(counts)
    view = job_view(running, 2)
    assert view["status"] == "processing" and view["total_documents"] == counts.total
    ended = replace(JOB, progress=replace(STARTED, status="partial", completed_at=NOW)).as_counted(counts)
    view = job_view(ended, 2)
    assert (view["status"], view["progress_percentage"]) == (status, 100.0)
    assert view["total_documents"] == view["completed_documents"] + view["failed_documents"]
    aborted = replace(STARTED, status="failed", completed_at=NOW, error_code="no_access")
    assert replace(JOB, progress=aborted).as_counted(counts).status is JobStatus.FAILED
    assert JOB.as_counted(counts) is JOB


def test_a_cancelled_job_says_so_before_the_projection_does() -> None:
    cancelled = replace(JOB, active=False, cancelled_at=NOW)
    view = job_view(cancelled, 3)
    assert view["status"] == "cancelled" and view["error_code"] == "cancelled" and view["completed_at"]
    # It had ended in the projection when the wish came: that end is the one that counts.
    ended = replace(cancelled, progress=replace(STARTED, status="completed", completed_at=NOW))
    assert ended.status is JobStatus.COMPLETED


def test_a_document_waits_as_pending_or_processing() -> None:
    assert default_document_status(JOB, "a", has_webhook=False) == "processing"
    assert default_document_status(JOB, "a", has_webhook=True) == "pending"
    assert default_document_status(None, "a", has_webhook=False) == "pending"
    assert default_document_status(replace(JOB, scope="b"), "a", has_webhook=False) == "pending"
    assert default_document_status(replace(JOB, active=False), "a", has_webhook=False) == "pending"


def test_a_case_without_metadata_has_every_field() -> None:
    view = process_view(JOB.process_number, None, ShownDocuments([], 0), JOB, None, stale=False)
    assert view["movements"] == [] and view["court"] is None and view["fetched_at"] is None
    assert set(view["links"]) == {"self", "status", "events", "files", "zip", "manifest"}
    assert status_view(JOB.process_number, None, ShownDocuments([], 0))["status"] is None
    assert process_links(JOB.process_number)["zip"].endswith("/documents.zip")
