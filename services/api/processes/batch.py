"""Many cases at once: each is a request of its own, with an outcome of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from services.api.parameters import case_number
from services.api.problems import Problem
from services.api.processes.decisions import Ask
from services.api.processes.service import CaseService

_AT_ONCE: Final = 4


class BatchService:
    """Requests for many cases. The source is left to the jobs: hundreds of cases are not read while a client waits."""

    def __init__(self, cases: CaseService) -> None:
        self._cases = cases

    async def ask(self, numbers: Sequence[str], like: Ask, request_id: str) -> dict[str, Any]:
        """An entry for each number, in order; ``like`` is the request that each of them is."""
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(text: str) -> dict[str, Any]:
            async with turn:
                return await self._one(text, like, request_id)

        return {"entries": await asyncio.gather(*(one(text) for text in numbers))}

    async def _one(self, text: str, like: Ask, request_id: str) -> dict[str, Any]:
        try:
            number = case_number(text, "process_numbers")
        except Problem as problem:
            return _refused(text, problem, request_id)
        try:
            outcome = await self._cases.accept(replace(like, number=number, defer=True))
        except Problem as problem:
            return _refused(number, problem, request_id)
        return {
            "process_number": number,
            "outcome": outcome.kind,
            "job_id": outcome.job.job_id if outcome.job is not None else None,
            "problem": None,
        }


def _refused(number: str, problem: Problem, request_id: str) -> dict[str, Any]:
    document = problem.document(instance="/processes/batch", request_id=request_id)
    return {"process_number": number[:64], "outcome": "refused", "job_id": None, "problem": document}
