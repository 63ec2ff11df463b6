"""What a webhook tells of a finished job, pure: nothing that is sealed, and to whom it may be known that something is.

A webhook's body travels through whatever lies between us and a receiver and stays in its logs, so what is sealed never
goes into one: neither links nor names. A client that asked with a key of the scope ``sealed`` finds it by
``documents_url``; for any other it does not exist, in the counts as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, NamedTuple

from shared.domain.secrecy import is_public_case
from shared.domain.views import case_view, unknown_case_view
from sources.errors import ProcessNotFound


class Numbers(NamedTuple):
    """How many documents a job is about, how many of them are public, and how far those are."""

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
        """The same of a part of the documents: those that were available and those that failed."""
        status = self.status
        if self.error_code is None:
            status = ("partial" if available else "failed") if failed else "completed"
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
        return replace(counted, status="failed", error_code=ProcessNotFound.CODE, error_message=ProcessNotFound.MESSAGE)


@dataclass(frozen=True, slots=True)
class Told:
    """What goes into the body. ``documents_total`` more than are shown means that ``documents_url`` has the rest."""

    end: JobEnd
    case: Mapping[str, Any]
    documents_total: int
    shows_documents: bool = True
    """The public ones; none of a case that is sealed itself."""


def telling(
    completion: Any, case: Any | None, numbers: Numbers, *, sealed: bool, public_url: str | None = None
) -> Told:
    """What is told of a job's end; ``sealed``: to a client that asked with a key of that scope."""
    end = JobEnd.of(completion)
    unknown = unknown_case_view(completion.process_number, public_url)
    if case is None:
        return Told(end, unknown, numbers.total)
    if not is_public_case(case.secrecy_level):
        if not sealed:
            return Told(end.not_found(), unknown, 0, shows_documents=False)
        shown = {**unknown, "secrecy_level": case.secrecy_level}
        return Told(end, shown, numbers.total, shows_documents=False)
    view = case_view(case, public_url)
    if sealed or numbers.public == numbers.total:
        return Told(end, view, numbers.total)
    return Told(end.counted(numbers.available, numbers.failed), view, numbers.public)
