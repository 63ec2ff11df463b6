"""Decides the plans of many small jobs in one transaction; what is larger is decided by itself (plan.py).

A transaction with its lock and its questions costs as much for one case as for twenty. Requests that come while one
batch is being decided are the next; a request alone waits for nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection

from services.downloader.catalog_queries import StoredJob, find_jobs
from services.downloader.planner.needed_documents import needs_of_job
from services.downloader.planner.plan import DecidedPlan, PlanRequest, catalog_document, decide, wanted
from shared.concurrency.batcher import Batcher
from shared.db.case_store import lock_case, lock_free_cases
from shared.db.deletions import find_deleted_jobs
from shared.db.document_states import state_text
from shared.db.engine import Database
from shared.db.prepared import PreparedText

_TOGETHER: Final = 50
_SMALL: Final = 256
"""Documents of a case that is decided together with others."""

# Of each case as many documents as show whether it is small; the index of their positions has them in order.
_DOCUMENTS: Final = PreparedText(
    "downloader_small_cases",
    f"""
    SELECT listed.process_number, listed.document_id::text AS document_id, listed.source_path, listed.name, listed.size,
           listed.secrecy_level, listed.content_type, listed.rendition, listed.revision,
           cases.secrecy_level AS case_level, known.status AS state, known.error_code AS state_error_code,
           coalesce(known.revision, 1) AS state_revision, known.size AS state_size,
           known.object_key AS state_object_key
    FROM unnest(:numbers) AS wanted (process_number)
    JOIN catalog.processes AS cases USING (process_number)
    CROSS JOIN LATERAL (
        SELECT * FROM catalog.documents WHERE documents.process_number = wanted.process_number
        ORDER BY documents.position, documents.document_id LIMIT :most
    ) AS listed
    LEFT JOIN {state_text("listed", "known")} ON true
    ORDER BY listed.process_number, listed.position, listed.document_id
    """,  # noqa: S608 - our own condition
    numbers="text[]",
    most="int",
)


class NoPlan(Enum):
    """Why a request has no plan."""

    DELETED = auto()
    """Its case was deleted."""
    CANCELLED = auto()
    """A client has cancelled the job."""
    WRONG_CASE = auto()
    """The job is about another case."""


@dataclass(frozen=True, slots=True)
class ToPlan:
    """A request to plan. ``sizes``: what the object store has of the case, in bytes by key; None where nobody asked."""

    asked: PlanRequest
    sizes: Mapping[str, int] | None = None


class PlanDecisions:
    """Decides plans; ``window`` is how many documents of a job are requested at once. For one event loop."""

    def __init__(self, database: Database, window: int) -> None:
        self._database = database
        self._window = window
        self._batcher: Batcher[ToPlan, DecidedPlan | NoPlan | None] = Batcher(self._decide_together, most=_TOGETHER)

    async def decide(self, plan: ToPlan) -> DecidedPlan | NoPlan:
        """The plan of a job, kept where it is large, decided while its case is held. Raises InfrastructureAway."""
        decided = await self._batcher.submit(plan)
        # Outside of the batch, so that the small ones do not wait for a large one.
        return await self._decide_alone(plan) if decided is None else decided

    async def _decide_together(self, plans: Sequence[ToPlan]) -> list[DecidedPlan | NoPlan | None]:
        return await self._database.run(lambda connection: _decide_small(connection, plans, self._window))

    async def _decide_alone(self, plan: ToPlan) -> DecidedPlan | NoPlan:
        asked = plan.asked

        def alone(connection: Connection) -> DecidedPlan | NoPlan:
            lock_case(connection, asked.request.process_number)
            job, refused = look(connection, asked)
            return refused or decide(connection, asked, job, self._window, plan.sizes)

        return await self._database.run(alone)


def look(connection: Connection, asked: PlanRequest) -> tuple[StoredJob | None, NoPlan | None]:
    """The job of a request, and why there is nothing to plan for it, as things stand now."""
    job_id = asked.request.job_id
    job = find_jobs(connection, [job_id]).get(job_id)
    return job, _no_plan(asked, job, find_deleted_jobs(connection, [job_id]))


def _no_plan(asked: PlanRequest, job: StoredJob | None, deleted: frozenset[str]) -> NoPlan | None:
    """Why there is nothing to plan; None where there is."""
    if asked.request.job_id in deleted:
        return NoPlan.DELETED
    if job is not None and job.process_number != asked.request.process_number:
        return NoPlan.WRONG_CASE
    return NoPlan.CANCELLED if job is not None and job.cancelled else None


def _decide_small(connection: Connection, plans: Sequence[ToPlan], window: int) -> list[DecidedPlan | NoPlan | None]:
    """The plans of the small jobs among these, in order; None for one to be decided by itself.

    That is one of a large case, and one whose case somebody else holds: the others do not wait for it.
    """
    free = lock_free_cases(connection, {plan.asked.request.process_number for plan in plans})
    ids = [plan.asked.request.job_id for plan in plans]
    jobs, deleted = find_jobs(connection, ids), find_deleted_jobs(connection, ids)
    small = min(window, _SMALL)
    rows = _DOCUMENTS.run(connection, {"numbers": sorted(free), "most": small + 1}) if free else ()
    by_case = {number: list(found) for number, found in groupby(rows, lambda row: row.process_number)}
    decided: list[DecidedPlan | NoPlan | None] = []
    for plan in plans:
        request = plan.asked.request
        job = jobs.get(request.job_id)
        documents = by_case.get(request.process_number, [])
        if (refused := _no_plan(plan.asked, job, deleted)) is not None:
            decided.append(refused)
        elif request.process_number not in free or len(documents) > small:
            decided.append(None)
        else:
            decided.append(_small_plan(plan, job, documents, window))
    return decided


def _small_plan(plan: ToPlan, job: StoredJob | None, documents: Sequence[Any], window: int) -> DecidedPlan:
    ids, again = wanted(plan.asked.request, job)
    kept = None if ids is None else frozenset(ids)
    chosen = documents if kept is None else [row for row in documents if row.document_id in kept]
    needs = needs_of_job((catalog_document(row, plan.sizes) for row in chosen), again=again, window=window)
    return DecidedPlan(needs.total, needs.available, needs.reminded, needs.first, lost=needs.lost)
