"""Many cases at once: each is a request of its own, with an outcome of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import Depends

from services.api.access import rate_limit as ratelimit
from services.api.http.parameters import case_number
from services.api.http.problems import InvalidProcessNumberProblem, Problem
from services.api.http.provided import provided
from services.api.processes.request.answer import OutcomeKind, RequestRefusal
from services.api.processes.request.case_request import CaseRequestTemplate
from services.api.processes.request.service import CaseService
from shared.concurrency.task_groups import task_group

_AT_ONCE: Final = 4
_NUMBER_SHOWN: Final = 64
"""Characters of what a client sent as a number that come back in an entry."""


DescribeProblem = Callable[[Problem], dict[str, Any]]
"""Makes the document of a problem as the request's client reads it."""


@dataclass(frozen=True)
class _Entry:
    view: dict[str, Any]
    allowance: ratelimit.Allowance | None = None


class BatchService:
    """Requests for many cases. The source is left to the jobs: hundreds of cases are not read while a client waits."""

    def __init__(self, cases: CaseService) -> None:
        self._cases = cases

    async def ask(
        self, numbers: Sequence[str], template: CaseRequestTemplate, describe: DescribeProblem
    ) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """An entry for each number, in order, and the headers that say how the client's limit stands after them.

        A number that is there twice joins what its first one started. ``describe`` makes the problem of a refused one.
        """
        turn = asyncio.Semaphore(_AT_ONCE)
        deferred = replace(template, defer=True)
        before: dict[str, asyncio.Task[_Entry]] = {}

        async def one(text: str, earlier: asyncio.Task[_Entry] | None) -> _Entry:
            if earlier is not None:
                await asyncio.wait({earlier})
            async with turn:
                return await self._one(text, deferred, describe)

        made = []
        async with task_group() as tasks:
            for text in numbers:
                key = _digits(text)
                before[key] = tasks.create_task(one(text, before.get(key)))
                made.append(before[key])
        entries = [task.result() for task in made]
        allowance = ratelimit.tightest(one.allowance for one in entries if one.allowance is not None)
        return [entry.view for entry in entries], self._cases.limit_headers(allowance)

    async def _one(self, text: str, template: CaseRequestTemplate, describe: DescribeProblem) -> _Entry:
        try:
            number = case_number(text, "process_numbers")
        except InvalidProcessNumberProblem as problem:
            return _Entry(_refused(text, describe(problem)))
        outcome = await self._cases.accept(template.of(number))
        if isinstance(outcome, RequestRefusal):
            return _Entry(_refused(number, describe(outcome.problem)), outcome.allowance)
        view = {
            "process_number": number,
            "outcome": outcome.kind,
            "job_id": outcome.job.job_id if outcome.job is not None else None,
            "problem": None,
        }
        return _Entry(view, outcome.allowance)


Batches = Annotated[BatchService, Depends(provided(BatchService))]


def _digits(text: str) -> str:
    """What two spellings of one number have in common."""
    return "".join(character for character in text if character.isdecimal())


def _refused(number: str, document: dict[str, Any]) -> dict[str, Any]:
    shown = number[:_NUMBER_SHOWN].encode(errors="replace").decode()
    return {"process_number": shown, "outcome": OutcomeKind.REFUSED, "job_id": None, "problem": document}
