"""The rules of one job: catalog, projection, announcement, completion and deliveries tell the same story. Pure.

A job ends and is announced once; what comes later (a dead letter sent again) moves a document from failed to available
and corrects the counters and the status, so ``healed`` gives them and the announcement that much play.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ops.invariants.findings import Mismatch, Patience, Rule

ENDED: Final = frozenset({"completed", "partial", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class JobCounts:
    """What ``progress.jobs`` says of a job, and what its rows of ``progress.job_documents`` add up to."""

    status: str
    total: int | None
    completed: int
    failed: int
    planned: bool
    completed_at: datetime | None
    error_code: str | None
    updated_at: datetime
    rows_available: int
    rows_failed: int
    rows_open: int
    healed: int
    """Rows of documents that became available after the job had ended."""
    unbacked: int
    """Rows that say available of documents that ``progress.documents`` does not have as available."""


@dataclass(frozen=True, slots=True)
class JobFacts:
    """One job of the catalog and everything that others know of it."""

    job_id: str
    process_number: str
    created_at: datetime
    cancelled_at: datetime | None
    progress: JobCounts | None
    webhooks: int
    undelivered: int
    """Webhooks without a delivery."""
    youngest_undelivered: datetime | None
    completion_recorded: bool
    """Whether the notifier has the job's end."""


@dataclass(frozen=True, slots=True)
class AnnouncedEnd:
    """What process.completed holds of a job."""

    event_ids: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    records: int = 0


def is_running(job: JobFacts) -> bool:
    """Whether its end has still to come."""
    return job.progress is None or job.progress.completed_at is None


def judge(
    job: JobFacts, now: datetime, patience: Patience, *, alive: bool | None, announced: AnnouncedEnd | None
) -> Iterator[Mismatch]:
    """What does not match. ``alive``: whether a record about it is on its way; None for either: not known."""
    found = job.progress
    if found is None:
        if alive is False and now - job.created_at > patience.transit:
            yield _mismatch(Rule.JOB_LOST, job, "was accepted, but has no progress and nothing about it is on its way")
        return
    yield from _counts(job, found)
    if found.completed_at is None:
        if alive is False and now - found.updated_at > patience.transit:
            words = f"is {found.status} since {_age(now, found.updated_at)}, and nothing about it is on its way"
            yield _mismatch(Rule.JOB_STUCK, job, words)
        return
    yield from _ending(job, found)
    yield from _after_the_end(job, found.completed_at, now, patience, announced)


def _counts(job: JobFacts, found: JobCounts) -> Iterator[Mismatch]:
    if found.unbacked:
        words = f"counts {found.unbacked} documents as available that the projection does not have as available"
        yield _mismatch(Rule.JOB_DOCUMENTS, job, words)
    if found.total is not None and found.completed + found.failed > found.total:
        words = f"counts {found.completed} + {found.failed} documents of {found.total}"
        yield _mismatch(Rule.JOB_COUNTS, job, words)
    if found.status == "cancelled" or found.error_code is not None:
        # Cut short: what was still under way arrives after the counters were closed.
        return
    # What was available already when the job was planned has no row of its own.
    already = _already(found)
    low, high = found.rows_available - found.healed + already, found.rows_available + already
    if not low <= found.completed <= high:
        words = f"counts {found.completed} available documents, its rows say {high}"
        yield _mismatch(Rule.JOB_COUNTS, job, words)
    elif not found.rows_failed <= found.failed <= found.rows_failed + found.healed:
        words = f"counts {found.failed} failed documents, its rows say {found.rows_failed}"
        yield _mismatch(Rule.JOB_COUNTS, job, words)


def _already(found: JobCounts) -> int:
    """How many documents must have been available when the job was planned."""
    if not found.planned or found.total is None:
        return 0
    if found.completed_at is None:
        return max(0, found.completed - found.rows_available)
    return found.total - found.rows_available - found.rows_failed - found.rows_open


def _ending(job: JobFacts, found: JobCounts) -> Iterator[Mismatch]:
    if found.status not in ENDED:
        yield _mismatch(Rule.JOB_STATUS, job, f"has an end, but its status is {found.status}")
        return
    if found.status == "cancelled" or found.error_code is not None:
        if found.error_code is None:
            yield _mismatch(Rule.JOB_STATUS, job, "is cancelled without an error code")
        return
    total = found.total
    if total is None or found.completed + found.failed != total:
        words = f"ended with {found.completed} + {found.failed} documents of {total}"
        yield _mismatch(Rule.JOB_COUNTS, job, words)
        return
    right = "completed" if found.completed == total else "partial" if found.completed else "failed"
    if found.status != right:
        words = f"is {found.status} with {found.completed} of {total} available: {right} is right"
        yield _mismatch(Rule.JOB_STATUS, job, words)


def _after_the_end(
    job: JobFacts, ended_at: datetime, now: datetime, patience: Patience, announced: AnnouncedEnd | None
) -> Iterator[Mismatch]:
    if now - ended_at <= patience.transit:
        return
    if announced is not None:
        if len(announced.event_ids) != 1:
            words = f"ended, and process.completed has {len(announced.event_ids)} different events of it instead of 1"
            yield _mismatch(Rule.JOB_ANNOUNCEMENT, job, words)
        elif job.progress is not None and announced.statuses - _told_of(job.progress):
            words = f"is {job.progress.status}, but was announced as {', '.join(sorted(announced.statuses))}"
            yield _mismatch(Rule.JOB_ANNOUNCEMENT, job, words)
    if not job.completion_recorded:
        yield _mismatch(Rule.JOB_COMPLETION, job, "ended, and the notifier does not know it")
    late = job.youngest_undelivered is not None and now - job.youngest_undelivered > patience.transit
    if job.undelivered and late:
        words = f"ended, and {job.undelivered} of its {job.webhooks} webhooks have no delivery"
        yield _mismatch(Rule.DELIVERY_MISSING, job, words)


def _told_of(found: JobCounts) -> frozenset[str]:
    """What can have been announced of a job that is as it is now."""
    if not found.healed:
        return frozenset({found.status})
    return frozenset({found.status, "partial", "failed"})


def _mismatch(rule: Rule, job: JobFacts, words: str) -> Mismatch:
    return Mismatch(rule, job.job_id, f"job {job.job_id} of {job.process_number} {words}")


def _age(now: datetime, moment: datetime) -> str:
    return f"{(now - moment).total_seconds():.0f} s"
