"""How a job ends follows from its documents alone."""

from __future__ import annotations

import pytest

from shared.domain.statuses import ENDED, JobStatus, ended_status


@pytest.mark.parametrize(
    ("available", "failed", "status"),
    [
        (0, 0, JobStatus.COMPLETED),
        (3, 0, JobStatus.COMPLETED),
        (3, 1, JobStatus.PARTIAL),
        (0, 1, JobStatus.FAILED),
    ],
)
def test_a_job_ends_by_what_became_of_its_documents(available: int, failed: int, status: JobStatus) -> None:
    assert ended_status(available, failed) is status


def test_only_pending_and_processing_jobs_go_on() -> None:
    assert set(JobStatus) - ENDED == {JobStatus.PENDING, JobStatus.PROCESSING}
    assert all(status.ended is (status in ENDED) for status in JobStatus)
