"""What a webhook may show of a finished job: nothing that is sealed. Pure.

A body passes through whatever lies between us and a receiver and stays in its logs, so nothing sealed goes into one:
neither links nor names. A client that asked with a key of the scope ``sealed`` finds it by ``documents_url``. For any
other client it does not exist, not even in the counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, NamedTuple

from shared.domain.secrecy import is_public_case
from shared.domain.statuses import JobStatus, ended_status
from shared.domain.views import case_view, unknown_case_view
from sources.errors import ProcessNotFound


class BodyCounts(NamedTuple):
    """How many documents a job covers, how many of them are public, and how many of those have ended."""

    total: int
    public: int
    available: int
    failed: int


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job ended: the fields of ProcessCompleted."""

    job_id: str
    process_number: str
    status: str
    total_documents: int
    completed_documents: int
    failed_documents: int
    created_at: datetime
    completed_at: datetime
    error_code: str | None
    error_message: str | None

    @classmethod
    def of(cls, completion: Any) -> JobEnd:
        """Of whatever has the fields."""
        return cls(*(getattr(completion, field.name) for field in fields(cls)))

    def counted(self, available: int, failed: int) -> JobEnd:
        """The same for a part of the documents: ``available`` and ``failed`` of them."""
        status = self.status if self.error_code is not None else ended_status(available, failed).value
        return replace(
            self,
            status=status,
            total_documents=available + failed,
            completed_documents=available,
            failed_documents=failed,
        )

    def not_found(self) -> JobEnd:
        """The end of the job of a case that does not exist."""
        counted = replace(self, error_code=None).counted(0, 0)
        return replace(
            counted,
            status=JobStatus.FAILED.value,
            error_code=ProcessNotFound.CODE,
            error_message=ProcessNotFound.MESSAGE,
        )


@dataclass(frozen=True, slots=True)
class VisibleCompletion:
    """What goes into the body. When ``documents_total`` is more than are shown, ``documents_url`` has the rest."""

    end: JobEnd
    case: Mapping[str, Any]
    documents_total: int
    shows_documents: bool = True
    """The public ones; none of a case that is sealed itself."""


def visible_completion(
    completion: Any, case: Any | None, numbers: BodyCounts, *, sealed: bool, public_url: str | None = None
) -> VisibleCompletion:
    """What a client may see of a job's end; ``sealed``: it asked with a key of that scope."""
    end = JobEnd.of(completion)
    unknown = unknown_case_view(completion.process_number, public_url)
    if case is None:
        return VisibleCompletion(end, unknown, numbers.total)
    if not is_public_case(case.secrecy_level):
        if not sealed:
            return VisibleCompletion(end.not_found(), unknown, 0, shows_documents=False)
        shown = {**unknown, "secrecy_level": case.secrecy_level}
        return VisibleCompletion(end, shown, numbers.total, shows_documents=False)
    view = case_view(case, public_url)
    if sealed or numbers.public == numbers.total:
        return VisibleCompletion(end, view, numbers.total)
    return VisibleCompletion(end.counted(numbers.available, numbers.failed), view, numbers.public)
