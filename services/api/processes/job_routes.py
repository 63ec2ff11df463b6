"""The routes of jobs."""

from __future__ import annotations

from fastapi import APIRouter, Response

from services.api.access.dependencies import Downloader, Reader
from services.api.http.answers import Json
from services.api.http.described_problems import described
from services.api.http.parameters import JobId, WithDocuments
from services.api.http.problems import JobFinished, JobNotFound, JobShared, NotYourJob
from services.api.http.provided import Trace
from services.api.processes.job_by_id import Jobs
from services.api.processes.view.schemas import CancelledJob, StatusView
from shared.domain.api_keys import Scope

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.get(
    "/{job_id}",
    response_model=None,
    responses={200: {"model": StatusView, "description": "The job"}, **described(JobNotFound)},
    summary="One job",
)
async def get_job(job_id: JobId, caller: Reader, jobs: Jobs, documents: WithDocuments = True) -> Response:
    """The job and the documents that it is about."""
    return Json(await jobs.show(job_id, caller.viewer, documents=documents))


@router.post(
    "/{job_id}/cancel",
    response_model=None,
    responses={
        200: {"model": StatusView | CancelledJob, "description": "The job, cancelled"},
        **described(JobNotFound, NotYourJob, JobFinished, JobShared),
    },
    summary="Cancel a job",
)
async def cancel_job(job_id: JobId, caller: Downloader, jobs: Jobs, trace: Trace) -> Response:
    """Ends a job that you started. While another client is on it, one that joined it or gave a webhook, that is
    refused with `job_shared`. What was downloaded stays."""
    view = await jobs.cancel(job_id, caller.viewer, trace)
    if not caller.may(Scope.READ):
        del view["documents"]
    return Json(view)
