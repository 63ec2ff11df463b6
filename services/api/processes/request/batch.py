"""Many cases at once: each is a request of its own, with an outcome of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from services.api.http.parameters import case_number
from services.api.http.problems import Problem
from services.api.processes.request.decisions import Ask
from services.api.processes.request.service import CaseService
from shared.concurrency.together import group

_AT_ONCE: Final = 4


@dataclass(frozen=True)
class _Entry:
    view: dict[str, Any]
    headers: Mapping[str, str]


class BatchService:
    """Requests for many cases. The source is left to the jobs: hundreds of cases are not read while a client waits."""

    def __init__(self, cases: CaseService) -> None:
        self._cases = cases

    async def ask(
        self, numbers: Sequence[str], like: Ask, request_id: str
    ) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """An entry for each number, in order, and headers that tell how the client's limit stands after them.

        ``like`` is the request that each of them is. A number that is there twice joins what its first one started.
        """
        turn = asyncio.Semaphore(_AT_ONCE)
        before: dict[str, asyncio.Task[_Entry]] = {}

        async def one(text: str, earlier: asyncio.Task[_Entry] | None) -> _Entry:
            if earlier is not None:
                await asyncio.wait({earlier})
            async with turn:
                return await self._one(text, like, request_id)

        made = []
        async with group() as tasks:
            for text in numbers:
                key = _digits(text)
                before[key] = tasks.create_task(one(text, before.get(key)))
                made.append(before[key])
        entries = [task.result() for task in made]
        return [entry.view for entry in entries], _tightest([entry.headers for entry in entries])

    async def _one(self, text: str, like: Ask, request_id: str) -> _Entry:
        try:
            number = case_number(text, "process_numbers")
        except Problem as problem:
            return _refused(text, problem, request_id)
        try:
            outcome = await self._cases.accept(replace(like, number=number, defer=True))
        except Problem as problem:
            return _refused(number, problem, request_id)
        view = {
            "process_number": number,
            "outcome": outcome.kind,
            "job_id": outcome.job.job_id if outcome.job is not None else None,
            "problem": None,
        }
        return _Entry(view, self._cases.limit_headers(outcome.allowance))


def _digits(text: str) -> str:
    """What two spellings of one number have in common."""
    return "".join(character for character in text if character.isdecimal())


def _tightest(headers: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Those of a refusal, which say when to come again, else those that leave the least."""
    told = [one for one in headers if "RateLimit" in one]
    if not told:
        return {}
    refusals = [one for one in told if "Retry-After" in one]
    if refusals:
        return dict(max(refusals, key=lambda one: int(one["Retry-After"])))
    return dict(min(told, key=lambda one: int(one["RateLimit"].partition(";r=")[2].partition(";")[0])))


def _refused(number: str, problem: Problem, request_id: str) -> _Entry:
    document = problem.document(instance="/processes/batch", request_id=request_id)
    shown = number[:64].encode(errors="replace").decode()
    view = {"process_number": shown, "outcome": "refused", "job_id": None, "problem": document}
    return _Entry(view, problem.headers)
