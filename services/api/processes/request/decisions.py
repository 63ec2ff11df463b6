"""What a request for a case leads to, decided without database, source or clock (docs/adr/0006)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from services.api.jobs.model import CaseJob
from services.api.processes.request.case_request import CaseRequest
from shared.domain.secrecy import Viewer, is_public_case


@dataclass(frozen=True)
class StoredCase:
    """What is stored of the case: when the source was read, the newest jobs, and the document asked for.

    ``fetched_at`` None: nothing of the case is stored. ``case_job`` is the newest job for the whole case;
    ``document_job`` the newest for the document asked for, or of any scope where no document and no download is asked
    for.
    """

    fetched_at: datetime | None
    case_job: CaseJob | None
    document_job: CaseJob | None = None
    document_known: bool = False
    document_available: bool = False
    source_version: str | None = None
    """The source's own version of what is stored, where it gives one."""
    secrecy_level: int | None = None
    asked_before: bool = True
    """Whether the client asked for the case before."""

    def hides_from(self, viewer: Viewer) -> bool:
        """Whether what is stored says that the case does not exist for this viewer."""
        return self.fetched_at is not None and not is_public_case(self.secrecy_level) and not viewer.sealed

    @property
    def running(self) -> CaseJob | None:
        """The job that a request joins: one for the whole case comes before one for a document."""
        for job in (self.case_job, self.document_job):
            if job is not None and not job.ended:
                return job
        return None

    @property
    def last(self) -> CaseJob | None:
        """The newest of the jobs that concern the request."""
        found = [job for job in (self.case_job, self.document_job) if job is not None]
        return max(found, key=lambda job: job.created_at, default=None)


class RequestStep(Enum):
    """What to do with the case's jobs."""

    ANSWER = "answer"
    """Show what is there, with the job given (None when there is none)."""
    START = "start"
    """Create a job."""
    UNKNOWN_DOCUMENT = "unknown_document"
    """The case has no such document."""


@dataclass(frozen=True)
class RequestDecision:
    """A step, and the job that the answer shows when no new one is started."""

    step: RequestStep
    job: CaseJob | None = None


def is_stale(fetched_at: datetime | None, now: datetime, ttl_seconds: float) -> bool:
    """Whether what is stored of the source is older than AUTOS_PROCESS_TTL_SECONDS; nothing stored is not stale."""
    return fetched_at is not None and now - fetched_at > timedelta(seconds=ttl_seconds)


def needs_own_reading(stored: StoredCase, *, share: bool) -> bool:
    """Whether the source has to be read for this client, although what another client brought is stored.

    ``share`` is AUTOS_SHARE_CASES: with it, what is stored is enough.
    """
    return not share and not stored.asked_before and stored.fetched_at is not None


def must_read(request: CaseRequest, stored: StoredCase, ttl_seconds: float, *, share: bool = True) -> bool:
    """Whether the source has to be read before the request can be decided.

    Not while a job runs that the request joins: the job's documents are fixed, and where the job reads the case itself
    the source was away a moment ago. A case that is stored and hidden from the client is read as one that was never
    stored: that costs the same and takes as long, and a case that was unsealed meanwhile is found.
    """
    if stored.hides_from(request.viewer) or needs_own_reading(stored, share=share):
        return True
    if stored.running is not None:
        return False
    if request.document_id is not None and stored.document_known:
        return False
    return stored.fetched_at is None or request.refresh or is_stale(stored.fetched_at, request.asked_at, ttl_seconds)


def decide(request: CaseRequest, stored: StoredCase, *, was_due: bool) -> RequestDecision:
    """What the request leads to, once the source was read if that was due (``was_due``).

    A job created after the request came in answers it, so that a burst of equal requests is one job however fast
    that job ends.
    """
    if not request.download:
        return RequestDecision(RequestStep.ANSWER, stored.running or stored.last)
    if stored.running is not None:
        return RequestDecision(RequestStep.ANSWER, stored.running)
    if request.document_id is not None:
        return _decide_document(request, stored)
    last = stored.case_job
    if last is None:
        return RequestDecision(RequestStep.START)
    if last.created_at >= request.asked_at:
        return RequestDecision(RequestStep.ANSWER, last)
    if was_due or request.refresh or request.retry_failed:
        return RequestDecision(RequestStep.START)
    return RequestDecision(RequestStep.ANSWER, last)


def _decide_document(request: CaseRequest, stored: StoredCase) -> RequestDecision:
    if stored.fetched_at is not None and not stored.document_known:
        return RequestDecision(RequestStep.UNKNOWN_DOCUMENT)
    last = stored.last
    if last is not None and ((stored.document_available and not request.lost) or last.created_at >= request.asked_at):
        return RequestDecision(RequestStep.ANSWER, last)
    return RequestDecision(RequestStep.START)


def must_verify(request: CaseRequest, stored: StoredCase) -> bool:
    """Whether a new job looks up in the object store what is recorded as available.

    Not the first job of a case, which finds nothing there. A client that asks again may have found something missing.
    """
    return request.refresh or request.retry_failed or request.document_id is not None or stored.last is not None
