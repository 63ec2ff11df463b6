"""Which events may end a job: these are written at once, the others may wait for more of their kind. Pure.

Only the record is read (its key, its ``ce_type``, the two numbers of a JobPlanned), since records are decoded when
they are written. A wrong yes costs a small batch. A wrong no costs the time that a batch may wait; it can happen to a
job whose events before its plan were counted by another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from shared.events.document_events import DocumentAvailable, DocumentFailed, JobAborted, JobPlanned

_MOST_JOBS: Final = 100_000
"""Remembered at once; beyond it everything is forgotten, which costs a small batch a job."""

_PLANNED: Final = JobPlanned.TYPE.encode()
_ABORTED: Final = JobAborted.TYPE.encode()
_ENDS: Final = frozenset({DocumentAvailable.TYPE.encode(), DocumentFailed.TYPE.encode()})


class RemainingDocuments:
    """How many documents the jobs under way still wait for, as far as this process has seen."""

    def __init__(self) -> None:
        # Below zero: so many documents ended before the job was planned.
        self._left: dict[bytes, int] = {}

    def may_end(self, kind: bytes, job: bytes, value: bytes) -> bool:
        """Whether a job may end with this record: ``kind`` is its ``ce_type``, ``job`` its key."""
        if kind in _ENDS:
            # A job that began before this process: what is stored says how many are left, after the next batch.
            left = self._left[job] = self._left.get(job, 0) - 1
            return left <= 0
        if kind == _PLANNED:
            left = self._left[job] = _documents_to_come(value) + min(0, self._left.get(job, 0))
            return left <= 0
        return kind == _ABORTED

    def learn(self, left: Mapping[str, int]) -> None:
        """What is stored now: for each job of a batch the documents it waits for, 0 when it has ended."""
        if len(self._left) > _MOST_JOBS:
            self._left.clear()
        for job, count in left.items():
            if count > 0:
                self._left[job.encode()] = count
            else:
                self._left.pop(job.encode(), None)

    def forget(self) -> None:
        """Partitions have come or gone: others may have counted on."""
        self._left.clear()


def _documents_to_come(value: bytes) -> int:
    """The number of documents that a JobPlanned announces; 0 for what is none, so that it is looked at at once."""
    try:
        plan = orjson.loads(value)
        return int(plan["total_documents"]) - int(plan["already_available"])
    except (ValueError, TypeError, KeyError, ArithmeticError):
        return 0
